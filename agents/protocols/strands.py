"""Reads events of the Strands SDKs for Python and TypeScript, also as AgentCore's SDKs wrap them.

Versions seen: strands-agents 1.62.0, @strands-agents/sdk 1.16.0, bedrock-agentcore 1.25.0 (PyPI)
and 0.4.4 (npm). The TypeScript SDK's events are also those of the service that we succeed, which
adds `serverCompletionEvent` and `serverErrorEvent`.

Text comes in deltas. Blocks and messages repeat it: they count only in a message of the assistant
that had none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from agents import errors
from agents.framing import ended_early, unreadable
from agents.protocols.base import Reader, failure
from agents.replies import Question, Transcript, Usage, as_text, count, items, mapping, name

_BLOCK_TYPES = (None, "textBlock", "text")
# If the text came in one of these ways, a part of the whole message may be new.
_REPEATABLE = (None, "message")
# Keys of the events without text that `stream_async` of the Python SDK yields.
_LIFECYCLE = frozenset(
    {
        "init_event_loop",
        "start",
        "start_event_loop",
        "force_stop",
        "complete",
        "current_tool_use",
        "tool_stream_event",
        "tool_cancel_event",
        "reasoning",
        "reasoningText",
        "event_loop_throttled_delay",
    }
)
# `bedrock-agentcore` sends what it cannot serialize as the text that Python's `str` makes of it.
_OBJECT = re.compile(r"\{'\w+': |<[A-Za-z_][\w.]* ")
_IN_OBJECT = re.compile(r" object at 0x[0-9a-f]+>|AgentResult\(|EventLoopMetrics\(|UUID\('")
_STOP_REASON = re.compile(r"AgentResult\(stop_reason='(\w+)'")


class StrandsReader(Reader):
    """Reads the events of both SDKs. Subclasses say what else may be an answer."""

    # Whether a blank line stands between two messages of the assistant.
    separates = True

    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        # How the text of the current message came: "delta", "block" or "message".
        self._source: str | None = None
        self.has_converse_text = False
        self._separate = False
        self._is_repeated = False
        self._has_usage = False
        self._tool: str | None = None
        self._called: str | None = None
        self._is_within_message = False
        self._unreadable: str | None = None

    def take_event(self, event: dict[str, Any]) -> bool:
        """Read an event of the TypeScript SDK. False if its type is unknown."""
        kind = event.get("type")
        if kind == "modelStreamUpdateEvent":
            inner = event.get("event")
            return isinstance(inner, dict) and self.take_event(inner)
        if kind == "modelContentBlockDeltaEvent":
            self._delta(mapping(event.get("delta")))
            return True
        take = _EVENTS.get(kind) if isinstance(kind, str) else None
        if take is not None:
            take(self, event)
        return take is not None

    def take_converse(self, event: dict[str, Any]) -> bool:
        """Read an event of ConverseStream, as the Python SDK yields it. False if it is unknown."""
        if (part := event.get("contentBlockDelta")) is not None:
            return self._take_converse_delta(part)
        if (part := event.get("messageStart")) is not None:
            self._begin()
        elif (part := event.get("contentBlockStart")) is not None:
            start = mapping(mapping(part).get("start"))
            self._call(mapping(start.get("toolUse")))
        elif (part := event.get("messageStop")) is not None:
            self._stop(mapping(part).get("stopReason"))
        elif (part := event.get("metadata")) is not None:
            self._use(mapping(mapping(part).get("usage")))
        else:
            return "contentBlockStop" in event or "redactContent" in event
        return True

    def _take_converse_delta(self, part: Any) -> bool:
        delta = part.get("delta") if isinstance(part, dict) else None
        if not isinstance(delta, dict):
            return False
        if isinstance(text := delta.get("text"), str):
            if self.has_converse_text and self._source == "delta":
                self.transcript.say(text)
            else:
                self.has_converse_text = True
                self.say(text, "delta")
        elif isinstance(tool := delta.get("toolUse"), dict):
            self.transcript.call_input(self._tool, as_text(tool.get("input")))
        elif isinstance(thought := delta.get("reasoningContent"), dict):
            self.think(thought.get("text"))
        return True

    def take_message(self, message: dict[str, Any], *, is_repeated: bool = False) -> None:
        """Read a whole message. Its text counts only if no piece of it came before."""
        role = message.get("role")
        for block in items(message.get("content")):
            if isinstance(block, dict):
                self._block(block, has_text=role == "assistant" and not is_repeated)
        if role == "assistant":
            usage = mapping(mapping(message.get("metadata")).get("usage"))
            if usage and not (self._has_usage or is_repeated):
                self._use(usage)
            self._next()
            self._is_within_message = False

    def take_interrupts(self, interrupts: Any, name_of_tool: str = "") -> None:
        """Read the questions to a person."""
        for each in items(interrupts):
            each = mapping(each)
            text = as_text(each.get("reason")) or as_text(each.get("name")) or name_of_tool
            self.transcript.ask(Question(as_text(each.get("id")), text))

    def take_object(self, text: str) -> bool:
        """Skip the text of a Python object. False for any other text."""
        if not (_OBJECT.match(text) and _IN_OBJECT.search(text)):
            return False
        if reason := _STOP_REASON.search(text):
            self.transcript.stop(reason[1])
            self._called = None
        if self._unreadable is None or reason:
            self._unreadable = text
        return True

    def take_lifecycle(self, event: dict[str, Any]) -> bool:
        """Read the other events of `stream_async`. False if the event is unknown."""
        asked = event.get("tool_interrupt_event")
        if isinstance(asked, dict):
            tool = as_text(mapping(asked.get("tool_use")).get("name"))
            self.take_interrupts(asked.get("interrupts"), tool)
            return True
        return not _LIFECYCLE.isdisjoint(event)

    def say(self, text: Any, source: str) -> None:
        """Add text of the answer."""
        if isinstance(text, str) and text:
            self._source = source
            self._called = None
            if self._separate:
                self._separate = False
                self.transcript.say("\n\n")
            self.transcript.say(text)

    def think(self, text: Any) -> None:
        """Add text of the reasoning."""
        if isinstance(text, str) and text:
            self.transcript.think(text)

    def end(self) -> None:
        transcript = self.transcript
        if transcript.complete or transcript.outcome == "interrupted":
            return
        if self._is_within_message:
            raise ended_early()
        if self._called is not None:
            raise unreadable(errors.ENDED_AT_TOOL(tool=self._called[:100]))
        if self._unreadable is not None and not transcript.has_text:
            raise unreadable(errors.OBJECT_UNREADABLE(), self._unreadable)
        self.check_understood()

    def _delta(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "textDelta":
            self.say(delta.get("text"), "delta")
        elif kind == "reasoningContentDelta":
            self.think(delta.get("text"))
        elif kind == "toolUseInputDelta":
            self.transcript.call_input(self._tool, as_text(delta.get("input")))

    def _next(self) -> None:
        self._separate = self.separates and self.transcript.has_text
        self._source = None
        self._has_usage = False

    def _begin(self, _event: dict[str, Any] | None = None) -> None:
        self._next()
        self._tool = self._called = None
        self._is_within_message = True

    def _start(self, event: dict[str, Any]) -> None:
        start = mapping(event.get("start"))
        if start.get("type") == "toolUseStart":
            self._call(start)

    def _call(self, tool: dict[str, Any]) -> None:
        tool_id = tool.get("toolUseId")
        if isinstance(tool_id, str):
            self._tool = tool_id
            self._called = as_text(tool.get("name"))
            self.transcript.call(tool_id, self._called, _given(tool.get("input")))

    def _result(self, result: dict[str, Any]) -> None:
        texts = [as_text(_value(part)) for part in items(result.get("content"))]
        tool_id = as_text(result.get("toolUseId"))
        failed = result.get("status") == "error"
        self.transcript.call_result(tool_id, "\n".join(texts), failed=failed)

    def _stopped(self, event: dict[str, Any]) -> None:
        self._stop(event.get("stopReason"))

    def _stop(self, reason: Any) -> None:
        self._is_within_message = False
        self.transcript.stop(reason)

    def _usage(self, event: dict[str, Any]) -> None:
        self._use(mapping(event.get("usage")))

    def _use(self, usage: dict[str, Any]) -> None:
        self._has_usage = True
        self.transcript.usage.add(
            Usage(
                count(usage.get("inputTokens")),
                count(usage.get("outputTokens")),
                count(usage.get("cacheReadInputTokens")),
                count(usage.get("cacheWriteInputTokens")),
            )
        )

    def _block(self, block: dict[str, Any], *, has_text: bool) -> None:
        if isinstance(call := block.get("toolUse"), dict):
            self._call(call)
        elif isinstance(result := block.get("toolResult"), dict):
            self._called = None
            self._result(result)
        elif block.get("type") == "toolUseBlock":
            self._call(block)
        elif block.get("type") == "toolResultBlock":
            self._called = None
            self._result(block)
        elif block.get("type") in _BLOCK_TYPES and has_text and self._source in _REPEATABLE:
            self.say(block.get("text"), "message")

    def _text_block(self, event: dict[str, Any]) -> None:
        if self._source in (None, "block"):
            self.say(event.get("text"), "block")

    def _content_block(self, event: dict[str, Any]) -> None:
        block = mapping(event.get("contentBlock"))
        if isinstance(call := block.get("toolUse"), dict):
            self._call(call)
        else:
            self._text_block(block)

    def _message(self, event: dict[str, Any]) -> None:
        """Read a whole message, which a `messageAddedEvent` repeats, and its stop reason."""
        self.take_message(mapping(event.get("message")))
        self._is_repeated = True
        self._stop(event.get("stopReason"))

    def _message_added(self, event: dict[str, Any]) -> None:
        message = mapping(event.get("message"))
        self.take_message(message, is_repeated=self._is_repeated)
        if message.get("role") == "assistant":
            self._is_repeated = False

    def _tool_result(self, event: dict[str, Any]) -> None:
        self._called = None
        result = mapping(event.get("result"))
        self._result(mapping(result.get("toolResult")) or result)

    def _agent_result(self, event: dict[str, Any]) -> None:
        result = mapping(event.get("result"))
        self.take_interrupts(result.get("interrupts"))
        self._called = None
        if not self.transcript.has_text:
            self.take_message(mapping(result.get("lastMessage")))
        self._stop(result.get("stopReason"))

    def _completion(self, event: dict[str, Any]) -> None:
        facts = mapping(event.get("metadata"))
        transcript = self.transcript
        transcript.request_id = name(facts.get("requestId"))
        transcript.session_id = name(facts.get("sessionId"))
        if "duration" in facts:
            transcript.duration_ms = count(facts["duration"])
        transcript.complete = True

    def _failure(self, event: dict[str, Any]) -> None:
        error = event.get("error")
        raise failure(error, request_id=name(mapping(error).get("requestId")))


_EVENTS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "modelMessageStartEvent": StrandsReader._begin,
    "modelContentBlockStartEvent": StrandsReader._start,
    "modelMessageStopEvent": StrandsReader._stopped,
    "modelMetadataEvent": StrandsReader._usage,
    "textBlock": StrandsReader._text_block,
    "contentBlockEvent": StrandsReader._content_block,
    "modelMessageEvent": StrandsReader._message,
    "messageAddedEvent": StrandsReader._message_added,
    "toolResultEvent": StrandsReader._tool_result,
    "agentResultEvent": StrandsReader._agent_result,
    "serverCompletionEvent": StrandsReader._completion,
    "serverErrorEvent": StrandsReader._failure,
}


def _given(value: Any) -> str:
    return as_text(value) if value not in (None, "", {}) else ""


def _value(part: Any) -> Any:
    part = mapping(part)
    return next((part[key] for key in ("text", "json") if key in part), part or "")
