"""Close runs whose lease has ended, or whose process stops.

The local scheduler process and the reconciler call these.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.utils import timezone

from executions.failures import CANCELLED
from executions.models import CancelRequest, TriggerExecution
from executions.pieces import fold_in
from executions.runner.complete import close, set_result, write
from executions.runner.handover import take_over
from executions.runner.holds import extend_hold
from executions.runner.occurrence import LEASE, Run, batch_size, lease_end
from moca import reasons
from moca.concurrency import ConflictError
from moca.sentences import Reason
from triggers import chains
from triggers.models import Process, RunStatus

# How often a process renews its lease.
HEARTBEAT = timedelta(seconds=15)
# How many lost runs one call closes.
MOST_CLOSED = 1000
# How many writes a transaction makes for each run that it closes.
WRITES_TO_CLOSE = 5


def restate(runs: Sequence[Run], *, lease: timedelta = LEASE) -> None:
    """Write anew when the own leases of runs and the holds of their triggers end.

    The clock was set ahead, past these times. The lease of their process is what counts otherwise.

    Raises:
        OperationalError: the database is away.
    """
    now = timezone.now()
    for run in runs:
        until = lease_end(run.trigger, now, lease, run.execution.process_id)
        # If another process has just written the row, it knows the run.
        with suppress(ConflictError):
            key = run.execution.unfinished_key
            if TriggerExecution.objects.update_keyed(key, {"lease_until": until}):
                extend_hold(run.execution, until)


def close_lost(now: datetime) -> int:
    """Close the runs whose process has died as failed; returns how many there were.

    No process claimed them in time, or the lease of their process has ended, or their own has if
    they name no process. A run that a person has asked to cancel is closed as cancelled. A run
    whose agent can still tell what became of it is handed over instead, if a `runworker` is alive.
    """
    overdue = TriggerExecution.objects.overdue(now)[:MOST_CLOSED]
    closed = _close_all([execution for execution in overdue if execution.is_lost(now)], now)
    for process_id in sorted(Process.objects.by_lease(now).lapsed):
        left = list(TriggerExecution.objects.of_process(process_id)[:MOST_CLOSED])
        closed += _close_all(left, now)
        if len(left) < MOST_CLOSED:
            # It may come back, and then it renews its lease and runs again.
            lapsed = Process.objects.filter(pk=process_id, lease_until__lt=now)
            lapsed.update(is_over=True)
    return closed


def _close_all(overdue: Sequence[TriggerExecution], now: datetime) -> int:
    """Hand lost runs over, or close them, many in one transaction; returns how many it closed."""
    cancelled = _cancelled(overdue)
    lost = [each for each in overdue if each.pk in cancelled or not take_over(each, now)]
    closed, size = 0, batch_size(WRITES_TO_CLOSE + chains.writes_of_a_run())
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
        run.trace.end(execution)
