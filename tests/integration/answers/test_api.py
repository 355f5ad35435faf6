"""The API shows what a run asks, and takes the answers."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions import runner
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.answers.conftest import APPROVAL, Ask, values_for
from tests.integration.api.conftest import API, alice, bob
from triggers.models import Trigger

__all__ = ["alice", "bob"]


def path(execution: TriggerExecution, end: str = "") -> str:
    return f"/triggers/{execution.trigger_id}/executions/{execution.pk}{end}"


def test_waiting_execution_tells_its_questions(alice: API, ask: Ask) -> None:
    asked = ask(schema=APPROVAL)
    (question,) = alice.get(path(asked)).json()["execution"]["questions"]
    assert (question["text"], question["schema"]["required"]) == ("Shall I pay?", ["approved"])


def test_answer_begins_an_execution_that_continues(alice: API, ask: Ask) -> None:
    asked = ask()
    response = alice.post(path(asked, "/answer"), {"answers": values_for(asked, "Yes.")})
    made = response.json()["execution"]
    assert (response.status_code, made["continues"], made["source"], made["answeredBy"]) == (
        202,
        asked.pk,
        "answer",
        "alice",
    )


def test_answered_execution_names_the_one_that_continues_it(alice: API, ask: Ask) -> None:
    asked = ask()
    made = alice.post(path(asked, "/answer"), {"answers": values_for(asked, "Yes.")}).json()
    shown = alice.get(path(asked)).json()["execution"]
    assert (shown["continuedBy"], "questions" in shown) == (made["execution"]["executionId"], False)


@pytest.mark.parametrize(
    ("value", "field"),
    [({"approved": 1}, "approved"), ({}, "approved"), ("yes", "")],
)
def test_wrong_answer_names_its_field(alice: API, ask: Ask, value: Any, field: str) -> None:
    asked = ask(schema=APPROVAL)
    response = alice.post(path(asked, "/answer"), {"answers": values_for(asked, value)})
    (detail,) = response.json()["details"]
    place = ".".join(filter(None, ["answers", asked.questions[0]["id"], field]))
    assert (response.status_code, detail["field"]) == (400, place)


@pytest.mark.parametrize("body", [{}, {"answers": None}, {"answers": ["yes"]}, {"answers": {}}])
def test_body_without_answers_is_refused(alice: API, ask: Ask, body: Any) -> None:
    response = alice.post(path(ask(), "/answer"), body)
    assert (response.status_code, response.json()["details"][0]["code"]) == (400, "required")


def test_second_answer_is_a_conflict(alice: API, ask: Ask) -> None:
    asked = ask()
    body = {"answers": values_for(asked, "Yes.")}
    alice.post(path(asked, "/answer"), body)
    response = alice.post(path(asked, "/answer"), body)
    assert (response.status_code, "answered this run already" in response.json()["message"]) == (
        409,
        True,
    )


def test_answer_after_the_end_is_a_conflict(alice: API, ask: Ask) -> None:
    asked = ask(answer_within_hours=1)
    runner.end_unanswered(timezone.now() + timedelta(hours=2))
    response = alice.post(path(asked, "/answer"), {"answers": values_for(asked, "Yes.")})
    assert (response.status_code, "Nobody answered in time" in response.json()["message"]) == (
        409,
        True,
    )


def test_run_that_asks_nothing_takes_no_answer(alice: API, ask: Ask) -> None:
    done = ask(prompt="Count.")
    assert alice.post(path(done, "/answer"), {"answers": {"a": 1}}).status_code == 409


def test_answer_of_another_user_finds_nothing(bob: API, ask: Ask) -> None:
    asked = ask()
    response = bob.post(path(asked, "/answer"), {"answers": values_for(asked, "Yes.")})
    assert (response.status_code, AuditEntry.objects.count()) == (404, 0)


def test_answer_of_an_earlier_owner_does_not_act_for_the_new_one(alice: API, ask: Ask) -> None:
    asked = ask()
    Trigger.objects.filter(pk=asked.trigger_id).update(user_id="bob")
    response = alice.post(path(asked, "/answer"), {"answers": values_for(asked, "Yes.")})
    runs = TriggerExecution.objects.filter(user_id="bob").count()
    assert (response.status_code, "another user" in response.json()["message"], runs) == (
        409,
        True,
        0,
    )


def test_time_to_answer_is_a_field_of_triggers(alice: API) -> None:
    made = alice.create(answerWithinHours=5)
    changed = alice("PATCH", f"/triggers/{made['id']}", {"answerWithinHours": 0})
    assert (made["answerWithinHours"], changed.json()["details"][0]["field"]) == (
        5,
        "answerWithinHours",
    )


def test_unanswered_execution_says_why_it_failed(alice: API, ask: Ask) -> None:
    asked = ask(answer_within_hours=1)
    runner.end_unanswered(timezone.now() + timedelta(hours=2))
    shown = alice.get(path(asked)).json()["execution"]
    assert (shown["status"], shown["errorCode"], shown["error"]) == (
        "failed",
        "unanswered",
        "Nobody answered within 1 hour.",
    )
