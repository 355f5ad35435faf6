"""Triggers that have missed runs, and a process that works backfills off at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from executions import runner
from executions.backfill import worker
from executions.backfill.model import Backfill
from executions.models import QueuedRun, Source, TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.admin.conftest import administrator, editor, make_execution, viewer
from tests.integration.api.conftest import alice, bob
from triggers.models import RunStatus, Trigger

__all__ = ["administrator", "alice", "bob", "editor", "make_execution", "viewer"]

HOUR = timedelta(hours=1)
HOURLY = {"expression": "cron(0 * * * ? *)"}
DAY = timedelta(days=1)
# It is past, because the ids of audit entries have the time of the real clock.
NOW = (datetime.now(UTC) - 2 * DAY).replace(minute=30, second=0, microsecond=0)


def at(moment: datetime) -> Any:
    """Let it be this moment."""
    return patch("django.utils.timezone.now", lambda: moment)


def happened(moment: datetime, change: Callable[[], Any]) -> None:
    """Change something as if it had been at this moment, in the audit log, too."""
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    with at(moment):
        change()
    for entry in list(AuditEntry.objects.all()):
        if entry.pk not in before:
            AuditEntry.objects.filter(object_id=entry.object_id, pk=entry.pk).update(at=moment)


def run_queued() -> int:
    """Run what waits in the queue, as the scheduler process does, with an agent that succeeds."""
    done = 0
    for queued in list(QueuedRun.objects.all()):
        QueuedRun.objects.filter(pk=queued.pk).delete()
        run = runner.resume(queued.trigger_id, queued.pk)
        if run is not None:
            runner.set_result(run.execution, RunStatus.COMPLETED)
            runner.write([run.execution])
            done += 1
    return done


def work_off(most: int = 200) -> None:
    """Work all backfills off, as fast as their pace allows; the clock goes on with the turns."""
    now = timezone.now()
    for _turn in range(most):
        with at(now):
            worker.work(now)
            run_queued()
        if not Backfill.objects.filter(state="running").exists():
            return
        now += timedelta(seconds=61)
    raise AssertionError("the backfills did not end")


def backfilled(trigger_id: str) -> list[TriggerExecution]:
    rows = TriggerExecution.objects.filter(trigger_id=trigger_id).order_by("pk")
    return [row for row in rows if row.source == Source.BACKFILL]


@pytest.fixture
def hourly(make_trigger: Callable[..., Trigger]) -> Trigger:
    """A trigger that fires each hour, and is some days old."""
    return make_trigger(schedule_config=HOURLY, created_at=NOW - 5 * DAY)
