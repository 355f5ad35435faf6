"""Finds senders in the table, by their kind or by the headers of a message."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.kinds import SourceKind
from events.schemes.token import AUTHORIZATION
from events.sender import BUS, GENERAL, GROUPS, SENDERS, Sender
from events.sender_table import ALL

__all__ = [
    "BUS",
    "GENERAL",
    "GROUPS",
    "NAMES",
    "SENDERS",
    "Sender",
    "choices",
    "find",
    "in_short_order",
    "kind_of",
    "recognize",
    "sender_of",
    "senders",
]

_BY_KIND: Mapping[str, Sender] = {one.kind: one for one in ALL}
# The kinds that a message is taken for first, if its headers fit several.
_FIRST = (SourceKind.WEBHOOK, SourceKind.GITHUB, SourceKind.SLACK, SourceKind.STRIPE)
# The names that only these senders may give to their events.
NAMES = frozenset(one.name for one in ALL if one.name)


def senders() -> tuple[Sender, ...]:
    """All kinds of sources, in the order in which forms list them."""
    return ALL


def in_short_order() -> list[Sender]:
    """All kinds of sources, for errors that list them: the bus first, then what is most used."""
    first = (SourceKind.BUS, *_FIRST)
    others = (one for one in ALL if one.kind not in first)
    return [*(_BY_KIND[kind] for kind in first), *others]


def find(kind: str) -> Sender | None:
    """The sender of a kind, or None if there is none."""
    return _BY_KIND.get(kind)


def sender_of(kind: str) -> Sender:
    """The sender of a kind that is known. Raises KeyError if there is none."""
    return _BY_KIND[kind]


def choices() -> list[tuple[Any, list[tuple[str, Any]]]]:
    """The kinds for a form, by group."""
    return [
        (label, [(one.kind, one.label) for one in ALL if one.group == group])
        for group, label in GROUPS.items()
    ]


def kind_of(headers: Mapping[str, str]) -> str | None:
    """The kind whose scheme the headers of a message fit best, or None if they fit none.

    Args:
        headers: the request's headers, their names in lower case.
    """
    for kind in _FIRST:
        scheme = _BY_KIND[kind].scheme
        if scheme and any(headers.get(name, "").strip() for name in scheme.headers):
            return kind
    found = [one for one in recognize(headers) if one.scheme]
    return found[0].kind if found else None


def recognize(headers: Mapping[str, str]) -> list[Sender]:
    """The senders that a message may come from, by its headers; the likeliest first.

    Args:
        headers: the request's headers, their names in lower case.
    """
    return sorted(_with_headers(headers), key=lambda one: _rank(one, headers))


def _with_headers(headers: Mapping[str, str]) -> Iterable[Sender]:
    for one in ALL:
        names = (*one.marks, *(one.scheme.headers if one.scheme else ()))
        if any(headers.get(name, "").strip() for name in names):
            yield one


def _rank(one: Sender, headers: Mapping[str, str]) -> tuple[bool, bool, bool]:
    signs = any(
        headers.get(name, "").strip()
        for name in (one.scheme.headers if one.scheme else ())
        if name != AUTHORIZATION
    )
    is_marked = any(headers.get(name, "").strip() for name in one.marks)
    return (not signs, not is_marked, one.kind not in _FIRST)
