"""Lookups by id for the pages, across all users: triggers, executions and users' names."""

from collections.abc import Iterable

from django.http import Http404

from executions.agent_records import lookup
from executions.models import TriggerExecution
from moca.authentication.models import Operator
from triggers.models import Trigger

# Pages offer the agents and the names of this many newest triggers.
LATEST = 100


def find_trigger(trigger_id: str) -> Trigger:
    """The trigger with an id. Raises Http404 if there is none."""
    trigger: Trigger | None = Trigger.objects.with_id(trigger_id)
    if trigger is None:
        raise Http404
    return trigger


def find_execution(trigger_id: str, execution_id: str) -> TriggerExecution:
    """The execution with a trigger's id and its own id. Raises Http404 if there is none."""
    found: TriggerExecution | None = TriggerExecution.objects.filter(
        trigger_id=trigger_id, pk=execution_id
    ).first()
    if found is None:
        raise Http404
    return found


def names_of(user_ids: Iterable[str]) -> dict[str, str]:
    """The names of operators by user id, in one read."""
    wanted = set(user_ids)
    found = Operator.objects.filter(subject__in=wanted) if wanted else Operator.objects.none()
    return dict(found.values_list("subject", "username"))


def agents_in_use() -> list[str]:
    """The agents of the newest triggers, sorted by name."""
    newest = Trigger.objects.order_by("-pk").values_list("agent_id", flat=True)[:LATEST]
    return sorted(set(newest))


def agents_offered() -> list[tuple[str, str]]:
    """The agents that the form of a trigger offers, each an id and a name.

    Agents with a record come first, then agents that only the newest triggers name.
    """
    known = {agent.pk: agent.name for agent in lookup.all_agents()}
    others = [(agent_id, "") for agent_id in agents_in_use() if agent_id not in known]
    return [*known.items(), *others]


def triggers_in_use() -> list[str]:
    """The names of the newest triggers, in order."""
    newest = Trigger.objects.order_by("-pk").values_list("name", flat=True)[:LATEST]
    return sorted(set(newest), key=str.casefold)
