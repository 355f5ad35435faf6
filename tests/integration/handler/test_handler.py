"""The Lambda function, called as Lambda calls it, against the demo agent."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import lambda_handler
from executions.lambda_handler import EventError, NotStartedError, handler
from executions.maintenance import end_far_leases
from executions.models import TriggerExecution
from executions.runner.execute import LAMBDA_SECONDS
from executions.runner.manual import run_now
from triggers.models import RunStatus, Trigger

NINE = "2027-01-04T09:00:00Z"

MakeTrigger = Callable[..., Trigger]
Away = Callable[[float], None]


@dataclass
class Context:
    """What Lambda tells about an invocation."""

    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    seconds: float = 900

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass
class Waning(Context):
    """A context whose time passes."""

    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return int((self.began + self.seconds - time.monotonic()) * 1000)


@pytest.fixture
def agent(demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoAgent]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        yield demo_agent


@pytest.fixture
def no_agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An address where nobody answers."""
    with AgentClient("http://127.0.0.1:9", FixedToken("t")) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        yield


def event_of(trigger: Trigger, **parts: Any) -> dict[str, Any]:
    detail = {"triggerId": trigger.pk, "userId": trigger.user_id, "prompt": "of no concern"}
    event = {"detail-type": "Scheduled Event", "source": "moca.triggers", "time": NINE}
    return {**event, "detail": detail, **parts}


def runs_of(trigger: Trigger) -> list[TriggerExecution]:
    return list(TriggerExecution.objects.filter(trigger_id=trigger.pk))


class TestSchedule:
    def test_run_is_on_record(self, agent: DemoAgent, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(prompt="Count the sheep.")
        handler(event_of(trigger), Context())
        assert "Count the sheep." in runs_of(trigger)[0].said.text

    def test_answer_says_so(self, agent: DemoAgent, make_trigger: MakeTrigger) -> None:
        assert handler(event_of(make_trigger()), Context())["status"] == "completed"

    def test_due_time_is_that_of_the_event(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        handler(event_of(trigger), Context())
        due = runs_of(trigger)[0].scheduled_at
        assert due is not None
        assert due.isoformat() == "2027-01-04T09:00:00+00:00"

    def test_second_delivery_runs_nothing(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        handler(event_of(trigger), Context())
        again = handler(event_of(trigger), Context("another"))
        assert (again["status"], len(runs_of(trigger))) == ("skipped", 1)

    def test_event_without_a_time_runs_once_for_each_request(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        event = event_of(trigger, time="<aws.scheduler.scheduled-time>")
        for request in ("one", "one", "two"):
            handler(event, Context(request))
        assert len(runs_of(trigger)) == 2

    def test_disabled_trigger_does_not_run(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(enabled=False)
        handler(event_of(trigger), Context())
        assert runs_of(trigger) == []

    def test_trigger_of_another_user_does_not_run(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        detail = {"triggerId": trigger.pk, "userId": "mallory"}
        handler(event_of(trigger, detail=detail), Context())
        assert runs_of(trigger) == []


class TestFailure:
    def test_agent_out_of_reach_is_tried_again_by_lambda(
        self, no_agent: None, make_trigger: MakeTrigger
    ) -> None:
        with pytest.raises(NotStartedError):
            handler(event_of(make_trigger(max_retries=0)), Context())

    def test_next_try_takes_over_the_record(
        self, no_agent: None, make_trigger: MakeTrigger, request: pytest.FixtureRequest
    ) -> None:
        trigger = make_trigger(max_retries=0)
        with pytest.raises(NotStartedError):
            handler(event_of(trigger), Context())
        request.getfixturevalue("agent")
        handler(event_of(trigger), Context())
        assert [(run.status, run.attempt) for run in runs_of(trigger)] == [("completed", 2)]

    def test_agent_that_failed_is_not_called_again(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(prompt="demo: fail It broke.")
        found = [handler(event_of(trigger), Context())["status"] for _ in range(2)]
        assert found == [RunStatus.FAILED, "skipped"]

    def test_run_ends_before_lambda_does(self, agent: DemoAgent, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(prompt="demo: stall")
        handler(event_of(trigger), Context(seconds=11.5))
        assert "no more time after 1.5 s" in runs_of(trigger)[0].error

    def test_without_time_nothing_is_begun(
        self, agent: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        with pytest.raises(NotStartedError):
            handler(event_of(trigger), Context(seconds=5))
        assert runs_of(trigger) == []


def test_run_that_was_asked_for(agent: DemoAgent, make_trigger: MakeTrigger) -> None:
    execution = run_now(make_trigger(enabled=False), by="alice")
    detail = {"triggerId": execution.trigger_id, "executionId": execution.pk}
    done = handler({"detail-type": "Run Requested", "detail": detail}, Context())
    assert done == {"status": "completed", "executionId": execution.pk}


def test_reconciler_closes_lost_runs(transactional_db: None, make_trigger: MakeTrigger) -> None:
    execution = run_now(make_trigger(), by="alice")
    record = TriggerExecution.objects.filter(trigger_id=execution.trigger_id, pk=execution.pk)
    record.filter(status=RunStatus.RUNNING).update(lease_until=timezone.now())
    handler({"detail-type": "Reconcile Schedules"}, Context())
    assert [run.status for run in record] == [RunStatus.FAILED]


def test_metrics_are_one_line_each(
    agent: DemoAgent, make_trigger: MakeTrigger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler(event_of(make_trigger()), Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ExecutionsCompleted"] for line in lines if "ExecutionsCompleted" in line] == [1]


MALICIOUS: list[Any] = [
    None,
    [],
    "run",
    {},
    {"raw_command": "import os; os.abort()"},
    {"command": "os.abort"},
    {"manage": "flush --noinput"},
    {"Records": [{"eventSource": "aws:sqs"}]},
    {"detail-type": ["Scheduled Event"]},
    {"detail-type": "Scheduled Event"},
    {"detail-type": "Scheduled Event", "detail": "x"},
    {"detail-type": "Scheduled Event", "detail": {"triggerId": 1, "userId": {}}},
    {"detail-type": "Scheduled Event", "detail": {"triggerId": "x" * 10**6, "userId": "alice"}},
    {"detail-type": "Run Requested", "detail": {"triggerId": "t"}},
]


@pytest.mark.parametrize("event", MALICIOUS, ids=lambda event: str(event)[:40])
def test_other_events_are_refused(db: None, event: Any) -> None:
    with pytest.raises(EventError):
        handler(event, Context())


def test_refused_events_are_not_logged(db: None, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EventError):
        handler({"command": "secret-prompt"}, Context())
    assert "secret-prompt" not in caplog.text


@pytest.mark.sqlite
class TestOutage:
    """The database goes away while the agent answers."""

    @pytest.fixture
    def away(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
        monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0.5)
        connection.close()
        name = connection.settings_dict["NAME"]
        held = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        timers: list[threading.Timer] = []

        def away(seconds: float) -> None:
            timers.append(threading.Timer(0.5, held.execute, ["BEGIN EXCLUSIVE"]))
            timers.append(threading.Timer(0.5 + seconds, held.execute, ["ROLLBACK"]))
            for timer in timers:
                timer.start()

        yield away
        for timer in timers:
            timer.join()
        held.close()

    def test_end_is_written_when_it_is_back(
        self, agent: DemoAgent, make_trigger: MakeTrigger, away: Away
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: first-byte 1")
        away(4)
        handler(event_of(trigger), Context())
        assert runs_of(trigger)[0].status == RunStatus.COMPLETED

    def test_log_of_an_end_that_is_lost_does_not_quote_the_agent(
        self,
        agent: DemoAgent,
        make_trigger: MakeTrigger,
        away: Away,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: first-byte 1\ndemo: fail What you asked for")
        away(13)
        with pytest.raises(OperationalError):
            handler(event_of(trigger), Waning(seconds=12.5))
        told = [record.getMessage() for record in caplog.records]
        assert any("could not be recorded" in line for line in told)
        assert not any("What you asked for" in line for line in told)

    def test_end_is_tried_while_there_is_time_and_no_longer(
        self, agent: DemoAgent, make_trigger: MakeTrigger, away: Away
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: first-byte 1")
        away(13)
        began = time.monotonic()
        with pytest.raises(OperationalError):
            handler(event_of(trigger), Waning(seconds=12.5))
        assert 5 < time.monotonic() - began < 13


def test_lease_of_the_longest_function_is_kept(
    agent: DemoAgent, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases: list[Any] = []

    def during(run: Any, *_: Any, **options: Any) -> TriggerExecution:
        end_far_leases(timezone.now())
        leases.append(TriggerExecution.objects.get(pk=run.execution.pk).lease_until)
        return execute(run, *_, **options)

    execute = lambda_handler.runner.execute
    monkeypatch.setattr(lambda_handler.runner, "execute", during)
    began = timezone.now()
    handler(event_of(make_trigger()), Context(seconds=LAMBDA_SECONDS))
    assert (leases[0] - began).total_seconds() > LAMBDA_SECONDS
