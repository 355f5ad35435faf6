"""Hold a trigger while it runs, so that no other run of it begins."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError
from django.db.models import Q

from executions.models import TriggerExecution
from executions.runner.occurrence import Run
from triggers.models import Trigger, lapsed_among

# The fields of a trigger that say which run holds it.
HELD = ("running_since", "running_until")


def hold_all(runs: Sequence[Run], now: datetime) -> None:
    """Hold the triggers of runs that must not overlap; `running_since` names the holder.

    Raises:
        IntegrityError: a run of another process holds one of them.
    """
    held = [run.trigger for run in runs if run.trigger.holds_itself]
    if not held:
        return
    ends = [run.execution.lease_until for run in runs if run.execution.lease_until]
    process_id = runs[0].execution.process_id
    until = max(ends, default=None)
    if not hold(held, now, until=until, process_id=process_id):
        raise IntegrityError("another process has just begun a run of the trigger")
    for trigger in held:
        # The end of the run is noted by what was read here, unless the trigger changes meanwhile.
        trigger.running_since, trigger.running_until = now, until
        trigger.running_process = process_id


def hold(
    triggers: Sequence[Trigger],
    since: datetime,
    *,
    until: datetime | None,
    holder: datetime | None = None,
    process_id: str = "",
) -> bool:
    """Mark triggers as running, so that no other run of them begins.

    Args:
        triggers: the triggers.
        since: the start of the run that holds them.
        until: when the hold ends unless it is renewed.
        holder: the earlier start of the same run, if it holds the triggers already.
        process_id: the process whose lease ends the hold, too; empty if there is none.

    Returns:
        Whether all are marked: False if another run holds one of them.
    """
    free = Q(running_until__isnull=True) | Q(running_until__lt=since) | Q(running_since=holder)
    of_others = [each for each in triggers if each.running_until and each.running_until >= since]
    if lapsed := lapsed_among((each.running_process for each in of_others), since):
        free |= Q(running_process__in=lapsed)
    held = Trigger.objects.named((trigger.user_id, trigger.pk) for trigger in triggers)
    marked = held.filter(free).update(
        running_since=since, running_until=until, running_process=process_id
    )
    return bool(marked == len(triggers))


def extend_hold(execution: TriggerExecution, until: datetime) -> None:
    """Have an execution hold its trigger until a moment, if it holds it."""
    trigger = Trigger.objects.filter(user_id=execution.user_id, pk=execution.trigger_id)
    held = trigger.filter(running_since=execution.started_at)
    held.update(running_until=until, running_process=execution.process_id)
