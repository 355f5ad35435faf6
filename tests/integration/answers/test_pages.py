"""The page of a run asks its questions, and the dashboard lists what waits."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from executions import runner
from executions.models import TriggerExecution, WaitingRun
from tests.integration.answers.conftest import APPROVAL, Ask, values_for
from tests.integration.console.conftest import editor, viewer
from tests.integration.console.test_open_pages import OpenPage
from triggers.models import Trigger

__all__ = ["editor", "viewer"]

ORDER = (
    '{"type":"object","properties":{"size":{"type":"string","enum":["small","large"]},'
    '"number":{"type":"integer","minimum":1},"price":{"type":"number"},'
    '"gift":{"type":"boolean"},"note":{"type":"string"},"more":{"type":"array"}},'
    '"required":["size","number"]}'
)


def page(execution: TriggerExecution) -> str:
    return reverse("console:run", args=[execution.trigger_id, execution.pk])


def send(client: Client, execution: TriggerExecution, **fields: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return client.post(f"{page(execution)}/answer", named, follow=True)


def given(execution: TriggerExecution) -> Any:
    """The value of the only answer to a run."""
    execution.refresh_from_db()
    if not execution.continued_by:
        return None
    return TriggerExecution.objects.get(pk=execution.continued_by).answers[0]["value"]


def test_text_is_answered(editor: Client, ask: Ask) -> None:
    asked = ask()
    send(editor, asked, q0="Yes, pay.")
    assert given(asked) == "Yes, pay."


@pytest.mark.parametrize(("button", "value"), [("yes", True), ("no", False)])
def test_yes_or_no_is_two_buttons(editor: Client, ask: Ask, button: str, value: bool) -> None:
    asked = ask(schema='{"type":"boolean"}')
    send(editor, asked, q0=button)
    assert given(asked) is value


@pytest.mark.parametrize(("button", "value"), [("yes", True), ("no", False)])
def test_approval_is_two_buttons(editor: Client, ask: Ask, button: str, value: bool) -> None:
    asked = ask(schema=APPROVAL)
    send(editor, asked, q0_0=button, q0_1="")
    assert given(asked) == {"approved": value}


def test_buttons_of_an_approval_are_on_the_page(editor: Client, ask: Ask) -> None:
    body = editor.get(page(ask(schema=APPROVAL))).content.decode()
    assert ('name="q0-0" value="yes">Approve' in body, 'name="q0-0" value="no">Refuse' in body) == (
        True,
        True,
    )


def test_object_is_answered_by_its_fields(editor: Client, ask: Ask) -> None:
    asked = ask(schema=ORDER)
    # The needed parts come first, then gift, more, note and price.
    values = ["small", "3", "no", '["a"]', "", "1.5"]
    send(editor, asked, **{f"q0_{number}": value for number, value in enumerate(values)})
    assert given(asked) == {
        "size": "small",
        "number": 3,
        "price": 1.5,
        "gift": False,
        "more": ["a"],
    }


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (0, "", "This is needed."),
        (0, "huge", "Select a valid choice."),
        (1, "0", "Give 1 or more."),
        (1, "x", "Enter a whole number."),
        (3, "{", "Enter a valid JSON."),
        (3, '{"a": 1}', "Give a list."),
    ],
)
def test_wrong_answer_is_marked_at_its_field(
    editor: Client, ask: Ask, place: int, value: str, error: str
) -> None:
    asked = ask(schema=ORDER)
    sent = {"q0_0": "small", "q0_1": "1", f"q0_{place}": value}
    form = send(editor, asked, **sent).context["answer_form"]
    assert (error in str(form.errors.get(f"q0-{place}", "")), given(asked)) == (True, None)


def test_word_of_a_choice_stays_a_word(editor: Client, ask: Ask) -> None:
    asked = ask(schema='{"enum":["yes","no"]}')
    send(editor, asked, q0="yes")
    assert given(asked) == "yes"


def test_text_comes_as_it_is_meant(editor: Client, ask: Ask) -> None:
    asked = ask()
    send(editor, asked, q0="one\r\ntwo\r\n")
    assert given(asked) == "one\ntwo"


def test_number_that_cannot_be_stored_is_refused(editor: Client, ask: Ask) -> None:
    asked = ask(schema='{"type":"integer"}')
    form = send(editor, asked, q0="9" * 50).context["answer_form"]
    assert form.errors["q0"] == ["The number is too large."]


@pytest.mark.parametrize("address", ["run", "dashboard"])
def test_question_without_a_text_is_shown(editor: Client, ask: Ask, address: str) -> None:
    asked = ask()
    TriggerExecution.objects.filter(trigger_id=asked.trigger_id, pk=asked.pk).update(
        questions=[{"id": "q", "text": ""}]
    )
    WaitingRun.objects.update(question="")
    path = page(asked) if address == "run" else "/console/"
    assert "The agent asks without a text." in editor.get(path).content.decode()


def test_any_other_schema_is_answered_in_json(editor: Client, ask: Ask) -> None:
    asked = ask(schema='{"type":"array","items":{"type":"integer"}}')
    send(editor, asked, q0="[1, 2]")
    assert given(asked) == [1, 2]


def test_fault_within_json_names_its_place(editor: Client, ask: Ask) -> None:
    asked = ask(schema='{"type":"array","items":{"type":"integer"}}')
    form = send(editor, asked, q0='[1, "x"]').context["answer_form"]
    assert form.errors["q0"] == ["1: Give a whole number."]


def test_what_was_entered_stays(editor: Client, ask: Ask) -> None:
    asked = ask(schema=ORDER)
    assert 'value="17"' in send(editor, asked, q0_1="17").content.decode()


def test_answer_leads_to_the_run_that_continues(editor: Client, ask: Ask) -> None:
    asked = ask()
    response = send(editor, asked, q0="Yes.")
    asked.refresh_from_db()
    assert response.redirect_chain[-1][0].endswith(asked.continued_by)


def test_answered_run_says_what_was_answered_and_by_whom(editor: Client, ask: Ask) -> None:
    asked = ask()
    send(editor, asked, q0="Yes, pay.")
    body = editor.get(page(asked)).content.decode()
    made = TriggerExecution.objects.get(pk=asked.pk).continued_by
    assert [text in body for text in ("Yes, pay.", "Answered by editor-operator", made)] == [
        True,
        True,
        True,
    ]


def test_continuing_run_leads_back(editor: Client, ask: Ask) -> None:
    asked = ask()
    body = send(editor, asked, q0="Yes, pay.").content.decode()
    assert ("Yes, pay." in body, f'href="{page(asked)}"' in body) == (True, True)


def test_second_answer_is_told(editor: Client, ask: Ask) -> None:
    asked = ask()
    send(editor, asked, q0="Yes.")
    body = send(editor, asked, q0="No.").content.decode()
    assert "Somebody has answered this run already" in body


def test_viewer_may_not_answer(viewer: Client, ask: Ask) -> None:
    asked = ask()
    assert (send(viewer, asked, q0="Yes.").status_code, given(asked)) == (403, None)


def test_viewer_sees_the_question_without_a_form(viewer: Client, ask: Ask) -> None:
    body = viewer.get(page(ask())).content.decode()
    assert ("Shall I pay?" in body, "/answer" in body) == (True, False)


def test_question_of_an_agent_is_no_html(editor: Client, ask: Ask) -> None:
    asked = ask(prompt="Pay.\ndemo: ask <b>bold</b>")
    assert "<b>bold</b>" not in editor.get(page(asked)).content.decode()


def test_dashboard_lists_what_waits(viewer: Client, ask: Ask) -> None:
    asked = ask(name="Payments")
    body = viewer.get("/console/").content.decode()
    section = body.partition('aria-labelledby="asking"')[2].partition("</section>")[0]
    found = [text in section for text in ("Shall I pay?", "Payments", page(asked), ">1</span>")]
    assert found == [True] * 4


def test_dashboard_folds_many_and_counts_them(viewer: Client, make_trigger: Any) -> None:
    trigger, now = make_trigger(), timezone.now()
    for number in range(52):
        WaitingRun.objects.create(
            id=f"run-{number}",
            trigger_id=trigger.pk,
            user_id="alice",
            question="Pay?",
            asked_at=now,
            due_at=now + timedelta(hours=number + 1),
        )
    body = viewer.get("/console/").content.decode()
    assert ("50+" in body, body.count(">Pay?<")) == (True, 50)


def test_dashboard_without_questions_has_no_such_section(viewer: Client, make_trigger: Any) -> None:
    make_trigger()
    assert "Waiting for a person" not in viewer.get("/console/").content.decode()


@pytest.mark.parametrize("event", ["asked", "answered", "ended"])
def test_open_dashboard_notices(viewer: Client, ask: Ask, event: str) -> None:
    asked = ask() if event != "asked" else ask(prompt="Count.")
    opened = OpenPage(viewer, "/console/")
    if event == "asked":
        Trigger.objects.filter(user_id="alice", pk=asked.trigger_id).delete()
        ask()
    elif event == "answered":
        runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    else:
        runner.end_unanswered(timezone.now() + timedelta(days=4))
    assert 200 in {opened.look().status_code for _turn in range(2)}


def test_answer_after_a_change_of_the_owner_says_why_not(editor: Client, ask: Ask) -> None:
    asked = ask()
    Trigger.objects.filter(pk=asked.trigger_id).update(user_id="bob")
    shown = send(editor, asked, q0="Yes, pay.").content.decode()
    assert ("is another user&#x27;s now" in shown, given(asked)) == (True, None)
