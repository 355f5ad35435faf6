"""The end of a run, and what follows from it for the trigger."""

import logging
import random
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions.models import LOST, NOT_PICKED_UP, TriggerExecution
from moca import audit
from moca.authentication.models import AuditEntry
from moca.conflicts import ConflictError
from triggers.models import RunStatus, Trigger
from triggers.statistics import PastRun, Statistics
from triggers.synchronization import in_step

logger = logging.getLogger(__name__)

# How often an end is written anew that others come before.
TRIES = 8

_ENDING = (
    "status",
    "error",
    "warning",
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


def settle(
    execution: TriggerExecution, status: RunStatus, *, error: str = "", clock: float | None = None
) -> None:
    """Set the end of a run on its record; `write()` puts it into the database.

    Args:
        execution: the record.
        status: COMPLETED or FAILED.
        error: why it failed.
        clock: the monotonic time at which it began, in seconds, where it ran in this process.
    """
    now = timezone.now()
    seconds = (now - execution.started_at).total_seconds()
    if clock is not None:
        seconds = time.monotonic() - clock
    execution.status, execution.error, execution.completed_at = status, error, now
    execution.duration_ms = max(0, round(seconds * 1000))
    execution.lease_until = None


def write(executions: Sequence[TriggerExecution]) -> int:
    """Write the ends of runs, and what follows for their triggers, in one transaction.

    Returns:
        How many were written. Records that were closed or taken over meanwhile stay as they are.
    """
    try:
        written = _write(executions, expected=True)
    except ConflictError:
        if len(executions) > 1:
            return sum(write([execution]) for execution in executions)
        written = _write_in_spite(executions)
    for execution in written:
        log = logger.info if execution.status == RunStatus.COMPLETED else logger.warning
        # The error may quote the agent, and with it the prompt: it stands on the record alone.
        message = "Run %s in %s ms"
        log(message, execution.status, execution.duration_ms, extra=log_ids(execution))
    return len(written)


def close(execution: TriggerExecution, status: RunStatus, *, error: str = "") -> int:
    """Settle and write the end of a run that is not under way in this process."""
    settle(execution, status, error=error)
    return write([execution])


def _write_in_spite(executions: Sequence[TriggerExecution]) -> list[TriggerExecution]:
    """Write ends while others write the same rows, looking each time at what stands there."""
    for _ in range(TRIES):
        try:
            return _write(executions, expected=False)
        except ConflictError:
            time.sleep(random.uniform(0, 0.05))  # noqa: S311  (jitter)
    return _write(executions, expected=False)


def _write(executions: Sequence[TriggerExecution], *, expected: bool) -> list[TriggerExecution]:
    """Write ends in one transaction; returns those that were still to be written.

    Args:
        executions: the records.
        expected: that none was closed or taken over is taken for granted: ConflictError else.
    """
    with in_step(), transaction.atomic():
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
            ending = {name: getattr(execution, name) for name in _ENDING}
            if expected:
                record.update_expected(**ending)
            elif not record.update(**ending):
                continue
            written.append(execution)
            if trigger := triggers.get(execution.trigger_id):
                _note_result(trigger, execution)
                if execution.error in (LOST, NOT_PICKED_UP):
                    _note_lost(trigger, execution)
    return written


def _by_id(trigger_id: str) -> Trigger | None:
    found: Trigger | None = Trigger.objects.filter(pk=trigger_id).first()
    return found


def _note_result(trigger: Trigger, execution: TriggerExecution) -> None:
    """Note the result on the trigger as it was just read, and let its next run in."""
    failed = execution.status == RunStatus.FAILED
    statistics = Statistics.read(trigger.statistics)
    statistics.add(
        PastRun(execution.pk, execution.started_at, execution.duration_ms or 0, failed),
        tokens=_tokens(execution),
    )
    result: dict[str, Any] = {
        "statistics": statistics.text(),
        "last_executed_at": execution.started_at,
        "last_execution_id": execution.pk,
        "last_status": execution.status,
        "last_error": execution.error[:500],
        "consecutive_failures": trigger.consecutive_failures + 1 if failed else 0,
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
    if failed:
        _pause_after_failures(trigger, execution)


def _note_lost(trigger: Trigger, execution: TriggerExecution) -> None:
    """Put on record that it was the product which closed a run."""
    logger.warning("Run closed: %s", execution.error, extra=log_ids(execution))
    audit.note(
        AuditEntry.Action.CLOSED,
        trigger,
        by=audit.system("housekeeping"),
        why=execution.error,
        changes={"execution": ["", execution.pk]},
    )


def _tokens(execution: TriggerExecution) -> int:
    usage = execution.usage if isinstance(execution.usage, dict) else {}
    counts = [usage.get("inputTokens"), usage.get("outputTokens")]
    return sum(count for count in counts if isinstance(count, int))


def _pause_after_failures(trigger: Trigger, execution: TriggerExecution) -> None:
    failures, most = trigger.consecutive_failures, trigger.pause_after_failures
    if trigger.enabled and most and failures >= most:
        times = "a run" if failures == 1 else f"{failures} runs in a row"
        trigger.disable(f"Paused after {times} had failed. The last one: {execution.error}")
        audit.save(
            trigger,
            by=audit.system("runner"),
            why=f"Paused, since {times} had failed: pauseAfterFailures is {most}.",
            update_fields=["enabled", "paused_reason"],
        )
        logger.warning("Trigger paused", extra=log_ids(execution))


def close_lost(now: datetime) -> int:
    """Close the runs whose process has died as failed; returns how many they were."""
    closed = 0
    for execution in list(TriggerExecution.objects.lost(now)[:1000]):
        execution.close_if_lost(now)
        closed += close(execution, RunStatus.FAILED, error=execution.error)
    return closed


def log_ids(execution: TriggerExecution) -> dict[str, str]:
    return {"triggerId": execution.trigger_id, "executionId": execution.pk}
