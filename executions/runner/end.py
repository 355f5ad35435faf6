"""The end of a run, and what follows from it for the trigger."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from executions.models import LOST, NOT_PICKED_UP, TriggerExecution
from triggers.models import RunStatus, Trigger

logger = logging.getLogger(__name__)

_ENDING = (
    "status",
    "error",
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
    with transaction.atomic():
        written = [execution for execution in executions if _write(execution)]
        for execution in written:
            _note_result(execution)
    for execution in written:
        log = logger.info if execution.status == RunStatus.COMPLETED else logger.warning
        message = f"Run {execution.status} in {execution.duration_ms} ms. {execution.error}"
        log("%s", message.rstrip(), extra=log_ids(execution))
    return len(written)


def close(execution: TriggerExecution, status: RunStatus, *, error: str = "") -> int:
    """Settle and write the end of a run that is not under way in this process."""
    settle(execution, status, error=error)
    return write([execution])


def _write(execution: TriggerExecution) -> bool:
    record = TriggerExecution.objects.filter(
        pk=execution.pk, status=RunStatus.RUNNING, attempt=execution.attempt
    )
    return bool(record.update(**{name: getattr(execution, name) for name in _ENDING}))


def _note_result(execution: TriggerExecution) -> None:
    """Note the result on the trigger, and let its next run in."""
    failed = execution.status == RunStatus.FAILED
    result: dict[str, Any] = {
        "last_executed_at": execution.started_at,
        "last_execution_id": execution.pk,
        "last_status": execution.status,
        "last_error": execution.error[:500],
        "consecutive_failures": F("consecutive_failures") + 1 if failed else 0,
    }
    trigger = Trigger.objects.filter(pk=execution.trigger_id)
    held = trigger.filter(running_since=execution.started_at)
    if not held.update(**result, running_since=None, running_until=None):
        # It allows overlaps, and holds nothing that is to be released.
        trigger.update(**result)
    if failed:
        _pause_after_failures(execution)


def _pause_after_failures(execution: TriggerExecution) -> None:
    trigger = Trigger.objects.filter(pk=execution.trigger_id).first()
    if trigger is None or not trigger.enabled or not trigger.pause_after_failures:
        return
    failures = trigger.consecutive_failures
    if failures >= trigger.pause_after_failures:
        times = "a run" if failures == 1 else f"{failures} runs in a row"
        trigger.disable(f"Paused after {times} had failed. The last one: {execution.error}")
        trigger.save()
        logger.warning("Trigger paused", extra=log_ids(execution))


def close_lost(now: datetime) -> int:
    """Close the runs whose process has died as failed; returns how many they were."""
    lost = list(TriggerExecution.objects.lost(now)[:1000])
    return sum(
        close(execution, RunStatus.FAILED, error=LOST if execution.attempt else NOT_PICKED_UP)
        for execution in lost
    )


def log_ids(execution: TriggerExecution) -> dict[str, str]:
    return {"triggerId": execution.trigger_id, "executionId": execution.pk}
