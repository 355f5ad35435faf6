"""Triggers and executions by their ids, whosever they are, and the names of their users."""

from collections.abc import Iterable

from django.http import Http404

from executions.models import TriggerExecution
from moca.authentication.models import Operator
from triggers.models import Trigger

# So many of the newest triggers are looked at for the agents that pages offer.
LATEST = 100


def find_trigger(trigger_id: str) -> Trigger:
    """The trigger of an id; Http404 where there is none."""
    trigger: Trigger | None = Trigger.objects.with_id(trigger_id)
    if trigger is None:
        raise Http404
    return trigger


def find_execution(trigger_id: str, execution_id: str) -> TriggerExecution:
    """The execution of a trigger's and its own id; Http404 where there is none."""
    found: TriggerExecution | None = TriggerExecution.objects.filter(
        trigger_id=trigger_id, pk=execution_id
    ).first()
    if found is None:
        raise Http404
    return found


def names_of(user_ids: Iterable[str]) -> dict[str, str]:
    """The operators' names by the user ids that their triggers belong to, in one read."""
    wanted = set(user_ids)
    found = Operator.objects.filter(subject__in=wanted) if wanted else Operator.objects.none()
    return dict(found.values_list("subject", "username"))


def agents_in_use() -> list[str]:
    """The agents that the newest triggers ask, by name."""
    newest = Trigger.objects.order_by("-pk").values_list("agent_id", flat=True)[:LATEST]
    return sorted(set(newest))
