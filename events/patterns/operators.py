"""Parses the comparison operators of a field to conditions, each a test of one value.

Source: User Guide, "Comparison operators"
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html). This
module rejects what Event Ruler's compiler rejects (JsonRuleCompiler.java), and an empty list within
anything-but. Unlike EventBridge, it accepts a range of one address, such as 10.0.0.1/32 (CIDR.java:
"IPv4 mask bits must be < 32").

Numbers are compared by value, as in Event Ruler: 300, 300.0 and 3.0e2 are equal. The guide's page
on syntax still says that they differ, but decoded JSON does not show the difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from operator import methodcaller
from typing import Any

from events.patterns import letter_case, messages
from events.patterns.errors import PatternError
from events.patterns.numeric import check_comparable, is_number, parse_numeric
from events.patterns.wildcards import compile_wildcard

Test = Callable[[Any], bool]

# The longest IP address: six groups of IPv6, then an IPv4 address.
_LONGEST_ADDRESS = 45
# Parsing an address takes as long as this many comparisons.
_CIDR_STEPS = 10


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a field.

    Attributes:
        wanted: a phrase that describes it.
        holds: tests a value: a text, number, true, false or null.
        absent: whether it is `{"exists": false}`, which no value meets.
        steps: the work of testing one value.
    """

    wanted: str
    holds: Test
    absent: bool = False
    steps: int = 1


def parse_conditions(where: str, listed: list[Any]) -> tuple[Condition, ...]:
    """Parse the list of a field to conditions, of which one must hold.

    Raises PatternError for an empty list, and for an entry that is neither a value nor an operator.
    """
    if not listed:
        raise PatternError(where, 'The list is empty. Put a value in it, such as ["my.app"].')
    values: list[Any] = []
    conditions: list[Condition] = []
    for index, entry in enumerate(listed):
        place = f"{where}[{index}]"
        if isinstance(entry, dict):
            conditions.append(_parse_operator(place, entry))
        elif isinstance(entry, (list, tuple)):
            raise PatternError(
                place, "A list stands in a list. Put its values directly in the outer one."
            )
        else:
            values.append(_checked_value(place, entry))
    if values:
        conditions.insert(0, Condition(messages.any_of(values), _one_of(values)))
    return tuple(conditions)


def _checked_value(where: str, value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)) or is_number(value):
        return value
    raise PatternError(where, "This is no JSON. Write a text, a number, true, false or null.")


def _one_of(values: list[Any]) -> Test:
    """A test for equality that compares types first, because true equals 1 in Python."""
    numbers = frozenset(value for value in values if is_number(value))
    by_type: dict[type, frozenset[Any]] = {
        str: frozenset(value for value in values if isinstance(value, str)),
        bool: frozenset(value for value in values if isinstance(value, bool)),
        type(None): frozenset(value for value in values if value is None),
        int: numbers,
        float: numbers,
    }
    nothing: frozenset[Any] = frozenset()
    return lambda value: value in by_type.get(type(value), nothing)


def _parse_operator(where: str, entry: dict[str, Any]) -> Condition:
    name, operand = _single(where, entry)
    if parser := _PARSERS.get(name):
        return parser(f"{where}.{name}", operand)
    reason = f"There is no operator {messages.shown(name)}. {_hint(name, operand)}"
    raise PatternError(f"{where}.{name}", reason)


def _single(where: str, entry: dict[str, Any]) -> tuple[str, Any]:
    """The name and operand of the one operator in an object."""
    if not entry:
        raise PatternError(
            where, 'The object is empty. Put an operator in it, such as {"prefix": "order."}.'
        )
    if len(entry) > 1:
        raise PatternError(
            where,
            f"The object has {len(entry)} operators, and any one of a list is enough. "
            "Give each an object of its own.",
        )
    name, operand = next(iter(entry.items()))
    return str(name), operand


def _hint(name: str, operand: Any) -> str:
    """What the author of an unknown operator may have meant."""
    if near := get_close_matches(name.lower().replace("_", "-"), _PARSERS, 1, 0.7):
        return f'Write "{near[0]}".'
    plain = "".join(character for character in name.lower() if character.isalnum())
    if plain in _EQUALITY:
        return "Write the value itself in the list."
    if known := _OTHER_NAMES.get(plain):
        return f'Write "{known}".'
    if isinstance(operand, (list, dict)):
        return "To match a field of an object, leave out the list around the object."
    return f"Write one of {', '.join(_PARSERS)}."


_EQUALITY = frozenset({"eq", "equal", "equals", "equalto", "exactly", "in", "is", "oneof", "value"})
_OTHER_NAMES = {
    "beginswith": "prefix",
    "between": "numeric",
    "contains": "wildcard",
    "endswith": "suffix",
    "glob": "wildcard",
    "gt": "numeric",
    "gte": "numeric",
    "ip": "cidr",
    "ipaddress": "cidr",
    "like": "wildcard",
    "lt": "numeric",
    "lte": "numeric",
    "matches": "wildcard",
    "ne": "anything-but",
    "not": "anything-but",
    "notequals": "anything-but",
    "notin": "anything-but",
    "number": "numeric",
    "present": "exists",
    "regex": "wildcard",
    "startswith": "prefix",
}


def _text(where: str, operand: Any) -> str:
    if isinstance(operand, str):
        return operand
    name = where.rpartition(".")[2]
    if isinstance(operand, list):
        reason = f"Here {name} takes one text. Give each text an object of its own in the list."
        raise PatternError(where, reason)
    raise PatternError(where, f"{name.capitalize()} takes a text. Put the value in quotes.")


def _texts(test: Callable[[str], bool]) -> Test:
    """A test of any value, from a test of texts: other values fail."""
    return lambda value: isinstance(value, str) and test(value)


@dataclass(frozen=True, slots=True)
class _TextOperator:
    """An operator on texts.

    Attributes:
        make: makes the test from the operand's path and the operand.
        wanted: makes the phrase that describes it.
    """

    make: Callable[[str, str], Callable[[str], bool]]
    wanted: Callable[[str], str]


_TEXT_OPERATORS = {
    "prefix": _TextOperator(lambda _where, text: methodcaller("startswith", text), messages.prefix),
    "suffix": _TextOperator(lambda _where, text: methodcaller("endswith", text), messages.suffix),
    "equals-ignore-case": _TextOperator(
        lambda _where, text: letter_case.equal(text), messages.equals_ignore_case
    ),
    "wildcard": _TextOperator(compile_wildcard, messages.wildcard),
}
_IGNORING_CASE = {
    "prefix": _TextOperator(
        lambda _where, text: letter_case.beginning(text), messages.prefix_ignore_case
    ),
    "suffix": _TextOperator(
        lambda _where, text: letter_case.ending(text), messages.suffix_ignore_case
    ),
}


def _parse_text_operator(where: str, operand: Any) -> Condition:
    name = where.rpartition(".")[2]
    operator = _TEXT_OPERATORS[name]
    if isinstance(operand, dict) and name in _IGNORING_CASE:
        inner, operand = _single(where, operand)
        where = f"{where}.{inner}"
        if inner != "equals-ignore-case":
            reason = f'Within {name} only "equals-ignore-case" can stand. Write that, or a text.'
            raise PatternError(where, reason)
        operator = _IGNORING_CASE[name]
    text = _text(where, operand)
    wanted = operator.wanted(messages.shown(text))
    return Condition(wanted, _texts(operator.make(where, text)))


def _parse_numeric(where: str, operand: Any) -> Condition:
    return Condition(*parse_numeric(where, operand))


def _parse_exists(where: str, operand: Any) -> Condition:
    if operand is True:
        return Condition(messages.ANY_VALUE, lambda _value: True)
    if operand is False:
        return Condition(messages.NO_FIELD, lambda _value: False, absent=True)
    raise PatternError(where, "Exists takes true or false, without quotes.")


def _parse_cidr(where: str, operand: Any) -> Condition:
    network = _network(where, _text(where, operand))

    def holds(value: str) -> bool:
        # Python accepts a zone ("%eth0") in an address, but EventBridge does not.
        if len(value) > _LONGEST_ADDRESS or "%" in value:
            return False
        try:
            return ip_address(value) in network
        except ValueError:
            return False

    return Condition(messages.cidr(operand), _texts(holds), steps=_CIDR_STEPS)


def _network(where: str, text: str) -> IPv4Network | IPv6Network:
    address, slash, bits = text.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()) or "%" in address:
        raise PatternError(where, "Write an address, a slash and a number of bits: 10.0.0.0/24.")
    try:
        return ip_network(text, strict=False)
    except ValueError:
        reason = (
            f"{messages.shown(text)} is no range of IP addresses. Write one such as 10.0.0.0/24."
        )
        raise PatternError(where, reason) from None


def _parse_anything_but(where: str, operand: Any) -> Condition:
    """Parse what a field must not be: texts, numbers, or what an operator on texts accepts.

    A value of another type matches.
    """
    if isinstance(operand, dict):
        name, inner = _single(where, operand)
        place = f"{where}.{name}"
        operator = _TEXT_OPERATORS.get(name)
        if operator is None:
            reason = f"Within anything-but only {', '.join(_TEXT_OPERATORS)} can stand. Write one."
            raise PatternError(place, reason)
        tests = [_texts(operator.make(at, text)) for at, text in _excluded_texts(place, inner)]
        excluded = operator.wanted(messages.any_of(_as_list(inner)))
        return Condition(
            messages.anything_but(excluded),
            lambda value: not any(t(value) for t in tests),
            steps=len(tests),
        )
    values = _excluded_values(where, operand)
    one_of = _one_of(values)
    wanted = messages.anything_but(messages.any_of(values))
    return Condition(wanted, lambda value: not one_of(value))


def _as_list(operand: Any) -> list[Any]:
    return operand if isinstance(operand, list) else [operand]


def _excluded_values(where: str, operand: Any) -> list[Any]:
    values = _as_list(operand)
    if not values:
        raise PatternError(where, "The list is empty. Put in it what is not wanted.")
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if is_number(value)]
    if len(texts) + len(numbers) < len(values):
        reason = "Anything-but takes texts or numbers only. Leave out true, false, null and lists."
        raise PatternError(where, reason)
    if texts and numbers:
        raise PatternError(
            where, "Texts and numbers stand together. Write either only texts or only numbers."
        )
    for number in numbers:
        check_comparable(where, number)
    return values


def _excluded_texts(where: str, operand: Any) -> list[tuple[str, str]]:
    """The texts of an operator within anything-but, each with its path."""
    if not isinstance(operand, list):
        places = [(where, operand)]
    else:
        places = [(f"{where}[{index}]", text) for index, text in enumerate(operand)]
    if not places:
        raise PatternError(where, "The list is empty. Put in it what is not wanted.")
    for place, text in places:
        if not isinstance(text, str):
            raise PatternError(place, "Only texts can stand here. Put the value in quotes.")
        if not text and where.endswith((".prefix", ".suffix")):
            reason = "Every text begins and ends with the empty text, so that nothing would match."
            raise PatternError(place, f"{reason} Write at least one character.")
    return places


_PARSERS: dict[str, Callable[[str, Any], Condition]] = {
    **dict.fromkeys(_TEXT_OPERATORS, _parse_text_operator),
    "anything-but": _parse_anything_but,
    "numeric": _parse_numeric,
    "exists": _parse_exists,
    "cidr": _parse_cidr,
}
