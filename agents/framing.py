"""Splits the body of an answer into JSON values, for the protocols' readers.

A body has one value on each line, one in each event of an event stream, or one in all.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agents import errors
from agents.errors import KEPT_CHARACTERS, AgentError
from agents.event_stream import CutOffError, EventStream, ServerSentEvent, TooLongError
from moca.sentences import Code, Reason

# The most bytes of a line or an event, and of an answer that is a single document.
LONGEST = 16 * 1024 * 1024
# Bytes that an error quotes of a text that cannot be read.
QUOTED_BYTES = 200
# Stands for `[DONE]`, which ends an event stream in OpenAI's protocols and similar ones.
DONE = object()

# json.loads without its checks, which take as long as the parsing of a short line.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

_OBJECT = re.compile(r'\[?\s{0,8}\{\s{0,8}(?:"|\}|$)')

_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body)\b|<\?xml|<!--", re.IGNORECASE)

# Parsed lazily, so that nothing after the end of an answer is parsed.
Batch = Iterable[Any]
# Makes an error from the data of an event that is named "error".
OnError = Callable[[str], AgentError]


class Raw(str):
    """A text that is no JSON, and is used as it is."""

    __slots__ = ()


class Frames(ABC):
    """Cuts one body, which is fed in pieces, into values. Knows nothing of sockets or threads."""

    @abstractmethod
    def feed(self, chunk: bytes) -> Iterator[Batch]:
        """Yield the values that a piece of the body completes.

        Raises AgentError if the body cannot be read.
        """

    @abstractmethod
    def end(self) -> Iterator[Batch]:
        """Yield the values that the end of the body completes. Raises AgentError as `feed`."""


class Lines(Frames):
    """Lines of JSON; the last one needs no line feed.

    A line that is no JSON or no UTF-8, or has more than 16 MB, raises AgentError.
    """

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        cut = chunk.rfind(b"\n")
        if cut < 0:
            self._begun += chunk
            if len(self._begun) > LONGEST:
                raise too_long()
            return
        self._begun += chunk[:cut]
        complete, self._begun = self._begun, bytearray(chunk[cut + 1 :])
        yield from map(_values_of_lines, _decode(complete))

    def end(self) -> Iterator[Batch]:
        if self._begun:
            yield from map(_values_of_lines, _decode(self._begun))


class Events(Frames):
    """The data of the events of an event stream; `[DONE]` becomes `DONE`.

    An event that is named "error" is a failure in every protocol: `on_error` makes the exception
    from its data. With `plain`, data that is no JSON becomes text (`Raw`). Without it, such data
    raises AgentError. A stream that ends within an event, and an event of more than 16 MB, raise
    AgentError too.
    """

    def __init__(self, on_error: OnError, *, plain: bool = False) -> None:
        self._stream = EventStream(longest=LONGEST)
        self._on_error, self._plain = on_error, plain

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        try:
            events = self._stream.feed(chunk)
        except TooLongError as error:
            raise too_long() from error
        if events:
            yield _values_of_events(events, self._on_error, plain=self._plain)

    def end(self) -> Iterator[Batch]:
        try:
            self._stream.end()
        except CutOffError as error:
            raise ended_early() from error
        return iter(())


class Document(Frames):
    """The only value of a body.

    A body that is empty, has more than 16 MB, or is neither JSON nor such a text raises AgentError.

    Args:
        plain: whether a body that is no JSON is a text (`Raw`).
        may_be_page: whether such a text may be a web page.
    """

    def __init__(self, *, plain: bool = False, may_be_page: bool = True) -> None:
        self._data = bytearray()
        self._plain, self._may_be_page = plain, may_be_page

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        self._data += chunk
        if len(self._data) > LONGEST:
            raise too_long()
        return iter(())

    def end(self) -> Iterator[Batch]:
        yield [self._value()]

    def _value(self) -> Any:
        text = self._data.decode("utf-8", "replace").strip(" \t\r\n\ufeff")
        if not text:
            raise unreadable(errors.ANSWER_EMPTY())
        is_text = self._plain and (self._may_be_page or not _PAGE.match(text))
        if is_text and not _is_object(text) and not _is_json(text):
            return Raw(text)
        return _loads(text, errors.DOCUMENT_NO_JSON)


def ended_early() -> AgentError:
    """Make the error of a stream that ended before the answer did."""
    return unreadable(errors.STREAM_ENDED_EARLY())


def unreadable(reason: Reason, quoted: str = "") -> AgentError:
    """Make the error of an answer that cannot be read; it quotes the beginning."""
    return AgentError(reason, quoted=quoted, limit=QUOTED_BYTES, kind="protocol", reached=True)


def too_long() -> AgentError:
    """Make the error of a line, event or document that is too long."""
    return unreadable(errors.ANSWER_TOO_LONG(size=LONGEST // (1024 * 1024)))


def _decode(data: bytearray) -> Iterator[list[str]]:
    if len(data) > LONGEST and max(map(len, data.split(b"\n"))) > LONGEST:
        raise too_long()
    try:
        yield data.decode().split("\n")
    except UnicodeDecodeError as error:
        bad_line = data.rfind(b"\n", 0, error.start) + 1
        yield data[:bad_line].decode().split("\n")
        quoted = data[bad_line : bad_line + KEPT_CHARACTERS].decode("utf-8", "backslashreplace")
        raise unreadable(errors.LINE_NO_UTF8(), quoted) from error


def _values_of_lines(lines: list[str]) -> Iterator[Any]:
    for line in lines:
        # No call of a function here: this loop takes most of the time.
        try:
            value, end = _scan(line, 0)
        except (ValueError, StopIteration, RecursionError):
            end = -1
        if end == len(line):
            yield value
        elif line := line.strip(" \t\r\ufeff"):
            yield _loads(line, errors.LINE_NO_JSON)


def _values_of_events(
    events: list[ServerSentEvent], on_error: OnError, *, plain: bool
) -> Iterator[Any]:
    for name, data in events:
        if name == "error":
            raise on_error(data)
        try:
            value, end = _scan(data, 0)
        except (ValueError, StopIteration, RecursionError):
            end = -1
        if end == len(data):
            yield value
        elif (text := data.strip()) == "[DONE]":
            yield DONE
        elif plain and not _is_object(text):
            yield Raw(data)
        elif text:
            yield _loads(text, errors.EVENT_NO_JSON)


def _loads(text: str, wrong: Code) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        code = errors.WEB_PAGE if _PAGE.match(text) else wrong
        raise unreadable(code(), text) from error


def _is_object(text: str) -> bool:
    """Whether a text is meant as a JSON object or a list of them, even if it is not well formed."""
    return _OBJECT.match(text) is not None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
