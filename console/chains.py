"""What pages show of chains: what a trigger or a run was started by, and what it starts then."""

from collections.abc import Iterable
from typing import Any

from executions.models import TriggerExecution
from executions.runner import ends
from triggers import chains
from triggers.models import RunStatus, Trigger

# How many triggers or runs the page names. It tells how many more there are.
NAMED = 10


def of_trigger(trigger: Trigger) -> dict[str, Any]:
    """The triggers that start a trigger by the ends of their runs, and those that it starts."""
    before, then = chains.starts_after(trigger), chains.starts_then(trigger)
    return {
        "starts_after": before[:NAMED],
        "more_after": len(before) - NAMED if len(before) > NAMED else 0,
        "starts_then": then[:NAMED],
        "more_then": len(then) - NAMED if len(then) > NAMED else 0,
    }


def names_followed(triggers: Iterable[Trigger]) -> dict[str, str]:
    """The names by id of the triggers whose runs these start after; one read, for 100 at the most.

    A trigger hears only of the runs of its own user.
    """
    keys = {
        (trigger.user_id, follows[0])
        for trigger in triggers
        if trigger.hears_runs
        and (subscription := trigger.subscription)
        and (follows := chains.follows(subscription))
    }
    return dict(Trigger.objects.named(keys).values_list("pk", "name")) if keys else {}


def of_run(execution: TriggerExecution, trigger: Trigger | None) -> dict[str, Any]:
    """The run that started a run, and the runs that its end has started."""
    cause = ends.cause_of(execution)
    return {
        "cause": cause if cause.execution_id else None,
        "started": _started_by(execution, trigger) if trigger else [],
    }


def _started_by(execution: TriggerExecution, trigger: Trigger) -> list[tuple[Trigger, str]]:
    """The triggers that the end of a run has started, each with the id of its run."""
    if execution.status == RunStatus.RUNNING:
        return []
    found = []
    for other in chains.starts_then(trigger)[:NAMED]:
        key = ends.run_started_by(execution, other)
        if TriggerExecution.objects.keyed(other.pk, key).exists():
            found.append((other, key))
    return found
