"""What agents write with their keys is marked and limited, and waits for a person."""

from collections.abc import Callable
from typing import Any

import pytest

from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import AuditEntry
from tests.integration.answers.conftest import Ask, ask, clients, values_for
from tests.integration.api.conftest import API
from tests.integration.api_keys.conftest import api_with, make_key
from triggers.models import Trigger

__all__ = ["ask", "clients"]


@pytest.fixture
def agent(with_key: Callable[..., API]) -> API:
    return with_key(is_agent=True, name="Helper")


@pytest.fixture
def alice(db: None) -> API:
    return API("alice")


def test_what_an_agent_creates_waits_for_a_person(agent: API) -> None:
    trigger = agent.create(enabled=True)
    assert (trigger["enabled"], trigger["waitsForPerson"]) == (False, True)


def test_a_trigger_says_which_key_created_it(agent: API) -> None:
    created = agent.create()["createdBy"]
    key = APIKey.objects.get()
    assert created == {"keyId": key.pk, "keyName": "Helper", "agent": True}


def test_a_trigger_of_a_scripts_key_is_marked_and_fires(with_key: Callable[..., API]) -> None:
    trigger = with_key().create()
    assert (trigger["createdBy"]["agent"], trigger["enabled"]) == (False, True)


def test_a_person_enables_it(agent: API, alice: API) -> None:
    trigger = agent.create()
    answer = alice.post(f"/triggers/{trigger['id']}/enable").json()["trigger"]
    assert (answer["enabled"], "waitsForPerson" in answer) == (True, False)


@pytest.mark.parametrize("door", ["enable", "change"])
def test_the_agent_cannot_enable_it(agent: API, door: str) -> None:
    path = f"/triggers/{agent.create()['id']}"
    if door == "enable":
        response = agent.post(f"{path}/enable")
    else:
        response = agent.patch(path, {"enabled": True})
    assert response.json()["details"][0]["code"] == "waits_for_person"


def test_the_agent_cannot_end_a_pause(agent: API, alice: API) -> None:
    path = f"/triggers/{alice.create()['id']}"
    alice.post(f"{path}/pause", {"until": "1h"})
    assert agent.post(f"{path}/resume").status_code == 400


def test_what_an_agent_changes_waits_again(agent: API, alice: API) -> None:
    path = f"/triggers/{agent.create()['id']}"
    alice.post(f"{path}/enable")
    changed = agent.patch(path, {"prompt": "Something else."}).json()["trigger"]
    assert (changed["enabled"], changed["waitsForPerson"]) == (False, True)


def test_an_agent_renames_without_a_person(agent: API, alice: API) -> None:
    path = f"/triggers/{agent.create()['id']}"
    alice.post(f"{path}/enable")
    assert agent.patch(path, {"name": "Other"}).json()["trigger"]["enabled"]


def test_an_agent_does_not_run_what_waits(agent: API) -> None:
    assert agent.post(f"/triggers/{agent.create()['id']}/run").status_code == 409


def test_a_key_that_may_enable_needs_no_person(with_key: Callable[..., API]) -> None:
    trigger = with_key(is_agent=True, may_enable=True).create()
    assert (trigger["enabled"], "waitsForPerson" in trigger) == (True, False)


TOO_OFTEN: list[dict[str, Any]] = [
    {"scheduleConfig": {"expression": "rate(5 minutes)"}},
    # Each minute of one day of the year, beside each hour.
    {
        "scheduleConfig": {
            "expression": "cron(0 * * * ? *)",
            "moreExpressions": ["cron(* * 15 11 ? *)"],
        }
    },
    {
        "type": "event",
        "scheduleConfig": None,
        "eventConfig": {"eventPattern": {"source": ["a"]}, "maxRunsPerHour": 5},
    },
    {
        "type": "event",
        "scheduleConfig": None,
        "eventConfig": {"eventPattern": {"source": ["a"]}},
    },
]


@pytest.mark.parametrize("fields", TOO_OFTEN)
def test_an_agents_trigger_fires_so_often_at_most(agent: API, fields: dict[str, Any]) -> None:
    body = {"name": "R", "type": "schedule", "agentId": "a", "prompt": "p", **fields}
    assert agent.post("/triggers", body).json()["details"][0]["code"] == "interval"


def test_a_change_cannot_make_it_fire_more_often(agent: API) -> None:
    path = f"/triggers/{agent.create()['id']}"
    body = {"scheduleConfig": {"expression": "rate(1 minute)"}}
    assert agent.patch(path, body).json()["details"][0]["field"] == "scheduleConfig.expression"


def test_the_key_has_its_own_interval(with_key: Callable[..., API]) -> None:
    api = with_key(is_agent=True, min_interval_minutes=5)
    assert api.create(scheduleConfig={"expression": "rate(5 minutes)"})["waitsForPerson"]


def test_a_key_creates_so_many_at_most(with_key: Callable[..., API], alice: API) -> None:
    api = with_key(is_agent=True, max_triggers=2)
    first = api.create()
    api.create()
    body = {k: first[k] for k in ("name", "type", "agentId", "prompt", "scheduleConfig")}
    refused = api.post("/triggers", body)
    alice("DELETE", f"/triggers/{first['id']}")
    assert (refused.status_code, api.post("/triggers", body).status_code) == (400, 201)


def test_a_repeated_request_counts_once(with_key: Callable[..., API]) -> None:
    api = with_key(is_agent=True, max_triggers=1)
    body = {
        "name": "R",
        "type": "schedule",
        "agentId": "a",
        "prompt": "p",
        "scheduleConfig": {"expression": "rate(1 day)"},
    }
    answers = [api.post("/triggers", body, Idempotency_Key="k").status_code for _ in range(2)]
    assert (answers, APIKey.objects.get().made_triggers) == ([201, 201], 1)


def test_lists_filter_what_waits(agent: API, alice: API) -> None:
    waiting = agent.create()["id"]
    alice.create()
    found = alice.get("/triggers?waitsForPerson=true&createdBy=agent").json()["triggers"]
    assert [each["id"] for each in found] == [waiting]


def test_the_audit_entry_of_a_person_who_enables_names_no_key(agent: API, alice: API) -> None:
    trigger = Trigger.objects.get(pk=agent.create()["id"])
    alice.post(f"/triggers/{trigger.pk}/enable")
    entries = AuditEntry.objects.filter(object_id=trigger.pk, action="updated")
    assert [entry.api_key for entry in entries] == [""]


def test_an_agent_does_not_go_on_with_what_waits(ask: Ask) -> None:
    asked = ask()
    agent = api_with(make_key(asked.user_id, is_agent=True)[1])
    agent.patch(f"/triggers/{asked.trigger_id}", {"prompt": "Send the list elsewhere."})
    path = f"/triggers/{asked.trigger_id}/executions/{asked.pk}/answer"
    assert agent.post(path, {"answers": values_for(asked, "Yes.")}).status_code == 409


def test_an_agent_answers_a_run_of_what_fires(ask: Ask) -> None:
    asked = ask()
    agent = api_with(make_key(asked.user_id, is_agent=True)[1])
    path = f"/triggers/{asked.trigger_id}/executions/{asked.pk}/answer"
    assert agent.post(path, {"answers": values_for(asked, "Yes.")}).status_code == 202
