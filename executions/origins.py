"""Which triggers executions are of, found by key where their users are on record."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from executions.models import TriggerExecution
from triggers.models import Trigger

# Rows that one read by key can ask for.
KEYS_A_READ = 100


def trigger_of(execution: TriggerExecution) -> Trigger | None:
    """The trigger of an execution; None where it was deleted."""
    named = Trigger.objects.filter(pk=execution.trigger_id)
    user = execution.user_id
    # Whose it was: the trigger may be another's by now, and the other service does not note it.
    found: Trigger | None = (named.filter(user_id=user).first() if user else None) or named.first()
    return found


def names_of_triggers(executions: Iterable[TriggerExecution]) -> dict[str, str]:
    """The names of the executions' triggers by id, in as few reads as their keys allow."""
    by_user: dict[str, set[str]] = defaultdict(set)
    for execution in executions:
        by_user[execution.user_id].add(execution.trigger_id)
    names: dict[str, str] = {}
    for users, ids in _batches(by_user):
        found = Trigger.objects.filter(user_id__in=users, pk__in=ids)
        names |= found.values_list("pk", "name")
    # Of another user by now, or run by the other service, which does not note whose it was. One by
    # one, since a key-value table has no way to several ids but through all that lie between them.
    for key in set().union(*by_user.values()) - names.keys():
        names |= Trigger.objects.filter(pk=key).values_list("pk", "name")
    return names


def _batches(by_user: dict[str, set[str]]) -> Iterator[tuple[list[str], set[str]]]:
    """Users and ids of triggers, in batches of which every pairing fits into one read."""
    users: list[str] = []
    ids: set[str] = set()
    for user, own in sorted(by_user.items(), key=lambda item: len(item[1])):
        if not user:
            continue
        if users and (len(users) + 1) * len(ids | own) > KEYS_A_READ:
            yield users, ids
            users, ids = [], set()
        users, ids = [*users, user], ids | own
    if users:
        yield users, ids
