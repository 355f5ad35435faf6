"""The end of a run, and what follows from it for the trigger."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from executions.failures import (
    A_RUN,
    CLOSED,
    LOST,
    NOT_PICKED_UP,
    PAUSED,
    PAUSED_BY_LIMIT,
    RUNS_IN_A_ROW,
)
from executions.models import TriggerExecution
from moca import audit, reasons, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.outages import database, is_away
from moca.retry import retry
from triggers.models import RunStatus, Trigger
from triggers.statistics import PastRun, Statistics

logger = logging.getLogger(__name__)

# The characters of an error that stand on the trigger.
LAST_ERROR = 500
# The database is away, or others keep writing the same rows.
FAILURES = (OperationalError, InterfaceError)
# Ceilings of the pauses between tries at a database that is away, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

# The fields that the end of a run sets.
ENDING = (
    "status",
    "error",
    "error_code",
    "error_params",
    "warning",
    "warning_code",
    "warning_params",
    "completed_at",
    "duration_ms",
    "lease_until",
    "reached_agent",
    "request_id",
    "session_id",
    "output",
    "output_tail",
    "output_bytes",
    "usage",
)


def set_result(
    execution: TriggerExecution, status: RunStatus, *, error: str = "", clock: float | None = None
) -> None:
    """Set the end of a run on its record; `write()` puts it into the database.

    Args:
        execution: the record.
        status: COMPLETED or FAILED.
        error: why it failed, a `Reason`.
        clock: the monotonic time at which it began, in seconds, where it ran in this process.
    """
    now = timezone.now()
    seconds = (now - execution.started_at).total_seconds()
    if clock is not None:
        seconds = time.monotonic() - clock
    execution.status = status
    reasons.put(execution, "error", error)
    # The clock may have been put back since the start.
    execution.completed_at = max(now, execution.started_at)
    execution.duration_ms = max(0, round(seconds * 1000))
    execution.lease_until = None


def write(executions: Sequence[TriggerExecution], *, waited: bool = False) -> int:
    """Write the ends of runs, and what follows for their triggers, in one transaction.

    Args:
        executions: the records, with their results set.
        waited: whether the ends waited for the database, and leases ended meanwhile. Housekeeping
            may have closed such runs as lost, and their true end takes the place of that. Those
            that completed get no line in the log each.

    Returns:
        How many were written. Records that were closed or taken over meanwhile stay as they are.
    """
    try:
        written = _write(executions, expected=True)
    except ConflictError:
        if len(executions) > 1:
            return sum(write([execution], waited=waited) for execution in executions)
        # Others write the same rows: look each time at what stands there.
        written = retry(
            partial(_write, executions, expected=False, corrects=waited), on=ConflictError
        )
    for execution in written:
        level = logging.WARNING
        if execution.status == RunStatus.COMPLETED:
            level = logging.DEBUG if waited else logging.INFO
        # The error may quote the agent, and with it the prompt: it stands on the record alone.
        message = "Run %s in %s ms"
        ids = log_ids(execution)
        if execution.error_code:
            ids["errorCode"] = execution.error_code
        logger.log(level, message, execution.status, execution.duration_ms, extra=ids)
    return len(written)


def write_in_time(execution: TriggerExecution, seconds: Callable[[], float]) -> None:
    """Write the end of a run, again and again if the database is away, while there is time.

    Args:
        execution: the record, with its result set.
        seconds: how many are left.

    Raises:
        OperationalError: the time was not enough; the log has how the run ended.
    """
    waited = False

    def once() -> None:
        nonlocal waited
        began = time.monotonic()
        try:
            write([execution], waited=waited)
        except FAILURES as error:
            if is_away(error):
                database.failed(error)
            waited = True
            close_old_connections()
            raise
        database.over(began)

    try:
        retry(once, on=FAILURES, tries=None, first=FIRST_PAUSE, longest=LONGEST_PAUSE, left=seconds)
    except FAILURES:
        logger.error(
            # The error may quote the agent, and with it the prompt.
            "The end of a run could not be recorded: %s in %s ms",
            execution.status,
            execution.duration_ms,
            extra=log_ids(execution),
        )
        raise


def close(
    execution: TriggerExecution, status: RunStatus, *, error: str = "", clock: float | None = None
) -> int:
    """Set and write the end of a run; arguments as for `set_result()`."""
    set_result(execution, status, error=error, clock=clock)
    return write([execution])


def _write(
    executions: Sequence[TriggerExecution], *, expected: bool, corrects: bool = False
) -> list[TriggerExecution]:
    """Write ends in one transaction; returns those that were still to be written.

    Args:
        executions: the records.
        expected: that none was closed or taken over is taken for granted: ConflictError else.
        corrects: whether ends take the place of those of lost runs.
    """
    with reconcile.atomic():
        keys = {(execution.user_id, execution.trigger_id) for execution in executions}
        triggers = {trigger.pk: trigger for trigger in Trigger.objects.named(keys)}
        for _, trigger_id in keys:
            # Deleted since, or given to another user, which is rare and costs more to find out.
            if trigger_id not in triggers and (moved := _by_id(trigger_id)):
                triggers[trigger_id] = moved
        written = []
        for execution in executions:
            record = TriggerExecution.objects.filter(
                trigger_id=execution.trigger_id,
                pk=execution.pk,
                status=RunStatus.RUNNING,
                attempt=execution.attempt,
            )
            ending = {name: getattr(execution, name) for name in ENDING}
            is_correction = False
            if expected:
                record.update_expected(**ending)
            elif not record.update(**ending):
                is_correction = corrects and _correct(execution, ending)
                if not is_correction:
                    continue
            written.append(execution)
            if trigger := triggers.get(execution.trigger_id):
                _note_result(trigger, execution, is_correction=is_correction)
                if execution.error_code in (LOST.name, NOT_PICKED_UP.name):
                    _note_lost(trigger, execution)
    return written


def _correct(execution: TriggerExecution, ending: dict[str, Any]) -> bool:
    """Put the end in the place of one that housekeeping guessed; False if there is none."""
    if execution.error_code in (LOST.name, CLOSED.name):
        return False
    guessed = TriggerExecution.objects.filter(
        trigger_id=execution.trigger_id,
        pk=execution.pk,
        status=RunStatus.FAILED,
        error_code=LOST.name,
        attempt=execution.attempt,
    )
    return bool(guessed.update(**ending))


def _by_id(trigger_id: str) -> Trigger | None:
    found: Trigger | None = Trigger.objects.filter(pk=trigger_id).first()
    return found


def _note_result(
    trigger: Trigger, execution: TriggerExecution, *, is_correction: bool = False
) -> None:
    """Note the result on the trigger as it was just read, and let its next run in.

    Args:
        trigger: the trigger.
        execution: the run that ended.
        is_correction: whether another end of this run was noted before.
    """
    failed = execution.status == RunStatus.FAILED
    statistics = Statistics.read(trigger.statistics)
    run = PastRun(execution.pk, execution.started_at, execution.duration_ms or 0, failed)
    if is_correction:
        statistics.correct(run)
    else:
        statistics.add(run, tokens=_tokens(execution), now=timezone.now())
    result: dict[str, Any] = {"statistics": statistics.text()}
    if not is_correction or trigger.last_execution_id == execution.pk:
        failures = trigger.consecutive_failures + (not is_correction)
        result |= {
            "last_executed_at": execution.started_at,
            "last_execution_id": execution.pk,
            "last_status": execution.status,
            **_last_error(execution),
            "consecutive_failures": failures if failed else 0,
        }
    if trigger.running_since == execution.started_at:
        result |= {"running_since": None, "running_until": None}
    row = Trigger.objects.filter(
        user_id=trigger.user_id,
        pk=trigger.pk,
        running_since=trigger.running_since,
        consecutive_failures=trigger.consecutive_failures,
        # Runs that may overlap must not lose each other in the statistics.
        last_execution_id=trigger.last_execution_id,
    )
    if not row.update(**result):
        raise ConflictError("the trigger has changed meanwhile")
    for name, value in result.items():
        setattr(trigger, name, value)
    if failed and not is_correction:
        _pause_after_failures(trigger, execution)


def _last_error(execution: TriggerExecution) -> dict[str, Any]:
    """How a run's error begins, as its trigger keeps it."""
    kept = reasons.columns("last_error", reasons.of(execution, "error"), LAST_ERROR)
    return {**kept, "last_error": execution.error[:LAST_ERROR]}


def _note_lost(trigger: Trigger, execution: TriggerExecution) -> None:
    """Put on record that it was the product which closed a run."""
    logger.warning("Run closed: %s", execution.error, extra=log_ids(execution))
    audit.note(
        AuditEntry.Action.CLOSED,
        trigger,
        by=audit.system("housekeeping"),
        why=reasons.of(execution, "error"),
        changes={"execution": ["", execution.pk]},
    )


def _tokens(execution: TriggerExecution) -> int:
    usage = execution.usage if isinstance(execution.usage, dict) else {}
    counts = [usage.get("inputTokens"), usage.get("outputTokens")]
    return sum(count for count in counts if isinstance(count, int))


def _pause_after_failures(trigger: Trigger, execution: TriggerExecution) -> None:
    failures, most = trigger.consecutive_failures, trigger.pause_after_failures
    if trigger.enabled and most and failures >= most:
        runs = A_RUN() if failures == 1 else RUNS_IN_A_ROW(number=failures)
        trigger.disable(PAUSED(runs=runs, error=reasons.of(execution, "error")))
        audit.save(
            trigger,
            by=audit.system("runner"),
            why=PAUSED_BY_LIMIT(runs=runs, number=most),
            update_fields=["enabled", *reasons.columns("paused_reason", "")],
        )
        logger.warning("Trigger paused", extra=log_ids(execution))


def close_lost(now: datetime) -> int:
    """Close the runs whose process has died as failed; returns how many they were."""
    closed = 0
    for execution in list(TriggerExecution.objects.lost(now)[:1000]):
        execution.close_if_lost(now)
        closed += close(execution, RunStatus.FAILED, error=reasons.of(execution, "error"))
    return closed


def log_ids(execution: TriggerExecution) -> dict[str, str]:
    return {"triggerId": execution.trigger_id, "executionId": execution.pk}
