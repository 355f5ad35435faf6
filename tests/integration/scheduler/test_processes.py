"""Real scheduler processes: several on one database, ended politely and not."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from agents.demo import DemoAgent
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.conftest import wait_for
from tests.integration.lines.test_lines import broken
from triggers.models import Process, RunStatus, Trigger

from .conftest import SchedulerCommand, ended, executions, make_due

Start = Callable[..., SchedulerCommand]
MakeTrigger = Callable[..., Trigger]


def test_two_processes_run_each_occurrence_once(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    made = [trigger() for _ in range(60)]
    for one in made:
        make_due(one, -timedelta(seconds=4))
    runscheduler()
    runscheduler()
    wait_for(lambda: len(ended()) == 60, seconds=30)
    time.sleep(0.5)
    sent = Counter(
        request.headers["idempotency-key"]
        for request in demo_agent.requests
        if request.path == "/invocations"
    )
    assert list(sent.values()) == [1] * 60


def test_sigterm_lets_a_run_end(trigger: MakeTrigger, runscheduler: Start) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 2"))
    command = runscheduler()
    wait_for(lambda: executions(status=RunStatus.RUNNING))
    code = command.signal(signal.SIGTERM)
    assert (code, ended()[0].status) == (0, RunStatus.COMPLETED)


def test_sigterm_marks_a_run_that_does_not_end(trigger: MakeTrigger, runscheduler: Start) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 60"))
    command = runscheduler(SCHEDULER_GRACE_SECONDS="1")
    wait_for(lambda: executions(status=RunStatus.RUNNING))
    command.signal(signal.SIGTERM)
    assert ended()[0].error_code == "scheduler_shut_down"


def test_run_of_a_killed_process_is_closed_as_failed(
    trigger: MakeTrigger, runscheduler: Start
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 60"))
    command = runscheduler()
    wait_for(lambda: executions(status=RunStatus.RUNNING))
    command.signal(signal.SIGKILL)
    # End its lease now, so that nobody has to wait for it.
    Process.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    runscheduler()
    assert wait_for(ended)[0].error_code == "lost"


def test_killed_process_loses_no_occurrence(trigger: MakeTrigger, runscheduler: Start) -> None:
    made = [trigger(prompt="x\ndemo: first-byte 0.2") for _ in range(30)]
    for one in made:
        make_due(one)
    first = runscheduler(SCHEDULER_CONCURRENCY="4")
    wait_for(lambda: len(ended()) > 3)
    first.signal(signal.SIGKILL)
    runscheduler()
    wait_for(lambda: TriggerExecution.objects.count() == 30, seconds=20)
    assert {e.trigger_id for e in executions()} == {one.pk for one in made}


def test_same_occurrence_in_many_threads_at_once_starts_once(trigger: MakeTrigger) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    made = trigger(overlap_policy="allow")
    occurrence = Occurrence.scheduled(made.user_id, made.pk, timezone.now())

    def start(_: int) -> bool:
        try:
            return runner.start(occurrence) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(start, range(40))) == 1


def test_place_whose_holder_is_gone_is_handed_on(
    make_trigger: MakeTrigger, runscheduler: Start
) -> None:
    config = {"eventPattern": {"source": ["shop"]}}
    listener = make_trigger(
        type="event",
        event_config=config,
        schedule_config=None,
        overlap_policy="allow",
        max_concurrent=1,
    )
    second = broken(listener, asked_at=timezone.now())
    runscheduler()
    wait_for(lambda: executions(pk=second, status=RunStatus.COMPLETED))
