"""Deadlines: runs that begin too late or take too long are told, and cancelled if asked for."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import lambda_handler, runner, watch
from executions.deadlines import enforce
from executions.models import CancelRequest, QueuedRun, TriggerExecution
from executions.runner import Occurrence, Run
from executions.runner.manual import run_now
from executions.silence import look
from moca.authentication.models import AuditEntry
from tests.conftest import wait_for
from tests.integration.eventbridge.conftest import eventbridge
from tests.integration.handler.test_handler import Context, event_of
from tests.integration.silence.conftest import DUE, HOUR, MINUTE, kinds, process, set_due, told
from triggers.models import RunStatus, Trigger

__all__ = ["eventbridge"]

MakeTrigger = Callable[..., Trigger]
SECOND = timedelta(seconds=1)


def begin(trigger: Trigger) -> Run:
    run = runner.start(
        Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()), lease=HOUR
    )
    assert run is not None
    return run


def record(execution: TriggerExecution) -> TriggerExecution:
    found: TriggerExecution = TriggerExecution.objects.get(pk=execution.pk)
    return found


class TestTakesTooLong:
    def test_is_told_once(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(run_within_seconds=60)
        begin(trigger)
        for seconds in (59, 62, 75, 600):
            enforce(timezone.now() + seconds * SECOND)
        reasons = [reason.partition("UTC: ")[2] for reason in told(trigger)]
        assert reasons == ["runWithinSeconds is 60."]

    def test_run_goes_on(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger(run_within_seconds=60))
        enforce(timezone.now() + 2 * MINUTE)
        assert record(run.execution).cancel_requested_at is None

    def test_without_a_deadline_nothing_is_told(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        begin(trigger)
        enforce(timezone.now() + 10 * MINUTE)
        assert told(trigger) == []

    def test_alarm_closes_with_the_run(self, make_trigger: MakeTrigger) -> None:
        run = begin(make_trigger(run_within_seconds=60))
        enforce(timezone.now() + 2 * MINUTE)
        before = kinds()
        runner.close(run.execution, RunStatus.COMPLETED)
        enforce(timezone.now() + 2 * MINUTE)
        assert (before, kinds()) == (["too_long"], [])

    def test_lost_run_does_not_take_too_long(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(run_within_seconds=60)
        begin(trigger)
        enforce(timezone.now() + 2 * HOUR)
        assert told(trigger) == []


class TestCancels:
    @pytest.fixture
    def strict(self, make_trigger: MakeTrigger) -> Trigger:
        return make_trigger(run_within_seconds=60, begin_within_minutes=5, on_deadline="cancel")

    def test_process_is_asked_to_end_it(self, strict: Trigger) -> None:
        run = begin(strict)
        enforce(timezone.now() + 2 * MINUTE)
        (request,) = CancelRequest.objects.all()
        assert (request.pk, request.requested_by) == (run.execution.pk, "system: deadlines")

    def test_is_on_record_with_the_reason(self, strict: Trigger) -> None:
        begin(strict)
        enforce(timezone.now() + 2 * MINUTE)
        (entry,) = AuditEntry.objects.filter(object_id=strict.pk, action="cancelled")
        assert (entry.actor, entry.reason_code) == ("system: deadlines", "too_long")

    def test_run_that_waits_is_closed(self, strict: Trigger) -> None:
        execution = run_now(strict, by="olga")
        enforce(timezone.now() + 6 * MINUTE)
        assert (record(execution).outcome, QueuedRun.objects.exists()) == ("cancelled", False)

    def test_scheduler_ends_the_call_of_the_agent(
        self,
        scheduler: Callable[..., Any],
        make_trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(watch, "TURN_SECONDS", 0.2)
        trigger = make_trigger(
            prompt="x\ndemo: first-byte 60", run_within_seconds=10, on_deadline="cancel"
        )
        with scheduler():
            execution = run_now(trigger, by="olga")
            wait_for(lambda: record(execution).attempt == 1)
            TriggerExecution.objects.filter(pk=execution.pk).update(
                started_at=timezone.now() - MINUTE
            )
            wait_for(lambda: record(execution).outcome == "cancelled", seconds=60)
        assert "deadlines" in record(execution).error


class TestBeginsTooLate:
    def test_queued_run_is_told(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(begin_within_minutes=5)
        run_now(trigger, by="olga")
        enforce(timezone.now() + 6 * MINUTE)
        assert kinds(trigger_id=trigger.pk) == ["late"]

    def test_run_that_has_begun_is_not_late(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(begin_within_minutes=5)
        begin(trigger)
        enforce(timezone.now() + 6 * MINUTE)
        assert kinds(trigger_id=trigger.pk) == []

    @pytest.mark.parametrize(("minutes", "expected"), [(19, []), (20, ["late"])])
    def test_schedule_waits_as_long_as_its_trigger_allows(
        self, make_trigger: MakeTrigger, db: None, minutes: int, expected: list[str]
    ) -> None:
        hourly = {"expression": "cron(0 * * * ? *)"}
        trigger = make_trigger(schedule_config=hourly, begin_within_minutes=20)
        set_due(trigger, DUE)
        process(DUE + minutes * MINUTE)
        look(DUE + minutes * MINUTE)
        assert kinds(trigger_id=trigger.pk) == expected

    def test_occurrence_that_is_too_late_is_skipped(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(begin_within_minutes=5, on_deadline="cancel")
        due = timezone.now() - 6 * MINUTE
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due)) is None
        assert Trigger.objects.get(pk=trigger.pk).last_skip_reason_code == "too_late"

    def test_late_occurrence_runs_if_it_is_to_warn_alone(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(begin_within_minutes=5)
        due = timezone.now() - 6 * MINUTE
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due)) is not None


class TestOnAWS:
    @pytest.fixture
    def agent(self, demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoAgent]:
        with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
            monkeypatch.setattr(lambda_handler, "_client", client)
            yield demo_agent

    def test_maintenance_looks_at_runs(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(run_within_seconds=60)
        run = begin(trigger)
        TriggerExecution.objects.filter(trigger_id=trigger.pk, pk=run.execution.pk).update(
            started_at=timezone.now() - 2 * MINUTE
        )
        lambda_handler.handler({"detail-type": "Reconcile Schedules"}, Context())
        assert kinds(trigger_id=trigger.pk) == ["too_long"]

    def test_function_watches_its_own_run(
        self, transactional_db: None, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: first-byte 60", on_deadline="cancel")
        # Forms and the API accept 10 seconds at the least.
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(run_within_seconds=1)
        due = f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}"
        lambda_handler.handler(event_of(trigger, time=due), Context())
        (execution,) = TriggerExecution.objects.filter(trigger_id=trigger.pk)
        assert (execution.outcome, kinds()) == ("cancelled", ["too_long"])
