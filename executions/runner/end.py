"""The end of a run, and what follows from it for the trigger."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, F, Value, When
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
        _note_results(written)
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


def _note_results(executions: Sequence[TriggerExecution]) -> None:
    """Note the results on the triggers, and let their next runs in."""
    alike: dict[tuple[str, datetime], list[TriggerExecution]] = defaultdict(list)
    for execution in executions:
        alike[execution.status, execution.started_at].append(execution)
    for (status, started_at), group in alike.items():
        failed = status == RunStatus.FAILED
        result: dict[str, Any] = {
            "last_executed_at": started_at,
            "last_status": status,
            "last_execution_id": _each(group, lambda execution: execution.pk),
            "last_error": _each(group, lambda execution: execution.error[:500]),
            "consecutive_failures": F("consecutive_failures") + 1 if failed else 0,
        }
        triggers = Trigger.objects.filter(pk__in=[execution.trigger_id for execution in group])
        held = triggers.filter(running_since=started_at)
        if held.update(**result, running_since=None, running_until=None) < len(group):
            # The others allow overlaps, and hold nothing that is to be released.
            triggers.exclude(last_executed_at=started_at).update(**result)
    for execution in executions:
        if execution.status == RunStatus.FAILED:
            _pause_after_failures(execution)


def _each(executions: Sequence[TriggerExecution], value: Callable[[TriggerExecution], str]) -> Case:
    """For each trigger the value of its own run, in one update of them all."""
    own = (When(pk=each.trigger_id, then=Value(value(each))) for each in executions)
    return Case(*own, output_field=CharField())


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
