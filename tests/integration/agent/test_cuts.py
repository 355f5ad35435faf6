"""An answer cut at any byte, with any line end, mark and keep-alive, ends in the same way."""

import json
from typing import Any

import pytest

from agents import AgentError
from agents.protocols import PROTOCOLS, read_answer

SSE = "text/event-stream"
SAID = "Grüße 世界 🎉"


def converse(**event: Any) -> dict[str, Any]:
    return {"event": event}


def text_of_strands(text: str) -> dict[str, Any]:
    return converse(contentBlockDelta={"delta": {"text": text}})


def content(text: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": text}


def task(**result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def part(text: str) -> dict[str, Any]:
    return task(artifactUpdate={"artifact": {"artifactId": "a", "parts": [{"text": text}]}})


def status(state: str, text: str) -> dict[str, Any]:
    message = {"role": "ROLE_AGENT", "parts": [{"text": text}]}
    return task(statusUpdate={"taskId": "t", "status": {"state": state, "message": message}})


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def delta(text: str) -> dict[str, Any]:
    return {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": text}}


COMPLETION = {"type": "serverCompletionEvent", "metadata": {"requestId": "r"}}
FAILURE = {"type": "serverErrorEvent", "error": {"message": "no money"}}
ASKED = {"id": "i", "reason": SAID}
INTERRUPT = {"outcome": {"type": "interrupt", "interrupts": [{"id": "i", "message": SAID}]}}
# The protocol, the values of the answer, and the outcome; "error" is a failure of the agent.
ENDINGS: dict[str, tuple[str, list[Any], str]] = {
    "success": ("invocations", [delta(SAID), COMPLETION], "success"),
    "failure": ("invocations", [delta(SAID), FAILURE], "error"),
    "strands": ("agentcore", [text_of_strands(SAID)], "success"),
    "strands-limit": (
        "agentcore",
        [text_of_strands(SAID), converse(messageStop={"stopReason": "max_tokens"})],
        "limited",
    ),
    "strands-error": (
        "agentcore",
        [text_of_strands(SAID), {"error": "", "error_type": "TimeoutError"}],
        "error",
    ),
    "strands-question": (
        "agentcore",
        [{"tool_interrupt_event": {"interrupts": [ASKED]}}],
        "interrupted",
    ),
    "ag-ui-error": ("ag-ui", [content(SAID), {"type": "RUN_ERROR", "message": "x"}], "error"),
    "ag-ui-question": ("ag-ui", [{"type": "RUN_FINISHED", **INTERRUPT}], "interrupted"),
    "ag-ui-cancelled": (
        "ag-ui",
        [content(SAID), {"type": "RUN_FINISHED", "outcome": {"type": "cancelled"}}],
        "cancelled",
    ),
    "a2a-failed": ("a2a", [part(SAID), status("TASK_STATE_FAILED", "no")], "error"),
    "a2a-question": ("a2a", [status("TASK_STATE_INPUT_REQUIRED", SAID)], "interrupted"),
    "openai-limit": ("openai", [choice(content=SAID), choice("length"), "[DONE]"], "limited"),
    "openai-refusal": ("openai", [choice("content_filter"), "[DONE]"], "refused"),
    "openai-error": ("openai", [choice(content=SAID), {"error": {"message": "x"}}], "error"),
}


def body_of(values: list[Any], end: str) -> bytes:
    """An event stream that begins with a byte order mark, and keeps alive between its events."""
    frames = ["[DONE]" if v == "[DONE]" else json.dumps(v, ensure_ascii=False) for v in values]
    events = (f"event: message{end}data: {frame}{end}{end}" for frame in frames)
    return ("\ufeff" + f": ping{end}{end}".join(["", *events, ""])).encode()


def ended(protocol: str, chunks: list[bytes], media_type: str = SSE) -> tuple[Any, ...]:
    """How an answer ends: what is said of the end, and all that came before it."""
    error = ""
    try:
        reply = read_answer(chunks, media_type, protocol=PROTOCOLS[protocol])
        outcome: str = reply.outcome
    except AgentError as caught:
        if caught.reply is None:
            raise
        reply, error, outcome = caught.reply, caught.message, caught.outcome or "error"
    return outcome, error, reply.output.text, reply.questions, reply.input_tokens


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ENDINGS)
def test_each_cut_ends_in_the_same_way(name: str, end: str) -> None:
    protocol, values, outcome = ENDINGS[name]
    whole = ended(protocol, [body_of(values, "\n")])
    body = body_of(values, end)
    ways = {ended(protocol, [body[:cut], body[cut:]]) for cut in range(len(body) + 1)}
    ways.add(ended(protocol, [bytes([byte]) for byte in body]))
    assert (whole[0], ways) == (outcome, {whole})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["success", "failure"])
def test_each_cut_of_lines_ends_in_the_same_way(name: str, end: str) -> None:
    protocol, values, outcome = ENDINGS[name]
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    # A blank line keeps the connection alive.
    body = ("\ufeff" + f"{end}{end}".join([*lines, ""])).encode()
    media_type = "application/x-ndjson"
    whole = ended(protocol, ["\n".join(lines).encode()], media_type)
    ways = {ended(protocol, [body[:cut], body[cut:]], media_type) for cut in range(len(body) + 1)}
    assert (whole[0], ways) == (outcome, {whole})
