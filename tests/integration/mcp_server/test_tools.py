"""Tools, resources and prompts: what they do, whose they are, and what they say to an agent."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from executions.models import TriggerExecution
from mcp_server import outputs, tools
from mcp_server.waiting import MOST_SECONDS
from tests.integration.mcp_server.conftest import CREATE, MCP
from triggers.models import Outcome, RunStatus, Trigger
from triggers.schedules.plan_parts import PLAN_PARTS

Make = Callable[..., TriggerExecution]
OF_TRIGGERS = [name for name, tool in tools.ALL.items() if "triggerId" in tool.takes()[1]]
LIST = ["list_agents", "list_event_sources", "list_triggers", "list_runs"]


def ids(tool: str, trigger_id: str, run_id: str) -> dict[str, str]:
    """The ids that a tool needs."""
    both = {"triggerId": trigger_id, "executionId": run_id}
    return {name: both[name] for name in tools.ALL[tool].takes()[1]}


class TestLists:
    def test_schemas_are_valid(self, alice: MCP) -> None:
        for tool in alice.result("tools/list")["tools"]:
            Draft202012Validator.check_schema(tool["inputSchema"])
            Draft202012Validator.check_schema(tool["outputSchema"])

    def test_fields_have_the_rules_of_the_api(self, alice: MCP) -> None:
        listed = alice.result("tools/list")["tools"]
        [create] = [tool for tool in listed if tool["name"] == "create_trigger"]
        assert create["inputSchema"]["properties"]["prompt"]["maxLength"] == 50_000

    def test_tools_that_only_read_say_so(self, alice: MCP) -> None:
        reading = {
            tool["name"]
            for tool in alice.result("tools/list")["tools"]
            if tool["annotations"]["readOnlyHint"]
        }
        assert reading == {
            *LIST,
            *("preview_schedule", "get_trigger", "get_run", "read_run_output"),
        }

    def test_a_cursor_of_no_list(self, alice: MCP) -> None:
        assert alice.error("tools/list", cursor="x") == (400, -32602)


class TestOthers:
    """Nobody reaches what is another user's."""

    @pytest.mark.parametrize("tool", OF_TRIGGERS)
    def test_ids_of_another_user(self, alice: MCP, bob: MCP, make_run: Make, tool: str) -> None:
        trigger = alice.create()
        run = make_run(trigger["id"])
        assert "There is no such" in bob.refusal(tool, **ids(tool, trigger["id"], run.pk))

    @pytest.mark.parametrize("tool", OF_TRIGGERS)
    def test_nothing_of_another_users_has_changed(
        self, alice: MCP, bob: MCP, make_run: Make, tool: str
    ) -> None:
        trigger = alice.create()
        run = make_run(trigger["id"])
        bob.refusal(tool, **ids(tool, trigger["id"], run.pk))
        assert Trigger.objects.get(pk=trigger["id"]).version == trigger["version"]

    @pytest.mark.parametrize(
        ("tool", "name"), [("list_triggers", "triggers"), ("list_runs", "executions")]
    )
    def test_lists(self, alice: MCP, bob: MCP, make_run: Make, tool: str, name: str) -> None:
        make_run(alice.create()["id"])
        assert bob.call(tool)[name] == []

    def test_runs_of_anothers_trigger(self, alice: MCP, bob: MCP, make_run: Make) -> None:
        trigger = alice.create()
        make_run(trigger["id"])
        assert "There is no such trigger" in bob.refusal("list_runs", triggerId=trigger["id"])

    @pytest.mark.parametrize("path", ["{0}", "{0}/executions/{1}/output"])
    def test_resources(self, alice: MCP, bob: MCP, make_run: Make, path: str) -> None:
        trigger = alice.create()
        uri = "moca://triggers/" + path.format(trigger["id"], make_run(trigger["id"]).pk)
        assert bob.error("resources/read", uri=uri) == (400, -32602)

    @pytest.mark.parametrize("uri", ["moca://triggers/%ff", "moca://triggers/%E2%80%A8"])
    def test_resources_of_ids_beyond_latin_1(self, alice: MCP, uri: str) -> None:
        assert alice.error("resources/read", uri=uri) == (400, -32602)

    @pytest.mark.parametrize("trigger_id", ["日報", "ü", "\u2028", "\ufffd"])
    def test_ids_beyond_ascii(self, alice: MCP, trigger_id: str) -> None:
        assert "There is no such trigger" in alice.refusal("get_trigger", triggerId=trigger_id)

    def test_a_trigger_whose_id_is_beyond_latin_1(self, alice: MCP) -> None:
        alice.create()
        trigger = Trigger.objects.get()
        trigger.pk, trigger._state.adding = "日報", True
        trigger.save()
        found = alice.call("get_trigger", triggerId="日報")
        assert found["trigger"]["id"] == "日報"

    def test_prompts(self, alice: MCP, bob: MCP, make_run: Make) -> None:
        trigger = alice.create()
        named = {"triggerId": trigger["id"], "executionId": make_run(trigger["id"]).pk}
        given = {"name": "diagnose_run", "arguments": named}
        assert bob.error("prompts/get", **given) == (400, -32602)

    def test_a_page_of_anothers_list(self, alice: MCP, bob: MCP) -> None:
        alice.create()
        alice.create()
        token = alice.call("list_triggers", limit=1)["nextToken"]
        assert "nextToken" in bob.refusal("list_triggers", limit=1, nextToken=token)


class TestTriggers:
    def test_created_trigger(self, alice: MCP) -> None:
        assert Trigger.objects.get(pk=alice.create()["id"]).user_id == "alice"

    def test_the_same_request_again(self, alice: MCP) -> None:
        first = alice.create(idempotencyKey="große 1")
        assert alice.create(idempotencyKey="große 1")["id"] == first["id"]

    def test_errors_name_field_and_remedy(self, alice: MCP) -> None:
        schedule = {"expression": "cron(0 9 * * *)", "timezone": "Asia/Tokio"}
        said = alice.refusal("create_trigger", **{**CREATE, "scheduleConfig": schedule})
        details = json.loads(said.partition("\n")[2])["details"]
        assert details[1]["suggestion"] == "Asia/Tokyo"

    @pytest.mark.parametrize("tool", list(tools.ALL))
    def test_arguments_that_there_are_not(self, alice: MCP, tool: str) -> None:
        given = ids(tool, "x", "y") if tool in OF_TRIGGERS else {}
        assert "nonsense: There is no such argument" in alice.refusal(tool, **given, nonsense=1)

    def test_missing_arguments(self, alice: MCP) -> None:
        assert "triggerId: This is needed" in alice.refusal("get_trigger")

    @pytest.mark.parametrize("value", ["a/b", "", "x" * 200, 7, [], {"a": 1}])
    def test_what_is_no_id(self, alice: MCP, value: Any) -> None:
        assert "triggerId: Give an id" in alice.refusal("get_trigger", triggerId=value)

    def test_change(self, alice: MCP) -> None:
        trigger = alice.create()
        found = alice.call("update_trigger", triggerId=trigger["id"], prompt="Other.", version=1)
        assert (found["trigger"]["prompt"], found["trigger"]["name"]) == ("Other.", "Report")

    def test_change_of_an_earlier_version(self, alice: MCP) -> None:
        trigger = alice.create()
        alice.call("update_trigger", triggerId=trigger["id"], prompt="Other.")
        said = alice.refusal("update_trigger", triggerId=trigger["id"], name="X", version=1)
        assert "changed by someone else" in said

    def test_preview(self, alice: MCP) -> None:
        found = alice.call("preview_schedule", expression="rate(1 hour)", count=2)
        assert (found["description"], len(found["nextRuns"])) == ("Every hour", 2)

    def test_preview_of_days_off(self, alice: MCP) -> None:
        found = alice.call(
            "preview_schedule",
            expression="cron(0 9 ? * SAT *)",
            daysOff={"weekends": True},
            moveTo="next",
        )
        assert "movedTo" in found["daysOff"][0]

    def test_preview_takes_all_parts_of_a_schedule(self, alice: MCP) -> None:
        [preview] = [
            tool for tool in alice.result("tools/list")["tools"] if "preview" in tool["name"]
        ]
        assert set(PLAN_PARTS) <= set(preview["inputSchema"]["properties"])

    def test_results_fit_their_schemas(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create(tags=["a"], description="It reports.")
        run = make_run(trigger["id"])
        for tool in alice.result("tools/list")["tools"]:
            name = tool["name"]
            if not tool["annotations"]["readOnlyHint"]:
                continue
            given = ids(name, trigger["id"], run.pk) if name in OF_TRIGGERS else {}
            if name == "preview_schedule":
                given = {"expression": "0 9 * * ? *", "daysOff": {"weekends": True}}
            Draft202012Validator(tool["outputSchema"]).validate(alice.call(name, **given))

    def test_prompts_in_lists_are_cut(self, alice: MCP) -> None:
        alice.create(prompt="x" * 50_000)
        [trigger] = alice.call("list_triggers")["triggers"]
        assert len(trigger["prompt"]) < 400


class TestRuns:
    def test_long_output_comes_in_parts(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create()
        text = "".join(f"Zeile {number} ✓\n" for number in range(20_000))
        given = {"triggerId": trigger["id"], "executionId": make_run(trigger["id"], text).pk}
        part = alice.call("get_run", **given)["output"]
        said = part["text"]
        while not part["done"]:
            part = alice.call("read_run_output", **given, after=part["next"], limit=100_000)
            said += part["text"]
        head, _, tail = said.partition("[... ")
        assert (text.startswith(head), text.endswith(tail.partition("]\n")[2])) == (True, True)

    def test_parts_have_a_most(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create()
        run = make_run(trigger["id"], "✓" * 60_000)
        found = alice.call("get_run", triggerId=trigger["id"], executionId=run.pk)
        assert len(found["output"]["text"].encode()) <= outputs.PART

    @pytest.mark.parametrize("seconds", [-1, MOST_SECONDS + 1, "5", True, 1.5])
    def test_times_that_are_none(self, alice: MCP, make_run: Make, seconds: Any) -> None:
        trigger = alice.create()
        run = make_run(trigger["id"])
        said = alice.refusal(
            "get_run", triggerId=trigger["id"], executionId=run.pk, waitSeconds=seconds
        )
        assert "waitSeconds: Give a whole number" in said

    def test_wait_has_an_end(self, trusted: MCP) -> None:
        trigger = trusted.create()
        found = trusted.call("run_trigger", triggerId=trigger["id"], waitSeconds=1)
        assert found["execution"]["status"] == "running"

    def test_cancel(self, trusted: MCP) -> None:
        trigger = trusted.create()
        run = trusted.call("run_trigger", triggerId=trigger["id"])["execution"]
        given = {"triggerId": trigger["id"], "executionId": run["executionId"]}
        assert trusted.call("cancel_run", **given)["execution"]["outcome"] == "cancelled"

    def test_failed_runs(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create()
        make_run(trigger["id"])
        failed = make_run(trigger["id"], status=RunStatus.FAILED, outcome=Outcome.ERROR)
        [found] = alice.call("list_runs", status="failed")["executions"]
        assert found["executionId"] == failed.pk


class TestResources:
    def test_latest_outputs_are_listed_and_can_be_read(self, alice: MCP, make_run: Make) -> None:
        make_run(alice.create()["id"], "All is well.")
        [found] = alice.result("resources/list")["resources"]
        [content] = alice.result("resources/read", uri=found["uri"])["contents"]
        assert content["text"] == "All is well."

    def test_pages(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create()
        for _ in range(25):
            make_run(trigger["id"])
        page = alice.result("resources/list")
        following = alice.result("resources/list", cursor=page["nextCursor"])
        assert (len(page["resources"]), len(following["resources"])) == (20, 5)

    def test_a_cursor_of_no_list(self, alice: MCP) -> None:
        assert alice.error("resources/list", cursor="x") == (400, -32602)

    def test_trigger(self, alice: MCP) -> None:
        trigger = alice.create()
        [found] = alice.result("resources/read", uri=f"moca://triggers/{trigger['id']}")["contents"]
        assert json.loads(found["text"])["prompt"] == "Report."

    @pytest.mark.parametrize("uri", ["file:///etc/passwd", "moca://triggers/%2e%2e%2f", "x" * 9000])
    def test_others(self, alice: MCP, uri: str) -> None:
        assert alice.error("resources/read", uri=uri)[1] == -32602


class TestPrompts:
    def test_goal_is_in_the_prompt(self, alice: MCP) -> None:
        given = {"goal": "Summarize {the} news.", "timezone": "Europe/Berlin"}
        [found] = alice.result("prompts/get", name="write_trigger", arguments=given)["messages"]
        text = found["content"]["text"]
        assert "What I want: Summarize {the} news.\nMy time zone: Europe/Berlin" in text

    def test_missing_goal(self, alice: MCP) -> None:
        assert alice.error("prompts/get", name="write_trigger", arguments={}) == (400, -32602)

    def test_diagnosis_has_the_run(self, alice: MCP, make_run: Make) -> None:
        trigger = alice.create()
        run = make_run(trigger["id"], "Half an answer", status=RunStatus.FAILED, error="Too slow.")
        named = {"triggerId": trigger["id"], "executionId": run.pk}
        found = alice.result("prompts/get", name="diagnose_run", arguments=named)["messages"]
        texts = found[0]["content"]["text"], found[1]["content"]["resource"]["text"]
        assert ("Too slow." in texts[0], texts[1]) == (True, "Half an answer")


def test_logs_have_no_prompt(alice: MCP, caplog: pytest.LogCaptureFixture) -> None:
    alice.create(prompt="Tell nobody of the merger.")
    said = [record.getMessage() for record in caplog.records]
    assert ("merger" in str(said), "create_trigger" in str(said)) == (False, True)
