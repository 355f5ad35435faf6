"""What agents made with AgentCore's SDKs send: all events of Strands, in Python or TypeScript.

The forms are those of bedrock-agentcore 1.25.0 with strands-agents 1.62.0 (Python), and of
bedrock-agentcore 0.4.4 with @strands-agents/sdk 1.16.0 (npm).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

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
from agents.demo.protocols.invocations import (
    STOP_REASONS,
    agent_result,
    clock_call,
    message_added,
    text_delta,
    usage,
)

_AGENT = "<strands.agent.agent.Agent object at 0x7f3a5c0d1e50>"
_PYTHON_STOP_REASONS = {
    "success": "end_turn",
    "asks": "interrupt",
    "refused": "guardrail_intervened",
    "limited": "max_tokens",
    "cancelled": "cancelled",
}


class PythonWriter(Writer):
    """Writes what the Python SDK sends of an agent that yields every event of `stream_async`.

    With `demo: plain` the agent yields only text, with `demo: object` only Python objects, which
    the SDK sends as the text that Python's `str` makes of them.
    """

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        return text_of(body.get("prompt")) or cls.answered(body)

    @classmethod
    def answered(cls, body: Body) -> str | None:
        return interrupt_responses(body.get("prompt"))

    def begin(self) -> Iterator[bytes]:
        if self._is_plain or self._is_object:
            return
        yield self.event({"init_event_loop": True})
        yield self.event({"start": True})
        yield self.event(f"{{'agent': {_AGENT}, 'event_loop_cycle_id': UUID('0b6f')}}")
        tool = {"toolUseId": f"tooluse_{self.answer.id}", "name": CLOCK}
        yield self._of_model(messageStart={"role": "assistant"})
        yield self._of_model(contentBlockStart={"start": {"toolUse": tool}})
        given = {"toolUse": {"input": json.dumps(CLOCK_INPUT)}}
        yield self._of_model(contentBlockDelta={"delta": given})
        yield self._of_model(contentBlockStop={})
        yield self._of_model(messageStop={"stopReason": "tool_use"})
        yield self._usage(25, CLOCK_TOKENS)
        used = {"toolUse": {**tool, "input": CLOCK_INPUT}}
        yield self.event({"message": {"role": "assistant", "content": [used]}})
        result = {"toolUseId": tool["toolUseId"], "status": "success", "content": []}
        yield self.event({"message": {"role": "user", "content": [{"toolResult": result}]}})
        yield self._of_model(messageStart={"role": "assistant"})

    def text(self, text: str) -> bytes:
        if self._is_object:
            return self.event(f"{{'data': {text!r}, 'agent': {_AGENT}}}")
        if self._is_plain:
            return self.event(text)
        return self._of_model(contentBlockDelta={"delta": {"text": text}})

    def complete(self) -> Iterator[bytes]:
        answer, stop_reason = self.answer, _PYTHON_STOP_REASONS[self.answer.ending]
        if self._is_plain:
            return
        if not self._is_object:
            yield self._of_model(contentBlockStop={})
            reason = "tool_use" if answer.ending == "asks" else stop_reason
            yield self._of_model(messageStop={"stopReason": reason})
            yield self._usage(TOKENS_IN, len(answer.words))
            content = [{"text": answer.text}]
            yield self.event({"message": {"role": "assistant", "content": content}})
        if answer.ending == "asks":
            question = {"id": answer.id, "name": "approval", "reason": answer.question}
            tool = {"toolUseId": f"tooluse_{answer.id}-ask", "name": "ask", "input": {}}
            asked = {"tool_use": tool, "interrupts": [question]}
            yield self.event({"tool_interrupt_event": asked})
        yield self.event(f"{{'result': AgentResult(stop_reason='{stop_reason}', message={{}})}}")

    def fail(self, message: str) -> Iterator[bytes]:
        kind = "RuntimeError" if message else "TimeoutError"
        told = "An error occurred during streaming"
        yield self.event({"error": message, "error_type": kind, "message": told})

    def after_failure(self, message: str) -> Iterator[bytes]:
        # Google ADK yields an event with the error, and the server adds its own.
        yield self.event({"errorCode": "RESOURCE_EXHAUSTED", "errorMessage": message})
        yield from self.fail(message)

    def document(self) -> Any:
        if self._is_object:
            return f"{{'result': AgentResult(stop_reason='end_turn', agent={_AGENT})}}"
        return {"result": {"role": "assistant", "content": [{"text": self.answer.text}]}}

    @property
    def _is_plain(self) -> bool:
        return "plain" in self.script

    @property
    def _is_object(self) -> bool:
        return "object" in self.script

    def _of_model(self, **event: Any) -> bytes:
        return self.event({"event": event})

    def _usage(self, given: int, made: int) -> bytes:
        counts = {"inputTokens": given, "outputTokens": made, "totalTokens": given + made}
        return self._of_model(metadata={"usage": counts})


class TypeScriptWriter(PythonWriter):
    """Writes what the TypeScript SDK sends; with `demo: plain` texts without the quotes of JSON."""

    def begin(self) -> Iterator[bytes]:
        if self._is_plain:
            return
        for event in clock_call():
            yield self._of_agent(event)
        yield self._of_agent({"type": "modelMessageStartEvent", "role": "assistant"})
        yield self._of_agent({"type": "modelContentBlockStartEvent"})

    def text(self, text: str) -> bytes:
        return self.frame(text) if self._is_plain else self._of_agent(text_delta(text))

    def complete(self) -> Iterator[bytes]:
        answer = self.answer
        if self._is_plain:
            return
        block = {"type": "textBlock", "text": answer.text}
        yield self._of_agent({"type": "modelContentBlockStopEvent"})
        yield self.event({"type": "contentBlockEvent", "contentBlock": block})
        stop_reason = STOP_REASONS[answer.ending]
        yield self._of_agent({"type": "modelMessageStopEvent", "stopReason": stop_reason})
        yield self._of_agent(usage(TOKENS_IN, len(answer.words)))
        yield self.event(message_added("assistant", [block]))
        yield self.event(agent_result(answer))

    def fail(self, message: str) -> Iterator[bytes]:
        yield b"event: error\n" + self.event({"error": message})

    def after_failure(self, message: str) -> Iterator[bytes]:
        # Vercel's AI SDK finishes its stream after an error.
        yield self.event({"type": "finish", "finishReason": "error"})
        yield self.frame("[DONE]")

    def refusal(self, message: str) -> tuple[int, Any]:
        return 500, None

    def document(self) -> Any:
        return {"result": self.answer.text}

    def _of_agent(self, event: Body) -> bytes:
        if not str(event["type"]).startswith("model"):
            return self.event(event)
        return self.event({"type": "modelStreamUpdateEvent", "event": event})
