"""GET /triggers and GET /triggers/{id}."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.db import NotSupportedError
from django.test.utils import CaptureQueriesContext

from tests.integration.api.conftest import API, DAILY
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]


def names(response: Any) -> list[str]:
    return [trigger["name"] for trigger in response.json()["triggers"]]


@pytest.fixture
def five(make_trigger: MakeTrigger) -> list[Trigger]:
    return [make_trigger(name=f"Trigger {number}") for number in range(5)]


def test_get(alice: API) -> None:
    made = alice.create()
    assert alice.get(f"/triggers/{made['id']}").json()["trigger"] == made


def test_get_is_one_query(alice: API, django_assert_num_queries: Any) -> None:
    made = alice.create()
    with django_assert_num_queries(1):
        alice.get(f"/triggers/{made['id']}")


@pytest.mark.parametrize(
    "trigger_id",
    ["nothing", "%00", "a%2Fb", "a%00b", "x" * 5000, "%F0%9F%99%82", "%ff", "..", "a%0Ab", "'--"],
)
def test_strange_ids_are_not_found(alice: API, trigger_id: str) -> None:
    response = alice.get(f"/triggers/{trigger_id}")
    assert (response.status_code, response.json()["error"]) == (404, "Not Found")


@pytest.mark.parametrize(
    "trigger_id", ["8e1c4e52-6d1c-4f0e-9d8c-2f9d8f1f9b11", "report 1", "a.b~c"]
)
def test_ids_of_other_services_are_found(
    alice: API, make_trigger: MakeTrigger, trigger_id: str
) -> None:
    make_trigger(pk=trigger_id)
    assert alice.get(f"/triggers/{trigger_id}").json()["trigger"]["id"] == trigger_id


def test_another_users_trigger_is_not_found(alice: API, bob: API) -> None:
    made = bob.create()
    assert alice.get(f"/triggers/{made['id']}").status_code == 404


def test_list_is_newest_first(alice: API, five: list[Trigger]) -> None:
    assert names(alice.get("/triggers")) == [f"Trigger {number}" for number in (4, 3, 2, 1, 0)]


def test_list_holds_whole_triggers(alice: API) -> None:
    made = alice.create()
    assert alice.get("/triggers").json()["triggers"] == [made]


def test_list_is_one_query(alice: API, five: list[Trigger], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        alice.get("/triggers")


def test_list_counts(alice: API, five: list[Trigger]) -> None:
    metadata = alice.get("/triggers?limit=2").json()["metadata"]
    assert (metadata["count"], metadata["userId"]) == (2, "alice")


def test_list_is_the_users_own(alice: API, bob: API, five: list[Trigger]) -> None:
    assert names(bob.get("/triggers")) == []


def test_without_limit_up_to_a_thousand(
    alice: API, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        Trigger(user_id="alice", name="n", agent_id="a", prompt="p", schedule_config=DAILY)
        for _ in range(1001)
    ]
    for first in range(0, len(rows), 90):
        Trigger.objects.bulk_create(rows[first : first + 90])
    answer = alice.get("/triggers").json()
    assert (answer["metadata"]["count"], "nextToken" in answer) == (1000, True)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_pages_hold_everything_once(alice: API, five: list[Trigger], limit: int) -> None:
    found: list[str] = []
    token = ""
    while True:
        answer = alice.get(f"/triggers?limit={limit}&nextToken={token}").json()
        found += [trigger["id"] for trigger in answer["triggers"]]
        if "nextToken" not in answer:
            break
        token = answer["nextToken"]
    assert found == [trigger.pk for trigger in reversed(five)]


def test_no_token_on_the_last_page(alice: API, five: list[Trigger]) -> None:
    assert "nextToken" not in alice.get("/triggers?limit=5").json()


def test_pages_cost_the_same(
    alice: API, five: list[Trigger], django_assert_num_queries: Any
) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    with django_assert_num_queries(1) as queries:
        alice.get(f"/triggers?limit=2&nextToken={token}")
    assert isinstance(queries, CaptureQueriesContext)
    assert "OFFSET" not in queries[0]["sql"]


def test_another_users_token_is_refused(alice: API, bob: API, five: list[Trigger]) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    response = bob.get(f"/triggers?nextToken={token}")
    assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")


@pytest.mark.parametrize("change", ["type=schedule", "enabled=true", "search=T"])
def test_token_of_another_filter_is_refused(alice: API, five: list[Trigger], change: str) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    assert alice.get(f"/triggers?nextToken={token}&{change}").status_code == 400


def test_token_of_another_route_is_refused(alice: API, five: list[Trigger]) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    response = alice.get(f"/triggers/{five[0].pk}/executions?nextToken={token}")
    assert response.status_code == 400


@pytest.mark.parametrize("token", ["x", "a:b", "%00", "eyJhIjoxfQ:abc", "%F0%9F%99%82", "x" * 9000])
def test_garbage_token_is_refused(alice: API, token: str) -> None:
    response = alice.get(f"/triggers?nextToken={token}")
    assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")


def test_changed_token_is_refused(alice: API, five: list[Trigger]) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    changed = ("a" if token[0] != "a" else "b") + token[1:]
    assert alice.get(f"/triggers?nextToken={changed}").status_code == 400


def test_page_size_may_change_between_pages(alice: API, five: list[Trigger]) -> None:
    token = alice.get("/triggers?limit=2").json()["nextToken"]
    assert len(names(alice.get(f"/triggers?limit=3&nextToken={token}"))) == 3


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "abc", "1.5", "%D9%A3", "9" * 5000, "1e2", "+1"]
)
def test_wrong_limit(alice: API, limit: str) -> None:
    response = alice.get(f"/triggers?limit={limit}")
    assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")


def test_last_of_repeated_parameters_counts(alice: API, five: list[Trigger]) -> None:
    assert len(names(alice.get("/triggers?limit=1&limit=2"))) == 2


def test_empty_parameters_are_as_if_left_out(alice: API, five: list[Trigger]) -> None:
    assert len(names(alice.get("/triggers?limit=&nextToken=&type=&enabled=&search="))) == 5


class TestFilters:
    @pytest.fixture(autouse=True)
    def triggers(self, make_trigger: MakeTrigger) -> None:
        make_trigger(name="Schedule", description="Counts sheep.")
        make_trigger(name="Disabled", enabled=False)
        make_trigger(
            name="Event", type="event", schedule_config=None, event_config={"eventSourceId": "s3"}
        )

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("type=event", ["Event"]),
            ("type=schedule", ["Disabled", "Schedule"]),
            ("enabled=false", ["Disabled"]),
            ("enabled=true", ["Event", "Schedule"]),
            ("search=SCHED", ["Schedule"]),
            ("search=sheep", ["Schedule"]),
            ("search=%25", []),
            ("type=schedule&enabled=true&search=s", ["Schedule"]),
        ],
    )
    def test_filter(self, alice: API, query: str, expected: list[str]) -> None:
        assert names(alice.get(f"/triggers?{query}")) == expected

    @pytest.mark.parametrize(
        "query", ["type=x", "enabled=1", "enabled=True", "search=" + "x" * 201]
    )
    def test_wrong_filter(self, alice: API, query: str) -> None:
        assert alice.get(f"/triggers?{query}").json()["error"] == "Invalid Parameter"

    def test_filtered_pages(self, alice: API) -> None:
        token = alice.get("/triggers?limit=1&type=schedule").json()["nextToken"]
        page = alice.get(f"/triggers?limit=1&type=schedule&nextToken={token}")
        assert names(page) == ["Schedule"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [("/triggers?search=x", "search"), ("/triggers/{id}/executions?status=failed", "status")],
)
def test_too_much_to_look_through_is_told_at_the_parameter(
    alice: API, monkeypatch: pytest.MonkeyPatch, path: str, parameter: str
) -> None:
    path = path.format(id=alice.create()["id"])

    def refuse(_: object) -> NoReturn:
        raise NotSupportedError("too many rows")

    monkeypatch.setattr("moca.api.pagination.list", refuse, raising=False)
    response = alice.get(path)
    details = response.json()["details"]
    assert (response.status_code, details[0]["field"]) == (400, parameter)


class TestUnknownParameters:
    @pytest.mark.parametrize(
        ("method", "path", "there"),
        [
            ("GET", "/triggers?enable=true", "limit, nextToken, type, enabled, search"),
            ("GET", "/triggers?Limit=2", "limit, nextToken, type, enabled, search"),
            ("HEAD", "/triggers?enable=true", ""),
            ("GET", "/triggers/{id}/executions?state=failed", "limit, nextToken, status"),
            ("GET", "/triggers/{id}/executions/x/output?afer=7", "after"),
            ("GET", "/triggers/{id}?x=1", "none"),
            ("DELETE", "/triggers/{id}?dryRun=true", "none"),
            ("POST", "/triggers/{id}/run?dryRun=true", "none"),
            ("POST", "/triggers?enabled=false", "none"),
            ("GET", "/events?type=bus", "none"),
        ],
    )
    def test_is_named_with_those_that_there_are(
        self, alice: API, method: str, path: str, there: str
    ) -> None:
        made = alice.create()
        response = alice(method, path.format(id=made["id"]))
        if method == "HEAD":
            assert response.status_code == 400
            return
        body = response.json()
        name = path.partition("?")[2].partition("=")[0]
        assert (body["error"], body["details"][0]["field"]) == ("Invalid Parameter", name)
        assert there in body["message"]
        assert Trigger.objects.count() == 1

    def test_sign_in_comes_first(self, nobody: API) -> None:
        assert nobody.get("/triggers?x=1").status_code == 401

    @pytest.mark.parametrize("path", ["/health?cachebuster=5", "/health?deep=0"])
    def test_load_balancers_may_add_theirs(self, nobody: API, path: str) -> None:
        assert "checks" not in nobody.get(path).json()

    def test_deep_is_yes_or_no(self, nobody: API) -> None:
        response = nobody.get("/health?deep=yes")
        assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")
