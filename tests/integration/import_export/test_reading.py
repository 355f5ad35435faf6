"""Items of the TypeScript service are shown as they are, before `adopt_table` has run."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.integration.admin.conftest import EXECUTIONS, TRIGGERS
from tests.integration.api.conftest import API
from tests.integration.import_export.conftest import (
    ALICE,
    Item,
    Table,
    execution_item,
    trigger_item,
)


def test_the_api_shows_a_trigger(alice: API, trigger: Item) -> None:
    shown = alice.get(f"/triggers/{trigger['id']}").json()["trigger"]
    ours = {name: value for name, value in trigger.items() if name in shown}
    assert {name: shown[name] for name in ours} == ours
    assert ours.keys() >= {
        "userId",
        "scheduleConfig",
        "enabledTools",
        "createdAt",
        "lastExecutedAt",
    }
    assert shown["version"] == 1
    assert shown["scheduleDescription"] == "At 09:00 on Mondays, Tokyo time"
    assert shown["syncState"] == "synced"
    assert "legacyFlag" not in shown


def test_the_api_lists_triggers_of_both_services(alice: API, table: Table, trigger: Item) -> None:
    event = table.put(trigger_item(type="event", name="Upload"))
    table.put(trigger_item(userId="bob"))
    own = alice.create(name="Ours")
    listed = alice.get("/triggers").json()["triggers"]
    assert {each["id"] for each in listed} == {trigger["id"], event["id"], own["id"]}
    assert [each["id"] for each in alice.get("/triggers?type=event").json()["triggers"]] == [
        event["id"]
    ]


def test_pages_of_the_list_hold_each_once(alice: API, table: Table) -> None:
    ids = {table.put(trigger_item())["id"] for _ in range(7)}
    seen: list[str] = []
    token = ""
    while True:
        answer = alice.get(f"/triggers?limit=3&nextToken={token}").json()
        seen += [each["id"] for each in answer["triggers"]]
        token = answer.get("nextToken", "")
        if not token:
            break
    assert len(seen) == 7
    assert set(seen) == ids


def test_an_item_without_optional_attributes_is_shown(alice: API, table: Table) -> None:
    item = trigger_item()
    for name in ("description", "sessionId", "modelId", "workingDirectory", "enabledTools"):
        del item[name]
    del item["lastExecutedAt"], item["legacyFlag"]
    shown = alice.get(f"/triggers/{table.put(item)['id']}").json()["trigger"]
    assert shown["name"] == "Weekly digest"
    assert not shown.keys() & {"description", "sessionId", "enabledTools", "lastExecutedAt"}


def test_nobody_else_sees_it(bob: API, trigger: Item) -> None:
    assert bob.get("/triggers").json()["triggers"] == []
    assert bob.get(f"/triggers/{trigger['id']}").status_code == 404


def test_the_admin_lists_and_shows_it(editor: Client, table: Table, trigger: Item) -> None:
    event = table.put(trigger_item(type="event", name="Upload"))
    listed = editor.get(TRIGGERS).content.decode()
    assert "Weekly digest" in listed
    assert event["id"] in listed
    page = editor.get(f"{TRIGGERS}{trigger['id']}/change/")
    assert page.status_code == 200
    assert "Write the digest." in page.content.decode()
    assert ALICE in page.content.decode()


def test_a_malformed_item_is_shown_disabled(alice: API, table: Table) -> None:
    item = table.put(trigger_item(enabledTools=1, timeoutSeconds={"M": "x"}))
    # Sent without a check of the OpenAPI document, since invalid values are shown as they are.
    authorization = {"Authorization": f"Bearer {alice.token}"}
    response = alice.client.get(f"/triggers/{item['id']}", headers=authorization)
    shown = response.json()["trigger"]
    assert shown["enabled"] is False
    assert shown["syncState"] == "failed"
    assert "timeout_seconds" in shown["syncError"]


class TestExecutions:
    def test_the_api_lists_and_shows_them(
        self, alice: API, trigger: Item, make_execution: Callable[..., Item]
    ) -> None:
        good = make_execution(trigger)
        bad = make_execution(trigger, errorMessage="The agent was away.")
        listed = alice.get(f"/triggers/{trigger['id']}/executions").json()["executions"]
        assert {each["executionId"]: each["status"] for each in listed} == {
            good["executionId"]: "completed",
            bad["executionId"]: "failed",
        }
        shown = alice.get(f"/triggers/{trigger['id']}/executions/{bad['executionId']}").json()
        assert {name: shown["execution"][name] for name in ("executedAt", "startedAt")} == {
            "executedAt": "2026-03-02T09:00:01.789Z",
            "startedAt": "2026-03-02T09:00:01.789Z",
        }
        assert shown["execution"]["errorMessage"] == "The agent was away."
        assert "errorCode" not in shown["execution"]
        assert shown["execution"]["requestId"] == "request-1"
        assert shown["execution"]["eventPayload"] == '{"source":"scheduler"}'

    def test_very_old_ones_have_another_name_for_their_start(
        self, alice: API, table: Table, trigger: Item
    ) -> None:
        item = execution_item(trigger, startedAt="2025-12-24T18:00:00.500Z")
        del item["executedAt"]
        table.put(item)
        [listed] = alice.get(f"/triggers/{trigger['id']}/executions").json()["executions"]
        shown = alice.get(f"/triggers/{trigger['id']}/executions/{item['executionId']}").json()
        assert {
            one[name]
            for one in (listed, shown["execution"])
            for name in ("executedAt", "startedAt")
        } == {"2025-12-24T18:00:00.500Z"}

    def test_the_api_filters_them_by_status(
        self, alice: API, trigger: Item, make_execution: Callable[..., Item]
    ) -> None:
        make_execution(trigger)
        bad = make_execution(trigger, errorMessage="The agent was away.")
        path = f"/triggers/{trigger['id']}/executions?status=failed"
        assert [each["executionId"] for each in alice.get(path).json()["executions"]] == [
            bad["executionId"]
        ]

    @pytest.mark.parametrize(("outcome", "place"), [("success", 0), ("error", 1)])
    def test_the_api_filters_them_by_outcome(
        self,
        alice: API,
        trigger: Item,
        make_execution: Callable[..., Item],
        outcome: str,
        place: int,
    ) -> None:
        runs = [make_execution(trigger), make_execution(trigger, errorMessage="No agent.")]
        path = f"/triggers/{trigger['id']}/executions?outcome={outcome}"
        found = alice.get(path).json()["executions"]
        assert [(each["executionId"], each["outcome"]) for each in found] == [
            (runs[place]["executionId"], outcome)
        ]

    def test_nobody_else_sees_them(
        self, bob: API, trigger: Item, make_execution: Callable[..., Item]
    ) -> None:
        path = f"/triggers/{trigger['id']}/executions"
        key = make_execution(trigger)["executionId"]
        assert bob.get(path).status_code == 404
        assert bob.get(f"{path}/{key}").status_code == 404

    def test_operators_see_them(
        self, editor: Client, trigger: Item, make_execution: Callable[..., Item]
    ) -> None:
        key = make_execution(trigger, errorMessage="The agent was away.")["executionId"]
        path = f"/console/triggers/{trigger['id']}"
        assert key in editor.get(path).content.decode()
        assert key in editor.get(f"{EXECUTIONS}?q={trigger['id']}").content.decode()
        row = editor.get(f"{EXECUTIONS}{trigger['id']}:{key}/change/", follow=True)
        assert "The agent was away." in row.content.decode()
        page = editor.get(f"{path}/runs/{key}").content.decode()
        assert "The agent was away." in page
        assert "Weekly digest" in page
