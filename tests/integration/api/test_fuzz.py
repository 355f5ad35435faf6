"""Thousands of requests, sound and unsound: never a 500, always JSON, never another's data."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executions.models import Source, TriggerExecution, expiry
from tests.examples import examples
from tests.integration.api.conftest import API, DAILY, STARTED, VALID
from triggers.models import RunStatus, Trigger

SECRET = "bobs-secret"
IDS = {
    "alice": ("0190aaaa-0000-7000-8000-00000000000a", "0190aaaa-1111-7000-8000-00000000000a"),
    "bob": ("0190bbbb-0000-7000-8000-00000000000b", "0190bbbb-1111-7000-8000-00000000000b"),
}
REQUESTS = examples(400)

fuzz = settings(
    max_examples=REQUESTS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def callers(db: None) -> dict[str, API]:
    """Alice and bob, each with two triggers and two executions; bob's are full of secrets."""
    for user_id, ids in IDS.items():
        secret = SECRET if user_id == "bob" else "open"
        for number, pk in enumerate(ids):
            trigger = Trigger(
                pk=pk,
                user_id=user_id,
                name=secret,
                description=secret,
                prompt=secret,
                agent_id=secret,
                tags=[secret],
                schedule_config=DAILY,
            )
            trigger.save()
            TriggerExecution.objects.create(
                pk=f"{user_id}-run-{number}",
                trigger_id=ids[0],
                user_id=user_id,
                status=list(RunStatus)[number],
                source=Source.EVENT,
                started_at=STARTED,
                output=secret,
                output_bytes=len(secret),
                error=secret,
                event_payload=json.dumps({"detail": secret}),
                ttl=expiry(STARTED),
            )
    api = {user_id: API(user_id) for user_id in IDS}
    api["bob"].post("/triggers", {**VALID, "name": SECRET}, Idempotency_Key="key")
    return api


# Texts that look for trouble: percent signs, NUL, half characters, digits of other scripts.
odd_text = st.text(max_size=40) | st.sampled_from(
    ["", " ", "%", "%s", "%(a)s", "\0", "٣", "'", '"', "../..", "x" * 5000, "🙂", "null", "-1"]
)
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 10**40, 1e308, True])
anything = st.recursive(
    st.none() | st.booleans() | numbers | odd_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=4,
)
expressions = st.sampled_from(
    [
        "cron(0 9 * * ? *)",
        "rate(1 hour)",
        "at(2099-01-01T00:00:00)",
        "at(2000-01-01T00:00:00)",
        "0 9 * * *",
        "rate(0 minutes)",
        "cron(60 * * * ? *)",
        "cron()",
        "@daily",
        "0 0 31 2 ? *",
    ]
)
zones = st.sampled_from(["UTC", "Asia/Tokyo", "Tokyo", "EST", "Europe/../etc", "America/New_York"])
dates = st.sampled_from(
    ["2027-01-01T00:00:00Z", "2027-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"]
)


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["name", "agentId", "prompt", "description", "id", "version"], anything),
    "userId": st.just("bob"),
    "type": st.sampled_from(["schedule", "event"]),
    "enabled": st.booleans(),
    "sessionId": st.just("s" * 33) | odd_text,
    "enabledTools": st.lists(odd_text, max_size=3),
    "tags": st.lists(odd_text, max_size=3),
    "timeoutSeconds": st.integers(0, 100_000),
    "overlapPolicy": st.sampled_from(["skip", "allow"]),
    "maxRetries": st.integers(-1, 200),
    "pauseAfterFailures": st.none() | numbers,
    "count": st.integers(0, 60),
    "expression": expressions,
    "timezone": zones,
    "scheduleConfig": st.builds(
        lambda text, zone: {"expression": text, "timezone": zone}, expressions, zones
    ),
    "scheduleConfig.expression": expressions,
    "scheduleConfig.timezone": zones,
    "scheduleConfig.startDate": dates,
    "scheduleConfig.endDate": dates,
    "scheduleConfig.flexibleTimeWindowMinutes": st.integers(0, 1500),
    "scheduleConfig.schedulerArn": anything,
    "eventConfig.eventSourceId": odd_text,
    "eventConfig.eventBusName": odd_text,
    "eventConfig.eventPattern": st.dictionaries(odd_text, anything, max_size=3),
}


@st.composite
def almost_valid(draw: st.DrawFn) -> dict[str, Any]:
    """A valid body with up to three changes, few of them nonsense."""
    body: dict[str, Any] = {**VALID, "expression": "rate(1 hour)", "scheduleConfig": {**DAILY}}
    for name in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3)):
        nonsense = draw(st.integers(0, 9)) == 0
        value = draw(anything if nonsense else CHANGES[name])
        first, _, part = name.partition(".")
        if part:
            inner = body.get(first)
            body[first] = {**(inner if isinstance(inner, dict) else {}), part: value}
        else:
            body[name] = value
    return body


sound_payload = almost_valid().map(json.dumps).map(str.encode)
payload = st.one_of(
    sound_payload,
    anything.map(json.dumps).map(str.encode),
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'"\xff"',
            b'{"name": "\\ud800"}',
            b'{"name": "a\\u0000"}',
            b'{"a": 1e400}',
            b'{"a": NaN}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b"\xef\xbb\xbf{}",
            b"[" * 100_000,
            b'{"a":' * 5000,
            b'{"x":"' + b"y" * 262_200 + b'"}',
            b'{"eventConfig":{"eventPattern":' + b'{"a":' * 500 + b"1" + b"}" * 502,
        ]
    ),
)
alices, bobs = IDS["alice"], IDS["bob"]
trigger_ids = st.sampled_from([*alices * 6, *bobs, "nobodys"])
run_ids = st.sampled_from(["alice-run-0", "alice-run-1"] * 4 + ["bob-run-0", "bob-run-1"])
RUN = "/triggers/{t}/executions/{r}"
ROUTES = {
    "/triggers": ["GET", "POST", "POST", "POST"],
    "/triggers/{t}": ["GET", "PUT", "PUT", "PATCH", "PATCH", "DELETE"],
    "/triggers/{t}/enable": ["POST"],
    "/triggers/{t}/disable": ["POST"],
    "/triggers/{t}/run": ["POST"],
    "/triggers/{t}/executions": ["GET", "GET"],
    RUN: ["GET"],
    f"{RUN}/output": ["GET", "GET"],
    f"{RUN}/replay": ["POST"],
    "/schedules/preview": ["POST", "POST"],
    "/events": ["GET"],
    "/health": ["GET"],
}
sound_calls = st.sampled_from([(method, route) for route in ROUTES for method in ROUTES[route]])
calls = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"]),
    st.sampled_from([*ROUTES, "/triggers/{t}/{r}", "/schedules", "/triggers//"]),
)


def quoted(text: str, safe: str = "") -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe=safe)


queries = st.lists(
    st.tuples(
        st.sampled_from(
            ["limit", "nextToken", "type", "enabled", "search", "status", "after", "deep", "format"]
        ),
        st.sampled_from(
            [
                "1",
                "2",
                "schedule",
                "event",
                "true",
                "false",
                "running",
                "failed",
                "secret",
                "0",
                "BOBS-TOKEN",
                "ALICES-TOKEN",
                "bobs",
            ]
        )
        | odd_text,
    ),
    max_size=3,
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
HEADERS: dict[str, st.SearchStrategy[str]] = {
    "Idempotency-Key": st.sampled_from(["key", "k" * 300]) | header_text,
    "If-Match": st.sampled_from(['"1"', '"2"', "*", 'W/"1"', "1", '"1", "2"']) | header_text,
    "Accept": st.sampled_from(["text/html", "*/*", "application/xml"]) | header_text,
    "Origin": header_text,
    "X-CSRFToken": header_text,
    "Cookie": header_text,
    "Access-Control-Request-Method": st.just("PUT"),
}


@st.composite
def headers(draw: st.DrawFn) -> dict[str, str]:
    """None of them more often than not."""
    names = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=2))
    return {name: draw(HEADERS[name]) for name in names}


authorizations = st.sampled_from(["alice"] * 12 + ["none"]) | header_text
kinds = st.sampled_from(["application/json"] * 8 + ["application/json; charset=utf-8", ""]) | (
    st.sampled_from(["text/plain", "multipart/form-data; boundary=x", "multipart/form-data"])
    | st.just("application/x-www-form-urlencoded")
    | header_text
)


def path_of(route: str, trigger_id: str, run_id: str) -> str:
    return route.replace("{t}", quoted(trigger_id)).replace("{r}", quoted(run_id))


def send(
    callers: dict[str, API],
    method: str,
    path: str,
    *,
    query: list[tuple[str, str]],
    body: bytes,
    headers: dict[str, str],
    authorization: str = "alice",
    kind: str = "application/json",
) -> Any:
    """Send as alice and undo what it did, so that every request finds the same data."""
    alice = callers["alice"]
    tokens = {
        f"{name.upper()}S-TOKEN": api.get("/triggers?limit=1").json()["nextToken"]
        for name, api in callers.items()
        if any(value == f"{name.upper()}S-TOKEN" for _, value in query)
    }
    pairs = [(name, tokens.get(value, value)) for name, value in query]
    encoded = urlencode(pairs, errors="surrogatepass")
    names = {name.replace("-", "_"): value for name, value in headers.items()}
    if authorization != "none":
        token = f"Bearer {alice.token}" if authorization == "alice" else authorization
        names["Authorization"] = token
    with transaction.atomic():
        response = alice.raw(method, f"{path}?{encoded}", body, kind, **names)
        transaction.set_rollback(True)
    return response


def check(response: Any, method: str) -> None:
    assert response.status_code != 500, response.content
    assert SECRET.encode() not in response.content, response.content
    if method == "HEAD" or (method == "OPTIONS" and not response.content):
        return
    answer = response.json()
    told = answer.get("requestId") or answer["metadata"]["requestId"]
    assert told == response["X-Request-Id"]


BOBS_RUN = f"/triggers/{bobs[0]}/executions/bob-run-0"
ALICES = f"/triggers/{alices[0]}"


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "/triggers", [("nextToken", "BOBS-TOKEN")], 400),
        ("GET", "/triggers", [("search", SECRET)], 200),
        ("GET", f"/triggers/{bobs[0]}", [], 404),
        ("PATCH", f"/triggers/{bobs[0]}", [], 404),
        ("DELETE", f"/triggers/{bobs[0]}", [], 404),
        ("POST", f"/triggers/{bobs[0]}/enable", [], 404),
        ("POST", f"/triggers/{bobs[0]}/disable", [], 404),
        ("POST", f"/triggers/{bobs[0]}/run", [], 404),
        ("GET", f"/triggers/{bobs[0]}/executions", [], 404),
        ("GET", BOBS_RUN, [], 404),
        ("GET", f"{BOBS_RUN}/output", [], 404),
        ("POST", f"{BOBS_RUN}/replay", [], 404),
        ("GET", f"{ALICES}/executions/bob-run-0", [], 404),
        ("GET", f"{ALICES}/executions/bob-run-0/output", [], 404),
        ("POST", f"{ALICES}/executions/bob-run-0/replay", [], 404),
    ],
)
def test_alice_gets_nothing_of_bobs(
    callers: dict[str, API], method: str, path: str, query: Any, status: int
) -> None:
    response = send(callers, method, path, query=query, body=b"{}", headers={})
    check(response, method)
    assert response.status_code == status


@fuzz
@given(
    call=sound_calls,
    trigger_id=trigger_ids,
    run_id=run_ids,
    query=queries,
    body=sound_payload,
    headers=headers(),
)
def test_sound_callers(
    callers: dict[str, API], call: tuple[str, str], trigger_id: str, run_id: str, **request: Any
) -> None:
    method, route = call
    check(send(callers, method, path_of(route, trigger_id, run_id), **request), method)


@fuzz
@given(
    call=sound_calls | calls,
    trigger_id=trigger_ids | odd_text,
    run_id=run_ids | odd_text,
    query=queries,
    body=payload,
    headers=headers(),
    authorization=authorizations,
    kind=kinds,
)
def test_unsound_callers(
    callers: dict[str, API], call: tuple[str, str], trigger_id: str, run_id: str, **request: Any
) -> None:
    method, route = call
    check(send(callers, method, path_of(route, trigger_id, run_id), **request), method)
