"""Deadlines of runs: `beginWithinMinutes` and `runWithinSeconds` of their triggers.

The scheduler process looks at all runs under way every 15 seconds, and the handler's maintenance on
AWS at each pass. There, the function of a run has a timer, too. A run costs no write unless it
misses a deadline.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from django.db import connections
from django.utils import timezone

from executions.alarms import Alarm, AlarmKind, close_alarms, raise_alarm
from executions.failures import NOT_BEGUN, TOO_LONG
from executions.models import TriggerExecution
from executions.runner import Run, RunEndedError, cancel_run
from moca import audit
from moca.concurrency import ConflictError
from triggers.models import OnDeadline, RunStatus, Trigger

logger = logging.getLogger(__name__)

DEADLINES = audit.system("deadlines")
# How many runs under way one look covers.
MOST = 1000
BATCH = 100
# No deadline is shorter.
SHORTEST = timedelta(seconds=10)


def enforce(now: datetime) -> None:
    """Raise alarms about runs that wait or run too long, and cancel those whose triggers say so.

    Raises:
        OperationalError: the database is away.
    """
    _settle(now)
    leased = TriggerExecution.objects.running().filter(lease_until__isnull=False)
    runs = [run for run in leased.order_by("-lease_until")[:MOST] if _may_be_over(run, now)]
    for start in range(0, len(runs), BATCH):
        batch = runs[start : start + BATCH]
        named = Trigger.objects.named({(run.user_id, run.trigger_id) for run in batch})
        triggers = {trigger.pk: trigger for trigger in named}
        for run in batch:
            if run.trigger_id in triggers:
                _judge(run, triggers[run.trigger_id], now)


def _may_be_over(run: TriggerExecution, now: datetime) -> bool:
    return now - run.started_at > SHORTEST and not run.is_lost(now)


def _judge(run: TriggerExecution, trigger: Trigger, now: datetime) -> None:
    """Compare a run with the deadline of its trigger that it has to keep now."""
    waited = now - run.started_at
    since = f"{run.started_at:%Y-%m-%d %H:%M}"
    if run.attempt:
        seconds = trigger.run_within_seconds
        if seconds and waited > timedelta(seconds=seconds):
            why = TOO_LONG(since=since, number=seconds)
            _act(Alarm.about_run(AlarmKind.TOO_LONG, run, run.started_at, now, why), run, trigger)
        return
    minutes = trigger.begin_within_minutes
    if minutes and waited > timedelta(minutes=minutes):
        why = NOT_BEGUN(since=since, number=minutes)
        _act(Alarm.about_run(AlarmKind.LATE, run, run.started_at, now, why), run, trigger)


def _act(alarm: Alarm, run: TriggerExecution, trigger: Trigger) -> None:
    raise_alarm(alarm, trigger, run)
    if trigger.on_deadline == OnDeadline.CANCEL and not run.cancel_requested_at:
        # The next look tries again if others keep writing the same rows.
        with suppress(RunEndedError, ConflictError):
            cancel_run(run, by=DEADLINES, why=alarm.why)


def _settle(now: datetime) -> None:
    """Close the alarms about runs that have ended, or begun."""
    for alarm in list(Alarm.objects.exclude(execution_id="")):
        run = TriggerExecution.objects.keyed(alarm.trigger_id, alarm.execution_id).first()
        has_begun = run is not None and alarm.kind == AlarmKind.LATE and run.attempt > 0
        if run is None or run.status != RunStatus.RUNNING or has_begun:
            close_alarms([alarm])


@contextmanager
def timed(run: Run) -> Iterator[None]:
    """Watch the deadline of one run in the function that runs it on AWS."""
    seconds = run.trigger.run_within_seconds
    if not seconds:
        yield
        return
    left = run.execution.started_at + timedelta(seconds=seconds) - timezone.now()
    timer = threading.Timer(max(0.0, left.total_seconds()) + 0.1, _look_at, [run])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _look_at(run: Run) -> None:
    try:
        key = run.execution.trigger_id, run.execution.pk
        record = TriggerExecution.objects.keyed(*key).first()
        if record is not None and record.status == RunStatus.RUNNING:
            _judge(record, run.trigger, timezone.now())
    except Exception:
        # The maintenance looks at the run again.
        logger.exception("The deadline of a run could not be watched")
    finally:
        connections.close_all()
