"""The form of a trigger that starts when the run of another one ends."""

import json
from collections.abc import Callable

from playwright.sync_api import Page

from moca.authentication.models import Operator, Role
from triggers.models import Trigger

SignIn = Callable[[Role], Page]


def first_trigger() -> Trigger:
    made = Trigger(
        user_id=Operator.objects.get().subject,
        name="First",
        agent_id="a",
        prompt="Count.",
        schedule_config={"expression": "rate(1 hour)"},
    )
    made.save()
    return made


def test_choosing_a_trigger_fills_in_the_pattern(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    first = first_trigger()
    page.goto("/console/triggers/new" if "/console" in page.url else "/triggers/new")
    page.get_by_label("Type").select_option("event")
    page.get_by_label("When a run of another trigger ends").select_option(first.pk)
    page.get_by_label("And has").select_option(label="failed")
    assert json.loads(page.get_by_label("Event pattern").input_value()) == {
        "source": ["moca.triggers"],
        "detail-type": ["Execution Failed", "Execution Timed Out"],
        "detail": {"triggerId": [first.pk]},
    }
