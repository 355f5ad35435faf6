"""Close runs whose lease has ended, or whose process stops.

The local scheduler process and the reconciler call these.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from executions.failures import CANCELLED
from executions.models import CancelRequest, TriggerExecution
from executions.pieces import fold_in
from executions.runner.claim import Run, batch_size
from executions.runner.complete import close, set_result, write
from moca import reasons
from moca.sentences import Reason
from triggers.models import RunStatus, SchedulerProcess, Trigger

# How often a process renews its lease.
HEARTBEAT = timedelta(seconds=15)
# How many lost runs one call closes.
MOST_CLOSED = 1000
# How many writes a transaction makes for each run that it closes.
WRITES_TO_CLOSE = 5


def extend_hold(execution: TriggerExecution, until: datetime) -> None:
    """Have an execution hold its trigger until a moment, if it holds it."""
    trigger = Trigger.objects.filter(user_id=execution.user_id, pk=execution.trigger_id)
    trigger.filter(running_since=execution.started_at).update(running_until=until)


def close_lost(now: datetime) -> int:
    """Close the runs whose process has died as failed; returns how many there were.

    No process claimed them in time, or the lease of their process has ended, or their own has if
    they name no process. A run that a person has asked to cancel is closed as cancelled.
    """
    overdue = TriggerExecution.objects.overdue(now)[:MOST_CLOSED]
    closed = _close_all([execution for execution in overdue if execution.is_lost(now)])
    for process_id in sorted(SchedulerProcess.objects.by_lease(now).lapsed):
        left = list(TriggerExecution.objects.of_process(process_id)[:MOST_CLOSED])
        closed += _close_all(left)
        if len(left) < MOST_CLOSED:
            # It may come back, and then it renews its lease and runs again.
            lapsed = SchedulerProcess.objects.filter(pk=process_id, lease_until__lt=now)
            lapsed.update(is_over=True)
    return closed


def _close_all(lost: Sequence[TriggerExecution]) -> int:
    """Close lost runs, many in one transaction."""
    cancelled = _cancelled(lost)
    closed, size = 0, batch_size(WRITES_TO_CLOSE)
    for first in range(0, len(lost), size):
        some = lost[first : first + size]
        for execution in some:
            fold_in(execution)
            execution.close_as_lost()
            reason = cancelled.get(execution.pk) or reasons.of(execution, "error")
            set_result(execution, RunStatus.FAILED, error=reason)
        closed += write(some)
    return closed


def _cancelled(executions: Sequence[TriggerExecution]) -> dict[str, Reason]:
    """The reasons to end those runs that somebody asked to cancel; no read if there are none."""
    asked = [execution.pk for execution in executions if execution.cancel_requested_at]
    requests = CancelRequest.objects.filter(pk__in=asked) if asked else ()
    return {request.pk: CANCELLED(name=request.requested_by) for request in requests}


def abandon(run: Run, reason: Reason) -> None:
    """Close a run that this process cannot finish as failed; its output so far stays on record.

    If a person has asked to cancel it, that is the reason.
    """
    execution = TriggerExecution.objects.keyed(run.trigger.pk, run.execution.pk).first()
    if execution is not None:
        fold_in(execution)
        execution.reached_agent = True
        reasons.put(execution, "warning", reasons.of(run.execution, "warning"))
        reason = _cancelled([execution]).get(execution.pk, reason)
        close(execution, RunStatus.FAILED, error=reason, clock=run.clock)
