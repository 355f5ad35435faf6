"""The difference between two prompts, as pieces for a page: what stays, what went, what came."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# Two blocks with more lines or words in all are shown whole, because to compare them takes the
# product of their lengths.
MOST_PARTS = 3000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")

SAME, GONE, NEW = "same", "gone", "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text; `kind` is one of SAME, GONE and NEW."""

    kind: str
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in order: line by line, and word by word where lines changed."""
    found: list[Piece] = []
    for old, new in _blocks(before.splitlines(keepends=True), after.splitlines(keepends=True)):
        found += _of_block("".join(old), "".join(new))
    return found


def _of_block(old: str, new: str) -> Iterator[Piece]:
    if old == new:
        yield Piece(SAME, old)
        return
    for gone, came in _blocks(_WORDS.findall(old), _WORDS.findall(new)):
        if gone == came:
            yield Piece(SAME, "".join(gone))
            continue
        if gone:
            yield Piece(GONE, "".join(gone))
        if came:
            yield Piece(NEW, "".join(came))


def _blocks(
    before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """The blocks of two lists in order: equal ones, and those in place of each other."""
    if len(before) + len(after) > MOST_PARTS:
        yield before, after
        return
    for _, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield before[i:j], after[k:m]
