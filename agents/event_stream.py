"""Parses event streams as the standard says (WHATWG HTML, 9.2.5 and 9.2.6), for `framing.py`.

`id` and `retry` are ignored. They are for clients that reconnect, and we never do: the agent would
begin again.
"""

from __future__ import annotations

from typing import NamedTuple

_BYTE_ORDER_MARK = "\ufeff"


class ServerSentEvent(NamedTuple):
    """An event: its name, "" for one without, and its data, with LF between the lines."""

    name: str
    data: str


# Takes half the time of the constructor, which checks the number of its arguments.
_new = tuple.__new__


class CutOffError(Exception):
    """The stream ended within an event, which is dropped."""


class TooLongError(Exception):
    """An event is longer than allowed."""


class EventStream:
    """Cuts a stream, which is fed in pieces, into events. A line may end in LF, CR or CR LF.

    Args:
        longest: the most bytes that an event may have.
    """

    def __init__(self, *, longest: int) -> None:
        self._blocks = _Blocks(longest)

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that a piece completes; TooLongError if one is too long."""
        return [event for block in self._blocks.of(chunk) if (event := _event(block))]

    def end(self) -> None:
        """Note that the stream has ended; CutOffError if it ended within an event."""
        if self._blocks.is_within_event:
            raise CutOffError


class _Blocks:
    """Cuts a stream into blocks: the lines between two blank ones, which make one event."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        # The beginning of the next block, with LF at the end of each line.
        self._begun = bytearray()
        self._is_after_return = False
        self._is_first = True

    @property
    def is_within_event(self) -> bool:
        """Whether the next block has begun with more than comments and fields without data."""
        *lines, last = self._text(self._begun).split("\n")
        return any(map(_is_data, lines)) or bool(last and not last.startswith(":"))

    def of(self, chunk: bytes) -> list[str]:
        """Return the blocks that a chunk completes."""
        chunk = self._with_line_feeds(chunk)
        end = chunk.rfind(b"\n\n") + 2
        if end < 2:
            # The cut between two chunks may be within the blank line.
            end = int(chunk.startswith(b"\n") and self._begun.endswith(b"\n"))
        if not end:
            self._begun += chunk
            if len(self._begun) > self._longest:
                raise TooLongError
            return []
        text = self._text(self._begun + chunk[:end])
        self._begun = bytearray(chunk[end:])
        self._is_first = False
        blocks = text.split("\n\n")
        if len(text) > self._longest and max(map(len, blocks)) > self._longest:
            raise TooLongError
        return blocks

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._is_after_return and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._is_after_return = False
        if b"\r" not in chunk:
            return chunk
        self._is_after_return = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _text(self, data: bytearray) -> str:
        text = data.decode("utf-8", "replace")
        return text.removeprefix(_BYTE_ORDER_MARK) if self._is_first else text


def _event(block: str) -> ServerSentEvent | None:
    """Parse a block. Returns None if it has no data."""
    # Most events are one line, which is faster to read directly.
    if block.startswith("data: ") and "\n" not in block:
        return _new(ServerSentEvent, ("", block[6:]))
    name, data = "", []
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.removeprefix(" ")
    return ServerSentEvent(name, "\n".join(data)) if data else None


def _is_data(line: str) -> bool:
    return line.partition(":")[0] == "data"
