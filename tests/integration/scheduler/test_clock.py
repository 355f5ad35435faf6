"""A wall clock that jumps: nothing overlaps, nothing is lost, nothing waits for the wrong time."""

import io
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from agents.demo import DemoAgent
from executions import runner
from executions.models import PendingEvent, TriggerExecution
from tests.conftest import wait_for
from triggers.models import LocalSchedule, Process, RunStatus, Trigger

from .conftest import ended, executions, make_due

HOUR = timedelta(hours=1)
MINUTELY = "cron(* * * * ? *)"

MakeTrigger = Callable[..., Trigger]


class Clock:
    """The wall clock of this process, put ahead or back."""

    def __init__(self) -> None:
        self.by = timedelta(0)
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by

    def since_boot(self, clock: int) -> float:
        return time.clock_gettime_ns(clock) / 1e9 + self.slept


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("django.utils.timezone.now", made.now)
    monkeypatch.setattr("time.clock_gettime", made.since_boot)
    return made


def running() -> list[TriggerExecution]:
    return executions(status=RunStatus.RUNNING)


def first_run(trigger: Trigger) -> datetime:
    return trigger.next_runs(timezone.now(), 1)[0]


def strand(trigger: Trigger) -> None:
    """Leave the trigger's schedule as a clock does that was an hour ahead."""
    later = trigger.next_runs(timezone.now() + HOUR, 1)[0]
    LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=later, due_at=later)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=3000), timedelta(seconds=61)])
def test_no_run_overlaps_our_own_after_a_jump(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, jump: timedelta
) -> None:
    made = trigger(prompt="x\ndemo: first-byte 3")
    make_due(made)
    with scheduler():
        wait_for(running)
        clock.by = jump
        make_due(made)
        wait_for(ended)
        assert TriggerExecution.objects.filter(status=RunStatus.RUNNING).count() == 0


def test_own_runs_are_vouched_for_anew_at_once(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 3"))
    with scheduler():
        wait_for(running)
        clock.by = HOUR
        assert wait_for(lambda: Process.objects.filter(lease_until__gt=clock.now()), seconds=2)


def test_trigger_stays_held_for_other_processes_after_a_jump(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock
) -> None:
    made = trigger(prompt="x\ndemo: first-byte 3")
    make_due(made)
    with scheduler():
        wait_for(running)
        clock.by = HOUR
        assert wait_for(lambda: Trigger.objects.filter(running_until__gt=clock.now()), seconds=2)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=3000)])
def test_jump_is_told_in_one_line(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, caplog: Any, jump: timedelta
) -> None:
    with scheduler():
        time.sleep(0.7)
        clock.by = jump
        wait_for(lambda: "The clock jumped" in caplog.text)
        time.sleep(1.2)
    assert caplog.text.count("The clock jumped") == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=3000), -timedelta(days=3000)])
def test_duration_of_a_run_is_as_long_as_it_took(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, jump: timedelta
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 1"))
    with scheduler():
        wait_for(running)
        clock.by = jump
        found = wait_for(ended)[0]
    assert 900 < found.duration_ms < 20_000


def test_no_run_ends_before_it_begins(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 1"))
    with scheduler():
        wait_for(running)
        clock.by = -HOUR
        found = wait_for(ended)[0]
    assert found.completed_at >= found.started_at


def test_run_that_is_broken_off_lasts_as_long_as_it_took(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, settings: Any
) -> None:
    settings.SCHEDULER_GRACE_SECONDS = 0
    make_due(trigger(prompt="x\ndemo: first-byte 2"))
    with scheduler():
        wait_for(running)
        clock.by = timedelta(days=3000)
    assert ended()[0].duration_ms < 20_000


def test_jump_writes_no_missed_runs_of_runs_to_come(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, settings: Any
) -> None:
    settings.SCHEDULER_CATCH_UP_SECONDS = 0
    made = trigger(expression=MINUTELY)
    with scheduler():
        time.sleep(0.7)
        clock.by = HOUR
        wait_for(lambda: Trigger.objects.filter(pk=made.pk, skipped_runs__gt=50).exists())
    assert not executions(error__startswith="Missed")


def test_runs_that_the_machine_slept_through_are_missed(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, settings: Any
) -> None:
    settings.SCHEDULER_CATCH_UP_SECONDS = 0
    trigger(expression=MINUTELY)
    with scheduler():
        time.sleep(0.7)
        clock.slept, clock.by = HOUR.total_seconds(), HOUR
        assert wait_for(lambda: executions(error__startswith="Missed"))


def test_running_scheduler_puts_schedules_right_when_the_clock_is(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock
) -> None:
    clock.by = HOUR
    made = trigger(expression=MINUTELY)
    with scheduler():
        time.sleep(0.7)
        clock.by = timedelta(0)
        row = LocalSchedule.objects.filter(pk=made.pk)
        assert wait_for(lambda: row.get().next_run_at <= first_run(made))


def test_fresh_scheduler_puts_schedules_right(trigger: MakeTrigger, scheduler: Callable) -> None:
    made = trigger(expression=MINUTELY)
    strand(made)
    row = LocalSchedule.objects.filter(pk=made.pk)
    with scheduler():
        assert wait_for(lambda: row.get().due_at <= first_run(made))


def test_fresh_scheduler_puts_many_schedules_right(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    made = [trigger(expression=MINUTELY) for _ in range(105)]
    for one in made:
        strand(one)
    late = timezone.now() + HOUR / 2
    with scheduler():
        assert wait_for(lambda: all(row.due_at < late for row in LocalSchedule.objects.all()))


def test_sync_schedules_finds_what_waits_for_a_wrong_time(trigger: MakeTrigger) -> None:
    made = trigger(expression=MINUTELY)
    strand(made)
    said = io.StringIO()
    call_command("sync_schedules", "--dry-run", stdout=said)
    assert re.search(rf"{made.pk} +differs in next run", said.getvalue())


def test_sync_schedules_puts_it_right(trigger: MakeTrigger) -> None:
    made = trigger(expression=MINUTELY)
    strand(made)
    call_command("sync_schedules", stdout=io.StringIO())
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at <= first_run(made)


def test_sync_schedules_revives_a_schedule_that_has_no_next_run(trigger: MakeTrigger) -> None:
    made = trigger(expression=MINUTELY)
    LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=None, due_at=None)
    call_command("sync_schedules", stdout=io.StringIO())
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at is not None


def test_schedule_that_is_late_or_in_its_window_is_in_step(trigger: MakeTrigger) -> None:
    made = trigger(expression=MINUTELY)
    made.schedule_config = {**made.schedule_config, "flexibleTimeWindowMinutes": 1440}
    made.save()
    make_due(trigger(expression=MINUTELY), HOUR)
    said = io.StringIO()
    call_command("sync_schedules", stdout=said)
    assert "synced" in said.getvalue()


def test_doctor_tells_of_what_waits_for_a_wrong_time(
    trigger: MakeTrigger, demo_agent: DemoAgent, settings: Any
) -> None:
    settings.AGENT_API_URL = settings.COGNITO_DOMAIN = demo_agent.url
    strand(trigger(expression=MINUTELY))
    said = io.StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=said)
    assert "1 schedules wait for a later time" in said.getvalue()


def test_occurrence_that_has_run_does_not_run_twice(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, demo_agent: DemoAgent
) -> None:
    made = trigger(expression=MINUTELY, overlap_policy="allow")
    with scheduler():
        time.sleep(0.7)
        clock.by = HOUR
        before = len(wait_for(ended))
        clock.by = timedelta(0)
        row = LocalSchedule.objects.filter(pk=made.pk)
        wait_for(lambda: row.get().due_at <= first_run(made))
        # The wrong time comes again, now as the right one.
        clock.by = HOUR + timedelta(minutes=1)
        wait_for(lambda: len(ended()) > before)
        time.sleep(1)
    sent = Counter(each.headers["idempotency-key"] for each in demo_agent.requests)
    assert set(sent.values()) == {1}


def test_lease_of_a_dead_process_from_a_wrong_time_ends_soon(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    made = trigger()
    later = timezone.now() + HOUR
    run = runner.start(
        runner.Occurrence.scheduled("alice", made.pk, later), lease=timedelta(hours=1)
    )
    assert run is not None
    with scheduler():
        held = Trigger.objects.filter(pk=made.pk, running_until__lt=timezone.now() + HOUR / 2)
        assert wait_for(held.exists)


def test_event_that_waits_for_a_wrong_time_goes_on_soon(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    made = trigger()
    made.type, made.event_config = "event", {"eventSourceId": "s", "debounceSeconds": 1}
    made.save()
    later = timezone.now() + HOUR
    PendingEvent.objects.create(
        trigger_id=made.pk, user_id="alice", execution_id="e", first_at=later, last_at=later,
        due_at=later, envelope='{"id": "1", "source": "s", "detail-type": "t", "detail": {}}',
    )  # fmt: skip
    with scheduler():
        assert wait_for(lambda: not PendingEvent.objects.exists(), seconds=10)


@pytest.mark.sqlite  # DynamoDB removes them by itself.
def test_nothing_expires_by_a_clock_that_has_just_jumped(
    trigger: MakeTrigger, scheduler: Callable, clock: Clock, caplog: Any
) -> None:
    make_due(trigger())
    with scheduler():
        wait_for(ended)
        clock.by = timedelta(days=3000)
        wait_for(lambda: "The clock jumped" in caplog.text)
        time.sleep(1)
    assert ended()
