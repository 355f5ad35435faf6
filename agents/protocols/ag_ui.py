"""Speaks AG-UI 1.0 with agents, as in ag-ui-protocol 1.0.0: a run is a stream of events.

Seen with AGUIApp of bedrock-agentcore 1.25.0 over ag-ui-strands 1.0.2, and with pydantic-ai 2.68.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agents.framing import Batch, ended_early
from agents.invocation import Invocation
from agents.protocols.base import Protocol, Reader, Request, failure
from agents.replies import Question, Transcript, Usage, as_text, count, items, mapping, name


class AGUIReader(Reader):
    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        # Ids of messages that are not the assistant's.
        self._others: set[str] = set()
        self._message: str | None = None
        self._snapshot = ""
        self._stopped: str | None = None
        self._begun = False

    def take(self, values: Batch) -> None:
        transcript = self.transcript
        for event in values:
            if not isinstance(event, dict):
                self.skip(event)
                continue
            kind = event.get("type")
            if kind in ("TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CHUNK"):
                self._text(event)
            elif isinstance(kind, str) and kind in _EVENTS:
                _EVENTS[kind](self, event)
                if transcript.complete:
                    return
            elif not (isinstance(kind, str) and kind.isupper()):
                self.skip(event)

    def end(self) -> None:
        self.check_understood()
        if not self.transcript.complete:
            raise ended_early()

    def _text(self, event: dict[str, Any]) -> None:
        message = event.get("messageId")
        if event.get("subagentRunId") or (self._others and as_text(message) in self._others):
            return
        if event.get("role", "assistant") != "assistant":
            return
        delta = event.get("delta")
        if isinstance(delta, str) and delta:
            if message != self._message and message is not None:
                if self.transcript.has_text:
                    self.transcript.say("\n\n")
                self._message = message
            self.transcript.say(delta)

    def _start_text(self, event: dict[str, Any]) -> None:
        if event.get("role", "assistant") != "assistant":
            self._others.add(as_text(event.get("messageId")))

    def _think(self, event: dict[str, Any]) -> None:
        if isinstance(delta := event.get("delta"), str):
            self.transcript.think(delta)

    def _call(self, event: dict[str, Any]) -> None:
        tool_id = as_text(event.get("toolCallId"))
        if event.get("toolCallName"):
            self.transcript.call(tool_id, as_text(event["toolCallName"]))
        self.transcript.call_input(tool_id, as_text(event.get("delta")))

    def _result(self, event: dict[str, Any]) -> None:
        content = event.get("content")
        texts = [as_text(mapping(part).get("text")) for part in items(content)]
        text = content if isinstance(content, str) else "\n".join(texts)
        self.transcript.call_result(as_text(event.get("toolCallId")), text)

    def _messages(self, event: dict[str, Any]) -> None:
        """Keep the last message of the assistant, for agents that stream no text."""
        messages = [mapping(each) for each in items(event.get("messages"))]
        if messages and messages[-1].get("role") == "assistant":
            content = messages[-1].get("content")
            self._snapshot = content if isinstance(content, str) else ""

    def _custom(self, event: dict[str, Any]) -> None:
        """Read why the model stopped. ag-ui-strands says it here, and then reports success."""
        if event.get("name") == "AgentStopped":
            self._stopped = as_text(mapping(event.get("value")).get("stop_reason"))

    def _finished(self, event: dict[str, Any]) -> None:
        transcript = self.transcript
        outcome = mapping(event.get("outcome"))
        self._use(event)
        transcript.stop(self._stopped)
        if outcome.get("type") == "cancelled":
            transcript.outcome = "cancelled"
        if outcome.get("type") == "interrupt":
            transcript.outcome = "interrupted"
            for each in map(mapping, items(outcome.get("interrupts"))):
                transcript.ask(_question(each))
        transcript.request_id = name(event.get("runId"))
        if not transcript.has_text:
            transcript.say(self._snapshot or as_text(event.get("result")))
        transcript.flush()
        transcript.complete = True

    def _error(self, event: dict[str, Any]) -> None:
        self._use(event)
        raise failure({"message": event.get("message"), "code": event.get("code")})

    def _use(self, event: dict[str, Any]) -> None:
        for usage in map(mapping, items(event.get("usage"))):
            self.transcript.usage.add(
                Usage(
                    count(usage.get("inputTokens")),
                    count(usage.get("outputTokens")),
                    count(usage.get("cachedInputTokens")),
                    count(usage.get("cacheWriteInputTokens")),
                )
            )


_EVENTS: dict[str, Callable[[AGUIReader, dict[str, Any]], None]] = {
    "TEXT_MESSAGE_START": AGUIReader._start_text,
    "REASONING_MESSAGE_CONTENT": AGUIReader._think,
    "REASONING_MESSAGE_CHUNK": AGUIReader._think,
    "THINKING_TEXT_MESSAGE_CONTENT": AGUIReader._think,
    "TOOL_CALL_START": AGUIReader._call,
    "TOOL_CALL_ARGS": AGUIReader._call,
    "TOOL_CALL_CHUNK": AGUIReader._call,
    "TOOL_CALL_RESULT": AGUIReader._result,
    "MESSAGES_SNAPSHOT": AGUIReader._messages,
    "CUSTOM": AGUIReader._custom,
    "RUN_FINISHED": AGUIReader._finished,
    "RUN_ERROR": AGUIReader._error,
}


def _question(interrupt: dict[str, Any]) -> Question:
    facts = mapping(interrupt.get("metadata"))
    text = interrupt.get("message") or facts.get("reason") or interrupt.get("reason")
    schema = interrupt.get("responseSchema")
    return Question(
        as_text(interrupt.get("id")),
        as_text(text),
        schema if isinstance(schema, dict) else None,
    )


class AGUI(Protocol):
    name = "ag-ui"
    accept = "text/event-stream"
    reader = AGUIReader

    def request(self, invocation: Invocation, url: str) -> Request:
        forwarded = {
            "userId": invocation.target_user_id,
            "agentId": invocation.agent_id,
            **invocation.options,
            "enabledTools": invocation.enabled_tools,
            "resultCallback": invocation.callback_body,
        }
        messages = [{"id": invocation.execution_id, "role": "user", "content": invocation.prompt}]
        if invocation.system_prompt:
            system = {"role": "system", "content": invocation.system_prompt}
            messages.insert(0, {"id": f"{invocation.execution_id}-system", **system})
        body: dict[str, Any] = {
            "threadId": invocation.session_id,
            "runId": invocation.execution_id,
            "state": {},
            "messages": messages,
            "tools": [],
            "context": [],
            "forwardedProps": {k: v for k, v in forwarded.items() if v is not None},
        }
        if invocation.answers:
            body["messages"] = []
            body["resume"] = [
                {"interruptId": each.question_id, "status": "resolved", "payload": each.value}
                for each in invocation.answers
            ]
        return Request(json.dumps(body).encode())
