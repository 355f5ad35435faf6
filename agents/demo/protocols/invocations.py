"""The project's own protocol, `invocations`: JSON lines (docs/agent-protocol.md)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from agents.demo.answers import Answer
from agents.demo.protocols.base import (
    CLOCK,
    CLOCK_INPUT,
    CLOCK_TOKENS,
    TOKENS_IN,
    Body,
    Writer,
    interrupt_responses,
    text_of,
)

STOP_REASONS = {
    "success": "endTurn",
    "asks": "interrupt",
    "refused": "guardrailIntervened",
    "limited": "maxTokens",
    "cancelled": "cancelled",
}


class InvocationsWriter(Writer):
    """Writes lines, or an event stream with the same objects if the prompt says `demo: sse`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._is_sse = "sse" in answer.script
        self.media_type = "text/event-stream" if self._is_sse else "text/plain; charset=utf-8"

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        return text_of(body.get("prompt"))

    @classmethod
    def answered(cls, body: Body) -> str | None:
        return interrupt_responses(body.get("interruptResponses"))

    def frame(self, text: str) -> bytes:
        return super().frame(text) if self._is_sse else f"{text}\n".encode()

    def begin(self) -> Iterator[bytes]:
        for event in clock_call():
            yield self.event(event)
        yield self.event({"type": "beforeToolsEvent"})
        yield self.event({"type": "afterToolsEvent"})
        yield self.event({"type": "modelMessageStartEvent", "role": "assistant"})
        yield self.event({"type": "modelContentBlockStartEvent"})

    def text(self, text: str) -> bytes:
        return self.event(text_delta(text))

    def close(self) -> Iterator[bytes]:
        answer = self.answer
        block = {"type": "textBlock", "text": answer.text}
        yield self.event({"type": "modelContentBlockStopEvent"})
        yield self.event(block)
        stop_reason = STOP_REASONS[answer.ending]
        yield self.event({"type": "modelMessageStopEvent", "stopReason": stop_reason})
        yield self.event(usage(TOKENS_IN, len(answer.words)))
        yield self.event(message_added("assistant", [block]))

    def complete(self) -> Iterator[bytes]:
        if self.answer.ending == "asks":
            yield self.event(agent_result(self.answer))
        metadata = {
            "requestId": self.answer.id,
            "sessionId": self.answer.session_id,
            "duration": 1200,
            "agentMetadata": {"name": "demo"},
        }
        yield self.event({"type": "serverCompletionEvent", "metadata": metadata})

    def fail(self, message: str) -> Iterator[bytes]:
        error = {"message": message, "requestId": self.answer.id}
        yield self.event({"type": "serverErrorEvent", "error": error})

    def document(self) -> Any:
        return {"output": self.answer.text}


def clock_call() -> Iterator[Body]:
    """The events of a look at the clock, as the TypeScript SDK of Strands has them."""
    tool = {"name": CLOCK, "toolUseId": f"tooluse_{secrets.token_hex(8)}"}
    used = {"type": "toolUseBlock", **tool, "input": CLOCK_INPUT}
    said = {"type": "toolUseInputDelta", "input": json.dumps(CLOCK_INPUT)}
    result = {"type": "toolResultBlock", "toolUseId": tool["toolUseId"], "status": "success"}
    yield {"type": "modelMessageStartEvent", "role": "assistant"}
    yield {"type": "modelContentBlockStartEvent", "start": {"type": "toolUseStart", **tool}}
    yield {"type": "modelContentBlockDeltaEvent", "delta": said}
    yield {"type": "modelContentBlockStopEvent"}
    yield used
    yield {"type": "modelMessageStopEvent", "stopReason": "toolUse"}
    yield usage(25, CLOCK_TOKENS)
    yield message_added("assistant", [used])
    yield message_added("user", [result])


def message_added(role: str, content: list[Body]) -> Body:
    """A whole message, which repeats what its events said."""
    return {"type": "messageAddedEvent", "message": {"role": role, "content": content}}


def usage(given: int, made: int) -> Body:
    """The tokens of one model call."""
    counts = {"inputTokens": given, "outputTokens": made, "totalTokens": given + made}
    return {"type": "modelMetadataEvent", "usage": counts}


def text_delta(text: str) -> Body:
    """The next piece of the text."""
    return {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": text}}


def agent_result(answer: Answer) -> Body:
    """The last event of the TypeScript SDK of Strands, which holds the questions to a person."""
    content = [{"type": "textBlock", "text": answer.text}]
    result: Body = {
        "type": "agentResult",
        "stopReason": STOP_REASONS[answer.ending],
        "lastMessage": {"type": "message", "role": "assistant", "content": content},
    }
    if answer.ending == "asks":
        question = {"id": answer.id, "name": "approval", "reason": answer.question}
        result["interrupts"] = [question]
    return {"type": "agentResultEvent", "result": result}
