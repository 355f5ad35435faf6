"""How the frontend of 2026 is answered, and what stays as it was for the earlier edition."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from executions.models import TriggerExecution
from moca.api.editions import ID_TOKEN_HEADER
from moca.api.openapi import document
from tests.integration.api.conftest import API, VALID
from tests.integration.api.test_auth import KeyServer, key_server, pool, pool_token
from triggers.api.body_limit import LARGEST_BODY
from triggers.models import Trigger

__all__ = ["key_server", "pool"]

MakeExecution = Callable[..., TriggerExecution]
ORIGIN = "https://app.example.com"


class API2026(API):
    """The API as the frontend of 2026 calls it, with an ID token in each request.

    Answers are not compared with the API's description, which is that of our own clients.
    """

    def raw(
        self, method: str, path: str, data: bytes, kind: str = "application/json", **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # Without a user pool, a token of the installation serves as an ID token.
        named.setdefault(ID_TOKEN_HEADER, self.token)
        return self.client.generic(method, path, data, kind if data else "", headers=named)


@pytest.fixture
def today(db: None) -> API2026:
    return API2026("alice")


def both_tokens(api: API, access: str, identity: str) -> Any:
    headers = {"Authorization": f"Bearer {access}", ID_TOKEN_HEADER: identity}
    return api.get("/triggers", **headers)


def id_token(**claims: Any) -> str:
    return pool_token(
        **{"token_use": "id", "aud": "app", "client_id": None, "username": None} | claims
    )


class TestTokens:
    def test_both_are_accepted(self, nobody: API, pool: KeyServer) -> None:
        assert both_tokens(nobody, pool_token(), id_token()).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": int(time.time()) - 300},
            {"iss": "https://evil.example.com"},
            {"key": "two"},
            {"token_use": "access", "client_id": "app"},
        ],
    )
    def test_an_id_token_that_does_not_verify(
        self, nobody: API, pool: KeyServer, claims: dict[str, Any]
    ) -> None:
        answer = both_tokens(nobody, pool_token(), id_token(**claims))
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_ID_TOKEN")

    def test_garbage(self, alice: API) -> None:
        answer = alice.get("/triggers", **{ID_TOKEN_HEADER: "garbage"})
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_ID_TOKEN")

    def test_of_another_app_client(self, nobody: API, pool: KeyServer, settings: Any) -> None:
        settings.COGNITO_APP_CLIENT_IDS = ["app"]
        answer = both_tokens(nobody, pool_token(), id_token(aud="other"))
        assert answer.json()["code"] == "INVALID_ID_TOKEN"

    def test_another_users_id_token(self, nobody: API, pool: KeyServer) -> None:
        answer = both_tokens(nobody, pool_token(), id_token(sub="bob"))
        assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_SUBJECT_MISMATCH")

    def test_an_id_token_alone_signs_nobody_in(self, nobody: API, pool: KeyServer) -> None:
        answer = nobody.get("/triggers", **{ID_TOKEN_HEADER: id_token()})
        assert answer.json()["code"] == "MISSING_AUTHORIZATION"

    def test_keys_out_of_reach(self, nobody: API, pool: KeyServer) -> None:
        pool.status = 500
        answer = both_tokens(nobody, pool_token(), id_token())
        assert (answer.status_code, answer.json()["code"]) == (503, "KEYS_UNAVAILABLE")

    def test_it_is_never_logged(
        self, nobody: API, pool: KeyServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        good, bad = id_token(), id_token(sub="bob")
        both_tokens(nobody, pool_token(), good)
        answer = both_tokens(nobody, pool_token(), bad)
        assert not any(token in caplog.text + answer.text for token in (good, bad))

    @pytest.mark.parametrize("identity", ["garbage", "other"])
    def test_the_error_can_be_read_across_origins(
        self, alice: API, bob: API, settings: Any, identity: str
    ) -> None:
        settings.CORS_ALLOW_ALL_ORIGINS = True
        token = bob.token if identity == "other" else identity
        answer = alice.get("/triggers", Origin=ORIGIN, **{ID_TOKEN_HEADER: token})
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (401, "*")

    def test_keys_out_of_reach_can_be_read_across_origins(
        self, nobody: API, pool: KeyServer, settings: Any
    ) -> None:
        settings.CORS_ALLOW_ALL_ORIGINS = True
        pool.status = 500
        headers = {"Authorization": f"Bearer {pool_token()}", ID_TOKEN_HEADER: id_token()}
        answer = nobody.get("/triggers", Origin=ORIGIN, **headers)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (503, "*")


def codes(api: API) -> dict[int, str]:
    """The codes of errors by status; each body has a time too."""
    answers = [
        api.get("/triggers"),
        api.post("/triggers", {"type": "schedule"}),
        api.get("/triggers/none"),
        api("PUT", "/events"),
        api.raw("POST", "/triggers", b"{}", "text/plain", Authorization=f"Bearer {api.token}"),
        api.post("/triggers", {**VALID, "prompt": "x" * LARGEST_BODY}),
        api.get("/nothing", Accept="*/*"),
    ]
    bodies = {answer.status_code: answer.json() for answer in answers if answer.status_code > 399}
    assert all(body["timestamp"].endswith("Z") for body in bodies.values())
    return {status: body["code"] for status, body in bodies.items()}


CODES = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


class TestErrors:
    def test_each_has_a_code_and_a_time(self, today: API2026) -> None:
        assert codes(today) == CODES

    def test_for_our_clients_too(self, alice: API) -> None:
        assert codes(alice) == CODES

    def test_a_body_that_is_no_json(self, today: API2026) -> None:
        headers = {"Authorization": f"Bearer {today.token}"}
        assert today.raw("POST", "/triggers", b"{", **headers).json()["code"] == "INVALID_ARGUMENT"

    def test_an_unexpected_error(self, today: API2026, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("triggers.api.views.find", lambda *_: 1 / 0)
        assert today.get("/triggers/x").json()["code"] == "INTERNAL_ERROR"

    def test_fields_are_in_an_object(self, today: API2026) -> None:
        details = today.post("/triggers", {**VALID, "name": ""}).json()["details"]
        [violation] = details["fieldViolations"]
        assert (violation["field"], violation["description"]) == (
            "name",
            "Give a text that is not empty.",
        )

    def test_fields_are_a_list_for_our_clients(self, alice: API) -> None:
        details = alice.post("/triggers", {**VALID, "name": ""}).json()["details"]
        assert [each["field"] for each in details] == ["name"]

    def test_one_trigger_beyond_the_limit(self, today: API2026, settings: Any) -> None:
        settings.MAX_TRIGGERS_PER_USER = 1
        today.create()
        answer = today.post("/triggers", VALID)
        body = answer.json()
        assert (answer.status_code, body["code"], body["error"], body["details"]) == (
            409,
            "CONFLICT",
            "Conflict",
            {"limit": 1},
        )


class TestDelete:
    def test_twice(self, today: API2026) -> None:
        path = f"/triggers/{today.create()['id']}"
        answers = [today("DELETE", path) for _ in range(2)]
        assert [(each.status_code, each.json()["success"]) for each in answers] == [
            (200, True),
            (200, True),
        ]

    def test_twice_in_the_earlier_edition(self, alice: API) -> None:
        path = f"/triggers/{alice.create()['id']}"
        assert [alice("DELETE", path).status_code for _ in range(2)] == [200, 404]

    def test_another_users_trigger_stays(self, today: API2026, bob: API) -> None:
        made = bob.create()
        answer = today("DELETE", f"/triggers/{made['id']}")
        assert (answer.status_code, Trigger.objects.filter(pk=made["id"]).exists()) == (200, True)

    @pytest.mark.parametrize("action", ["enable", "disable", "run"])
    def test_other_calls_still_say_that_it_is_gone(self, today: API2026, action: str) -> None:
        assert today.post(f"/triggers/none/{action}").status_code == 404


def names(api: API, query: str = "") -> list[str]:
    answer = api.get(f"/triggers{query}")
    assert answer.status_code == 200, answer.content
    return [each["name"] for each in answer.json()["triggers"]]


class TestLists:
    @pytest.fixture(autouse=True)
    def triggers(self, alice: API) -> None:
        for name in ("one", "two", "three"):
            alice.create(name=name)

    def test_oldest_first(self, today: API2026) -> None:
        assert names(today) == ["one", "two", "three"]

    def test_newest_first_in_the_earlier_edition(self, alice: API) -> None:
        assert names(alice) == ["three", "two", "one"]

    @pytest.mark.parametrize(("order", "first"), [("asc", "one"), ("desc", "three"), ("", "three")])
    def test_order_of_our_choice(self, alice: API, order: str, first: str) -> None:
        assert names(alice, f"?order={order}")[0] == first

    def test_no_such_order(self, alice: API) -> None:
        assert alice.get("/triggers?order=up").json()["details"][0]["field"] == "order"

    def test_pages_follow_the_order(self, today: API2026) -> None:
        first = today.get("/triggers?limit=2").json()
        token = first["nextToken"]
        assert names(today, f"?limit=2&nextToken={token}") == ["three"]

    def test_a_token_is_of_one_order(self, today: API2026) -> None:
        token = today.get("/triggers?limit=2").json()["nextToken"]
        assert today.get(f"/triggers?order=desc&nextToken={token}").status_code == 400

    @pytest.mark.parametrize(
        ("limit", "count"),
        [
            ("2", 2),
            ("2x", 2),
            ("0", 3),
            ("-1", 3),
            ("abc", 3),
            ("5000", 3),
            ("9" * 50, 3),
            ("é", 3),
        ],
    )
    def test_any_limit_is_answered(self, today: API2026, limit: str, count: int) -> None:
        assert len(names(today, f"?limit={limit}")) == count

    @pytest.mark.parametrize("limit", ["0", "abc", "5000"])
    def test_a_wrong_limit_is_an_error_in_the_earlier_edition(self, alice: API, limit: str) -> None:
        assert alice.get(f"/triggers?limit={limit}").status_code == 400

    def test_a_large_limit_counts_as_a_hundred(self, today: API2026) -> None:
        trigger = Trigger(
            user_id="alice", agent_id="a", prompt="p", schedule_config={"expression": "rate(1 day)"}
        )
        Trigger.objects.bulk_create(
            [
                Trigger(**{**_values(trigger), "id": f"0000{number:04}", "name": str(number)})
                for number in range(100)
            ]
        )
        assert len(names(today, "?limit=500")) == 100


def _values(trigger: Trigger) -> dict[str, Any]:
    return {name: getattr(trigger, name) for name in ("user_id", "agent_id", "prompt", "type")} | {
        "schedule_config": trigger.schedule_config
    }


class TestExecutions:
    @pytest.fixture
    def trigger(self, alice: API) -> Trigger:
        found: Trigger = Trigger.objects.get(pk=alice.create()["id"])
        return found

    def payload(self, api: API, trigger: Trigger) -> str:
        [shown] = api.get(f"/triggers/{trigger.pk}/executions").json()["executions"]
        text: str = shown["eventPayload"]
        return text

    def test_events_are_indented(
        self, today: API2026, trigger: Trigger, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, event_payload='{"detail":{"name":"名"}}')
        expected = '{\n  "detail": {\n    "name": "名"\n  }\n}'
        assert self.payload(today, trigger) == expected

    def test_events_stay_as_they_are_in_the_earlier_edition(
        self, alice: API, trigger: Trigger, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, event_payload='{"detail":{}}')
        assert self.payload(alice, trigger) == '{"detail":{}}'

    @pytest.mark.parametrize("text", [json.dumps({"a": "é" * 9000}), '{"a": ' + "9" * 20_000])
    def test_a_long_event_ends_with_a_mark(
        self, today: API2026, trigger: Trigger, make_execution: MakeExecution, text: str
    ) -> None:
        make_execution(trigger, event_payload=text)
        shown = self.payload(today, trigger)
        assert (shown[-16:], len(shown.encode()) <= 10_240) == ("\n... [truncated]", True)

    @pytest.mark.parametrize("kind", ["today", "alice"])
    def test_newest_first(
        self, kind: str, request: Any, trigger: Trigger, make_execution: MakeExecution
    ) -> None:
        api = request.getfixturevalue(kind)
        made = [make_execution(trigger).pk for _ in range(2)]
        path = f"/triggers/{trigger.pk}/executions"
        for query, expected in (("", made[::-1]), ("?order=asc", made)):
            listed = api.get(f"{path}{query}").json()["executions"]
            assert [each["executionId"] for each in listed] == expected

    def test_pages_of_all_executions_oldest_first(
        self, alice: API, trigger: Trigger, make_execution: MakeExecution
    ) -> None:
        made = [make_execution(trigger).pk for _ in range(3)]
        seen: list[str] = []
        query = "?order=asc&status=completed&limit=1"
        for _ in made:
            page = alice.get(f"/executions{query}").json()
            seen += [each["executionId"] for each in page["executions"]]
            query = f"?order=asc&status=completed&limit=1&nextToken={page['nextToken']}"
        assert seen == made

    @pytest.mark.parametrize("limit", ["0", "abc", "1000"])
    def test_any_limit_is_answered(self, today: API2026, trigger: Trigger, limit: str) -> None:
        answer = today.get(f"/triggers/{trigger.pk}/executions?limit={limit}")
        assert answer.status_code == 200


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_each_route_can_be_called_across_origins(nobody: API, settings: Any, path: str) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True
    answer = nobody.client.options(
        path.replace("{", "").replace("}", ""),
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": f"authorization,content-type,{ID_TOKEN_HEADER}",
        },
    )
    assert (answer.status_code, ID_TOKEN_HEADER in answer["Access-Control-Allow-Headers"]) == (
        200,
        True,
    )


def test_all_executions_are_served_with_a_slash_too(alice: API) -> None:
    assert alice.get("/executions/").status_code == 200
