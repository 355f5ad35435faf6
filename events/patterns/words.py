"""What findings say, in plain English.

All texts are built from the templates of this module, so that they can be translated.
"""

import json
from typing import Any

MISSING = "is missing"
ANY_VALUE = "any value"
NO_FIELD = "no such field"
EQUALS_IGNORE_CASE = "{} in any case"
PREFIX = "a text that begins with {}"
PREFIX_IGNORE_CASE = "a text that begins with {} in any case"
SUFFIX = "a text that ends with {}"
SUFFIX_IGNORE_CASE = "a text that ends with {} in any case"
WILDCARD = "a text like {}"
CIDR = "an IP address in {}"
LARGE_NUMBER = "a very large number"
ANYTHING_BUT = "anything but {}"
NUMBER = "a number {}"
NUMBER_BETWEEN = "a number {} and {}"
COMPARED = {
    "=": "equal to {}",
    ">": "greater than {}",
    ">=": "at least {}",
    "<": "less than {}",
    "<=": "at most {}",
}
OR = " or "
FOUND = "found {}"
FOUND_MORE = "found {} and {} more"
FOUND_AT = "{} in element {} of {}"
FOUND_OBJECT = "is an object, not a value"
FOUND_EMPTY_LIST = "is an empty list"
FOUND_NO_VALUES = "is a list without values"
ALTERNATIVES = "one of {} alternatives"
ALTERNATIVE_HOLDS = "alternative {} matches"
NO_ALTERNATIVE = "no alternative matches"

_SHOWN = 80
_LISTED = 3


def shown(value: Any) -> str:
    """A text, number, true, false or null as JSON, cut to a length that fits on a line."""
    if type(value) is int and value.bit_length() > 300:
        return LARGE_NUMBER
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def any_of(values: list[Any]) -> str:
    return OR.join(shown(value) for value in values)


def found(values: list[Any]) -> str:
    """Say which values a field has. Takes at least one."""
    listed = ", ".join(shown(value) for value in values[:_LISTED])
    if len(values) > _LISTED:
        return FOUND_MORE.format(listed, len(values) - _LISTED)
    return FOUND.format(listed)
