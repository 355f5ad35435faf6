"""Keeps the beginning and the end of what an agent said, and counts all of it."""

from typing import Self

# Bytes of each of both parts. A DynamoDB item, which holds both, has at most 400 KB.
KEPT_BYTES = 64 * 1024


class Output:
    """Text that grows by `append`, of which the first and the last 64 KB of UTF-8 are kept.

    Cuts fall between characters. `total_bytes` counts everything, in bytes of UTF-8.
    """

    __slots__ = ("_half", "_head", "_tail", "total_bytes")

    def __init__(self) -> None:
        self._head = bytearray()
        # Its front is dropped at twice the bytes that are kept, which keeps appending cheap.
        self._tail = bytearray()
        self._half = ""
        self.total_bytes = 0

    @classmethod
    def stored(cls, head: str, tail: str, total_bytes: int) -> Self:
        """Rebuild an output from the three values that were kept of it."""
        output = cls()
        output._head += head.encode()
        output._tail += tail.encode()
        output.total_bytes = total_bytes
        return output

    def append(self, text: str) -> None:
        """Add the next piece. Surrogates are joined to characters, or replaced when alone."""
        # Some databases refuse NUL, and nobody misses it.
        text = text.replace("\0", "")
        if self._half:
            text, self._half = self._half + text, ""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = self._encode_surrogates(text)
        self.total_bytes += len(data)
        # Once something went to the tail, the head is complete.
        if not self._tail and len(self._head) < KEPT_BYTES:
            cut = _character_start(data, KEPT_BYTES - len(self._head))
            self._head += data[:cut]
            data = data[cut:]
        self._tail += data
        if len(self._tail) > 2 * KEPT_BYTES:
            del self._tail[:-KEPT_BYTES]

    def _encode_surrogates(self, text: str) -> bytes:
        """Encode text that JSON's \\u escapes cut in halves; the next piece may bring the other."""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()

    @property
    def head(self) -> str:
        """The first 64 KB."""
        return self._head.decode()

    @property
    def tail(self) -> str:
        """The last 64 KB of what follows the head."""
        return self._kept_tail().decode()

    @property
    def text(self) -> str:
        """Everything, or both parts and a line between that says how much is left out."""
        return self.after(0)[0]

    def after(self, offset: int) -> tuple[str, int]:
        """What was said after byte `offset`, and the offset to ask from next time.

        An offset in the part left out gives a line that says so and the tail; one inside a
        character starts at the next; one past the end gives nothing.
        """
        tail = self._kept_tail()
        tail_start = self.total_bytes - len(tail)
        offset = max(offset, 0)
        if offset >= tail_start:
            return _from(tail, offset - tail_start), self.total_bytes
        said = _from(self._head, offset)
        left_out = tail_start - max(offset, len(self._head))
        if left_out > 0:
            said += f"\n[... {left_out} bytes left out ...]\n"
        return said + tail.decode(), self.total_bytes

    def _kept_tail(self) -> bytes:
        tail = self._tail[-KEPT_BYTES:]
        return bytes(tail[_next_character(tail, 0) :])


def _continues(byte: int) -> bool:
    """Tell a byte inside a UTF-8 character from one that starts it (RFC 3629, 3)."""
    return byte & 0xC0 == 0x80


def _character_start(data: bytes, limit: int) -> int:
    """The last place at or before `limit` where `data` can be cut between characters."""
    if limit >= len(data):
        return len(data)
    while limit > 0 and _continues(data[limit]):
        limit -= 1
    return limit


def _next_character(data: bytes | bytearray, offset: int) -> int:
    while offset < len(data) and _continues(data[offset]):
        offset += 1
    return offset


def _from(data: bytes | bytearray, offset: int) -> str:
    return data[_next_character(data, offset) :].decode()
