"""The agent's answer: from bytes to events, and from events to what was said and used."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from executions.agent import errors
from executions.agent.errors import KEPT_CHARACTERS, AgentError
from executions.agent.event_stream import (
    CutOffError,
    ServerSentEvent,
    TooLongError,
    server_sent_events,
)
from executions.agent.masking import Mask, MaskedText
from executions.agent.output import Output
from moca.sentences import Code, Reason

# The longest line of a stream, and the longest answer that is a single document.
LONGEST_LINE = 16 * 1024 * 1024

# Where other agents put their answer, the likeliest first.
_ANSWER_KEYS = ("output", "result", "response", "message", "text", "content", "data", "delta")
_TEXT_TYPES = (None, "text", "output_text", "message", "text_delta")
_BLOCK_TYPES = (None, "textBlock", "text")
_DEEPEST = 8
# Keys under which an event named `error` says why. How many bytes an error quotes of a text that is
# unreadable.
_REASON_KEYS = ("message", "error", "text", "detail", "error_type", "code")
_QUOTED_BYTES = 200

# json.loads less its checks, which cost as much as the parsing of a short line.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

# Parsed as it is read, so that what follows a completion event is never looked at.
Batch = Iterable[Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent said and used.

    Token counts are sums over its model calls; `duration_ms` is its own figure, in milliseconds.
    `request_id`, `session_id` and `duration_ms` are None where it named none.
    """

    output: Output
    input_tokens: int
    output_tokens: int
    request_id: str | None
    session_id: str | None
    duration_ms: int | None


class Answer:
    """Events folded into a reply.

    Text comes from deltas; `textBlock` and `messageAddedEvent` repeat it, and count only in a
    message of the assistant that had none. A message ends where the next begins, or at its
    `messageAddedEvent`. Secrets are masked before the text goes into the output, which keeps parts.
    """

    def __init__(self, mask: Mask) -> None:
        self.output = Output()
        self._mask = mask
        self._masked = MaskedText(mask)
        self.complete = False
        self._input_tokens = 0
        self._output_tokens = 0
        self._end: dict[str, Any] = {}
        self._source: str | None = None
        self._pieces: list[str] = []

    def add(self, event: Any) -> None:
        """Take the next event; what is no event of the protocol is skipped.

        Raises AgentError for a `serverErrorEvent`.
        """
        if not isinstance(event, dict):
            return
        kind = event.get("type")
        if kind == "modelContentBlockDeltaEvent":
            delta = event.get("delta")
            if isinstance(delta, dict) and delta.get("type") == "textDelta":
                text = delta.get("text")
                if isinstance(text, str) and text:
                    self._source = "delta"
                    self._pieces.append(text)
        elif isinstance(kind, str) and kind in _EVENTS:
            _EVENTS[kind](self, event)

    def say(self, text: str) -> None:
        """Take text that comes without an event around it."""
        self._say(text, "delta")

    def flush(self) -> None:
        """Put the text taken so far into the output, which costs less in one piece."""
        if self._pieces:
            self._put(self._masked.add("".join(self._pieces)))
            self._pieces.clear()

    def reply(self) -> Reply:
        """What has come, when no more does."""
        self.flush()
        self._put(self._masked.end())
        return Reply(
            output=self.output,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            request_id=self._name("requestId"),
            session_id=self._name("sessionId"),
            duration_ms=_count(self._end["duration"]) if "duration" in self._end else None,
        )

    def _put(self, text: str) -> None:
        if text:
            self.output.append(text)

    def _name(self, key: str) -> str | None:
        name = _text(self._end.get(key))
        return self._mask.text(name) if name else None

    def _say(self, text: Any, source: str) -> None:
        if isinstance(text, str) and text:
            self._source = source
            self._pieces.append(text)

    def _message_start(self, _event: dict[str, Any]) -> None:
        self._source = None

    def _text_block(self, event: dict[str, Any]) -> None:
        if self._source != "delta":
            self._say(event.get("text"), "block")

    def _message_added(self, event: dict[str, Any]) -> None:
        message = _mapping(event.get("message"))
        if message.get("role") != "assistant":
            return
        content = message.get("content")
        if self._source is None and isinstance(content, list):
            for block in content:
                if isinstance(block, dict) and block.get("type") in _BLOCK_TYPES:
                    self._say(block.get("text"), "message")
        self._source = None

    def _usage(self, event: dict[str, Any]) -> None:
        usage = _mapping(event.get("usage"))
        self._input_tokens += _count(usage.get("inputTokens"))
        self._output_tokens += _count(usage.get("outputTokens"))

    def _completion(self, event: dict[str, Any]) -> None:
        self._end = _mapping(event.get("metadata"))
        self.complete = True

    def _failure(self, event: dict[str, Any]) -> None:
        error = event.get("error")
        raise _failure(error, request_id=_text(_mapping(error).get("requestId")))


_EVENTS: dict[str, Callable[[Answer, dict[str, Any]], None]] = {
    "modelMessageStartEvent": Answer._message_start,
    "textBlock": Answer._text_block,
    "messageAddedEvent": Answer._message_added,
    "modelMetadataEvent": Answer._usage,
    "serverCompletionEvent": Answer._completion,
    "serverErrorEvent": Answer._failure,
}


def read_answer(
    chunks: Iterable[bytes],
    content_type: str,
    on_output: Callable[[Output], None] | None = None,
    mask: Mask | None = None,
) -> Reply:
    """Read an answer to its end.

    `content_type` is the response's header: `application/json` is one document,
    `text/event-stream` server-sent events, everything else one JSON value a line. A document
    that is complete, or an event stream that said something and ended cleanly, needs no completion
    event; lines do. What follows a completion event is not read. `on_output` is called after each
    chunk that brought text. The secrets of `mask` are masked in the reply.

    Raises AgentError where the agent reports a failure, or sends what is no JSON, a line above
    16 MB, or no completion event. Its message quotes the agent, and is not masked yet.
    """
    answer = Answer(mask or Mask())
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        for batch in _batches(chunks, media_type):
            _take(answer, batch, media_type, on_output)
            if answer.complete:
                return answer.reply()
        if media_type == "application/json":
            return answer.reply()
        if media_type == "text/event-stream" and answer.output.total_bytes:
            return answer.reply()
        raise _ended_early()
    except AgentError as error:
        error.reply = answer.reply()
        raise


def _batches(chunks: Iterable[bytes], media_type: str) -> Iterator[Batch]:
    if media_type == "application/json":
        return _document(chunks)
    if media_type == "text/event-stream":
        return _server_sent(chunks)
    return _lines_of_json(chunks)


def _take(
    answer: Answer, batch: Batch, media_type: str, on_output: Callable[[Output], None] | None
) -> None:
    before = answer.output.total_bytes
    protocol_only = media_type not in ("application/json", "text/event-stream")
    for value in batch:
        if protocol_only or _is_event(value):
            answer.add(value)
        else:
            _add_other(answer, value, whole=media_type == "application/json")
        if answer.complete:
            break
    answer.flush()
    if on_output is not None and answer.output.total_bytes > before:
        on_output(answer.output)


def _lines(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """The lines that each chunk completes, the last one with or without a line feed."""
    begun = bytearray()
    for chunk in chunks:
        cut = chunk.rfind(b"\n")
        if cut < 0:
            begun += chunk
            if len(begun) > LONGEST_LINE:
                raise _too_long()
            continue
        begun += chunk[:cut]
        complete, begun = begun, bytearray(chunk[cut + 1 :])
        yield from _decode(complete)
    if begun:
        yield from _decode(begun)


def _decode(data: bytearray) -> Iterator[list[str]]:
    if len(data) > LONGEST_LINE and max(map(len, data.split(b"\n"))) > LONGEST_LINE:
        raise _too_long()
    try:
        yield data.decode().split("\n")
    except UnicodeDecodeError as error:
        bad_line = data.rfind(b"\n", 0, error.start) + 1
        yield data[:bad_line].decode().split("\n")
        quoted = data[bad_line : bad_line + KEPT_CHARACTERS].decode("utf-8", "backslashreplace")
        raise _unreadable(errors.LINE_NO_UTF8(), quoted) from error


def _lines_of_json(chunks: Iterable[bytes]) -> Iterator[Batch]:
    return map(_values, _lines(chunks))


def _values(lines: list[str]) -> Iterator[Any]:
    for line in lines:
        # Spelled out, since it is what most of the time is spent on.
        try:
            value, end = _scan(line, 0)
        except (ValueError, StopIteration, RecursionError):
            end = -1
        if end == len(line):
            yield value
        elif line := line.strip(" \t\r\ufeff"):
            yield _loads(line, errors.LINE_NO_JSON)


def _loads(text: str, wrong: Code) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(wrong(), text) from error


def _document(chunks: Iterable[bytes]) -> Iterator[Batch]:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > LONGEST_LINE:
            raise _too_long()
    text = data.decode("utf-8", "replace").strip(" \t\r\n\ufeff")
    if not text:
        raise _unreadable(errors.ANSWER_EMPTY())
    document = _loads(text, errors.DOCUMENT_NO_JSON)
    events = isinstance(document, list) and any(map(_is_event, document))
    yield document if events else [document]


def _server_sent(chunks: Iterable[bytes]) -> Iterator[Batch]:
    try:
        for events in server_sent_events(chunks, longest=LONGEST_LINE):
            yield _values_of_events(events)
    except CutOffError as error:
        raise _ended_early() from error
    except TooLongError as error:
        raise _too_long() from error


def _values_of_events(events: list[ServerSentEvent]) -> Iterator[Any]:
    for name, data in events:
        if name == "error":
            raise _reported(data)
        try:
            value, end = _scan(data, 0)
        except (ValueError, StopIteration, RecursionError):
            end = -1
        if end == len(data):
            yield value
        elif (data := data.strip()) not in ("", "[DONE]"):
            yield _loads(data, errors.EVENT_NO_JSON)


def _is_event(value: Any) -> bool:
    """Tell an event of the protocol, all of which are named so, from another agent's answer."""
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and (kind.endswith("Event") or kind == "textBlock")


def _add_other(answer: Answer, value: Any, *, whole: bool) -> None:
    """Take what an agent with a format of its own sent: a whole answer, or a piece of one."""
    # An error without a text has a class all the same.
    if isinstance(value, dict) and (value.get("error") or value.get("error_type")):
        raise _failure(value.get("error") or value["error_type"])
    said = _answer_text(value, _DEEPEST)
    if not said and whole and value:
        said = json.dumps(value, ensure_ascii=False)
    answer.say(said)


def _answer_text(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        return "".join(_answer_text(part, depth - 1) for part in value)
    if depth and isinstance(value, dict):
        if value.get("type") not in _TEXT_TYPES and depth < _DEEPEST:
            return ""
        for key in _ANSWER_KEYS:
            if value.get(key):
                return _answer_text(value[key], depth - 1)
    return ""


def _reported(data: str) -> AgentError:
    """The failure that an event named `error` reports, whatever the protocol of its data."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = data
    return _failure(value, request_id=_text(_mapping(value).get("requestId")))


def _failure(error: Any, *, request_id: str | None = None) -> AgentError:
    reason = _printable(_reason(error, _DEEPEST).strip())
    own = None if reason else errors.AGENT_FAILED_SILENTLY()
    return AgentError(own, quoted=reason, kind="agent", reached=True, request_id=request_id)


def _reason(error: Any, depth: int) -> str:
    """Why the agent failed: the first text where errors have one; empty where there is none."""
    if isinstance(error, str):
        return error
    if not depth or not isinstance(error, dict):
        return ""
    found = (_reason(error.get(key), depth - 1) for key in _REASON_KEYS)
    return next((text for text in found if text.strip()), "")


def _ended_early() -> AgentError:
    return _unreadable(errors.STREAM_ENDED_EARLY())


def _unreadable(reason: Reason, quoted: str = "") -> AgentError:
    return AgentError(reason, quoted=quoted, limit=_QUOTED_BYTES, kind="protocol", reached=True)


def _too_long() -> AgentError:
    limit = LONGEST_LINE // (1024 * 1024)
    return _unreadable(errors.ANSWER_TOO_LONG(size=limit))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return _printable(value) or None if isinstance(value, str) else None


def _printable(text: str) -> str:
    """A text for records and logs: without control characters, and in whole characters."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def _count(value: Any) -> int:
    """A figure that an agent gave, or 0 where that is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if number and 0 <= value < 2**53 else 0
