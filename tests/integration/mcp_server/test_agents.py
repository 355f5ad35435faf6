"""What agents make over MCP is marked, waits for a person, and names the client."""

from typing import Any

import pytest
from django.test import Client

from mcp_server.scopes import OFFERED
from mcp_server.tools import ALL
from moca.authentication.api_keys.scopes import RULES
from moca.authentication.models import AuditEntry
from tests.integration.mcp_server.conftest import BEFORE, CREATE, MCP, key_of
from triggers.models import Trigger

EVERY_MINUTE = {"expression": "rate(1 minute)"}


def enable(person: MCP, trigger_id: str) -> None:
    """Enable a trigger by the API, as its person."""
    answer = Client().post(f"/triggers/{trigger_id}/enable", headers=person.headers)
    assert answer.status_code == 200, answer.content


class TestPersonsToken:
    def test_trigger_waits(self, alice: MCP) -> None:
        trigger = alice.create(enabled=True)
        assert (trigger["enabled"], trigger["waitsForPerson"]) == (False, True)

    def test_trigger_names_the_client(self, alice: MCP) -> None:
        made = {"keyId": "mcp", "keyName": "Tester 1.0", "agent": True}
        assert alice.create()["createdBy"] == made

    def test_agent_cannot_enable_it(self, alice: MCP) -> None:
        trigger = alice.create()
        assert "A person has to enable" in alice.refusal("enable_trigger", triggerId=trigger["id"])

    def test_nor_by_a_change(self, alice: MCP) -> None:
        trigger = alice.create()
        said = alice.refusal("update_trigger", triggerId=trigger["id"], enabled=True)
        assert "A person has to enable" in said

    def test_agent_cannot_run_it(self, alice: MCP) -> None:
        trigger = alice.create()
        assert "a person has to enable it" in alice.refusal("run_trigger", triggerId=trigger["id"])

    def test_person_enables_it(self, alice: MCP) -> None:
        trigger = alice.create()
        enable(alice, trigger["id"])
        run = alice.call("run_trigger", triggerId=trigger["id"])
        assert run["execution"]["status"] == "running"

    def test_another_prompt_makes_it_wait_again(self, alice: MCP) -> None:
        trigger = alice.create()
        enable(alice, trigger["id"])
        found = alice.call("update_trigger", triggerId=trigger["id"], prompt="Delete it all.")
        assert found["trigger"]["enabled"] is False

    def test_a_persons_own_trigger_waits_after_a_change(self, alice: MCP) -> None:
        trigger = Client().post(
            "/triggers", CREATE, content_type="application/json", headers=alice.headers
        )
        given = {"triggerId": trigger.json()["trigger"]["id"], "prompt": "Delete it all."}
        assert alice.call("update_trigger", **given)["trigger"]["waitsForPerson"] is True

    def test_least_interval(self, alice: MCP) -> None:
        said = alice.refusal("create_trigger", **{**CREATE, "scheduleConfig": EVERY_MINUTE})
        assert "too often for an agent" in said

    def test_most_triggers(self, alice: MCP, settings: Any) -> None:
        settings.AGENT_KEY_MAX_TRIGGERS = 2
        alice.create()
        alice.create()
        assert "the most it may have" in alice.refusal("create_trigger", **CREATE)

    def test_deleted_ones_do_not_count(self, alice: MCP, settings: Any) -> None:
        settings.AGENT_KEY_MAX_TRIGGERS = 1
        alice.call("delete_trigger", triggerId=alice.create()["id"])
        assert alice.create()["name"] == "Report"

    def test_audit_entries_name_the_client(self, alice: MCP) -> None:
        alice.create()
        [entry] = AuditEntry.objects.filter(object_type="triggers.trigger")
        assert (entry.actor, entry.api_key) == ("alice", "Tester 1.0 (mcp)")

    @pytest.mark.parametrize("agent", ["cursor/2.0 (x)", "x" * 300, "a\x1b[31mb", ""])
    def test_client_that_gives_no_name(self, alice: MCP, agent: str) -> None:
        alice.headers["User-Agent"] = agent
        result = alice.result("tools/call", BEFORE, name="create_trigger", arguments=CREATE)
        name = result["structuredContent"]["trigger"]["createdBy"]["keyName"]
        assert (0 < len(name) <= 60, name.isprintable()) == (True, True)


class TestKeys:
    def test_trusted_key(self, trusted: MCP) -> None:
        assert trusted.create()["enabled"] is True

    def test_key_that_is_for_no_agent(self, db: None) -> None:
        script = MCP(token=key_of("alice", is_agent=False, may_enable=False))
        assert "waitsForPerson" not in script.create()

    def test_audit_entries_name_key_and_client(self, trusted: MCP) -> None:
        trusted.create()
        [entry] = AuditEntry.objects.filter(object_type="triggers.trigger")
        assert (entry.api_key[:7], entry.api_key[-12:]) == ("Robot (", ", Tester 1.0")

    @pytest.mark.parametrize("scope", ["read", "run", "write"])
    def test_tools_are_those_of_the_scopes(self, db: None, scope: str) -> None:
        listed = MCP(token=key_of("alice", scopes=[scope])).result("tools/list")["tools"]
        assert {ALL[tool["name"]].scope.value for tool in listed} == {scope}

    @pytest.mark.parametrize("tool", list(ALL))
    def test_tools_beyond_the_scopes(self, db: None, tool: str) -> None:
        others = [scope.value for scope in OFFERED if scope is not ALL[tool].scope]
        client = MCP(token=key_of("alice", scopes=others))
        answer = client.send("tools/call", name=tool, arguments={})
        assert answer.status_code == 403

    def test_unknown_key(self, db: None) -> None:
        assert MCP(token="moca_x").send("tools/list").status_code == 401


class TestKeysForSomeTriggers:
    @pytest.fixture
    def limited(self, alice: MCP) -> tuple[MCP, str, str]:
        """A client whose key is for the first of two triggers, and both ids."""
        ids = [alice.create()["id"], alice.create()["id"]]
        return MCP(token=key_of("alice", trigger_ids=ids[:1])), ids[0], ids[1]

    def test_its_trigger(self, limited: tuple[MCP, str, str]) -> None:
        client, ours, _ = limited
        assert client.call("get_trigger", triggerId=ours)["trigger"]["id"] == ours

    def test_others(self, limited: tuple[MCP, str, str]) -> None:
        client, _, other = limited
        assert "There is no such trigger" in client.refusal("delete_trigger", triggerId=other)

    def test_general_tools_are_not_listed(self, limited: tuple[MCP, str, str]) -> None:
        named = {tool["name"] for tool in limited[0].result("tools/list")["tools"]}
        assert {"list_triggers", "create_trigger"} & named == set()

    def test_runs(self, limited: tuple[MCP, str, str]) -> None:
        client, ours, _ = limited
        assert client.call("list_runs", triggerId=ours)["executions"] == []

    def test_runs_of_all(self, limited: tuple[MCP, str, str]) -> None:
        assert "This API key is for some triggers" in limited[0].refusal("list_runs")


def test_scopes_of_tools_are_those_of_their_routes() -> None:
    routes = {
        "create_trigger": ("api-triggers", "POST"),
        "update_trigger": ("api-trigger", "PATCH"),
        "delete_trigger": ("api-trigger", "DELETE"),
        "enable_trigger": ("api-enable", "POST"),
        "disable_trigger": ("api-disable", "POST"),
        "run_trigger": ("api-run", "POST"),
        "cancel_run": ("api-cancel", "POST"),
        "preview_schedule": ("api-preview", "POST"),
    }
    assert {name: RULES[route][method] for name, (route, method) in routes.items()} == {
        name: ALL[name].scope for name in routes
    }


def test_a_person_who_enables_takes_the_mark_of_waiting_away(alice: MCP) -> None:
    trigger = alice.create()
    enable(alice, trigger["id"])
    assert Trigger.objects.get(pk=trigger["id"]).waits_for_person is False
