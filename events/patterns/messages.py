"""The phrases of findings, in English; each is a `Sentence`, which pages translate."""

import json
from collections.abc import Sequence
from functools import reduce
from typing import Any

from moca.sentences import Sentence as _

_SHOWN = 80
_LISTED = 3

MISSING = _("is missing")
ANY_VALUE = _("any value")
NO_FIELD = _("no such field")
FOUND_OBJECT = _("is an object, not a value")
FOUND_EMPTY_LIST = _("is an empty list")
FOUND_NO_VALUES = _("is a list without values")
NO_ALTERNATIVE = _("no alternative matches")


def equals_ignore_case(text: str) -> str:
    return _("%(text)s in any case", text=text)


def prefix(text: str) -> str:
    return _("a text that begins with %(text)s", text=text)


def prefix_ignore_case(text: str) -> str:
    return _("a text that begins with %(text)s in any case", text=text)


def suffix(text: str) -> str:
    return _("a text that ends with %(text)s", text=text)


def suffix_ignore_case(text: str) -> str:
    return _("a text that ends with %(text)s in any case", text=text)


def wildcard(text: str) -> str:
    return _("a text like %(text)s", text=text)


def cidr(network: str) -> str:
    return _("an IP address in %(network)s", network=network)


def anything_but(excluded: str) -> str:
    return _("anything but %(excluded)s", excluded=excluded)


def compared(symbol: str, bound: Any) -> str:
    """A comparison with a number, such as "greater than 5"."""
    shown_bound = str(bound)
    return {
        "=": _("equal to %(bound)s", bound=shown_bound),
        ">": _("greater than %(bound)s", bound=shown_bound),
        ">=": _("at least %(bound)s", bound=shown_bound),
        "<": _("less than %(bound)s", bound=shown_bound),
        "<=": _("at most %(bound)s", bound=shown_bound),
    }[symbol]


def number(comparisons: Sequence[str]) -> str:
    """A number that one or two comparisons describe."""
    if len(comparisons) == 1:
        return _("a number %(comparison)s", comparison=comparisons[0])
    lower, upper = comparisons
    return _("a number %(lower)s and %(upper)s", lower=lower, upper=upper)


def alternatives(count: int) -> str:
    return _("one of %(count)s alternatives", count=count)


def alternative_holds(place: int) -> str:
    return _("alternative %(place)s matches", place=place)


def either(phrases: Sequence[str]) -> str:
    """At least one phrase, joined by "or"."""
    return reduce(lambda one, other: _("%(one)s or %(other)s", one=one, other=other), phrases)


def shown(value: Any) -> str:
    """A text, number, true, false or null as JSON, cut to at most 80 characters."""
    if type(value) is int and value.bit_length() > 300:
        return _("a very large number")
    # Cut a long text before it is encoded.
    beginning = value[:_SHOWN] if isinstance(value, str) else value
    text = json.dumps(beginning, ensure_ascii=False, default=str)
    if beginning != value:
        text = f"{text[:-1]}..."
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def any_of(values: Sequence[Any]) -> str:
    return either([shown(value) for value in values])


def found(values: Sequence[Any]) -> str:
    """The values that a field has; at least one."""
    listed = ", ".join(shown(value) for value in values[:_LISTED])
    if len(values) > _LISTED:
        return _("found %(listed)s and %(more)s more", listed=listed, more=len(values) - _LISTED)
    return _("found %(listed)s", listed=listed)


def found_at(text: str, position: int, place: str) -> str:
    return _(
        "%(text)s in element %(position)s of %(place)s", text=text, position=position, place=place
    )
