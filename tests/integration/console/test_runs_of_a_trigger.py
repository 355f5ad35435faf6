"""The page of all runs, narrowed to those of a trigger."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from executions.models import TriggerExecution
from moca.ids import new_id
from tests.integration.console.conftest import MakeTrigger
from triggers.models import Trigger

RUNS = "/console/runs"
MakeExecution = Callable[..., TriggerExecution]


def shown(client: Client, **query: str) -> list[str]:
    """The ids of the runs on the page, from the top."""
    return [row.execution.pk for row in client.get(RUNS, query).context["rows"]]


@pytest.fixture
def wool(make_trigger: MakeTrigger) -> Trigger:
    return make_trigger(name="Wool, daily")


@pytest.fixture
def two(make_trigger: MakeTrigger, make_execution: MakeExecution, wool: Trigger) -> list[str]:
    """A run of another trigger, and two of `wool`."""
    other = make_trigger(name="Other")
    made: list[Any] = [
        make_execution(trigger, id=new_id(), started_at=timezone.now() - timedelta(minutes=5))
        for trigger in (other, wool, wool)
    ]
    return [each.pk for each in made[1:]]


def test_by_id(viewer: Client, wool: Trigger, two: list[str]) -> None:
    assert sorted(shown(viewer, trigger=wool.pk)) == sorted(two)


@pytest.mark.parametrize("name", ["Wool, daily", "WOOL, DAILY"])
def test_by_name(viewer: Client, two: list[str], name: str) -> None:
    assert sorted(shown(viewer, trigger=name)) == sorted(two)


def test_two_of_one_name(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution, two: list[str]
) -> None:
    third = make_execution(make_trigger(name="Wool, daily"), id=new_id())
    assert sorted(shown(viewer, trigger="Wool, daily")) == sorted([*two, third.pk])


def test_with_another_filter(viewer: Client, two: list[str]) -> None:
    assert shown(viewer, trigger="Wool, daily", status="failed") == []


def test_deleted_trigger_by_its_id(viewer: Client, wool: Trigger, two: list[str]) -> None:
    key = wool.pk
    wool.delete()
    assert sorted(shown(viewer, trigger=key)) == sorted(two)


@pytest.mark.parametrize("text", ["nothing", "x" * 200, "\0"])
def test_no_such_trigger(viewer: Client, two: list[str], text: str) -> None:
    expected = 3 if text == "\0" else 0
    assert len(shown(viewer, trigger=text)) == expected


def test_names_are_offered(viewer: Client, wool: Trigger) -> None:
    assert '<option value="Wool, daily">' in viewer.get(f"{RUNS}/offers").content.decode()
