"""The form offers the triggers to follow, and fills in the pattern."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from moca.authentication.models import Operator
from tests.integration.admin.conftest import editor
from tests.integration.chains.conftest import Make, after
from triggers.forms import TriggerForm
from triggers.models import Trigger

__all__ = ["editor"]


def fields(**entered: Any) -> dict[str, Any]:
    return {
        "name": "Second",
        "type": "event",
        "agent_id": "clerk",
        "prompt": "Read {{ event.detail.output }}",
        "timeout_seconds": "600",
        "max_retries": "3",
        "answer_within_hours": "72",
        **entered,
    }


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        ("", ["Execution Completed"]),
        ("Execution Failed,Execution Timed Out", ["Execution Failed", "Execution Timed Out"]),
    ],
)
def test_a_chosen_trigger_is_the_pattern(
    editor: Client, make_trigger: Make, result: str, kinds: list[str]
) -> None:
    first = make_trigger(name="First", user_id=_own(editor))
    editor.post(reverse("console:new"), fields(after_trigger=first.pk, after_result=result))
    made = Trigger.objects.get(name="Second")
    assert made.event_config == {
        "eventPattern": {
            "source": ["moca.triggers"],
            "detail-type": kinds,
            "detail": {"triggerId": [first.pk]},
        }
    }


def test_what_is_entered_beside_it_counts(editor: Client, make_trigger: Make) -> None:
    first = make_trigger(name="First", user_id=_own(editor))
    pattern = '{"source": ["moca.triggers"], "detail": {"triggerName": ["First"]}}'
    editor.post(reverse("console:new"), fields(after_trigger=first.pk, event_pattern=pattern))
    made = Trigger.objects.get(name="Second")
    assert "triggerName" in made.event_config["eventPattern"]["detail"]


def test_the_form_shows_whom_it_follows(editor: Client, make_trigger: Make) -> None:
    first = make_trigger(name="First")
    made = make_trigger(name="Second", **after(first, kinds=["Execution Completed"]))
    form = TriggerForm(instance=made)
    assert (form["after_trigger"].value(), form["after_result"].value()) == (
        first.pk,
        "Execution Completed",
    )


def test_the_example_has_what_prompts_use(editor: Client, make_trigger: Make) -> None:
    first = make_trigger(name="First")
    made = make_trigger(name="Second", prompt="{{ event.detail.output }}", **after(first))
    page = editor.get(reverse("console:edit", args=[made.pk])).content.decode()
    assert "The event does not have" not in page


@pytest.mark.parametrize("kind", ["Execution Failed", "Execution Timed Out"])
def test_the_example_of_a_failure_has_its_error(
    editor: Client, make_trigger: Make, kind: str
) -> None:
    first = make_trigger(name="First")
    prompt = "{{ event.detail.error.message }}"
    made = make_trigger(name="Second", prompt=prompt, **after(first, kinds=[kind]))
    page = editor.get(reverse("console:edit", args=[made.pk])).content.decode()
    assert "The event does not have" not in page


def test_page_of_a_trigger_links_both_ways(editor: Client, make_trigger: Make) -> None:
    first = make_trigger(name="First")
    second = make_trigger(name="Second", **after(first))
    pages = [
        editor.get(reverse("console:trigger", args=[each.pk])).content.decode()
        for each in (first, second)
    ]
    assert ("Starts then" in pages[0], "Starts after" in pages[1]) == (True, True)


def _own(client: Client) -> str:
    return str(Operator.objects.get(pk=client.session["_auth_user_id"]).subject)


def test_page_of_a_backfill_says_what_its_runs_start(editor: Client, make_trigger: Make) -> None:
    first = make_trigger(name="First")
    make_trigger(name="Second", **after(first))
    page = editor.get(reverse("console:backfill", args=[first.pk])).content.decode()
    assert "The end of each of these runs starts:" in page
