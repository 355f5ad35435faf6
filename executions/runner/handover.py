"""Hand runs over to a `runworker` process, which asks their agents what became of them.

A run is handed over if its protocol can resume, its agent has named its task, and a worker is
alive. A worker claims it by the lease of its `HandedOverRun`, and by a further attempt on its
record: what an earlier process still writes finds nothing. The record's own lease is longer, so
that another worker can resume the run if the first one dies.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from agents import AgentError
from agents.protocols import PROTOCOLS
from executions import envelope
from executions.agent_records.lookup import record_of
from executions.failures import DELETED_MEANWHILE
from executions.models import HandedOverRun, RunWorker, Source, TriggerExecution
from executions.pieces import fold_in
from executions.runner.complete import ANSWER, close, log_ids
from executions.runner.holds import extend_hold
from executions.runner.occurrence import LEASE, REOPENED, Occurrence, Run
from moca import reasons
from moca.concurrency import ConflictError
from triggers.models import RunStatus, Trigger

logger = logging.getLogger(__name__)

# How long a worker counts as alive after its last heartbeat.
ALIVE = timedelta(seconds=60)
# How long a run stays open without a worker that reads on. Then its end is not known.
OPEN = timedelta(minutes=5)
# The record's lease is renewed when less than this is left of it.
RENEWED = timedelta(minutes=3)
# How long after its start a run is handed over again, if its worker dies. No trigger allows more
# than a day.
LONGEST = timedelta(days=1, hours=1)


def a_worker_lives(now: datetime) -> bool:
    """Whether some `runworker` process has had a heartbeat of late."""
    return any(worker.seen_at > now - ALIVE for worker in RunWorker.objects.all())


def seconds_left_of(run: Run) -> float:
    """The seconds that the trigger's time-out leaves, counted from the start of the run."""
    seconds = float(run.trigger.timeout_seconds)
    if not run.execution.handed_over_at:
        return seconds
    passed = (timezone.now() - run.execution.started_at).total_seconds()
    # The clock may have been put back since the start.
    return min(seconds, max(0.0, seconds - passed))


def hand_over(run: Run) -> bool:
    """Hand over a run for which this process has no more time; returns whether that was done.

    If not, the caller writes the result that is set on the record.
    """
    execution, now = run.execution, timezone.now()
    values = {name: getattr(execution, name) for name in ANSWER}
    values |= {
        "reached_agent": True,
        **reasons.columns("warning", reasons.of(execution, "warning")),
    }
    if context := run.trace.root.context:
        values["trace_context"] = context
    try:
        if not _can_go_on(execution, now):
            return False
        _put(execution, values, now)
    except (ConflictError, DatabaseError, AgentError) as error:
        logger.warning("The run could not be handed over: %s", type(error).__name__)
        return False
    for name, value in {**REOPENED, "handed_over_at": now, "lease_until": now + OPEN}.items():
        setattr(execution, name, value)
    logger.info("The run was handed over")
    return True


def take_over(execution: TriggerExecution, now: datetime) -> bool:
    """Hand over a run whose process died, or whose worker did; returns whether that was done.

    Raises:
        OperationalError: the database is away.
    """
    if not execution.attempt or now > execution.started_at + LONGEST:
        return False
    try:
        if not _can_go_on(execution, now):
            return False
        _put(execution, {"reached_agent": True, **_said(execution)}, now)
    except (ConflictError, AgentError):
        return False
    logger.warning("The run was handed over, since its process died", extra=log_ids(execution))
    return True


def _can_go_on(execution: TriggerExecution, now: datetime) -> bool:
    if not execution.task_id:
        return False
    record = record_of(execution.agent_id)
    name = record.protocol if record else settings.AGENT_PROTOCOL
    return PROTOCOLS[name].can_resume and a_worker_lives(now)


def _said(execution: TriggerExecution) -> dict[str, Any]:
    """What the record has of the output, with what was written beside it by this attempt."""
    fold_in(execution)
    return {name: getattr(execution, name) for name in ("output", "output_tail", "output_bytes")}


def _put(execution: TriggerExecution, values: dict[str, Any], now: datetime) -> None:
    """Put the run where workers look for it.

    Raises:
        ConflictError: another process has closed or claimed the run.
    """
    until = now + OPEN
    # The lease on the record counts from now on, and no scheduler process has the run.
    execution.process_id = ""
    with transaction.atomic():
        record = TriggerExecution.objects.unfinished(execution)
        record.update_expected(**values, handed_over_at=now, lease_until=until, process_id="")
        extend_hold(execution, until)
        row = HandedOverRun(pk=execution.pk, trigger_id=execution.trigger_id, lease_until=now)
        HandedOverRun.objects.replace(row)


def claim(row: HandedOverRun, now: datetime) -> Run | None:
    """Claim a run that was handed over; None if it has ended, or another worker has it.

    Raises:
        OperationalError: the database is away.
    """
    try:
        with transaction.atomic():
            return _claim(row, now)
    except ConflictError:
        return None


def _claim(row: HandedOverRun, now: datetime) -> Run | None:
    execution = TriggerExecution.objects.keyed(row.trigger_id, row.pk).first()
    if execution is None or execution.status != RunStatus.RUNNING:
        forget(row.pk)
        return None
    trigger = Trigger.objects.filter(user_id=execution.user_id, pk=row.trigger_id).first()
    if trigger is None:
        deleted = DELETED_MEANWHILE(session=execution.session_id)
        close(execution, RunStatus.FAILED, error=deleted)
        return None
    lease = HandedOverRun.objects.filter(pk=row.pk, lease_until=row.lease_until)
    lease.update_expected(lease_until=now + LEASE)
    record, said = TriggerExecution.objects.unfinished(execution), _said(execution)
    execution.attempt, execution.lease_until = execution.attempt + 1, now + OPEN
    record.update_expected(attempt=execution.attempt, lease_until=execution.lease_until, **said)
    extend_hold(execution, execution.lease_until)
    row.lease_until = now + LEASE
    occurrence = Occurrence(execution.pk, trigger.user_id, trigger.pk, Source(execution.source))
    event = envelope.deserialize(execution.event_payload) or occurrence.event_of(trigger, now)
    return Run(trigger, execution, event)


def renew(run: Run, row: HandedOverRun, now: datetime) -> bool:
    """Renew the leases of a run that this worker reads; False if the run is not its any more.

    Raises:
        OperationalError: the database is away.
    """
    execution, until = run.execution, now + LEASE
    try:
        lease = HandedOverRun.objects.filter(pk=row.pk, lease_until=row.lease_until)
        lease.update_expected(lease_until=until)
        row.lease_until = until
        if not execution.lease_until or execution.lease_until > now + RENEWED:
            return True
        run.record().update_expected(lease_until=now + OPEN)
    except ConflictError:
        return False
    # If another process has just written the trigger, the next time is early enough.
    with suppress(ConflictError):
        extend_hold(execution, now + OPEN)
    execution.lease_until = now + OPEN
    return True


def release(row: HandedOverRun, at: datetime) -> None:
    """Let any worker claim a run from a moment on, because this one reads it no more."""
    HandedOverRun.objects.filter(pk=row.pk, lease_until=row.lease_until).update(lease_until=at)


def forget(execution_id: str) -> None:
    """Remove a run that has ended from what workers look for."""
    HandedOverRun.objects.filter(pk=execution_id).discard()
