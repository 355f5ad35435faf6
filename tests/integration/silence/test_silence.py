"""Schedules that should have fired and have not are told once, by whichever process looks."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from executions import silence
from executions.alarms import Alarm
from executions.clock import Jump
from executions.models import TriggerExecution
from executions.process_lease import Load, ProcessLease
from executions.silence import look
from moca.authentication.models import AuditEntry
from tests.conftest import wait_for
from tests.integration.silence.conftest import DAY, DUE, HOUR, MINUTE, kinds, process, set_due, told
from triggers import pauses
from triggers.models import LocalSchedule, Process, Trigger

MakeTrigger = Callable[..., Trigger]

# Each kind of schedule, due at DUE, with the grace that follows from it.
SCHEDULES = {
    "cron": ({"expression": "cron(0 * * * ? *)"}, 6 * MINUTE),
    "rate": ({"expression": "rate(5 minutes)"}, 2 * MINUTE),
    "at": ({"expression": f"at({DUE:%Y-%m-%dT%H:%M:%S})"}, 5 * MINUTE),
    "window": (
        {"expression": "cron(0 * * * ? *)", "flexibleTimeWindowMinutes": 15},
        21 * MINUTE,
    ),
}


@pytest.fixture
def hourly(make_trigger: MakeTrigger, stopped: Process) -> Trigger:
    """A trigger of each hour, whose scheduler is stopped."""
    trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
    set_due(trigger, DUE)
    return trigger


class TestStoppedForADay:
    @pytest.mark.parametrize("name", SCHEDULES)
    def test_one_alarm_within_the_grace(
        self, make_trigger: MakeTrigger, stopped: Process, name: str
    ) -> None:
        config, grace = SCHEDULES[name]
        trigger = make_trigger(schedule_config=config)
        set_due(trigger, DUE)
        now = DUE - MINUTE
        while now < DUE + 90 * MINUTE:
            look(now)
            now += MINUTE
        raised = [alarm.raised_at for alarm in Alarm.objects.filter(trigger_id=trigger.pk)]
        assert (raised, len(told(trigger))) == ([DUE + grace], 1)

    def test_none_is_told_twice_in_a_day(self, hourly: Trigger) -> None:
        for hour in range(1, 25):
            look(DUE + hour * HOUR)
        assert len(told(hourly)) == 1

    def test_each_trigger_has_its_own(self, make_trigger: MakeTrigger, stopped: Process) -> None:
        triggers = [make_trigger(name=f"T{number}") for number in range(5)]
        for trigger in triggers:
            set_due(trigger, DUE)
        look(DUE + DAY)
        assert [len(told(trigger)) for trigger in triggers] == [1] * 5

    def test_two_processes_that_look_at_once_tell_once(
        self, transactional_db: None, hourly: Trigger
    ) -> None:
        start = threading.Barrier(3)

        def look_at_once() -> None:
            start.wait()
            look(DUE + HOUR)
            connections.close_all()

        threads = [threading.Thread(target=look_at_once) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(told(hourly)) == 1

    def test_reason_names_when_it_was_expected(self, hourly: Trigger) -> None:
        look(DUE + HOUR)
        by = f"{DUE + 6 * MINUTE:%Y-%m-%d %H:%M}"
        assert f"expected by {by} UTC" in told(hourly)[0]

    def test_missed_again_after_it_went_on_is_told_again(self, hourly: Trigger) -> None:
        look(DUE + HOUR)
        set_due(hourly, DUE + 2 * HOUR)
        look(DUE + 2 * HOUR)
        look(DUE + 3 * HOUR)
        assert len(told(hourly)) == 2

    def test_alarm_closes_when_the_schedule_goes_on(self, hourly: Trigger) -> None:
        look(DUE + HOUR)
        set_due(hourly, DUE + 2 * HOUR)
        look(DUE + HOUR)
        assert kinds(trigger_id=hourly.pk) == []


class TestNoAlarm:
    @pytest.mark.parametrize(
        "fields",
        [
            {"enabled": False},
            {"enabled": False, "paused_reason": "Paused after 3 runs in a row had failed."},
            {"type": "event", "event_config": {"eventSourceId": "orders"}, "schedule_config": None},
        ],
        ids=["disabled", "paused", "event"],
    )
    def test_of_what_need_not_fire(
        self, make_trigger: MakeTrigger, stopped: Process, fields: dict[str, Any]
    ) -> None:
        trigger = make_trigger(**fields)
        set_due(trigger, DUE)
        look(DUE + DAY)
        assert told(trigger) == []

    def test_of_a_trigger_that_a_person_has_paused(self, hourly: Trigger) -> None:
        until = DUE + 2 * DAY
        Trigger.objects.filter(user_id=hourly.user_id, pk=hourly.pk).update(
            paused_at=DUE - HOUR, paused_until=until
        )
        look(DUE + DAY)
        assert told(hourly) == []

    def test_while_the_whole_installation_is_paused(self, hourly: Trigger) -> None:
        pauses.pause_installation(None, by="olga")
        look(DUE + DAY)
        assert told(hourly) == []

    def test_after_the_end(self, make_trigger: MakeTrigger, stopped: Process) -> None:
        end = {"endDate": (DUE - MINUTE).isoformat()}
        trigger = make_trigger(schedule_config={"expression": "rate(1 minute)", **end})
        LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=None, due_at=None)
        look(DUE + DAY)
        assert told(trigger) == []

    def test_of_a_one_time_schedule_that_has_run(
        self, make_trigger: MakeTrigger, stopped: Process
    ) -> None:
        at = f"at({DUE:%Y-%m-%dT%H:%M:%S})"
        trigger = make_trigger(schedule_config={"expression": at})
        LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=None, due_at=None)
        look(DUE + DAY)
        assert told(trigger) == []

    def test_within_the_grace(self, hourly: Trigger) -> None:
        look(DUE + 5 * MINUTE)
        assert told(hourly) == []


class TestLate:
    @pytest.fixture
    def waiting(self, make_trigger: MakeTrigger, db: None) -> Trigger:
        """A trigger whose run waits for a place, while a scheduler is alive."""
        trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
        set_due(trigger, DUE)
        process(DUE + HOUR)
        return trigger

    def test_run_that_waits_for_a_place_is_late(self, waiting: Trigger) -> None:
        look(DUE + HOUR)
        assert kinds(trigger_id=waiting.pk) == ["late"]

    def test_run_that_waits_for_the_one_before_is_late(self, waiting: Trigger) -> None:
        # The scheduler puts such a schedule off again and again.
        soon = DUE + HOUR + timedelta(seconds=1)
        LocalSchedule.objects.filter(pk=waiting.pk).update(due_at=soon)
        look(DUE + HOUR)
        assert kinds(trigger_id=waiting.pk) == ["late"]

    def test_it_is_not_told_as_missed(self, waiting: Trigger) -> None:
        look(DUE + HOUR)
        assert "waits for its turn" in told(waiting)[0]


class TestNothingFires:
    def test_is_told_once(self, stopped: Process) -> None:
        for minute in range(30):
            look(DUE + minute * MINUTE)
        reasons = [entry.reason for entry in AuditEntry.objects.filter(action="alarm")]
        assert (kinds(), len(reasons)) == (["no_process"], 1)

    def test_one_of_two_that_is_alive_is_enough(self, stopped: Process) -> None:
        process(DUE)
        look(DUE + timedelta(seconds=30))
        assert kinds() == []

    def test_web_server_alone_fires_nothing(self, stopped: Process) -> None:
        process(DUE, "web")
        look(DUE + timedelta(seconds=30))
        assert kinds() == ["no_process"]

    def test_closes_when_one_is_back(self, stopped: Process) -> None:
        look(DUE + MINUTE)
        process(DUE + HOUR)
        look(DUE + HOUR)
        assert kinds() == []

    def test_clock_that_was_ahead_keeps_no_dead_process_alive(self, db: None) -> None:
        process(DUE + DAY)
        look(DUE)
        assert kinds() == ["no_process"]


class TestClock:
    """A machine that wakes up first lets its scheduler leave a sign of life."""

    @pytest.fixture
    def woken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        jump = Jump(HOUR, timezone.now(), slept=True)
        found = silence._Clock()
        monkeypatch.setattr(found._watch, "jump", [None, jump].pop)
        monkeypatch.setattr(silence, "clock", found)

    @pytest.mark.usefixtures("woken")
    def test_nothing_is_told_at_once(self, hourly: Trigger) -> None:
        look(DUE + HOUR)
        assert kinds() == []

    @pytest.mark.usefixtures("woken")
    def test_what_is_still_silent_later_is_told(
        self, hourly: Trigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look(DUE + HOUR)
        monkeypatch.setattr(silence.clock._watch, "jump", lambda: None)
        monkeypatch.setattr(silence.clock, "_settled_at", 0.0)
        look(DUE + HOUR + MINUTE)
        assert sorted(kinds()) == ["no_process", "silent"]


def test_scheduler_leaves_a_sign_of_life(scheduler: Callable[..., Any]) -> None:
    with scheduler():
        (row,) = wait_for(lambda: list(Process.objects.all()))
    assert (row.kind, row.is_alive(timezone.now())) == ("scheduler", True)


def test_missed_runs_after_an_alarm_are_told_once(
    scheduler: Callable[..., Any], make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    due = timezone.now() - DAY
    set_due(trigger, due)
    process(due - MINUTE)
    look(timezone.now())
    with scheduler():
        wait_for(lambda: TriggerExecution.objects.filter(outcome="missed").exists())
    look(timezone.now() + MINUTE)
    assert len(told(trigger)) == 1


@pytest.mark.parametrize(("is_over", "left"), [(True, 1), (False, 2)], ids=["closed", "open"])
def test_scheduler_that_begins_forgets_dead_ones_whose_runs_are_closed(
    db: None, *, is_over: bool, left: int
) -> None:
    row = process(timezone.now() - HOUR)
    Process.objects.filter(pk=row.pk).update(is_over=is_over)
    ProcessLease(MINUTE, MINUTE).renew(Load())
    assert Process.objects.count() == left
