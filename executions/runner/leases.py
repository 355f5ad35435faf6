"""Renew the leases of runs under way, and close runs whose lease has ended or whose process stops.

The local scheduler process and the reconciler call these.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.utils import timezone

from executions.failures import CANCELLED
from executions.models import CancelRequest, TriggerExecution
from executions.runner.claim import LEASE, Run, extend_hold
from executions.runner.complete import close
from executions.runner.handover import take_over
from moca import reasons
from moca.concurrency import ConflictError
from moca.sentences import Reason
from triggers.models import RunStatus

# How often a process renews the leases of its runs.
HEARTBEAT = timedelta(seconds=15)
# How many lost runs one call closes.
MOST_CLOSED = 1000


def renew(runs: list[Run], *, lease: timedelta = LEASE) -> None:
    """Renew the leases of this process's runs.

    Args:
        runs: the runs.
        lease: how long their claims hold from now on.

    Raises:
        OperationalError: the database is away.
    """
    until = timezone.now() + lease
    for run in runs:
        # If another process has just written the row, the next heartbeat is early enough.
        with suppress(ConflictError):
            run.record().update(lease_until=until)
            extend_hold(run.execution, until)


def close_lost(now: datetime) -> int:
    """Close the runs whose lease has ended as failed; returns how many there were.

    Their process has died, or no process claimed them in time. A run that a person has asked to
    cancel is closed as cancelled. A run whose agent can still tell what became of it is handed over
    instead, if a `runworker` is alive.
    """
    closed = 0
    lost = list(TriggerExecution.objects.lost(now)[:MOST_CLOSED])
    cancelled = _cancelled(lost)
    for execution in lost:
        if execution.pk not in cancelled and take_over(execution, now):
            continue
        execution.close_if_lost(now)
        reason = cancelled.get(execution.pk) or reasons.of(execution, "error")
        closed += close(execution, RunStatus.FAILED, error=reason)
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
        execution.reached_agent = True
        reasons.put(execution, "warning", reasons.of(run.execution, "warning"))
        reason = _cancelled([execution]).get(execution.pk, reason)
        close(execution, RunStatus.FAILED, error=reason, clock=run.clock)
