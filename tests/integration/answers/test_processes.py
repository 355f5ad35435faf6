"""The processes go on with answered runs, and end unanswered ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents import AgentClient
from executions import lambda_handler, runner
from executions.lambda_handler import handler
from executions.models import TriggerExecution, WaitingRun
from executions.runner.manual import run_now
from executions.scheduler import LocalSchedulerProcess
from tests.conftest import wait_for
from tests.integration.answers.conftest import Ask, MakeTrigger, values_for
from tests.integration.api.conftest import API
from tests.integration.console.conftest import editor
from tests.integration.handler.test_handler import Context
from triggers.models import Outcome, Trigger

__all__ = ["editor"]

Scheduler = Callable[..., AbstractContextManager[LocalSchedulerProcess]]


def outcome_of(key: str) -> str:
    return str(TriggerExecution.objects.get(pk=key).outcome)


def test_scheduler_process_goes_on(scheduler: Scheduler, make_trigger: MakeTrigger) -> None:
    trigger, alice = make_trigger(prompt="Pay.\ndemo: ask Shall I pay?"), API("alice")
    with scheduler("agentcore"):
        asked = run_now(trigger, by="ann")
        wait_for(lambda: outcome_of(asked.pk) == Outcome.INTERRUPTED)
        path = f"/triggers/{trigger.pk}/executions/{asked.pk}"
        questions = alice.get(path).json()["execution"]["questions"]
        body = {"answers": {questions[0]["id"]: "Yes."}}
        made = alice.post(f"{path}/answer", body).json()["execution"]["executionId"]
        wait_for(lambda: outcome_of(made) == Outcome.SUCCESS)
    assert "You asked me: Yes." in TriggerExecution.objects.get(pk=made).output


def test_scheduler_process_ends_what_nobody_answers(scheduler: Scheduler, ask: Ask) -> None:
    asked = ask()
    WaitingRun.objects.filter(pk=asked.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    with scheduler():
        assert wait_for(lambda: outcome_of(asked.pk) == Outcome.TIMED_OUT)


def test_reconciler_ends_what_nobody_answers(transactional_db: None, ask: Ask) -> None:
    asked = ask()
    WaitingRun.objects.filter(pk=asked.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    handler({"detail-type": "Reconcile Schedules"}, Context())
    assert outcome_of(asked.pk) == Outcome.TIMED_OUT


def test_function_goes_on(
    transactional_db: None,
    ask: Ask,
    clients: Callable[[str], AgentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ask()
    path = f"/triggers/{asked.trigger_id}/executions/{asked.pk}/answer"
    made = API("alice").post(path, {"answers": values_for(asked, "Yes.")}).json()["execution"]
    monkeypatch.setattr(lambda_handler, "_client", clients("ag-ui"))
    names = ("triggerId", "executionId")
    event = {"detail-type": "Run Requested", "detail": {name: made[name] for name in names}}
    assert handler(event, Context())["status"] == "completed"


def test_page_of_an_unanswered_run_says_what_to_do(editor: Client, ask: Ask) -> None:
    asked = ask(answer_within_hours=1)
    WaitingRun.objects.filter(pk=asked.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    runner.end_unanswered(timezone.now())
    body = editor.get(f"/console/triggers/{asked.trigger_id}/runs/{asked.pk}").content.decode()
    assert ("Nobody answered within" in body, "have the agent ask again" in body) == (True, True)


def test_event_of_the_run_before_is_on_the_page(editor: Client, ask: Ask) -> None:
    asked = ask()
    Trigger.objects.filter(user_id="alice", pk=asked.trigger_id).update(overlap_policy="allow")
    event = '{"id":"e-1","source":"shop","detail-type":"order.paid","detail":{}}'
    TriggerExecution.objects.filter(pk=asked.pk).update(event_payload=event, source="event")
    path = f"/console/triggers/{asked.trigger_id}/runs/{asked.pk}/answer"
    body = editor.post(path, {"q0": "Yes."}, follow=True).content.decode()
    assert "order.paid" in body.partition("Agent output")[0]
