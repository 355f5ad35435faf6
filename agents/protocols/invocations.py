"""Speaks the project's own protocol with agents, which is the default: `POST /invocations`.

The answer is a stream of JSON with one event on each line. It ends with a `serverCompletionEvent`
or a `serverErrorEvent` (docs/agent-protocol.md). Other agents answer the same request with a
document or an event stream of their own. These are read as in `agentcore`, but data that is no JSON
is an error.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from agents.framing import Batch, ended_early
from agents.invocation import Invocation
from agents.protocols.base import Protocol, Reader, Request
from agents.protocols.values import ValuesReader
from agents.replies import Transcript


class LinesReader(ValuesReader):
    """Reads lines strictly, and event streams and documents as `agentcore` does."""

    lines = True
    plain = False
    separates = False

    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        self._is_strict = media_type not in ("application/json", "text/event-stream")

    def take(self, values: Batch) -> None:
        if not self._is_strict:
            super().take(values)
            return
        transcript = self.transcript
        for event in values:
            if isinstance(event, dict) and not self.take_event(event):
                self.note_unknown(event)
            if transcript.complete:
                return

    def end(self) -> None:
        if self._is_strict and not self.transcript.complete:
            raise ended_early()
        super().end()


class Invocations(Protocol):
    name = "invocations"
    accept = "application/x-ndjson"
    reader: ClassVar[type[Reader]] = LinesReader

    def request(self, invocation: Invocation, url: str) -> Request:
        values = {
            "prompt": self.prompt(invocation),
            "targetUserId": invocation.target_user_id,
            "sessionId": invocation.session_id,
            "agentId": invocation.agent_id,
            **invocation.options,
            "enabledTools": invocation.enabled_tools,
            "systemPrompt": invocation.system_prompt,
            "mcpConfig": invocation.mcp_config,
            "interruptResponses": interrupt_responses(invocation) or None,
            "resultCallback": invocation.callback_body,
        }
        return Request(json.dumps({k: v for k, v in values.items() if v is not None}).encode())

    def prompt(self, invocation: Invocation) -> Any:
        """What the agent is asked: the prompt or, if a person has answered, the answer."""
        return invocation.answer_text or invocation.prompt


def interrupt_responses(invocation: Invocation) -> list[dict[str, Any]]:
    """Return a person's answers in the form in which an agent of Strands takes them."""
    return [
        {"interruptResponse": {"interruptId": each.question_id, "response": each.value}}
        for each in invocation.answers
    ]
