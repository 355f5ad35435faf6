"""Reads the arguments of tools and prompts; errors name the argument and the remedy."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from moca.api.errors import InvalidFieldsError, detail
from moca.api.paths import IdConverter

Given = Mapping[str, Any]

_ID = re.compile(IdConverter.regex)


def require_known(given: Given, known: Collection[str], needed: Collection[str] = ()) -> None:
    """Refuse arguments that there are not, which the API would ignore, and name missing ones."""
    found = [
        detail(name, f"There is no such argument. Give some of {', '.join(known)}.", "unknown")
        for name in given
        if name not in known
    ][:20]
    found += [detail(n, "This is needed.", "required") for n in needed if given.get(n) is None]
    if found:
        raise InvalidFieldsError(found)


def identifier(given: Given, name: str) -> str:
    """The id of a row."""
    value = given.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        message = "Give an id as another tool returned it: 1 to 128 characters without slashes."
        raise InvalidFieldsError([detail(name, message)])
    return value


def whole_number(given: Given, name: str, *, default: int, least: int, most: int) -> int:
    value = _number(given.get(name))
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        message = f"Give a whole number from {least} to {most}."
        raise InvalidFieldsError([detail(name, message)])
    return value


def text(given: Given, name: str, *, most: int) -> str:
    """A text of at most `most` characters; empty if it is left out."""
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise InvalidFieldsError([detail(name, f"Give a text of at most {most} characters.")])
    return value


def as_query(given: Given, names: Collection[str]) -> dict[str, str | None]:
    """Arguments as parameters of a query, which the API checks."""
    return {name: _parameter(name, given.get(name)) for name in names}


def _parameter(name: str, value: Any) -> str | None:
    value = _number(value)
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return value
    raise InvalidFieldsError([detail(name, "Give a text, a whole number, true or false.")])


def _number(value: Any) -> Any:
    """A whole number that a client has written as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
