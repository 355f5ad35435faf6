"""Keeps the beginning and the end of an agent's answer, and counts all of its bytes.

The limits of what is kept beside the answer, such as tools and reasoning, are in `agents.replies`.
"""

from typing import Self

# Bytes of the beginning, and the same of the end: twice this is kept. It fits into a DynamoDB item,
# which has at most 400 KB.
KEPT_AT_EACH_END = 64 * 1024


class Output:
    """A text that grows by `append`. Its first and its last 64 KB of UTF-8 are kept.

    It is cut between characters. `total_bytes` counts all bytes of UTF-8.
    """

    __slots__ = ("_half", "_head", "_tail", "total_bytes")

    def __init__(self) -> None:
        self._head = bytearray()
        # Cut only when it has twice the bytes that are kept, so that `append` stays cheap.
        self._tail = bytearray()
        self._half = ""
        self.total_bytes = 0

    @classmethod
    def stored(cls, head: str, tail: str, total_bytes: int) -> Self:
        """Rebuild an output from its three stored values."""
        output = cls()
        output._head += head.encode()
        output._tail += tail.encode()
        output.total_bytes = total_bytes
        return output

    def append(self, text: str) -> None:
        """Add the next piece. Two surrogates become a character; a single one is replaced."""
        # Some databases refuse NUL.
        text = text.replace("\0", "")
        if self._half:
            text, self._half = self._half + text, ""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = self._encode_surrogates(text)
        self.total_bytes += len(data)
        # The head is complete as soon as the tail has something.
        if not self._tail and len(self._head) < KEPT_AT_EACH_END:
            cut = _character_start(data, KEPT_AT_EACH_END - len(self._head))
            self._head += data[:cut]
            data = data[cut:]
        self._tail += data
        if len(self._tail) > 2 * KEPT_AT_EACH_END:
            del self._tail[:-KEPT_AT_EACH_END]

    def _encode_surrogates(self, text: str) -> bytes:
        """Encode text whose last character may be half: JSON's \\u escapes come in two parts."""
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
        """The whole text, or both parts and a line between them that says how much is left out."""
        return self.after(0)[0]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is left out."""
        return self.total_bytes == len(self._head) + len(self._kept_tail())

    def after(self, offset: int) -> tuple[str, int]:
        """Return the text after byte `offset`, and the offset to pass next time.

        If `offset` is in the part that is left out, the text is a line that says so, and the tail.
        If it is within a character, the text starts at the next one. If it is past the end, the
        text is empty.
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
        tail = self._tail[-KEPT_AT_EACH_END:]
        return bytes(tail[_next_character(tail, 0) :])


def _continues(byte: int) -> bool:
    """Whether a byte continues a UTF-8 character, rather than starting it (RFC 3629, 3)."""
    return byte & 0xC0 == 0x80


def _character_start(data: bytes, limit: int) -> int:
    """Return the last place at or before `limit` that is between two characters."""
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
