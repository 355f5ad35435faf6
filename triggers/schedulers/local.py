"""Keeps schedules as rows in the same database, which the command `runscheduler` fires."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from moca import audit
from moca.authentication.models import AuditEntry
from moca.times import CLOCKS_APART
from triggers.failures import NOT_FIRED, TIME_CORRECTED
from triggers.models import LocalSchedule, Process, Trigger
from triggers.schedulers.base import ScheduleEntry, Scheduler, SchedulerError

# A schedule that has been due for so long was not looked at by any process.
LATE = timedelta(minutes=2)


class LocalScheduler(Scheduler):
    """Keeps a `LocalSchedule` for each schedule trigger."""

    projected_fields = frozenset({"type", "enabled", "paused_until", "schedule_config", "user_id"})

    def create(self, trigger: Trigger) -> None:
        next_run_at = _next_run(trigger, timezone.now())
        # An existing row is replaced, since the schedule follows from the trigger alone.
        LocalSchedule.objects.replace(
            LocalSchedule(
                trigger_id=trigger.pk,
                user_id=trigger.user_id,
                spec=_spec(trigger),
                next_run_at=next_run_at,
                due_at=due_at(trigger, next_run_at),
            )
        )

    update = create

    def delete(self, trigger_id: str, count: int = 1) -> None:
        LocalSchedule.objects.filter(pk=trigger_id).discard()

    def get(self, trigger_id: str) -> ScheduleEntry | None:
        row = LocalSchedule.objects.filter(pk=trigger_id).first()
        return _entry(row) if row else None

    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        row = LocalSchedule.objects.filter(pk=trigger.pk).first()
        if row is None:
            return None if self.wants(trigger) else []
        if row.spec != _spec(trigger) or row.user_id != trigger.user_id:
            return ["spec"]
        return ["next run"] if _is_astray(row, trigger, timezone.now()) else []

    def check(self) -> None:
        now = timezone.now()
        # What waits for a place of a process that is alive is late, and needs no repair.
        is_late = LocalSchedule.objects.upcoming(now - LATE).exists()
        if is_late and not Process.objects.by_lease(now).held:
            raise SchedulerError(NOT_FIRED())

    def list(self) -> Iterator[ScheduleEntry]:
        return map(_entry, LocalSchedule.objects.order_by("pk").iterator())


def due_at(trigger: Trigger, run_at: datetime | None) -> datetime | None:
    """When an occurrence is to start: on time, or later within the flexible window."""
    return run_at + start_offset(trigger) if run_at else None


def start_offset(trigger: Trigger) -> timedelta:
    """The delay of a trigger's runs: zero, or a time within the flexible window.

    It is the same for each run of a trigger. It spreads triggers that share a schedule, as
    EventBridge Scheduler's FlexibleTimeWindow does.
    """
    schedule = trigger.schedule
    if schedule is None or not schedule.window_minutes:
        return timedelta(0)
    digest = int.from_bytes(hashlib.sha256(trigger.pk.encode()).digest()[:4])
    return timedelta(seconds=digest % (schedule.window_minutes * 60))


def astray(rows: Sequence[LocalSchedule], now: datetime) -> Iterator[tuple[LocalSchedule, Trigger]]:
    """The schedules that wait for a later time than the trigger's next run, with their triggers.

    The clock was ahead when that time was written. The schedule would not fire before it.
    """
    # The scheduler looks at due schedules anyway.
    waiting = {row.pk: row for row in rows if not (row.due_at and row.due_at <= now)}
    keys = [(row.user_id, row.pk) for row in waiting.values()]
    for trigger in Trigger.objects.named(keys) if keys else ():
        if _is_astray(waiting[trigger.pk], trigger, now):
            yield waiting[trigger.pk], trigger


def put_right(row: LocalSchedule, trigger: Trigger, now: datetime) -> bool:
    """Set a schedule to the trigger's next run; False if another process changed it meanwhile.

    An audit entry says so, because the product does it by itself.
    """
    next_run_at = _next_run(trigger, now - start_offset(trigger))
    unmoved = LocalSchedule.objects.filter(pk=row.pk, next_run_at=row.next_run_at)
    with transaction.atomic():
        if not unmoved.update(next_run_at=next_run_at, due_at=due_at(trigger, next_run_at)):
            return False
        action = AuditEntry.Action.REPAIRED
        audit.note(action, trigger, by=audit.system("scheduler"), why=TIME_CORRECTED())
    return True


def _is_astray(row: LocalSchedule, trigger: Trigger, now: datetime) -> bool:
    """Whether a schedule waits for a later time than the trigger's next run."""
    first = _next_run(trigger, now + CLOCKS_APART)
    if first is None:
        return False
    if row.next_run_at is None or row.due_at is None or row.next_run_at > first:
        return True
    return row.due_at > max(row.next_run_at + start_offset(trigger), now) + LATE


def _next_run(trigger: Trigger, after: datetime) -> datetime | None:
    return next(iter(trigger.next_due(after, 1)), None)


def _spec(trigger: Trigger) -> dict[str, Any]:
    return {"enabled": trigger.enabled, **(trigger.schedule_config or {})}


def _entry(row: LocalSchedule) -> ScheduleEntry:
    return ScheduleEntry(
        trigger_id=row.pk, enabled=bool(row.spec.get("enabled")), next_run_at=row.next_run_at
    )
