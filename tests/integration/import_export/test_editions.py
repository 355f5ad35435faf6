"""Each verb on rows and records of both editions of the TypeScript service, and handing back.

Whatever we do to a row, the other service reads it afterwards, and what neither of us knows stays.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agents.demo import DemoAgent
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from tests.integration.admin.conftest import TRIGGERS, form_data
from tests.integration.api.conftest import API
from tests.integration.api.test_editions import API2026
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_handler import Context, agent
from tests.integration.import_export.conftest import Item, Table
from tests.integration.import_export.other_service import (
    EDITIONS,
    SOURCE_ID,
    UNKNOWN,
    USER,
    Edition,
    first_id,
    read_execution,
    read_trigger,
    rule_event,
)
from triggers.models import Trigger

__all__ = ["agent", "function"]


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.name)
def edition(request: pytest.FixtureRequest) -> Edition:
    found: Edition = request.param
    return found


class EarlierAPI(API):
    """The API as the frontend of the earlier edition calls it.

    Answers are not compared with the API's description, which names no parts of other programs.
    """

    def raw(
        self, method: str, path: str, data: bytes, kind: str = "application/json", **headers: str
    ) -> Any:
        return self.client.generic(method, path, data, kind if data else "", headers=headers)


@pytest.fixture
def frontend(edition: Edition, db: None) -> API:
    """The API as the frontend of the edition calls it."""
    return API2026(USER) if edition.is_current else EarlierAPI(USER)


@pytest.fixture
def theirs(edition: Edition, table: Table) -> Item:
    return table.put(edition.trigger())


def handed_back(table: Table, before: Item) -> Item:
    """The row as the other service reads it now. Fails if an unknown attribute has changed."""
    now = table.get(before)
    assert now is not None
    assert {name: now.get(name) for name in UNKNOWN} == UNKNOWN
    if config := before.get("scheduleConfig"):
        kept = ("schedulerArn", "scheduleGroupName", "legacyPart")
        assert {name: now["scheduleConfig"].get(name) for name in kept} == {
            name: config[name] for name in kept
        }
    return read_trigger(now)


def records(table: Table, trigger: Item) -> list[Item]:
    found = table.query("", f"TRIGGER#{trigger['id']}")
    return [each for each in found if each["SK"].startswith("EXECUTION#")]


class TestRead:
    def test_one(self, frontend: API, theirs: Item) -> None:
        shown = frontend.get(f"/triggers/{theirs['id']}").json()["trigger"]
        known = theirs.keys() - UNKNOWN.keys() - {"PK", "SK", "GSI1PK", "GSI1SK", "scheduleConfig"}
        assert {name: shown[name] for name in known} == {name: theirs[name] for name in known}

    def test_a_run_may_take_an_hour(self, frontend: API, theirs: Item) -> None:
        """The other service cancels no run, and its agents' take twenty minutes and more."""
        shown = frontend.get(f"/triggers/{theirs['id']}").json()["trigger"]
        assert shown["timeoutSeconds"] == 3600

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_a_list_in_both_orders(
        self, frontend: API, edition: Edition, table: Table, order: str
    ) -> None:
        ids = sorted(table.put(edition.trigger())["id"] for _ in range(3))
        shown = frontend.get(f"/triggers?order={order}").json()["triggers"]
        wanted = ids if order == "asc" else ids[::-1]
        assert [each["id"] for each in shown] == wanted

    @pytest.mark.parametrize(
        ("filters", "place"),
        [("type=event", 1), ("type=schedule", 0), ("enabled=false", 1), ("search=upload", 1)],
    )
    def test_a_list_with_filters(
        self, frontend: API, edition: Edition, table: Table, filters: str, place: int
    ) -> None:
        rows = [edition.trigger(), edition.trigger(type="event", name="Upload", enabled=False)]
        for row in rows:
            table.put(row)
        shown = frontend.get(f"/triggers?{filters}").json()["triggers"]
        assert [each["id"] for each in shown] == [rows[place]["id"]]

    def test_executions(self, frontend: API, edition: Edition, table: Table, theirs: Item) -> None:
        runs = [
            table.put(edition.execution(theirs)),
            table.put(edition.execution(theirs, errorMessage="Agent not found")),
        ]
        path = f"/triggers/{theirs['id']}/executions"
        shown = frontend.get(path).json()["executions"]
        assert [
            (each["executionId"], each["status"], each.get("errorMessage")) for each in shown
        ] == [
            (runs[1]["executionId"], "failed", "Agent not found"),
            (runs[0]["executionId"], "completed", None),
        ]

    def test_the_payload_of_an_execution(
        self, frontend: API, edition: Edition, table: Table, theirs: Item
    ) -> None:
        run = table.put(edition.execution(theirs))
        path = f"/triggers/{theirs['id']}/executions/{run['executionId']}"
        shown = frontend.get(path).json()["execution"]
        assert json.loads(shown["eventPayload"]) == edition.event(theirs)

    def test_null_is_as_good_as_nothing(
        self, frontend: API, edition: Edition, table: Table
    ) -> None:
        nothing = ("description", "sessionId", "modelId", "enabledTools", "lastExecutedAt")
        row = table.put(edition.trigger(**dict.fromkeys(nothing)))
        shown = frontend.get(f"/triggers/{row['id']}").json()["trigger"]
        assert (shown["enabled"], shown["syncState"], shown.keys() & {*nothing}) == (
            True,
            "synced",
            set(),
        )


class TestFirstRecords:
    """Records of the time before both editions have a status and other names."""

    @pytest.fixture
    def make(self, table: Table, theirs: Item) -> Callable[..., Item]:
        def make(**attributes: Any) -> Item:
            key = first_id()
            return table.put(
                {
                    "PK": f"TRIGGER#{theirs['id']}",
                    "SK": f"EXECUTION#{key}",
                    "executionId": key,
                    "triggerId": theirs["id"],
                    "userId": USER,
                    "startedAt": "2025-12-24T18:00:00.500Z",
                    "ttl": 4_000_000_000,
                    **attributes,
                }
            )

        return make

    def shown(self, frontend: API, run: Item) -> Item:
        path = f"/triggers/{run['triggerId']}/executions"
        [listed] = frontend.get(path).json()["executions"]
        one = frontend.get(f"{path}/{run['executionId']}").json()["execution"]
        assert {name: one.get(name) for name in listed} == listed
        return listed

    def test_a_failure_says_why(self, frontend: API, make: Callable[..., Item]) -> None:
        run = make(
            status="failed", completedAt="2025-12-24T18:00:09.000Z", error="The agent was away."
        )
        shown = self.shown(frontend, run)
        assert (shown["status"], shown["error"], shown["errorMessage"]) == (
            "failed",
            "The agent was away.",
            "The agent was away.",
        )

    def test_a_success_without_a_session(self, frontend: API, make: Callable[..., Item]) -> None:
        run = make(
            status="completed",
            completedAt="2025-12-24T18:00:09.000Z",
            requestId="request-1",
            sessionId=None,
        )
        shown = self.shown(frontend, run)
        assert (shown["status"], shown["requestId"], "sessionId" in shown) == (
            "completed",
            "request-1",
            False,
        )

    def test_one_that_never_ended_is_lost(self, frontend: API, make: Callable[..., Item]) -> None:
        shown = self.shown(frontend, make(status="running"))
        assert (shown["status"], shown["outcome"]) == ("failed", "lost")

    def test_the_filter_agrees(self, frontend: API, make: Callable[..., Item]) -> None:
        run = make(status="running")
        path = f"/triggers/{run['triggerId']}/executions?status="
        found = {
            status: len(frontend.get(f"{path}{status}").json()["executions"])
            for status in ("running", "failed")
        }
        assert found == {"running": 0, "failed": 1}


class TestUpdate:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_by_the_api(self, frontend: API, table: Table, theirs: Item, method: str) -> None:
        body = {"prompt": "Write it short.", "scheduleConfig": {"expression": "rate(1 day)"}}
        answer = frontend(method, f"/triggers/{theirs['id']}", body)
        assert answer.status_code == 200, answer.content
        now = handed_back(table, theirs)
        assert (now["prompt"], now["scheduleConfig"]["expression"], now["name"]) == (
            "Write it short.",
            "rate(1 day)",
            theirs["name"],
        )

    def test_by_sending_back_what_was_shown(
        self, frontend: API, table: Table, theirs: Item
    ) -> None:
        shown = frontend.get(f"/triggers/{theirs['id']}").json()["trigger"]
        answer = frontend("PUT", f"/triggers/{theirs['id']}", {**shown, "name": "Digest"})
        assert answer.status_code == 200, answer.content
        now = table.get(theirs) or {}
        assert {name for name in now if now[name] != theirs.get(name)} == {
            "name",
            "updatedAt",
            "version",
        }

    def test_by_the_admin(self, editor: Client, table: Table, theirs: Item) -> None:
        row = Trigger.objects.get(user_id=USER, pk=theirs["id"])
        answer = editor.post(f"{TRIGGERS}{theirs['id']}/change/", form_data(row, name="Digest"))
        assert answer.status_code == 302, answer.context["errors"]
        assert handed_back(table, theirs)["name"] == "Digest"

    def test_by_the_console(self, editor: Client, table: Table, theirs: Item) -> None:
        path = f"/console/triggers/{theirs['id']}/edit"
        form = editor.get(path).context["form"]
        data = {
            bound.html_name: value
            for bound in form
            if (value := bound.value()) is not None and value is not False
        }
        answer = editor.post(path, {**data, "name": "Digest"})
        assert answer.status_code == 302, answer.context["form"].errors
        assert handed_back(table, theirs)["name"] == "Digest"

    def test_disabled_and_enabled(self, frontend: API, table: Table, theirs: Item) -> None:
        states = []
        for verb in ("disable", "enable"):
            frontend.post(f"/triggers/{theirs['id']}/{verb}")
            states.append(handed_back(table, theirs)["enabled"])
        assert states == [False, True]

    def test_another_type_and_back(self, frontend: API, table: Table, theirs: Item) -> None:
        path = f"/triggers/{theirs['id']}"
        to_event = {"type": "event", "eventConfig": {"eventSourceId": SOURCE_ID}}
        assert frontend("PUT", path, to_event).status_code == 200
        assert handed_back(table, theirs)["type"] == "event"
        assert [each["id"] for each in table.query("GSI2", f"EVENTSOURCE#{SOURCE_ID}")] == [
            theirs["id"]
        ]
        assert frontend("PUT", path, {"type": "schedule"}).status_code == 200
        assert handed_back(table, theirs)["type"] == "schedule"


class TestFired:
    @pytest.fixture(autouse=True)
    def committed(self, transactional_db: None) -> None:
        pass

    def test_by_its_schedule(
        self, agent: DemoAgent, edition: Edition, table: Table, theirs: Item
    ) -> None:
        handler(edition.event(theirs), Context())
        [run] = records(table, theirs)
        now = handed_back(table, theirs)
        assert read_execution(run).keys() == {"executionId", "executedAt", "sessionId"}
        assert now["lastExecutedAt"] > theirs["lastExecutedAt"]

    def test_each_occurrence_runs_once(
        self, agent: DemoAgent, edition: Edition, table: Table, theirs: Item
    ) -> None:
        """All events of a schedule are equal. Only Lambda's request id tells them apart."""
        said = [
            handler(edition.event(theirs), Context(request))["status"]
            for request in ("monday", "monday", "tuesday", "wednesday")
        ]
        assert said == ["completed", "skipped", "completed", "completed"]

    def test_the_run_has_no_due_time(
        self, agent: DemoAgent, edition: Edition, theirs: Item
    ) -> None:
        """The event says when the schedule was written, which may be months ago."""
        handler(edition.event(theirs), Context())
        assert TriggerExecution.objects.get(trigger_id=theirs["id"]).scheduled_at is None

    def test_the_agent_gets_what_the_row_says(
        self, agent: DemoAgent, edition: Edition, theirs: Item
    ) -> None:
        handler(edition.event(theirs), Context())
        body = agent.requests[-1].body
        wanted = {
            "agentId": theirs["agentId"],
            "modelId": theirs["modelId"],
            "sessionId": theirs["sessionId"],
            "storagePath": theirs["workingDirectory"],
            "targetUserId": USER,
            "enabledTools": theirs["enabledTools"],
            "reasoningEffort": theirs.get("reasoningEffort"),
        }
        assert {name: body.get(name) for name in wanted} == wanted

    def test_by_the_rule_of_its_source(
        self, agent: DemoAgent, function: Function, edition: Edition, table: Table
    ) -> None:
        theirs = table.put(edition.trigger(type="event"))
        handler(rule_event(), Context())
        handler(json.loads(function.requests[0].body), Context())
        [run] = records(table, theirs)
        handed_back(table, theirs)
        assert json.loads(run["eventPayload"])["detail"] == {"object": {"key": "report.pdf"}}

    def test_by_hand(
        self, agent: DemoAgent, function: Function, frontend: API, table: Table, theirs: Item
    ) -> None:
        answer = frontend.post(f"/triggers/{theirs['id']}/run")
        assert answer.status_code == 202, answer.content
        handler(json.loads(function.requests[0].body), Context())
        [run] = records(table, theirs)
        handed_back(table, theirs)
        assert (run["status"], read_execution(run)["executionId"]) == (
            "completed",
            answer.json()["execution"]["executionId"],
        )

    def test_after_it_was_deleted(
        self, agent: DemoAgent, frontend: API, edition: Edition, table: Table, theirs: Item
    ) -> None:
        frontend("DELETE", f"/triggers/{theirs['id']}")
        said = handler(edition.event(theirs), Context())
        assert (said["status"], table.get(theirs), records(table, theirs)) == ("skipped", None, [])


class TestDeleted:
    def test_it_is_gone(self, frontend: API, table: Table, theirs: Item) -> None:
        answer = frontend("DELETE", f"/triggers/{theirs['id']}")
        assert (answer.status_code, table.get(theirs)) == (200, None)

    def test_its_executions_stay(
        self, frontend: API, edition: Edition, table: Table, theirs: Item
    ) -> None:
        run = table.put(edition.execution(theirs))
        frontend("DELETE", f"/triggers/{theirs['id']}")
        assert table.get(run) == run


@pytest.fixture
def ghost(table: Table, frontend: API, theirs: Item) -> Item:
    """What the other service writes if a trigger is deleted during its run: that run's time."""
    frontend("DELETE", f"/triggers/{theirs['id']}")
    return table.put({name: theirs[name] for name in ("PK", "SK", "lastExecutedAt")})


class TestGhost:
    def test_it_does_not_fire(
        self,
        transactional_db: None,
        agent: DemoAgent,
        edition: Edition,
        table: Table,
        theirs: Item,
        ghost: Item,
    ) -> None:
        said = handler(edition.event(theirs), Context())
        assert (said["status"], records(table, theirs)) == ("skipped", [])

    def test_it_can_be_deleted(self, edition: Edition, table: Table, ghost: Item) -> None:
        answer = API2026(USER)("DELETE", f"/triggers/{ghost['SK'].removeprefix('TRIGGER#')}")
        assert (answer.status_code, table.get(ghost)) == (200, None)


class TestFirstIds:
    """Ids of 21 characters, which the API's description does not promise."""

    def test_they_are_read_changed_and_fired(
        self, transactional_db: None, agent: DemoAgent, edition: Edition, table: Table
    ) -> None:
        theirs = table.put(edition.trigger(id=first_id()))
        api, path = API2026(USER), f"/triggers/{theirs['id']}"
        said = [
            api.get(path).status_code,
            api("PUT", path, {"name": "Digest"}).status_code,
            handler(edition.event(theirs), Context())["status"],
            handed_back(table, theirs)["name"],
        ]
        assert said == [200, 200, "completed", "Digest"]
