"""Agents whose questions are made to break the record, the pages or the API."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.test import Client

from agents import AgentClient, AgentError, FixedToken
from agents.protocols import PROTOCOLS, read_answer
from agents.replies import Transcript
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.integration.answers.conftest import NINE, MakeTrigger
from tests.integration.api.conftest import API
from tests.integration.console.conftest import editor

__all__ = ["editor"]

TOKEN = "sk-very-secret-4711"

AskRaw = Callable[..., TriggerExecution]


@pytest.fixture
def ask_raw(make_trigger: MakeTrigger) -> Iterator[AskRaw]:
    """Run a trigger whose agent asks questions, which are sent as they are written here."""
    servers = []

    def asked(*interrupts: str, before: str = "") -> TriggerExecution:
        outcome = f'{{"type":"interrupt","interrupts":[{",".join(interrupts)}]}}'
        end = f'data: {{"type":"RUN_FINISHED","outcome":{outcome}}}\n\n'
        body = (before + end).encode()

        class Hostile(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}"
        trigger = make_trigger(max_retries=0)
        started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert started is not None
        with AgentClient(url, FixedToken(TOKEN), protocol=PROTOCOLS["ag-ui"]) as client:
            runner.execute(started, client)
        return TriggerExecution.objects.get(pk=started.execution.pk)

    yield asked
    for server in servers:
        server.shutdown()
        server.server_close()


def nested(levels: int, key: str = "a") -> str:
    return f'{{"{key}":' * levels + "1" + "}" * levels


def with_schema(schema: str) -> str:
    return f'{{"id":"q","message":"Really?","responseSchema":{schema}}}'


HOSTILE = {
    "surrogate in the id": '{"id":"\\ud800","message":"x"}',
    "surrogate in the text": '{"id":"q","message":"\\ud800"}',
    "surrogate in the schema": with_schema('{"title":"\\ud800","type":"string"}'),
    "surrogate in a name": with_schema(
        '{"type":"object","properties":{"\\ud800":{"type":"string"}}}'
    ),
    "surrogate in a choice": with_schema('{"type":"string","enum":["\\udfff"]}'),
    "no number": with_schema('{"type":"number","minimum":NaN}'),
    "infinite": with_schema('{"type":"number","maximum":Infinity}'),
    "huge float": with_schema('{"type":"number","maximum":1e999}'),
    "huge integer": with_schema(f'{{"type":"number","maximum":{"9" * 3000}}}'),
    "100 levels": with_schema(nested(100, "not")),
    "500 levels": with_schema(nested(500)),
    "700 levels": with_schema(nested(700)),
    "880 levels": with_schema(nested(880)),
    "deep title": with_schema(
        f'{{"type":"object","properties":{{"b":{{"title":{nested(600)}}}}}}}'
    ),
    "deep text": f'{{"id":"q","message":{nested(880)}}}',
    "deep id": f'{{"id":{nested(880)},"message":"x"}}',
    "required that is no text": with_schema(
        '{"type":"object","properties":{"a":{"type":"string"}},"required":[{"a":1}]}'
    ),
    "required twice": with_schema(
        '{"type":"object","properties":{"a":{"type":"string"}},"required":["a","a"]}'
    ),
    "type that is no text": with_schema('{"type":{"a":[]}}'),
    "type that is a list": with_schema('{"type":["string","null"]}'),
    "properties that are no objects": with_schema('{"type":"object","properties":{"a":true}}'),
    "names of ours": with_schema(
        '{"type":"object","properties":{"csrfmiddlewaretoken":{"type":"string"},'
        '"action":{"type":"string"},"__proto__":{"type":"string"},"":{"type":"string"},'
        '"constructor":{"type":"string"},"a.b":{"type":"string"}}}'
    ),
    "NUL": with_schema('{"type":"object","properties":{"\\u0000":{"title":"\\u0000"}}}'),
    "description that is no text": with_schema('{"type":"string","description":[1]}'),
    "title that is a list": with_schema(
        '{"type":"object","properties":{"a":{"title":[1],"type":"string"}}}'
    ),
    "endless reference": with_schema('{"$ref":"#"}'),
    "id without text": '{"message":"x"}',
    "null": "null",
    "same id twice": '{"id":"q","message":"a"},{"id":"q","message":"b"}',
    "no text": '{"id":"q"}',
    "default": with_schema('{"type":"string","default":"\\ud800"}'),
}


@pytest.mark.parametrize("interrupts", HOSTILE.values(), ids=HOSTILE)
def test_run_ends_and_is_shown(editor: Client, ask_raw: AskRaw, interrupts: str) -> None:
    asked = ask_raw(interrupts)
    address = f"/console/triggers/{asked.trigger_id}/runs/{asked.pk}"
    path = f"/triggers/{asked.trigger_id}/executions"
    alice = API("alice")
    answers = {each["id"]: "x" for each in asked.questions or []}
    shown = [
        editor.get(address),
        editor.get("/console/"),
        editor.get("/console/runs"),
        editor.get(f"/admin/executions/triggerexecution/{asked.trigger_id}:{asked.pk}/change/"),
        alice.get(path),
        alice.get(f"{path}/{asked.pk}"),
    ]
    sent = editor.post(f"{address}/answer", {"q0": "x", "q0-0": "x"}, follow=True)
    by_api = alice.post(f"{path}/{asked.pk}/answer", {"answers": answers})
    assert (
        asked.status,
        asked.error_code,
        [each.status_code for each in shown],
        sent.status_code < 500,
        by_api.status_code < 500,
    ) == ("completed", "", [200] * 6, True, True)


@pytest.mark.parametrize(
    "interrupt",
    [
        with_schema(f'{{"type":"string","title":"You sent {TOKEN}"}}'),
        with_schema(f'{{"type":"object","properties":{{"{TOKEN}":{{"type":"string"}}}}}}'),
        with_schema(f'{{"type":"string","enum":["{TOKEN}"]}}'),
        f'{{"id":"{TOKEN}","message":"Really?"}}',
    ],
    ids=["title", "name", "choice", "id"],
)
def test_secrets_are_masked_in_questions(editor: Client, ask_raw: AskRaw, interrupt: str) -> None:
    asked = ask_raw(interrupt)
    page = editor.get(f"/console/triggers/{asked.trigger_id}/runs/{asked.pk}").content.decode()
    answer = API("alice").get(f"/triggers/{asked.trigger_id}/executions/{asked.pk}").content
    assert (TOKEN in page, TOKEN in answer.decode()) == (False, False)


def test_usable_schema_is_kept_as_it_is(ask_raw: AskRaw) -> None:
    schema = {
        "type": "object",
        "properties": {"größe": {"type": "number", "minimum": 1.5, "title": "Größe"}},
        "required": ["größe"],
    }
    asked = ask_raw(with_schema(json.dumps(schema)))
    assert (asked.questions or [{}])[0].get("schema") == schema


UNIQUE = {"uniqueItems": True}


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [UNIQUE] * 200},
        {
            "$defs": {"a": {"allOf": [UNIQUE] * 50}},
            "allOf": [{"$ref": "#/$defs/a"}] * 50,
        },
    ],
)
def test_check_of_an_answer_takes_seconds_at_most(ask_raw: AskRaw, schema: dict[str, Any]) -> None:
    asked = ask_raw(with_schema(json.dumps(schema)))
    # Numbers and texts cannot be sorted, so each pair is compared.
    value = [each for number in range(550) for each in (number, str(number))]
    path = f"/triggers/{asked.trigger_id}/executions/{asked.pk}/answer"
    began = time.monotonic()
    status = API("alice").post(path, {"answers": {"q": value}}).status_code
    assert (status, time.monotonic() - began < 10) == (202, True)


def test_run_ends_if_what_the_agent_said_cannot_be_kept(
    ask_raw: AskRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(Transcript, "_masked_question", fail)
    asked = ask_raw(with_schema("{}"))
    assert (asked.status, asked.error_code) == ("failed", "internal_error")


def test_megabytes_in_names_and_ids_cost_no_time(ask_raw: AskRaw) -> None:
    much = "x" * 1_500_000
    calls = [
        {"type": kind, "toolCallId": f"{number}{much}", "toolCallName": much, "delta": much}
        for number in range(10)
        for kind in ("TOOL_CALL_START", "TOOL_CALL_ARGS")
    ]
    before = "".join(f"data: {json.dumps(each)}\n\n" for each in calls)
    asked = ask_raw(f'{{"id":"q","message":"{much}"}}', before=before)
    assert (len(asked.tools or []), (asked.duration_ms or 0) < 5000) == (10, True)


# What stands where an event should have a text.
WRONG = [1, None, [], {}, [[1]], True, -1, 1e308, "\ud800", "\x00", ""]
EVENTS = (
    *("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_RESULT", "TEXT_MESSAGE_START"),
    *("TEXT_MESSAGE_CONTENT", "THINKING_TEXT_MESSAGE_CONTENT", "MESSAGES_SNAPSHOT", "CUSTOM"),
)
FIELDS = (
    *("toolCallId", "toolCallName", "delta", "content", "messageId", "messages", "value"),
    *("name", "role", "usage"),
)


def test_fields_of_wrong_types_break_no_run(ask_raw: AskRaw) -> None:
    events = [{"type": kind, **dict.fromkeys(FIELDS, value)} for value in WRONG for kind in EVENTS]
    before = "".join(f"data: {json.dumps(each)}\n\n" for each in events)
    assert ask_raw(with_schema("{}"), before=before).error == ""


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_values_of_wrong_types_break_no_reader(kind: str) -> None:
    names = (
        *("type", "event", "data", "output", "delta", "choices", "usage", "error", "id", "result"),
        *("statusUpdate", "artifactUpdate", "task", "message", "status", "state", "parts", "text"),
        *("contentBlockDelta", "messageStop", "metadata", "interrupts", "tool", "content"),
    )
    deep = [{outer: {inner: value}} for outer in names for inner in names for value in WRONG]
    flat = [{name: value} for name in names for value in WRONG]
    events = [{"jsonrpc": "2.0", "result": each} for each in deep] if kind == "a2a" else deep
    read = 0
    for each in [*flat, *events]:
        body = f"data: {json.dumps(each)}\n\n".encode()
        with suppress(AgentError):
            read_answer([body], "text/event-stream", protocol=PROTOCOLS[kind])
        read += 1
    assert read == len(flat) + len(events)
