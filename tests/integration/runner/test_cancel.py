"""Runs that a person cancels: what is put on record, and what becomes of the trigger."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import runner
from executions.failures import CANCELLED
from executions.maintenance import remove_expired
from executions.models import CancelRequest, QueuedRun, Source, TriggerExecution
from executions.runner import Occurrence, Run, RunEndedError, cancel, cancel_run
from executions.runner.manual import accept, run_now
from moca import outages
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from tests.conftest import wait_for
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Work = Callable[[], object]


def begin(trigger: Trigger) -> Run:
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
    assert run is not None
    return run


def record(run: Run | TriggerExecution) -> TriggerExecution:
    execution = run.execution if isinstance(run, Run) else run
    found: TriggerExecution = TriggerExecution.objects.get(pk=execution.pk)
    return found


def end_as_cancelled(run: Run, *, reached: bool = False) -> None:
    run.execution.reached_agent = reached
    runner.close(run.execution, RunStatus.FAILED, error=CANCELLED(name="olga"))


class TestWaiting:
    """A run that no process has begun."""

    def test_ends_at_once(self, make_trigger: MakeTrigger) -> None:
        execution = run_now(make_trigger(), by="olga")
        ended = cancel_run(execution, by="olga")
        assert (ended.status, record(ended).outcome) == (RunStatus.FAILED, Outcome.CANCELLED)

    def test_record_says_who_cancelled_it(self, make_trigger: MakeTrigger) -> None:
        ended = cancel_run(run_now(make_trigger(), by="olga"), by="olga")
        assert (ended.error_code, ended.error) == ("cancelled_by_person", "Cancelled by olga.")

    def test_leaves_the_queue(self, make_trigger: MakeTrigger) -> None:
        cancel_run(run_now(make_trigger(), by="olga"), by="olga")
        assert not QueuedRun.objects.exists()

    def test_no_longer_holds_its_trigger(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        cancel_run(run_now(trigger, by="olga"), by="olga")
        trigger.refresh_from_db()
        assert not trigger.is_held(timezone.now())

    def test_process_that_is_late_does_not_run_it(self, make_trigger: MakeTrigger) -> None:
        execution = accept(make_trigger(), Source.MANUAL)
        cancel_run(execution, by="olga")
        assert runner.resume(execution.trigger_id, execution.pk) is None

    def test_run_that_has_just_begun_is_asked_to_end(self, make_trigger: MakeTrigger) -> None:
        execution = accept(make_trigger(), Source.MANUAL)
        runner.resume(execution.trigger_id, execution.pk)
        cancel_run(execution, by="olga")
        assert (record(execution).status, CancelRequest.objects.count()) == (RunStatus.RUNNING, 1)


class TestUnderWay:
    def test_request_is_for_its_process(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        cancel_run(record(run), by="olga")
        request = CancelRequest.objects.get()
        assert (request.pk, request.requested_by) == (run.execution.pk, "olga")

    def test_record_says_when(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        answered = cancel_run(record(run), by="olga")
        assert answered.cancel_requested_at == record(run).cancel_requested_at is not None

    def test_second_request_changes_nothing(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        cancel_run(record(run), by="olga")
        cancel_run(record(run), by="otto")
        assert [entry.actor for entry in AuditEntry.objects.filter(action="cancelled")] == ["olga"]

    def test_request_goes_with_the_result(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        run.execution = cancel_run(record(run), by="olga")
        end_as_cancelled(run)
        assert not CancelRequest.objects.exists()

    def test_audit_log_names_the_run(self, make_trigger: MakeTrigger) -> None:
        run = begin(trigger := make_trigger())
        cancel_run(record(run), by="olga")
        entry = AuditEntry.objects.get(action="cancelled")
        assert (entry.object_id, entry.changes["execution"][1]) == (trigger.pk, run.execution.pk)

    def test_run_of_a_deleted_trigger_can_be_cancelled(self, make_trigger: MakeTrigger) -> None:
        run = begin(trigger := make_trigger())
        trigger.delete()
        cancel_run(record(run), by="olga")
        assert CancelRequest.objects.get().pk == run.execution.pk

    def test_run_that_has_ended_is_refused(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        before = record(run)
        runner.close(run.execution, RunStatus.COMPLETED)
        with pytest.raises(RunEndedError):
            cancel_run(before, by="olga")
        assert not CancelRequest.objects.exists()


class TestOfADeadProcess:
    @pytest.fixture
    def dead(self, make_trigger: MakeTrigger) -> TriggerExecution:
        run = begin(make_trigger())
        execution = cancel_run(record(run), by="olga")
        TriggerExecution.objects.filter(pk=execution.pk, trigger_id=execution.trigger_id).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        runner.close_lost(timezone.now())
        return execution

    def test_ends_as_cancelled(self, dead: TriggerExecution) -> None:
        assert record(dead).outcome == Outcome.CANCELLED

    def test_record_says_who_cancelled_it(self, dead: TriggerExecution) -> None:
        assert record(dead).error == "Cancelled by olga."

    def test_request_is_gone(self, dead: TriggerExecution) -> None:
        assert not CancelRequest.objects.exists()


class TestAfterwards:
    def test_second_delivery_does_not_run_it(self, make_trigger: MakeTrigger) -> None:
        run = begin(trigger := make_trigger())
        end_as_cancelled(run)
        again = Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)
        assert runner.start(again) is None

    def test_run_that_failed_before_its_process_noticed_is_not_retried(
        self, make_trigger: MakeTrigger
    ) -> None:
        run = begin(trigger := make_trigger())
        cancel_run(record(run), by="olga")
        runner.close(run.execution, RunStatus.FAILED, error="No connection.")
        again = Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)
        assert runner.start(again) is None

    def test_does_not_count_as_a_failure_in_a_row(self, make_trigger: MakeTrigger) -> None:
        run = begin(trigger := make_trigger(consecutive_failures=2, pause_after_failures=3))
        end_as_cancelled(run, reached=True)
        trigger.refresh_from_db()
        assert (trigger.consecutive_failures, trigger.enabled) == (2, True)

    def test_request_that_nobody_deleted_expires(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger())
        cancel_run(record(run), by="olga")
        CancelRequest.objects.filter(pk=run.execution.pk).update(ttl=1)
        remove_expired(timezone.now())
        kept = getattr(connections["default"].features, "expires_rows", False)
        assert CancelRequest.objects.exists() == kept


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """A person cancels while a process begins or ends the run: exactly one of them wins."""

    ROUNDS = 15

    def at_once(self, *works: Work) -> list[bool]:
        """Do things at the same time; returns for each whether it succeeded."""
        barrier = threading.Barrier(len(works))

        def do(work: Work) -> bool:
            barrier.wait(10)
            try:
                return bool(work())
            except (ConflictError, OperationalError, RunEndedError):
                return False
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(do, works))

    def test_run_that_begins_meanwhile_is_cancelled_all_the_same(
        self, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(overlap_policy="allow")
        seen = set()
        for _ in range(self.ROUNDS):
            execution = accept(trigger, Source.MANUAL)

            def resume(execution: TriggerExecution = execution) -> Run | None:
                return runner.resume(execution.trigger_id, execution.pk)

            def ask(execution: TriggerExecution = execution) -> Any:
                return cancel_run(record(execution), by="olga")

            begun, cancelled = self.at_once(resume, ask)
            status = record(execution).status
            asked = CancelRequest.objects.filter(pk=execution.pk).exists()
            # Begun and asked to end, or never begun and ended.
            seen.add((begun, cancelled, str(status), asked))
        assert seen <= {(True, True, "running", True), (False, True, "failed", False)}

    def test_run_has_one_end_in_the_statistics(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(overlap_policy="allow")
        for _ in range(self.ROUNDS):
            execution = accept(trigger, Source.MANUAL)
            run = runner.resume(execution.trigger_id, execution.pk)
            assert run is not None

            def complete(run: Run = run) -> int:
                return runner.close(run.execution, RunStatus.COMPLETED)

            def abandon(run: Run = run) -> None:
                runner.abandon(run, CANCELLED(name="olga"))

            self.at_once(complete, abandon)
        trigger.refresh_from_db()
        assert len(Statistics.read(trigger.statistics).runs) == self.ROUNDS


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for requests every 0.2 seconds."""
    monkeypatch.setattr(cancel, "POLL_SECONDS", 0.2)


@pytest.fixture
def executing(
    demo_agent: DemoAgent, transactional_db: None, fast: None
) -> Iterator[Callable[..., Run]]:
    """Begin a run, and execute it in a thread."""
    threads = []
    clients = []

    def execute(trigger: Trigger, tokens: Any = None, protocol: str = "ag-ui") -> Run:
        tokens = tokens or FixedToken(demo_agent.issue_token())
        client = AgentClient(demo_agent.url, tokens, protocol=PROTOCOLS[protocol])
        clients.append(client)
        run = begin(trigger)

        def work() -> None:
            try:
                runner.execute(run, client)
            finally:
                connections.close_all()

        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        return run

    yield execute
    for thread in threads:
        thread.join(10)
    for client in clients:
        client.close()


def ended(run: Run) -> TriggerExecution:
    found: TriggerExecution = wait_for(
        lambda: (
            TriggerExecution.objects.filter(pk=run.execution.pk)
            .exclude(status=RunStatus.RUNNING)
            .first()
        )
    )
    return found


class TestInItsProcess:
    def test_what_was_said_is_kept_with_tools(
        self, executing: Callable[..., Run], make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        run = executing(make_trigger(prompt="Count.\ndemo: stall", include_context=False))
        wait_for(lambda: demo_agent.requests)
        time.sleep(0.5)
        cancel_run(record(run), by="olga")
        kept = ended(run)
        assert (kept.outcome, kept.output[:5], [tool["name"] for tool in kept.tools]) == (
            Outcome.CANCELLED,
            "Hello",
            ["current_time"],
        )

    def test_agent_is_told_after_the_end(
        self, executing: Callable[..., Run], make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        run = executing(make_trigger(prompt="Count.\ndemo: stall"), protocol="a2a")
        wait_for(lambda: demo_agent.requests)
        time.sleep(0.5)
        cancel_run(record(run), by="olga")
        told = wait_for(lambda: len(demo_agent.requests) > 1 and demo_agent.requests[-1])
        assert told.body["params"]["id"] == ended(run).task_id

    def test_thread_that_cannot_be_interrupted_keeps_no_record_open(
        self,
        executing: Callable[..., Run],
        make_trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
        demo_agent: DemoAgent,
    ) -> None:
        monkeypatch.setattr(cancel, "PATIENCE_SECONDS", 0.2)
        released = threading.Event()

        class Stuck:
            def token(self, *, timeout: float) -> str:
                released.wait(30)
                return "t"

            def discard(self, token: str) -> None:
                """Do nothing."""

        run = executing(make_trigger(), Stuck())
        cancel_run(record(run), by="olga")
        outcome = ended(run).outcome
        released.set()
        time.sleep(0.3)
        assert (outcome, len(demo_agent.requests)) == (Outcome.CANCELLED, 0)

    @pytest.mark.sqlite
    def test_database_that_is_away_disturbs_no_run(
        self,
        executing: Callable[..., Run],
        make_trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        polled = []

        def away(runs: list[Run]) -> list[Run]:
            polled.append(runs)
            raise OperationalError("unable to open database file")

        monkeypatch.setattr(cancel, "_cancel_requested", away)
        run = executing(make_trigger(prompt="Count.\ndemo: first-byte 1"))
        kept = ended(run)
        assert (kept.status, bool(polled), outages.database.is_on) == (
            RunStatus.COMPLETED,
            True,
            False,
        )

    def test_request_is_noticed_though_the_clock_was_put_back(
        self, executing: Callable[..., Run], make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        run = executing(make_trigger(prompt="Count.\ndemo: stall"))
        run.execution.started_at += timedelta(days=3)
        wait_for(lambda: demo_agent.requests)
        cancel_run(record(run), by="olga")
        assert ended(run).outcome == Outcome.CANCELLED
