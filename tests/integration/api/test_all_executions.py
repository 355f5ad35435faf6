"""GET /executions: what ran of all triggers of a caller."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.models import TriggerExecution
from moca.api import pagination
from moca.ids import uuid7
from tests.integration.api.conftest import API
from triggers.models import Trigger

MakeExecution = Callable[..., TriggerExecution]
MakeTrigger = Callable[..., Trigger]
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
LIST = "/executions"


def id_at(moment: datetime) -> str:
    return uuid7(round(moment.timestamp() * 1000), bytes(10))


def ids(response: Any) -> list[str]:
    return [execution["executionId"] for execution in response.json()["executions"]]


def walk(api: API, query: str) -> tuple[list[str], int]:
    """All ids of a list, page by page, and how many pages that took."""
    found, token, pages = [], "", 0
    while pages < 50:
        response = api.get(f"{LIST}?{query}&nextToken={token}")
        found += ids(response)
        pages += 1
        token = response.json().get("nextToken", "")
        if not token:
            break
    return found, pages


@pytest.fixture
def made(make_trigger: MakeTrigger, make_execution: MakeExecution) -> list[TriggerExecution]:
    """Six runs of two triggers of alice, a minute apart, the oldest first."""
    triggers = [make_trigger(name="A"), make_trigger(name="B")]
    return [
        make_execution(triggers[number % 2], id=id_at(NINE + timedelta(minutes=number)))
        for number in range(6)
    ]


class TestList:
    def test_is_newest_first_across_triggers(
        self, alice: API, made: list[TriggerExecution]
    ) -> None:
        assert ids(alice.get(LIST)) == [each.pk for each in made[::-1]]

    def test_pages_hold_everything_once(self, alice: API, made: list[TriggerExecution]) -> None:
        assert walk(alice, "limit=4") == ([each.pk for each in made[::-1]], 2)

    def test_another_user_sees_nothing(self, bob: API, made: list[TriggerExecution]) -> None:
        assert bob.get(LIST).json()["executions"] == []

    def test_records_without_a_user_are_nobodys(
        self, alice: API, bob: API, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(), user_id="")
        assert [ids(api.get(LIST)) for api in (alice, bob)] == [[], []]

    def test_needs_a_sign_in(self, nobody: API) -> None:
        assert nobody.get(LIST).status_code == 401

    def test_deleted_trigger_keeps_its_runs(self, alice: API, made: list[TriggerExecution]) -> None:
        alice("DELETE", f"/triggers/{made[0].trigger_id}")
        assert len(ids(alice.get(LIST))) == 6

    def test_output_is_left_out(
        self, alice: API, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(), output="said", output_bytes=4)
        assert "output" not in alice.get(LIST).json()["executions"][0]

    def test_token_of_another_user_is_refused(
        self, alice: API, bob: API, made: list[TriggerExecution]
    ) -> None:
        token = alice.get(f"{LIST}?limit=2").json()["nextToken"]
        assert bob.get(f"{LIST}?nextToken={token}").status_code == 400

    def test_token_of_other_filters_is_refused(
        self, alice: API, made: list[TriggerExecution]
    ) -> None:
        token = alice.get(f"{LIST}?limit=2").json()["nextToken"]
        until = "until=2027-01-04T09:05:00Z"
        assert alice.get(f"{LIST}?{until}&nextToken={token}").status_code == 400

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("status=done", "status"),
            ("outcome=done", "outcome"),
            ("agentId=" + "x" * 201, "agentId"),
            ("nextToken=x", "nextToken"),
            ("since=yesterday", "since"),
            ("since=2027-01-04T09:00:00", "since"),
            ("until=0001-01-01T00:00:00%2B14:00", "until"),
            ("since=2027-01-05T00:00:00Z&until=2027-01-04T00:00:00Z", "until"),
            ("trigger=x", "trigger"),
            ("triggerId=" + "x" * 201, "triggerId"),
        ],
    )
    def test_wrong_parameter(self, alice: API, query: str, named: str) -> None:
        response = alice.get(f"{LIST}?{query}")
        assert (response.status_code, response.json()["message"].partition(":")[0]) == (400, named)


class TestFilters:
    def test_trigger(self, alice: API, made: list[TriggerExecution]) -> None:
        found = ids(alice.get(f"{LIST}?triggerId={made[0].trigger_id}"))
        assert found == [made[number].pk for number in (4, 2, 0)]

    def test_trigger_of_another_user(self, bob: API, made: list[TriggerExecution]) -> None:
        assert ids(bob.get(f"{LIST}?triggerId={made[0].trigger_id}")) == []

    def test_trigger_has_its_records_without_a_user(
        self, alice: API, bob: API, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger, id="e", user_id="")
        query = f"{LIST}?triggerId={trigger.pk}"
        assert [ids(api.get(query)) for api in (alice, bob)] == [["e"], []]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("since=2027-01-04T09:03:00Z", [5, 4, 3]),
            ("until=2027-01-04T09:02:00Z", [1, 0]),
            ("since=2027-01-04T09:01:00Z&until=2027-01-04T09:03:00Z", [2, 1]),
            ("since=2027-01-04T18:03:00%2B09:00", [5, 4, 3]),
            ("since=1969-01-01T00:00:00Z&until=2027-01-04T09:01:00Z", [0]),
            ("until=0001-01-01T00:00:00Z", []),
        ],
    )
    def test_time(
        self, alice: API, made: list[TriggerExecution], query: str, expected: list[int]
    ) -> None:
        assert ids(alice.get(f"{LIST}?{query}")) == [made[number].pk for number in expected]

    def test_time_of_a_trigger(self, alice: API, made: list[TriggerExecution]) -> None:
        query = f"triggerId={made[0].trigger_id}&since=2027-01-04T09:01:00Z"
        assert ids(alice.get(f"{LIST}?{query}")) == [made[4].pk, made[2].pk]

    @pytest.mark.parametrize(
        ("status", "expected"),
        [("completed", ["1"]), ("failed", ["4", "2"]), ("running", ["5", "3"])],
    )
    def test_status(
        self,
        alice: API,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        status: str,
        expected: list[str],
    ) -> None:
        trigger, now, minute = make_trigger(), timezone.now(), timedelta(minutes=1)
        make_execution(trigger, id="1")
        make_execution(trigger, id="2", status="failed")
        make_execution(trigger, id="3", status="running", lease_until=now + minute)
        # This one is lost.
        make_execution(trigger, id="4", status="running", lease_until=now - minute)
        make_execution(trigger, id="5", status="running")
        assert ids(alice.get(f"{LIST}?status={status}")) == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("outcome=refused", ["2"]),
            ("outcome=success", ["6", "1"]),
            ("outcome=lost", ["4"]),
            ("outcome=timed_out", ["5"]),
            ("outcome=error", []),
            ("agentId=clerk", ["2", "1"]),
            ("agentId=clerk&outcome=success", ["1"]),
            ("agentId=clerk&status=failed", ["2"]),
            ("agentId=nobody", []),
        ],
    )
    def test_outcome_and_agent(
        self,
        alice: API,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        query: str,
        expected: list[str],
    ) -> None:
        trigger, past = make_trigger(), timezone.now() - timedelta(minutes=1)
        make_execution(trigger, id="1", agent_id="clerk", outcome="success")
        make_execution(trigger, id="2", agent_id="clerk", status="failed", outcome="refused")
        make_execution(trigger, id="3", status="running")
        make_execution(trigger, id="4", status="running", lease_until=past)
        # Records of an earlier edition.
        make_execution(trigger, id="5", status="failed", error_code="timed_out")
        make_execution(trigger, id="6")
        assert ids(alice.get(f"{LIST}?{query}")) == expected

    def test_token_of_another_outcome_is_refused(
        self, alice: API, made: list[TriggerExecution]
    ) -> None:
        token = alice.get(f"{LIST}?outcome=success&limit=2").json()["nextToken"]
        assert alice.get(f"{LIST}?outcome=error&nextToken={token}").status_code == 400

    def test_status_in_pages(self, alice: API, made: list[TriggerExecution]) -> None:
        assert walk(alice, "status=completed&limit=4")[0] == [each.pk for each in made[::-1]]

    def test_rare_status_is_found_page_by_page(
        self, alice: API, made: list[TriggerExecution], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pagination, "READ_AT_ONCE", 2)
        monkeypatch.setattr(pagination, "MOST_READ", 4)
        TriggerExecution.objects.filter(trigger_id=made[0].trigger_id, pk=made[0].pk).update(
            status="failed"
        )
        # The first page has none, because it looks through no more than four.
        assert walk(alice, "status=failed") == ([made[0].pk], 2)
