"""Strict readers of the API's query parameters, for its views.

An empty parameter counts as left out. Each reader raises InvalidParameterError (400) if the
parameter is invalid.
"""

from collections.abc import Collection
from datetime import datetime

from django.http import QueryDict

from moca.api.errors import InvalidParameterError
from moca.times import parse_iso

MAX_TEXT = 200
MAX_NAME = 100


def require_known(query: QueryDict, known: Collection[str]) -> None:
    """Raise InvalidParameterError for an unknown parameter; the message lists the known ones."""
    for name in query:
        if name not in known:
            there = f"Give only {', '.join(known)}" if known else "There are none here"
            raise InvalidParameterError(name[:MAX_NAME], f"This is no parameter. {there}.")


def flag(query: QueryDict, name: str) -> bool:
    """Read `true`, `false`, `1` or `0`; false if it is left out."""
    return choice(query, name, ["true", "false", "1", "0"]) in ("true", "1")


def whole_number(query: QueryDict, name: str, *, default: int, least: int, most: int) -> int:
    """Read a whole number in ASCII digits from `least` to `most`."""
    text = query.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise InvalidParameterError(name, f"Give a whole number from {least} to {most}.")
    return int(text)


def choice(query: QueryDict, name: str, choices: Collection[str]) -> str:
    """Read one of the choices; empty if it is left out."""
    text = query.get(name, "")
    if text and text not in choices:
        raise InvalidParameterError(name, f"Give one of {', '.join(choices)}.")
    return text


def search_text(query: QueryDict, name: str) -> str:
    """Read a text to search for, of at most MAX_TEXT characters; empty if it is left out."""
    text = query.get(name, "").strip()
    if len(text) > MAX_TEXT or "\0" in text:
        raise InvalidParameterError(name, f"Give a text of at most {MAX_TEXT} characters.")
    return text


def moment(query: QueryDict, name: str) -> datetime | None:
    """An ISO 8601 time with an offset or `Z`; None if it is left out."""
    text = query.get(name)
    if not text:
        return None
    try:
        return parse_iso(text)
    except (ValueError, OverflowError) as error:
        message = (
            "Give an ISO 8601 time with an offset, such as 2027-01-31T09:00:00Z; write + as %2B."
        )
        raise InvalidParameterError(name, message) from error
