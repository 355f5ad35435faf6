"""Many runs in one scheduler process: in flight together, late but not missed, in fair turns."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.demo import DemoAgent
from executions import file_limit
from executions.agent_records.model import Agent
from executions.models import QueuedRun, TriggerExecution, expiry
from executions.process_lease import Load, ProcessLease
from executions.runner.manual import run_now
from tests.conftest import wait_for
from triggers.models import LocalSchedule, Process, RunStatus, Trigger

from .conftest import ended, executions, make_due

MakeTrigger = Callable[..., Trigger]
SECOND = timedelta(seconds=1)


def running() -> list[TriggerExecution]:
    return executions(status=RunStatus.RUNNING)


def all_ended(count: int) -> Callable[[], Any]:
    return lambda: len(ended()) >= count and ended()


def most_at_once(runs: list[TriggerExecution]) -> int:
    """The most runs that were under way at the same time."""
    steps = [(run.started_at, 1) for run in runs]
    steps += [(run.completed_at, -1) for run in runs if run.completed_at]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def test_more_runs_are_in_flight_than_threads(trigger: MakeTrigger, scheduler: Callable) -> None:
    for number in range(120):
        make_due(trigger(name=f"T{number}", prompt="x\ndemo: first-byte 8"))
    with scheduler():
        assert wait_for(lambda: len(running()) == 120)
        wait_for(all_ended(120))


def test_run_that_waits_for_a_place_is_late_and_not_missed(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY, settings.SCHEDULER_CATCH_UP_SECONDS = 1, 0
    made = [trigger(name=f"T{number}", prompt="x\ndemo: first-byte 1") for number in range(3)]
    with scheduler():
        wait_for(Process.objects.all)
        for each in made:
            make_due(each)
        runs = wait_for(all_ended(3))
    assert [run.outcome for run in runs] == ["success"] * 3


def test_what_was_due_while_another_process_lived_is_late_and_not_missed(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    now = timezone.now()
    Process.objects.create(
        id="other",
        kind="scheduler",
        ttl=expiry(now),
        started_at=now - timedelta(days=1),
        alive_since=now - timedelta(days=1),
        lease_until=now - 30 * SECOND,
    )
    make_due(trigger(), timedelta(hours=2))
    with scheduler():
        assert wait_for(ended)[0].outcome == "success"


def test_what_was_due_before_a_gap_without_processes_is_missed(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    now = timezone.now()
    Process.objects.create(
        id="other",
        kind="scheduler",
        ttl=expiry(now),
        started_at=now - timedelta(days=1),
        alive_since=now - timedelta(days=1),
        lease_until=now - timedelta(hours=1),
    )
    make_due(trigger(), timedelta(hours=2))
    with scheduler():
        assert wait_for(ended)[0].outcome == "missed"


def test_what_was_due_in_a_short_gap_is_missed_if_nothing_is_to_run_late(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    now = timezone.now()
    Process.objects.create(
        id="other",
        kind="scheduler",
        ttl=expiry(now),
        started_at=now - timedelta(days=1),
        alive_since=now - timedelta(days=1),
        lease_until=now - timedelta(minutes=3),
    )
    make_due(trigger(catch_up="none"), timedelta(minutes=2))
    with scheduler():
        assert wait_for(ended)[0].outcome == "missed"


def test_user_with_many_triggers_does_not_hold_up_one_with_few(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY = 2
    for number in range(30):
        made = trigger(user_id="bob", name=f"B{number}", prompt="x\ndemo: first-byte 0.3")
        make_due(made, 60 * SECOND)
    for number in range(3):
        make_due(trigger(name=f"A{number}"))
    with scheduler():
        wait_for(lambda: len(executions(user_id="alice")) == 3)
        assert len(executions(user_id="bob")) < 15


def test_user_with_many_queued_runs_does_not_hold_up_one_with_few(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY = 2
    for number in range(30):
        prompt = "x\ndemo: first-byte 0.3"
        run_now(trigger(user_id="bob", name=f"B{number}", prompt=prompt), by="bob")
    run_now(trigger(), by="alice")
    with scheduler():
        wait_for(lambda: executions(user_id="alice", attempt=1))
        assert len(executions(user_id="bob", attempt=1)) < 15


def test_limit_of_the_default_agent_holds(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.AGENT_MAX_CONCURRENCY = 2
    for number in range(6):
        make_due(trigger(name=f"T{number}", prompt="x\ndemo: first-byte 0.5"))
    with scheduler():
        runs = wait_for(all_ended(6))
    assert most_at_once(runs) == 2


def test_limit_of_a_record_leaves_other_agents_alone(
    trigger: MakeTrigger, scheduler: Callable, demo_agent: DemoAgent, settings: Any
) -> None:
    Agent.objects.create(id="narrow", name="Narrow", address=demo_agent.url, max_concurrency=1)
    settings.AGENT_AUTH, settings.AGENT_TOKEN = "static", demo_agent.issue_token()
    for number in range(3):
        prompt = "x\ndemo: first-byte 1"
        make_due(trigger(name=f"N{number}", agent_id="narrow", prompt=prompt), 9 * SECOND)
        make_due(trigger(name=f"W{number}", prompt=prompt))
    with scheduler():
        runs = wait_for(all_ended(6))
    by_agent = [[run for run in runs if run.agent_id == agent] for agent in ("narrow", "a")]
    assert [most_at_once(each) for each in by_agent] == [1, 3]


def test_run_that_waits_for_its_agent_is_not_begun(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.AGENT_MAX_CONCURRENCY = 1
    for number in range(3):
        make_due(trigger(name=f"T{number}", prompt="x\ndemo: first-byte 3"))
    with scheduler():
        wait_for(running)
        time.sleep(1)
        assert TriggerExecution.objects.count() == 1


def test_429_slows_one_agent_only(
    trigger: MakeTrigger, scheduler: Callable, demo_agent: DemoAgent, settings: Any
) -> None:
    Agent.objects.create(id="busy", name="Busy", address=demo_agent.url)
    settings.AGENT_AUTH, settings.AGENT_TOKEN = "static", demo_agent.issue_token()
    refused = trigger(name="Refused", agent_id="busy", prompt="x\ndemo: status 429 1 retry-after 4")
    with scheduler():
        make_due(refused)
        wait_for(lambda: demo_agent.requests)
        make_due(trigger(name="Same agent", agent_id="busy"))
        make_due(trigger(name="Other agent"))
        first = wait_for(ended)[0]
        wait_for(all_ended(3))
    assert first.find_trigger().name == "Other agent"


def test_retry_after_holds_for_all_runs_of_the_agent(
    trigger: MakeTrigger, scheduler: Callable, demo_agent: DemoAgent
) -> None:
    refused = trigger(prompt="x\ndemo: status 429 1 retry-after 3")
    with scheduler():
        make_due(refused)
        wait_for(lambda: demo_agent.requests)
        asked = time.monotonic()
        make_due(trigger(name="Next"))
        wait_for(all_ended(2))
    assert time.monotonic() - asked >= 2.5


def test_heartbeat_is_one_write_whatever_the_number_of_runs(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    for number in range(20):
        make_due(trigger(name=f"T{number}", prompt="x\ndemo: first-byte 4"))
    with scheduler() as process:
        wait_for(lambda: len(running()) == 20)
        before = [
            TriggerExecution.objects.order_by("pk").values_list("lease_until", "process_id"),
            Trigger.objects.order_by("pk").values_list("running_until", "running_process"),
        ]
        seen = list(map(list, before))
        lease = Process.objects.get().lease_until
        process._heartbeat.hurry()
        wait_for(lambda: Process.objects.get().lease_until > lease)
        assert [list(rows.all()) for rows in before] == seen


@pytest.mark.sqlite
def test_renewal_of_the_lease_is_one_write(transactional_db: None) -> None:
    lease = ProcessLease(timedelta(minutes=1), timedelta(0))
    lease.renew(Load())
    with CaptureQueriesContext(connection) as asked:
        lease.renew(Load(running=10_000))
    words = [each["sql"].split()[0] for each in asked.captured_queries]
    assert [word for word in words if word not in ("BEGIN", "COMMIT")] == ["INSERT"]


def test_agent_that_falls_silent_ends_its_run(
    trigger: MakeTrigger, demo_agent: DemoAgent, scheduler: Callable
) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall"))
    with scheduler() as process:
        process.client.idle_timeout = 1
        assert wait_for(ended, seconds=15)[0].error_code == "agent_silent"


def test_time_out_keeps_what_was_said(trigger: MakeTrigger, scheduler: Callable) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall", timeout_seconds=2))
    with scheduler():
        run = wait_for(ended)[0]
    assert (run.error_code, run.output_bytes > 0) == ("timed_out", True)


def test_queue_is_in_the_deep_health_check(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY = 1
    for number in range(3):
        make_due(trigger(name=f"T{number}", prompt="x\ndemo: first-byte 5"), 3 * SECOND)
    with scheduler() as process:
        wait_for(running)
        process._heartbeat.hurry()
        wait_for(lambda: Process.objects.filter(waiting=2))
        queue = Client().get("/health?deep=1").json()["queue"]
        process.stop()
    assert (queue["waiting"], queue["running"], queue["places"]) == (2, 1, 1)


def test_late_run_is_no_fault_while_a_process_lives(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY = 1
    make_due(trigger(prompt="x\ndemo: first-byte 5"))
    with scheduler():
        wait_for(running)
        make_due(trigger(name="Late"), 180 * SECOND)
        assert Client().get("/health?deep=1").json()["checks"]["scheduler"] == "ok"


def test_process_that_has_stopped_leaves_no_lease(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    make_due(trigger())
    with scheduler():
        wait_for(ended)
    assert Process.objects.get().is_over


def test_places_are_bounded_by_the_limit_of_open_files(
    monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    assert (file_limit.affordable(10_000), "ulimit -n" in caplog.text) == (768, True)


def test_queue_of_an_earlier_release_is_begun(trigger: MakeTrigger, scheduler: Callable) -> None:
    run_now(trigger(), by="alice")
    QueuedRun.objects.update(user_id="")
    with scheduler():
        assert wait_for(ended)[0].status == RunStatus.COMPLETED


def test_schedule_moves_on_after_a_wait(
    trigger: MakeTrigger, scheduler: Callable, settings: Any
) -> None:
    settings.AGENT_MAX_CONCURRENCY = 1
    made = [trigger(name=f"T{number}") for number in range(3)]
    for each in made:
        make_due(each)
    with scheduler():
        wait_for(all_ended(3))
        assert not LocalSchedule.objects.filter(due_at__lte=timezone.now()).exists()


def test_end_of_a_run_is_noted_on_a_trigger_that_was_edited_meanwhile(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    made = [trigger(name=f"T{number}", prompt="x\ndemo: first-byte 2") for number in range(3)]
    for each in made:
        make_due(each)
    with scheduler():
        wait_for(lambda: len(running()) == 3)
        edited = Trigger.objects.get(pk=made[1].pk)
        edited.name = "Edited"
        edited.save()
        wait_for(all_ended(3))
    noted = Trigger.objects.order_by("pk").values_list("name", "last_status", "running_since")
    assert list(noted) == [
        ("T0", "completed", None),
        ("Edited", "completed", None),
        ("T2", "completed", None),
    ]


@pytest.mark.sqlite
def test_idle_process_asks_the_database_less_than_seven_times_a_second(
    scheduler: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = CursorWrapper.execute

    def noted(self: Any, sql: str, params: Any = None) -> Any:
        if threading.current_thread() is not threading.main_thread() and sql.startswith("SELECT"):
            asked.append(sql)
        return execute(self, sql, params)

    with scheduler():
        time.sleep(3)
        monkeypatch.setattr(CursorWrapper, "execute", noted)
        time.sleep(5)
        monkeypatch.undo()
    # Without the look at what has changed, it would ask nine times a second.
    assert 0 < len(asked) < 7 * 5
