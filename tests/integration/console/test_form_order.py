"""The order of the form of a trigger, and what it folds away."""

import re
from typing import Any

import pytest
from django.test import Client

from moca.authentication.models import Operator
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from tests.integration.console.test_form import ENTERED, NEW
from triggers.models import Trigger


def names(page: str) -> list[str]:
    return [name for name in re.findall(r'name="(\w+)"', page) if f'id="id_{name}"' in page]


def is_open(page: str) -> bool:
    return '<details class="panel options" open>' in page


@pytest.mark.parametrize("address", [NEW, "/admin/triggers/trigger/add/"])
def test_needed_fields_come_first(administrator: Client, address: str) -> None:
    found = names(administrator.get(address).content.decode())
    wanted = ["type", "expression", "event_source_id", "agent_id", "prompt", "name"]
    places = [found.index(name) for name in wanted]
    assert places == sorted(places)


def test_options_come_last(editor: Client) -> None:
    page = editor.get(NEW).content.decode()
    inside = page.partition('<details class="panel options"')[2]
    rest = {"description", "tags", "model_id", "include_context", "window_minutes", "max_retries"}
    assert rest <= set(names(page)) & set(re.findall(r'name="(\w+)"', inside))


def test_new_form_is_folded(editor: Client) -> None:
    assert not is_open(editor.get(NEW).content.decode())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"timeout_seconds": 600, "max_retries": 3}, False),
        ({"timeout_seconds": 60}, True),
        ({"include_context": False}, True),
        ({"tags": ["wool"]}, True),
        ({"overlap_policy": "allow"}, True),
        ({"model_id": "small"}, True),
    ],
)
def test_is_open_if_something_is_unusual(
    editor: Client, make_trigger: MakeTrigger, fields: dict[str, Any], expected: bool
) -> None:
    trigger = make_trigger(user_id=Operator.objects.get().subject, **fields)
    page = editor.get(f"{TRIGGERS}/{trigger.pk}/edit").content.decode()
    assert is_open(page) is expected


def test_is_open_at_an_error(editor: Client) -> None:
    entered = {**ENTERED, "include_context": "on"}
    pages = [
        editor.post(NEW, {**entered, **wrong}).content.decode()
        for wrong in ({"agent_id": ""}, {"max_retries": "-1"})
    ]
    assert [is_open(page) for page in pages] == [False, True]


def test_zone_of_the_browser_is_for_new_forms_alone(
    editor: Client, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    pages = [
        editor.get(NEW),
        editor.get(f"{NEW}?copy={trigger.pk}"),
        editor.get(f"{TRIGGERS}/{trigger.pk}/edit"),
        editor.post(NEW, {**ENTERED, "name": "", "timezone": ""}),
    ]
    found = ["data-fill" in page.content.decode() for page in pages]
    assert found == [True, False, False, False]


def test_zone_without_a_schedule_is_not_kept_on_an_event_trigger(editor: Client) -> None:
    entered = {
        **ENTERED,
        "type": "event",
        "expression": "",
        "timezone": "Asia/Tokyo",
        "event_pattern": '{"source": ["shop"]}',
        "overlap_policy": "",
    }
    editor.post(NEW, entered)
    assert Trigger.objects.get().schedule_config is None
