"""Finds the answer in values of any shape that an agent yields or returns.

These are events of Strands, texts, objects with the answer under a usual key, and events of other
frameworks: Google ADK 2.13, agno 3.1.10, LangGraph and Vercel's AI SDK 6. Any other value is never
recorded as an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agents import errors
from agents.framing import DONE, Batch, Raw, ended_early, unreadable
from agents.protocols.base import failure
from agents.protocols.strands import StrandsReader
from agents.replies import Question, Transcript, Usage, as_text, count, items, mapping

# Keys that may have the answer, the likeliest first.
_ANSWER_KEYS = ("output", "result", "response", "message", "text", "content", "data", "delta")
_TEXT_TYPES = (None, "text", "output_text", "message", "text_delta")
_DEEPEST = 8
# The first characters that the text of a Python object may have.
_OBJECT_BEGINS = frozenset("{<")


class ValuesReader(StrandsReader):
    """Reads values that AgentCore's SDKs send."""

    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        self._is_stream = media_type == "text/event-stream"
        # Whether text came in pieces. If so, a whole answer repeats it.
        self._has_pieces = False
        self._failed: Any = None

    def take(self, values: Batch) -> None:
        transcript = self.transcript
        for value in values:
            # The two most frequent types first, because a stream may have a million of them.
            if isinstance(value, str):
                if value[:1] in _OBJECT_BEGINS and self._is_object_text(value):
                    continue
                if self._source == "delta" and self._has_pieces and self._called is None:
                    transcript.say(value)
                else:
                    self._piece(value)
            elif isinstance(value, dict):
                self._take_object(value)
            elif isinstance(value, list):
                self._take_list(value)
            elif value is not None and value is not DONE:
                self._piece(json.dumps(value))
            if transcript.complete:
                return

    def take_document(self, value: Any) -> None:
        if isinstance(value, list) and any(map(_is_event, value)):
            self.take(value)
        elif isinstance(value, dict) and not _is_event(value):
            self._take_answer(value)
        elif isinstance(value, list):
            self.say(_answer_text(value, _DEEPEST) or json.dumps(value), "delta")
        else:
            self.take([value])

    def end(self) -> None:
        if self._failed is not None:
            raise failure(self._failed)
        super().end()
        transcript = self.transcript
        is_silent = not transcript.said_anything and transcript.outcome is None
        if self._is_stream and is_silent and not transcript.complete:
            raise ended_early()

    def _is_object_text(self, text: str) -> bool:
        return not isinstance(text, Raw) and self.take_object(text)

    def note_unknown(self, event: dict[str, Any]) -> None:
        """Note an event of another protocol; unknown ones of Strands are passed over."""
        if event and not _is_event(event):
            self.skip(event)

    def _piece(self, text: Any) -> None:
        self._has_pieces = self._has_pieces or bool(text)
        self.say(text, "delta")

    def _take_answer(self, value: dict[str, Any]) -> None:
        """Read a document that is a whole answer."""
        _check(value)
        result = value.get("result")
        message = mapping(result if isinstance(result, dict) else value.get("message"))
        if message.get("role") == "assistant":
            self.take_message(message)
            return
        said = _answer_text(value, _DEEPEST)
        if isinstance(said, str) and self.take_object(said):
            return
        self.say(said or (json.dumps(value, ensure_ascii=False) if value else ""), "delta")

    def _take_list(self, value: list[Any]) -> None:
        """Read a list: a chunk and its metadata from LangGraph's mode `messages`, or texts."""
        if len(value) == 2 and _is_chunk(value[0]):
            self._chunk(value[0])
        elif said := _answer_text(value, _DEEPEST):
            self._piece(said)
        else:
            self.skip(value)

    def _take_object(self, value: dict[str, Any]) -> None:
        event = value.get("event")
        if "type" in value:
            if self.take_event(value) or _is_event(value):
                return
        elif isinstance(event, dict):
            if not self.take_converse(event):
                self.skip(value)
            return
        # The failures of other frameworks may have the error's class beside a better reason.
        if self._take_named(value):
            return
        _check(value)
        if isinstance(message := value.get("message"), dict) and "role" in message:
            self.take_message(message)
        elif _is_of_adk(value):
            self._adk(value)
        elif _is_chunk(value):
            self._chunk(value)
        elif not self.take_lifecycle(value):
            self._other(value)

    def _take_named(self, value: dict[str, Any]) -> bool:
        """Read an event of another framework by its name. False for any other object."""
        names = [each for each in (value.get("event"), value.get("type")) if isinstance(each, str)]
        take = next((_FRAMEWORKS[each] for each in names if each in _FRAMEWORKS), None)
        if take is not None:
            take(self, value)
        return take is not None

    def _other(self, value: dict[str, Any]) -> None:
        """Read an object that has a piece of the answer under a usual key."""
        if self.has_converse_text and "data" in value:
            # It repeats the text of the model's events.
            return
        kind = value.get("type")
        said = _answer_text(value, _DEEPEST) if kind in _TEXT_TYPES else ""
        if said and not self.take_object(said):
            self._piece(said)
        elif not said:
            self.skip(value)

    def _whole(self, text: Any) -> None:
        """Read a whole answer. It counts only if no pieces came before."""
        if isinstance(text, str) and not self.transcript.has_text:
            self.say(text, "message")

    def _chunk(self, chunk: dict[str, Any]) -> None:
        """Read a message chunk of LangChain. Only the model's chunks are the answer."""
        if not str(chunk.get("type", "")).startswith("AI"):
            return
        self._piece(_answer_text(chunk.get("content"), _DEEPEST - 1))
        usage = mapping(chunk.get("usage_metadata"))
        details = mapping(usage.get("input_token_details"))
        self.transcript.usage.add(
            Usage(
                count(usage.get("input_tokens")),
                count(usage.get("output_tokens")),
                count(details.get("cache_read")),
                count(details.get("cache_creation")),
            )
        )

    def _langgraph(self, value: dict[str, Any]) -> None:
        chunk = mapping(mapping(value.get("data")).get("chunk"))
        if _is_chunk(chunk):
            self._chunk(chunk)

    def _adk(self, value: dict[str, Any]) -> None:
        """Read an event of Google ADK. Partial events are pieces, and the whole text follows."""
        for part in map(mapping, items(mapping(value["content"]).get("parts"))):
            text = part.get("text")
            if part.get("thought"):
                self.think(text)
            elif isinstance(call := part.get("functionCall"), dict):
                tool_id = as_text(call.get("id")) or as_text(call.get("name"))
                self.transcript.call(tool_id, as_text(call.get("name")), as_text(call.get("args")))
            elif isinstance(result := part.get("functionResponse"), dict):
                tool_id = as_text(result.get("id")) or as_text(result.get("name"))
                self.transcript.call_result(tool_id, as_text(result.get("response")))
            elif value.get("partial"):
                self._piece(text)
            elif not self._has_pieces:
                self.say(text, "message")
        if not value.get("partial"):
            self._has_pieces = False
            self._separate = self.separates and self.transcript.has_text
        usage = mapping(value.get("usageMetadata"))
        if usage and not value.get("partial"):
            self.transcript.usage.add(
                Usage(
                    count(usage.get("promptTokenCount")),
                    count(usage.get("candidatesTokenCount")),
                    count(usage.get("cachedContentTokenCount")),
                )
            )

    def _agno_piece(self, value: dict[str, Any]) -> None:
        self._piece(value.get("content"))
        self.think(value.get("reasoning_content"))

    def _agno_end(self, value: dict[str, Any]) -> None:
        self._whole(value.get("content"))
        metrics = mapping(value.get("metrics"))
        self.transcript.usage.add(
            Usage(
                count(metrics.get("input_tokens")),
                count(metrics.get("output_tokens")),
                count(metrics.get("cache_read_tokens")),
                count(metrics.get("cache_write_tokens")),
            )
        )

    def _agno_error(self, value: dict[str, Any]) -> None:
        raise failure(value.get("content") or value.get("error_type"))

    def _agno_cancelled(self, _value: dict[str, Any]) -> None:
        self.transcript.stop("cancelled")

    def _agno_paused(self, value: dict[str, Any]) -> None:
        """Read a pause before tools that a person has to confirm or to fill in."""
        self.transcript.stop("interrupt")
        for tool in map(mapping, items(value.get("tools"))):
            text = f"{as_text(tool.get('tool_name'))} {as_text(tool.get('tool_args'))}".strip()
            self.transcript.ask(Question(as_text(tool.get("tool_call_id")), text))

    def _vercel_text(self, value: dict[str, Any]) -> None:
        self._piece(value.get("delta"))

    def _vercel_reasoning(self, value: dict[str, Any]) -> None:
        self.think(value.get("delta"))

    def _vercel_call(self, value: dict[str, Any]) -> None:
        tool_id, tool = as_text(value.get("toolCallId")), as_text(value.get("toolName"))
        self.transcript.call(tool_id, tool, as_text(value.get("input")))

    def _vercel_result(self, value: dict[str, Any]) -> None:
        self.transcript.call_result(as_text(value.get("toolCallId")), as_text(value.get("output")))

    def _vercel_tool_failed(self, value: dict[str, Any]) -> None:
        tool_id, reason = as_text(value.get("toolCallId")), as_text(value.get("errorText"))
        self.transcript.call_result(tool_id, reason, failed=True)

    def _vercel_approval(self, value: dict[str, Any]) -> None:
        """Read a call of a tool that a person has to approve."""
        call = self.transcript.call_of(as_text(value.get("toolCallId")))
        text = f"{call.name} {call.input}".strip() if call else ""
        self.transcript.ask(Question(as_text(value.get("approvalId")), text))

    def _vercel_finish(self, value: dict[str, Any]) -> None:
        reason = value.get("finishReason")
        if reason == "tool-calls" and self.transcript.outcome is None:
            if self.transcript.lacks_result:
                raise unreadable(errors.TOOL_WITHOUT_CALLER())
            # `stopWhen` ended the run before the model could read the results.
            reason = "limit_turns"
        self.transcript.stop(reason)

    def _vercel_abort(self, _value: dict[str, Any]) -> None:
        self.transcript.stop("cancelled")

    def _vercel_error(self, value: dict[str, Any]) -> None:
        # `finish` and `[DONE]` follow, but they do not make it a success.
        raise failure(value.get("errorText") or value.get("error"))

    def _pass(self, _value: dict[str, Any]) -> None:
        """Skip an event that has nothing to record."""


_FRAMEWORKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "on_chat_model_stream": ValuesReader._langgraph,
    "RunContent": ValuesReader._agno_piece,
    "RunCompleted": ValuesReader._agno_end,
    "RunError": ValuesReader._agno_error,
    "RunCancelled": ValuesReader._agno_cancelled,
    "RunPaused": ValuesReader._agno_paused,
    "text-delta": ValuesReader._vercel_text,
    "reasoning-delta": ValuesReader._vercel_reasoning,
    "tool-input-available": ValuesReader._vercel_call,
    "tool-output-available": ValuesReader._vercel_result,
    # The input did not fit, or the tool is not there. `tool-output-error` follows.
    "tool-input-error": ValuesReader._vercel_call,
    "tool-output-error": ValuesReader._vercel_tool_failed,
    "tool-approval-request": ValuesReader._vercel_approval,
    "finish": ValuesReader._vercel_finish,
    "error": ValuesReader._vercel_error,
    "abort": ValuesReader._vercel_abort,
    "start": ValuesReader._pass,
    "start-step": ValuesReader._pass,
    "finish-step": ValuesReader._pass,
    "text-start": ValuesReader._pass,
    "text-end": ValuesReader._pass,
}


def _check(value: dict[str, Any]) -> None:
    """Raise AgentError for an object that reports a failure."""
    if "original_type" in value:
        # AgentCore's SDK could not serialize what the agent returned.
        return
    reason = value.get("error") or value.get("error_type")
    if reason or value.get("errorCode"):
        raise failure(reason or value.get("errorMessage") or value["errorCode"])
    if value.get("status") == "ERROR":
        raise failure(value.get("content") or "")


def _is_event(value: Any) -> bool:
    """Whether a value is an event of Strands' TypeScript SDK, by the name of its type."""
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and (kind.endswith("Event") or kind == "textBlock")


def _is_chunk(value: Any) -> bool:
    """Whether a value is a message of LangChain."""
    return isinstance(value, dict) and "additional_kwargs" in value and "content" in value


def _is_of_adk(value: dict[str, Any]) -> bool:
    return isinstance(value.get("content"), dict) and "parts" in value["content"]


def _answer_text(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        return "".join(_answer_text(part, depth - 1) for part in value)
    if depth and isinstance(value, dict):
        if value.get("type") not in _TEXT_TYPES:
            return ""
        for key in _ANSWER_KEYS:
            if value.get(key):
                return _answer_text(value[key], depth - 1)
    return ""
