"""Alarms that were raised, and processes that are alive or dead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions import silence
from executions.alarms import Alarm
from moca.authentication.models import AuditEntry
from triggers.models import LocalSchedule, Process, ProcessKind, Trigger

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The full hour after the next, at which the schedules of the tests are due. The next may come
# while the tests run, and a schedule that ends in the past is refused.
DUE = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) + 2 * HOUR


def process(seen_at: datetime, kind: str = ProcessKind.SCHEDULER) -> Process:
    """Store the row of a process that was seen last at a time."""
    row = Process.of_this(kind)
    row.renew(seen_at)
    row.save(force_insert=True)
    return row


def set_due(trigger: Trigger, due: datetime) -> None:
    """Have the trigger's schedule wait for an occurrence."""
    rows = LocalSchedule.objects.filter(pk=trigger.pk)
    rows.update(next_run_at=due, due_at=due)


def kinds(**fields: Any) -> list[str]:
    """The kinds of the open alarms."""
    return [alarm.kind for alarm in Alarm.objects.filter(**fields)]


def told(trigger: Trigger) -> list[str]:
    """The reasons of all alarms about a trigger, open or not."""
    entries = AuditEntry.objects.filter(object_id=trigger.pk).order_by("id")
    return [entry.reason for entry in entries if entry.action == "alarm"]


@pytest.fixture(autouse=True)
def _clock_was_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that an earlier test has set the clock."""
    monkeypatch.setattr(silence, "clock", silence._Clock())


@pytest.fixture
def stopped(db: None) -> Process:
    """A scheduler process that died shortly before the schedules were due."""
    return process(DUE - MINUTE)
