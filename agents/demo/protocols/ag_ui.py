"""AG-UI 1.0: a run as events (ag-ui-protocol 1.0.0)."""

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
    line_of,
    text_of,
)

_STOP_REASONS = {"refused": "guardrail_intervened", "limited": "max_tokens"}


class AGUIWriter(Writer):
    """Writes the events of a run, as ag-ui-strands 1.0.2 sends them."""

    asks_for = "messages of which the last one is the user's, or an answer under resume"

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        messages = body.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
            return text_of(messages[-1].get("content"))
        return cls.answered(body)

    @classmethod
    def answered(cls, body: Body) -> str | None:
        resumed = body.get("resume")
        if isinstance(resumed, list) and resumed and isinstance(resumed[0], dict):
            return "\n".join(line_of(each.get("payload")) for each in resumed)
        return None

    def begin(self) -> Iterator[bytes]:
        call = f"call-{self.answer.id}"
        yield self._of_run("RUN_STARTED")
        yield self._say("TOOL_CALL_START", toolCallId=call, toolCallName=CLOCK)
        yield self._say("TOOL_CALL_ARGS", toolCallId=call, delta=json.dumps(CLOCK_INPUT))
        yield self._say("TOOL_CALL_END", toolCallId=call)
        result = {"messageId": f"result-{self.answer.id}", "toolCallId": call, "role": "tool"}
        yield self._say("TOOL_CALL_RESULT", content="the time, in UTC", **result)
        yield self._say("TEXT_MESSAGE_START", messageId=self.answer.id, role="assistant")

    def text(self, text: str) -> bytes:
        return self._say("TEXT_MESSAGE_CONTENT", messageId=self.answer.id, delta=text)

    def close(self) -> Iterator[bytes]:
        yield self._say("TEXT_MESSAGE_END", messageId=self.answer.id)

    def complete(self) -> Iterator[bytes]:
        ending = self.answer.ending
        outcome: Body = {"type": "success"}
        if ending in _STOP_REASONS:
            # The run ends with success all the same.
            value = {"stop_reason": _STOP_REASONS[ending]}
            yield self._say("CUSTOM", name="AgentStopped", value=value)
        elif ending == "cancelled":
            outcome = {"type": "cancelled"}
        elif ending == "asks":
            question: Body = {"id": self.answer.id, "reason": "approval"}
            question["message"] = self.answer.question
            if self.answer.schema is not None:
                question["responseSchema"] = self.answer.schema
            outcome = {"type": "interrupt", "interrupts": [question]}
        given, made = 25 + TOKENS_IN, CLOCK_TOKENS + len(self.answer.words)
        usage = [{"inputTokens": given, "outputTokens": made}]
        yield self._of_run("RUN_FINISHED", outcome=outcome, usage=usage)

    def fail(self, message: str) -> Iterator[bytes]:
        yield self._say("RUN_ERROR", message=message)

    def after_failure(self, message: str) -> Iterator[bytes]:
        yield from self.complete()

    def _of_run(self, kind: str, **fields: Any) -> bytes:
        run = {"threadId": self.answer.session_id, "runId": self.answer.run_id}
        return self._say(kind, **run, **fields)

    def _say(self, kind: str, **fields: Any) -> bytes:
        return self.event({"type": kind, **fields})
