"""The calls of both editions of the frontend, from a page of another origin.

The calls follow what is known of the two API clients: their paths, headers and bodies, and what
they read of an answer.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from executions.models import Source, TriggerExecution, expiry
from moca.api.editions import ID_TOKEN_HEADER
from moca.ids import first_id
from tests.integration.api.test_auth import KeyServer, key_server, pool, pool_token
from tests.integration.api.test_editions import id_token
from triggers.models import RunStatus

__all__ = ["key_server", "pool"]

GONE = "0198c0de-0000-7000-8000-00000000dead"
SOURCES = '[{"id": "uploads", "name": "Uploads", "description": "A file came.", "icon": "cloud"}]'

# What the clients share: JSON, the tokens in headers, and the body of an error as it is.
CLIENT = """
async ([url, method, headers, body]) => {
  const options = {method, headers: {'Content-Type': 'application/json', ...headers}};
  if (body !== null) options.body = JSON.stringify(body);
  const response = await fetch(url, options);
  return [response.status, await response.json()];
}
"""

Check = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Call:
    """A call of the client, and what the answer has to be.

    Attributes:
        method: the HTTP method.
        path: the path with its query; names in braces are ids and tokens of earlier answers.
        body: the JSON body; None for none.
        status: the expected status.
        check: whether the answer's body is right.
        keep: a name for the id of the answered trigger, or for the token of the next page.
        headers: other headers than usual.
    """

    method: str
    path: str
    body: Any = None
    status: int = 200
    check: Check = bool
    keep: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def names(*expected: str) -> Check:
    return lambda body: [each["name"] for each in body["triggers"]] == list(expected)


def trigger(**expected: Any) -> Check:
    return lambda body: expected.items() <= body["trigger"].items()


def form(name: str, **fields: Any) -> dict[str, Any]:
    """What the form of a trigger sends."""
    return {"name": name, "agentId": "default-agent", "prompt": "Do it.", **fields}


DAILY = {"expression": "0 0 * * ? *", "timezone": "Asia/Tokyo"}
UPLOADS = {"eventSourceId": "uploads"}
SCHEDULE = form("Daily", type="schedule", scheduleConfig=DAILY, workingDirectory="/")
EVENT = form("Upload", type="event", eventConfig=UPLOADS, workingDirectory="/")
EVERYTHING = form(
    "All",
    type="schedule",
    description="All fields.",
    modelId="global.anthropic.claude-sonnet-4-6",
    sessionId="s" * 40,
    enabledTools=["search"],
    scheduleConfig={"expression": "rate(1 hour)"},
)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SCHEDULE.items() if key != name}


def creating() -> list[Call]:
    return [
        Call("POST", "/triggers", SCHEDULE, 201, trigger(enabled=True, scheduleConfig=DAILY), "s"),
        Call("POST", "/triggers", EVENT, 201, trigger(type="event", eventConfig=UPLOADS), "e"),
        Call("POST", "/triggers", EVERYTHING, 201, trigger(enabledTools=["search"]), "a"),
        *(
            Call("POST", "/triggers", without(name), 400)
            for name in ("name", "type", "agentId", "prompt", "scheduleConfig")
        ),
        Call("POST", "/triggers", {**SCHEDULE, "type": "webhook"}, 400),
        Call("POST", "/triggers", {**SCHEDULE, "scheduleConfig": {"expression": "9"}}, 400),
        Call("POST", "/triggers", {**EVENT, "eventConfig": {"eventSourceId": "none"}}, 400),
        Call("POST", "/triggers", [], 400),
    ]


def listing(*order: str) -> list[Call]:
    """The lists, in this order of the three triggers."""
    schedules = [name for name in order if name != "Upload"]
    return [
        Call("GET", "/triggers", check=names(*order)),
        Call("GET", "/triggers?type=schedule", check=names(*schedules)),
        Call("GET", "/triggers?type=event", check=names("Upload")),
        Call("GET", "/triggers?type=webhook", None, 400),
        Call("GET", "/triggers?limit=2", check=names(*order[:2]), keep="token"),
        Call("GET", "/triggers?limit=2&nextToken={token}", check=names(*order[2:])),
        Call("GET", "/triggers?nextToken=none", None, 400),
        Call("GET", "/triggers/{s}", check=trigger(name="Daily")),
        Call("GET", f"/triggers/{GONE}", None, 404),
        Call("GET", "/events", check=lambda body: body["eventSources"][0]["id"] == "uploads"),
    ]


def changing() -> list[Call]:
    evening = {"expression": "0 18 ? * MON-FRI *", "timezone": "Asia/Tokyo"}
    return [
        Call("PUT", "/triggers/{s}", {"name": "Nightly"}, check=trigger(name="Nightly")),
        Call("PUT", "/triggers/{s}", {"prompt": "Well."}, check=trigger(scheduleConfig=DAILY)),
        Call("PUT", "/triggers/{s}", {"scheduleConfig": evening}, check=trigger(prompt="Well.")),
        Call("PUT", "/triggers/{s}", SCHEDULE, check=trigger(scheduleConfig=DAILY, enabled=True)),
        Call("PUT", "/triggers/{a}", {"enabledTools": []}, check=trigger(enabledTools=[])),
        Call("PUT", "/triggers/{e}", {**EVENT, "type": "schedule"}, 400),
        Call(
            "PUT", "/triggers/{e}", {**SCHEDULE, "name": "Upload"}, check=trigger(type="schedule")
        ),
        Call("PUT", "/triggers/{e}", EVENT, check=trigger(type="event")),
        Call("PUT", "/triggers/{s}", {"name": ""}, 400),
        Call("PUT", f"/triggers/{GONE}", {"name": "x"}, 404),
    ]


def switching() -> list[Call]:
    off, on = trigger(enabled=False), trigger(enabled=True)
    return [
        Call("POST", "/triggers/{s}/disable", check=off),
        Call("POST", "/triggers/{s}/disable", check=off),
        Call("POST", "/triggers/{s}/enable", check=on),
        Call("POST", "/triggers/{s}/enable", check=on),
        Call("POST", f"/triggers/{GONE}/enable", None, 404),
        Call("POST", f"/triggers/{GONE}/disable", None, 404),
    ]


def history(payload: str) -> list[Call]:
    """The history of the trigger with two executions, whose events look like this."""

    def shown(body: dict[str, Any]) -> bool:
        newest, oldest = body["executions"]
        return newest["executedAt"] > oldest["executedAt"] and newest["eventPayload"] == payload

    return [
        Call("GET", "/triggers/{s}/executions", check=shown),
        Call("GET", "/triggers/{s}/executions?limit=1", keep="token"),
        Call("GET", "/triggers/{s}/executions?limit=1&nextToken={token}"),
        Call("GET", f"/triggers/{GONE}/executions", None, 404),
    ]


def deleting(again: int) -> list[Call]:
    return [
        Call("DELETE", "/triggers/{a}", check=lambda body: body["success"]),
        Call("DELETE", "/triggers/{a}", None, again),
        Call("GET", "/triggers/{a}", None, 404),
        Call("GET", "/triggers", None, 401, headers={"Authorization": "Bearer expired"}),
    ]


EARLIER = [
    *creating(),
    *listing("All", "Upload", "Daily"),
    *changing(),
    *switching(),
    *history('{"detail":{"a":1}}'),
    *deleting(404),
]
THINKING = {**EVENT, "name": "Think", "reasoningEffort": "max"}
OF_2026 = [
    *creating(),
    *listing("Daily", "Upload", "All"),
    *changing(),
    *switching(),
    *history('{\n  "detail": {\n    "a": 1\n  }\n}'),
    *deleting(200),
    Call("POST", "/triggers", THINKING, 201, trigger(reasoningEffort="max"), "t"),
    Call("PUT", "/triggers/{t}", {"reasoningEffort": "off"}, check=trigger(reasoningEffort="off")),
    Call("PUT", "/triggers/{t}", {"reasoningEffort": "medium"}, 400),
    Call("GET", "/triggers?limit=100000", check=names("Daily", "Upload", "Think")),
    Call("GET", "/triggers/{s}/executions?limit=none"),
    Call("POST", "/triggers", EVENT, 409, lambda body: body["details"] == {"limit": 3}),
]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of another origin than the API's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Frontend</title>")

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    context.close()
    server.shutdown()
    server.server_close()


def add_executions(trigger_id: str) -> None:
    for number in range(2):
        at = datetime.now(UTC) - timedelta(minutes=2 - number)
        TriggerExecution.objects.create(
            id=first_id(at),
            trigger_id=trigger_id,
            user_id="alice",
            status=RunStatus.COMPLETED,
            source=Source.EVENT,
            attempt=1,
            started_at=at,
            event_payload='{"detail":{"a":1}}',
            ttl=expiry(at),
        )


def wrong(call: Call, status: int, body: dict[str, Any]) -> bool:
    """Whether an answer is not the expected one; the clients read `message` of each error."""
    if status >= 400 and not {"error", "message", "code", "timestamp", "requestId"} <= body.keys():
        return True
    return status != call.status or not call.check(body)


def answers(
    page: Page, base: str, calls: list[Call], headers: dict[str, str]
) -> list[tuple[Call, int, dict[str, Any]]]:
    """Make the calls one after another; return those whose answer is not the expected one."""
    known: dict[str, str] = {}
    unexpected = []
    for call in calls:
        url = base + call.path.format(**known)
        status, body = page.evaluate(
            CLIENT, [url, call.method, {**headers, **call.headers}, call.body]
        )
        if wrong(call, status, body):
            unexpected.append((call, status, body))
        if call.keep == "token":
            known["token"] = body["nextToken"]
        elif call.keep:
            known[call.keep] = body["trigger"]["id"]
            if call.keep == "s":
                add_executions(known["s"])
    return unexpected


@pytest.fixture
def api(live_server: LiveServer, transactional_db: None, pool: KeyServer, settings: Any) -> str:
    """The API's address, as it is deployed for the frontend."""
    settings.CORS_ALLOW_ALL_ORIGINS = True
    settings.EVENT_SOURCES_CONFIG = SOURCES
    settings.MAX_TRIGGERS_PER_USER = 3
    return live_server.url


def test_the_earlier_edition(page: Page, api: str) -> None:
    headers = {"Authorization": f"Bearer {pool_token()}"}
    assert (len(EARLIER), answers(page, api, EARLIER, headers)) == (46, [])


def test_the_edition_of_2026(page: Page, api: str) -> None:
    headers = {"Authorization": f"Bearer {pool_token()}", ID_TOKEN_HEADER: id_token()}
    assert (len(OF_2026), answers(page, api, OF_2026, headers)) == (52, [])


def test_a_token_of_somebody_else_is_told_to_the_page(page: Page, api: str) -> None:
    headers = {"Authorization": f"Bearer {pool_token()}", ID_TOKEN_HEADER: id_token(sub="bob")}
    status, body = page.evaluate(CLIENT, [f"{api}/triggers", "GET", headers, None])
    assert (status, body["code"]) == (401, "TOKEN_SUBJECT_MISMATCH")


@pytest.mark.parametrize("path", ["/nothing", "/triggers/a/b/c", "/webhooks/github"])
def test_unknown_paths_can_be_read(page: Page, api: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {pool_token()}", ID_TOKEN_HEADER: id_token()}
    status, body = page.evaluate(CLIENT, [f"{api}{path}", "POST", headers, {}])
    assert (status, body["code"]) == (404, "NOT_FOUND")
