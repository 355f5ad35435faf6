"""Versions of a trigger's prompt, and checks of its output, through the API."""

from typing import Any

import pytest
from django.utils import timezone

from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from triggers.models import Trigger

from .conftest import API


def versions(api: API, trigger: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/triggers/{trigger['id']}/prompts").json()["versions"]
    return found


@pytest.fixture
def changed(alice: API) -> dict[str, Any]:
    """A trigger of three prompts."""
    made = alice.create(prompt="One.")
    for prompt in ("Two.", "Three."):
        alice.patch(f"/triggers/{made['id']}", {"prompt": prompt})
    return made


def test_versions_are_listed_with_the_present_one_first(
    alice: API, changed: dict[str, Any]
) -> None:
    listed = [(each["prompt"], each["by"]) for each in versions(alice, changed)]
    assert listed == [("Three.", "alice"), ("Two.", "alice"), ("One.", "alice")]


def test_change_of_something_else_makes_no_version(alice: API) -> None:
    made = alice.create()
    alice.patch(f"/triggers/{made['id']}", {"name": "Another"})
    assert len(versions(alice, made)) == 1


def test_prompt_that_another_program_wrote_is_the_present_one(
    alice: API, changed: dict[str, Any]
) -> None:
    Trigger.objects.filter(user_id="alice", pk=changed["id"]).update(prompt="Theirs.")
    listed = [(each["prompt"], each.get("by")) for each in versions(alice, changed)]
    assert listed[:2] == [("Theirs.", None), ("Three.", "alice")]


def test_restored_prompt_is_the_present_one(alice: API, changed: dict[str, Any]) -> None:
    first = versions(alice, changed)[-1]["version"]
    answer = alice.post(f"/triggers/{changed['id']}/prompts/{first}/restore")
    assert answer.json()["trigger"]["prompt"] == "One."


def test_restored_prompt_has_its_version_again(alice: API, changed: dict[str, Any]) -> None:
    first = versions(alice, changed)[-1]["version"]
    alice.post(f"/triggers/{changed['id']}/prompts/{first}/restore")
    assert versions(alice, changed)[0]["version"] == first


def test_unknown_version_is_not_found(alice: API, changed: dict[str, Any]) -> None:
    assert alice.post(f"/triggers/{changed['id']}/prompts/0000000000/restore").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/{version}/restore")])
def test_versions_of_another_user_are_not_found(
    alice: API, bob: API, changed: dict[str, Any], method: str, path: str
) -> None:
    first = versions(alice, changed)[-1]["version"]
    path = f"/triggers/{changed['id']}/prompts{path.format(version=first)}"
    assert bob(method, path).status_code == 404


def test_execution_names_the_version_of_its_prompt(alice: API, changed: dict[str, Any]) -> None:
    run = runner.start(Occurrence.scheduled("alice", changed["id"], timezone.now()))
    assert run is not None
    alice.patch(f"/triggers/{changed['id']}", {"prompt": "Four."})
    shown = alice.get(f"/triggers/{changed['id']}/executions").json()["executions"][0]
    assert shown["promptVersion"] == versions(alice, changed)[1]["version"]


def test_run_that_waited_has_the_prompt_of_its_start(alice: API, changed: dict[str, Any]) -> None:
    alice.post(f"/triggers/{changed['id']}/run")
    queued = TriggerExecution.objects.get(trigger_id=changed["id"])
    alice.patch(f"/triggers/{changed['id']}", {"prompt": "Four."})
    runner.resume(changed["id"], queued.pk)
    shown = alice.get(f"/triggers/{changed['id']}/executions").json()["executions"][0]
    assert shown["promptVersion"] == versions(alice, changed)[0]["version"]


SCHEMA = {"type": "object", "required": ["pattern"], "properties": {"pattern": {"type": "string"}}}


def test_checks_come_back(alice: API) -> None:
    checks = {"notEmpty": True, "contains": ["Total"], "jsonSchema": SCHEMA}
    assert alice.create(outputChecks=checks)["outputChecks"] == checks


def test_keyword_that_nobody_knows_may_hold_anything(alice: API) -> None:
    checks = {"jsonSchema": {"x-note": {"properties": [1], "$defs": "a"}}}
    assert alice.create(outputChecks=checks)["outputChecks"] == checks


def test_null_clears_a_check(alice: API) -> None:
    made = alice.create(outputChecks={"notEmpty": True, "contains": ["Total"]})
    answer = alice.patch(f"/triggers/{made['id']}", {"outputChecks": {"contains": None}})
    assert answer.json()["trigger"]["outputChecks"] == {"notEmpty": True}


REFUSED = [
    ("Total", "outputChecks"),
    ({"notEmpty": "yes"}, "outputChecks.notEmpty"),
    ({"contains": "Total"}, "outputChecks.contains"),
    ({"contains": [""]}, "outputChecks.contains"),
    ({"contains": ["x"] * 21}, "outputChecks.contains"),
    ({"jsonSchema": [1]}, "outputChecks.jsonSchema"),
    ({"jsonSchema": {"type": "objekt"}}, "outputChecks.jsonSchema"),
    ({"jsonSchema": {"items": {"pattern": "a+"}}}, "outputChecks.jsonSchema"),
    ({"jsonSchema": {"patternProperties": {"^a": {}}}}, "outputChecks.jsonSchema"),
    ({"jsonSchema": {"$ref": "https://example.com/s.json"}}, "outputChecks.jsonSchema"),
    ({"jsonSchema": {"title": "x" * 20_001}}, "outputChecks.jsonSchema"),
]


@pytest.mark.parametrize(("checks", "field"), REFUSED)
def test_checks_that_cannot_be_kept_are_refused(alice: API, checks: Any, field: str) -> None:
    made = alice.create()
    answer = alice.patch(f"/triggers/{made['id']}", {"outputChecks": checks})
    fields = {each["field"] for each in answer.json().get("details", [])}
    assert (answer.status_code, fields) == (400, {field})
