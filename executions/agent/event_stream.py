"""Event streams, read as the standard says (WHATWG HTML, 9.2.5 and 9.2.6).

`id` and `retry` are for a client that connects again. We never do: the agent would begin anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """An event: its name, "" for one without, and its data, with LF between the lines."""

    name: str
    data: str


class CutOffError(Exception):
    """The stream ended within an event, which is dropped."""


class TooLongError(Exception):
    """A line, or the data of an event, is longer than allowed."""


def server_sent_events(chunks: Iterable[bytes], *, longest: int) -> Iterator[list[ServerSentEvent]]:
    """The events that each chunk completes; a line may end in LF, CR or CR LF.

    Args:
        chunks: the stream, cut anywhere.
        longest: how many bytes a line, or the data of an event, may have.

    Raises:
        CutOffError, TooLongError: see there.
    """
    lines, fields = _Lines(longest), _Fields(longest)
    for chunk in chunks:
        events = [event for line in lines.of(chunk) if (event := fields.take(line))]
        if events:
            yield events
    if fields.has_data or lines.is_within_field:
        raise CutOffError


class _Fields:
    """The fields of the event that is under way."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._clear()

    @property
    def has_data(self) -> bool:
        return bool(self._data)

    def take(self, line: bytes) -> ServerSentEvent | None:
        """Take the next line; the event that it ends, if it ends one that has data."""
        if line.startswith(b"data:"):
            self._add(line[6:] if line.startswith(b"data: ") else line[5:])
        elif not line:
            return self._end()
        elif line == b"data":
            self._add(b"")
        elif line == b"event" or line.startswith(b"event:"):
            self._name = line[6:].removeprefix(b" ")
        return None

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._size += len(data)
        if self._size > self._longest:
            raise TooLongError

    def _end(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._clear()
        if not data:
            return None
        return ServerSentEvent(
            name.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace")
        )

    def _clear(self) -> None:
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0


class _Lines:
    """Lines of a stream that is cut anywhere, also between CR and LF."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._is_after_return = False
        self._is_first = True

    @property
    def is_within_field(self) -> bool:
        """Whether a line has begun and not ended that is more than a comment."""
        return bool(self._begun) and not self._begun.startswith(b":")

    def of(self, chunk: bytes) -> list[bytes]:
        """The lines that a chunk completes."""
        if self._is_after_return and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._is_after_return = False
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if not end:
            self._begun += chunk
            if len(self._begun) > self._longest:
                raise TooLongError
            return []
        self._is_after_return = chunk.endswith(b"\r")
        complete = bytes(self._begun) + chunk[:end] if self._begun else chunk[:end]
        self._begun = bytearray(chunk[end:])
        # For bytes, these are the lines of the standard: they end in LF, CR or CR LF alone.
        lines = complete.splitlines()
        if self._is_first:
            self._is_first = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return lines
