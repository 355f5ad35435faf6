"""Runs that outlast the function on AWS, and the worker that reads on."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from agents import AgentClient
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import runner
from executions.maintenance import tidy
from executions.models import HandedOverRun, RunWorker, TriggerExecution
from executions.runner import Occurrence, cancel_run, handover
from tests.conftest import wait_for
from tests.integration.handler.test_handler import Context, event_of
from tests.integration.handler.test_handler import handler as invoke_function
from tests.integration.handover.conftest import MakeTrigger, Worker, beat, invoke, read
from triggers.models import Outcome, RunStatus, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

Clients = Callable[..., AgentClient]


@pytest.fixture
def long_run(make_trigger: MakeTrigger) -> Callable[..., Trigger]:
    def make(seconds: float = 3, **fields: object) -> Trigger:
        values = {"prompt": f"Count.\ndemo: background {seconds}", "timeout_seconds": 3600}
        return make_trigger(**{**values, **fields})

    return make


def test_run_is_handed_over_if_a_worker_lives(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    clients()
    beat()
    execution = invoke(long_run())
    assert (execution.status, execution.error, bool(execution.handed_over_at)) == (
        RunStatus.RUNNING,
        "",
        True,
    )


def test_function_says_so(clients: Clients, long_run: Callable[..., Trigger]) -> None:
    clients()
    beat()
    answer = invoke_function(event_of(long_run()), Context(seconds=11))
    assert answer["status"] == "handed over"


def test_what_came_so_far_is_on_record(clients: Clients, long_run: Callable[..., Trigger]) -> None:
    clients()
    beat()
    assert "You asked" in invoke(long_run()).output


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "a2a"])
def test_run_that_cannot_be_resumed_has_an_unknown_end(
    clients: Clients, long_run: Callable[..., Trigger], protocol: str
) -> None:
    clients(protocol)
    beat()
    execution = invoke(long_run(30))
    assert (execution.outcome, execution.error_code) == (Outcome.UNKNOWN, "sent_end_unknown")


def test_without_a_worker_the_end_is_unknown(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    clients()
    assert invoke(long_run(30)).outcome == Outcome.UNKNOWN


def test_worker_that_died_is_no_worker(clients: Clients, long_run: Callable[..., Trigger]) -> None:
    clients()
    RunWorker.objects.create(pk="w", seen_at=timezone.now() - timedelta(minutes=2))
    assert invoke(long_run(30)).outcome == Outcome.UNKNOWN


def test_unknown_end_does_not_pause_the_trigger(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    clients("agentcore")
    trigger = long_run(30, pause_after_failures=1)
    invoke(trigger)
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.last_outcome) == (True, Outcome.UNKNOWN)


def test_worker_reads_the_whole_answer(work: Worker, long_run: Callable[..., Trigger]) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run())
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    ended = read(execution)
    assert (ended.outcome, ended.output.endswith("any that speaks as I do.")) == (
        Outcome.SUCCESS,
        True,
    )


def test_questions_about_a_run_leave_other_requests_alone(
    work: Worker, long_run: Callable[..., Trigger], demo_agent: DemoAgent
) -> None:
    """Each run has an Idempotency-Key of its own: an agent ignores a key that it has seen."""
    with work():
        wait_for(RunWorker.objects.exists)
        first = invoke(long_run())
        wait_for(lambda: read(first).status != RunStatus.RUNNING)
        second = invoke(long_run())
        wait_for(lambda: read(second).status != RunStatus.RUNNING)
    sent = [
        request.headers["idempotency-key"]
        for request in demo_agent.requests
        if request.body and request.body.get("method") == "SendStreamingMessage"
    ]
    assert sent == [first.pk, second.pk]


def test_run_that_has_ended_is_forgotten(work: Worker, long_run: Callable[..., Trigger]) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run())
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
        wait_for(lambda: not HandedOverRun.objects.exists())
    trigger = execution.find_trigger()
    assert trigger is not None
    assert (trigger.running_until, trigger.last_outcome) == (None, Outcome.SUCCESS)


def test_prompt_is_sent_once(
    work: Worker, long_run: Callable[..., Trigger], demo_agent: DemoAgent
) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run())
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    assert len(demo_agent.requests) == 1


def test_time_out_counts_from_the_start_of_the_run(
    work: Worker, clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    client = clients()
    beat()
    execution = invoke(long_run(60, timeout_seconds=3600))
    early = timezone.now() - timedelta(seconds=3599)
    TriggerExecution.objects.filter(pk=execution.pk).update(started_at=early)
    with work(client):
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    ended = read(execution)
    assert (ended.outcome, ended.error) == (Outcome.TIMED_OUT, "timed out after 3600 s")


def test_cancelled_run_cancels_the_task(
    work: Worker, long_run: Callable[..., Trigger], demo_agent: DemoAgent
) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run(60))
        wait_for(lambda: read(execution).attempt > 1)
        cancel_run(read(execution), by="alice")
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
        wait_for(lambda: [task for task in demo_agent.tasks.values() if task.is_cancelled])
    assert read(execution).outcome == Outcome.CANCELLED


def test_task_that_the_agent_forgot_has_an_unknown_end(
    work: Worker, clients: Clients, long_run: Callable[..., Trigger], demo_agent: DemoAgent
) -> None:
    client = clients()
    beat()
    execution = invoke(long_run(60))
    demo_agent.tasks.clear()
    with work(client):
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    ended = read(execution)
    assert (ended.outcome, ended.error_code) == (Outcome.UNKNOWN, "task_unreadable")


def test_two_workers_read_a_run_once(clients: Clients, long_run: Callable[..., Trigger]) -> None:
    clients()
    beat()
    invoke(long_run(30))
    rows = [HandedOverRun.objects.get(), HandedOverRun.objects.get()]
    claimed: list[object] = []

    def claim(row: HandedOverRun) -> None:
        claimed.append(handover.claim(row, timezone.now()))
        connections.close_all()

    threads = [threading.Thread(target=claim, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([run for run in claimed if run is not None]) == 1


def test_worker_whose_lease_has_ended_writes_nothing(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    clients()
    beat()
    execution = invoke(long_run(30))
    first = handover.claim(HandedOverRun.objects.get(), timezone.now())
    later = timezone.now() + timedelta(minutes=2)
    second = handover.claim(HandedOverRun.objects.get(), later)
    assert first is not None
    assert second is not None
    runner.close(first.execution, RunStatus.FAILED)
    assert read(execution).status == RunStatus.RUNNING


def test_run_that_no_worker_reads_has_an_unknown_end(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    clients()
    beat()
    execution = invoke(long_run(30))
    RunWorker.objects.all().delete()
    tidy(timezone.now() + timedelta(minutes=6))
    ended = read(execution)
    assert (ended.outcome, ended.error_code) == (Outcome.UNKNOWN, "handed_over_unread")


@pytest.mark.parametrize(("outcome", "found"), [(Outcome.UNKNOWN, True), (Outcome.LOST, False)])
def test_it_is_found_by_its_outcome_before_that(
    clients: Clients, long_run: Callable[..., Trigger], outcome: Outcome, found: bool
) -> None:
    clients()
    beat()
    execution = invoke(long_run(30))
    rows = TriggerExecution.objects.filter(trigger_id=execution.trigger_id)
    later = timezone.now() + timedelta(minutes=6)
    assert rows.ended_as(outcome, later).exists() == found


def test_run_of_a_process_that_died_is_taken_over(
    work: Worker, clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    """As after kill -9 of a scheduler, which leaves the record with the id of the task."""
    client = clients()
    beat()
    lost = invoke(long_run(1))
    past = timezone.now() - timedelta(seconds=5)
    TriggerExecution.objects.filter(pk=lost.pk).update(handed_over_at=None, lease_until=past)
    HandedOverRun.objects.all().delete()
    runner.close_lost(timezone.now())
    with work(client):
        wait_for(lambda: read(lost).status != RunStatus.RUNNING)
    assert read(lost).outcome == Outcome.SUCCESS


def test_task_id_is_on_record_while_the_run_is_under_way(
    clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    trigger, client = long_run(60), clients()
    run = runner.start(Occurrence.scheduled("alice", trigger.pk, timezone.now()))
    assert run is not None

    def call() -> None:
        runner.call(run, client)
        connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    try:
        assert wait_for(lambda: read(run.execution).task_id.startswith("task-"))
    finally:
        run.cancellation.cancel()
        thread.join(20)


def test_run_of_a_deleted_trigger_has_an_unknown_end(
    work: Worker, clients: Clients, long_run: Callable[..., Trigger]
) -> None:
    client, trigger = clients(), long_run(60)
    beat()
    execution = invoke(trigger)
    trigger.delete()
    with work(client):
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    assert read(execution).error_code == "trigger_deleted_meanwhile"


def test_worker_that_stops_leaves_its_run_open(
    work: Worker, long_run: Callable[..., Trigger]
) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run(60))
        wait_for(lambda: read(execution).attempt > 1)
    row = HandedOverRun.objects.get()
    assert (read(execution).status, row.lease_until <= timezone.now() + timedelta(seconds=5)) == (
        RunStatus.RUNNING,
        True,
    )
