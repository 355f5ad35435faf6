"""Notices silence: schedules that should have fired by now and have not, and dead processes.

On one machine, the schedule of an occurrence that was not started stays where it was, so one read
of an index finds all of them. On AWS, EventBridge Scheduler keeps the schedules. There the
handler's maintenance hands in the triggers that it reads anyway.

A run that is due while schedules are fired waits for its turn: it is late. A run that is due while
nothing fires is silent.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from executions.alarms import (
    NO_PROCESS_ID,
    Alarm,
    AlarmKind,
    close_alarms,
    due_id,
    raise_alarm,
)
from executions.clock import ClockWatch
from executions.failures import NO_PASS, NO_PROCESS, NOT_STARTED, WAITS_FOR_TURN
from executions.models import Source, TriggerExecution
from moca import audit
from moca.ids import first_id, occurrence_id
from triggers.models import LocalSchedule, Process, ProcessKind, Trigger
from triggers.models.process import which_fire
from triggers.pauses import reason_not_to_fire
from triggers.statistics import Statistics

# How long a schedule that cannot be fired now is put off at the most; see `executions.scheduler`.
PUT_OFF = timedelta(seconds=65)
# An operator may allow a run no less to begin.
LEAST_ALLOWED = timedelta(minutes=1)
# How many overdue schedules one look covers, and how many triggers one read takes.
MOST_OVERDUE = 20_000
BATCH = 100
# How many occurrences of one trigger a pass of the maintenance on AWS looks for.
MOST_OCCURRENCES = 100
# How many records are read to find the run of an occurrence.
MOST_RECORDS = 5
# The runs that no schedule has started.
OTHERS = {Source.EVENT, Source.MANUAL, Source.REPLAY, Source.ANSWER, Source.FIRE}
# The fields that decide when a trigger fires.
TIMES = ("type", "enabled", "schedule_config", "paused_until")


# How long nothing is judged after the machine has slept or its clock was set: the other processes
# get this time to leave a sign of life, and to deal with what was due.
SETTLE_SECONDS = 60.0


class NothingFiresError(Exception):
    """No process that fires schedules is alive."""

    def __init__(self) -> None:
        super().__init__("No process that fires schedules is alive: start the scheduler.")


class _Clock:
    """Says whether signs of life can be compared with the time of this machine."""

    def __init__(self) -> None:
        self._watch = ClockWatch()
        self._settled_at = 0.0

    def is_settled(self) -> bool:
        if settings.TRIGGER_LAMBDA_ARN:
            # A function sleeps between its requests, and the maintenance runs elsewhere.
            return True
        if self._watch.jump():
            self._settled_at = time.monotonic() + SETTLE_SECONDS
        return time.monotonic() >= self._settled_at


clock = _Clock()


def look(now: datetime) -> None:
    """Raise alarms about what is silent or late, and close those whose reason is gone.

    Any number of processes may do it. Without silence, it takes three reads on one machine.

    Raises:
        OperationalError: the database is away.
    """
    if not clock.is_settled():
        return
    fires, alarms = which_fire(), list(Alarm.objects.all())
    notice(fires, alarms, now)
    if not settings.TRIGGER_LAMBDA_ARN:
        _look_at_schedules(alarms, now, is_fired=any(row.is_alive(now) for row in fires))


def notice(fires: Sequence[Process], alarms: Iterable[Alarm], now: datetime) -> bool:
    """Raise or close the alarm that no process fires schedules; returns whether none does.

    Args:
        fires: what `which_fire()` returned.
        alarms: the open alarms.
        now: the present.
    """
    raised = [alarm for alarm in alarms if alarm.pk == NO_PROCESS_ID]
    if any(row.is_alive(now) for row in fires):
        close_alarms(raised)
        return False
    if raised:
        return True
    if not fires or not clock.is_settled():
        # If none has ever been there, schedules that are not fired tell it.
        return False
    seen = fires[0].seen_at
    code = NO_PASS if fires[0].kind == ProcessKind.MAINTENANCE else NO_PROCESS
    raise_alarm(Alarm.about_processes(seen, now, code(seen=_text(seen))))
    return True


def check_life() -> bool | None:
    """Whether a process that fires schedules is alive, for the health check.

    Returns:
        None if no such process has ever been there.

    Raises:
        NothingFiresError: all are dead. The alarm is raised, if it is not yet.
    """
    now, fires = timezone.now(), which_fire()
    if any(row.is_alive(now) for row in fires):
        return True
    raised = list(Alarm.objects.filter(pk=NO_PROCESS_ID))
    if notice(fires, raised, now):
        raise NothingFiresError
    return None


# On one machine


def _look_at_schedules(alarms: Sequence[Alarm], now: datetime, *, is_fired: bool) -> None:
    """Look for schedules that are due and were not moved on.

    Args:
        alarms: the open alarms.
        now: the present.
        is_fired: whether a scheduler process is alive.
    """
    overdue = LocalSchedule.objects.filter(due_at__lte=now + PUT_OFF)
    # The field `next_run_at` keeps the time at which a schedule was due that is put off.
    overdue = overdue.filter(next_run_at__lte=now - LEAST_ALLOWED).order_by("due_at")
    rows = list(overdue.values_list("pk", "user_id", "next_run_at")[:MOST_OVERDUE])
    due = {trigger_id: run_at for trigger_id, _, run_at in rows if run_at}
    of_schedules = {alarm.pk: alarm for alarm in alarms if alarm.pk == due_id(alarm.trigger_id)}
    gone = [alarm for alarm in of_schedules.values() if due.get(alarm.trigger_id) != alarm.since]
    close_alarms(gone)
    known = of_schedules.keys() - {alarm.pk for alarm in gone}
    new = [(user, pk) for pk, user, _ in rows if due_id(pk) not in known]
    for start in range(0, len(new), BATCH):
        for trigger in Trigger.objects.named(new[start : start + BATCH]):
            _judge(trigger, due[trigger.pk], now, is_fired=is_fired)


def _judge(trigger: Trigger, due: datetime, now: datetime, *, is_fired: bool) -> None:
    by = trigger.expected_by(due)
    if not trigger.enabled or by is None or by > now or reason_not_to_fire(trigger, due, now):
        return
    kind, code = AlarmKind.SILENT, NOT_STARTED
    if is_fired:
        kind, code = AlarmKind.LATE, WAITS_FOR_TURN
    why = code(due=_text(due), by=_text(by))
    raise_alarm(Alarm.about_due(kind, trigger, due, now, why), trigger)


# On AWS


def judge(triggers: Iterable[Trigger], since: datetime, now: datetime) -> None:
    """Raise alarms about occurrences that had to begin between two times and did not.

    A trigger whose runs are in its statistics costs no read.

    Args:
        triggers: all triggers with a schedule.
        since: when the last pass looked.
        now: the present.
    """
    alarms = {alarm.pk: alarm for alarm in Alarm.objects.all()}
    for trigger in triggers:
        alarm = alarms.pop(due_id(trigger.pk), None)
        dues = trigger.overdue(since, now, MOST_OCCURRENCES)
        missing = [due for due in dues if _is_missing(trigger, due, now)]
        if alarm is not None:
            if not trigger.fires(now) or _is_over(alarm, trigger, dues, missing):
                close_alarms([alarm])
            continue
        if missing:
            first = missing[-1]
            by = trigger.expected_by(first) or first
            why = NOT_STARTED(due=_text(first), by=_text(by))
            raise_alarm(Alarm.about_due(AlarmKind.SILENT, trigger, first, now, why), trigger)
    close_alarms(alarm for alarm in alarms.values() if alarm.pk == due_id(alarm.trigger_id))


def _is_over(
    alarm: Alarm, trigger: Trigger, dues: Sequence[datetime], missing: Sequence[datetime]
) -> bool:
    """Whether the trigger of an alarm fires again."""
    is_well = bool(dues) and dues[0] not in missing
    return is_well or has_run(trigger, alarm.since)


def _is_missing(trigger: Trigger, due: datetime, now: datetime) -> bool:
    return not reason_not_to_fire(trigger, due, now) and not has_run(trigger, due)


def has_run(trigger: Trigger, due: datetime) -> bool:
    """Whether an occurrence has run, was skipped, or was not due by the schedule of that time."""
    if trigger.created_at > due or (trigger.last_skipped_at and trigger.last_skipped_at >= due):
        return True
    key = occurrence_id(trigger.pk, due)
    if any(run.execution_id == key for run in Statistics.read(trigger.statistics).runs):
        return True
    # Ids sort by their times, and the record of the occurrence has the time at which it was due.
    records = TriggerExecution.objects.filter(trigger_id=trigger.pk, pk__gte=first_id(due))
    for record in records.order_by("pk")[:MOST_RECORDS]:
        # Schedules of the TypeScript service do not say when they were due.
        if record.source not in OTHERS and record.scheduled_at in (None, due):
            return True
    earlier = audit.values_at(trigger, TIMES, due)
    return not earlier.is_sure or earlier.is_close or earlier.differs


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
