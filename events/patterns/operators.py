"""The comparison operators: from what a pattern says of a field to a test of one value.

Source: User Guide, "Comparison operators"
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html). The
errors are those of Event Ruler's compiler (JsonRuleCompiler.java), but for that of an empty list
within anything-but. A range of one address, such as 10.0.0.1/32, is taken here, and EventBridge
refuses it (CIDR.java: "IPv4 mask bits must be < 32").

Numbers are compared by value, as Event Ruler does: 300, 300.0 and 3.0e2 are one number. The guide's
page on syntax still says that they differ, which cannot be told from decoded JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from events.patterns import letter_case, messages
from events.patterns.errors import PatternError
from events.patterns.numeric import check_comparable, is_number, parse_numeric
from events.patterns.wildcards import compile_wildcard

Test = Callable[[Any], bool]

# The longest text of an IP address: six groups of IPv6, then an address of IPv4.
_LONGEST_ADDRESS = 45
# To read an address takes as long as so many comparisons.
_CIDR_STEPS = 10


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a field may be: `holds` takes a text, number, true, false or null.

    `absent` is true of `{"exists": false}`, which no value fulfils. `steps` says how much work it
    is to ask a value.
    """

    wanted: str
    holds: Test
    absent: bool = False
    steps: int = 1


def parse_conditions(where: str, listed: list[Any]) -> tuple[Condition, ...]:
    """Read the list of a field, of which any one condition is enough.

    Raises PatternError, for an empty list and for whatever is neither a value nor an operator.
    """
    if not listed:
        raise PatternError(where, 'The list is empty. Put a value in it, such as ["my.app"].')
    values: list[Any] = []
    conditions: list[Condition] = []
    for index, entry in enumerate(listed):
        place = f"{where}[{index}]"
        if isinstance(entry, dict):
            conditions.append(_read_operator(place, entry))
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
    """Test for equality, by type first: in Python true is 1, in JSON it is not."""
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


def _read_operator(where: str, entry: dict[str, Any]) -> Condition:
    name, operand = _single(where, entry)
    if reader := _READERS.get(name):
        return reader(f"{where}.{name}", operand)
    reason = f"There is no operator {messages.shown(name)}. {_hint(name, operand)}"
    raise PatternError(f"{where}.{name}", reason)


def _single(where: str, entry: dict[str, Any]) -> tuple[str, Any]:
    """The name and operand of an operator, which stands alone in its object."""
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
    """Say what may have been meant by an operator that there is not."""
    if near := get_close_matches(name.lower().replace("_", "-"), _READERS, 1, 0.7):
        return f'Write "{near[0]}".'
    plain = "".join(character for character in name.lower() if character.isalnum())
    if plain in _EQUALITY:
        return "Write the value itself in the list."
    if known := _OTHER_NAMES.get(plain):
        return f'Write "{known}".'
    if isinstance(operand, (list, dict)):
        return "To match a field of an object, leave out the list around the object."
    return f"Write one of {', '.join(_READERS)}."


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
    """Let a test of texts take any value: nothing else passes."""
    return lambda value: isinstance(value, str) and test(value)


@dataclass(frozen=True, slots=True)
class _TextOperator:
    """An operator that tests texts: how it is made from its operand, and what it says."""

    make: Callable[[str, str], Callable[[str], bool]]
    wanted: Callable[[str], str]


def _prefix(_where: str, text: str) -> Callable[[str], bool]:
    return lambda value: value.startswith(text)


def _suffix(_where: str, text: str) -> Callable[[str], bool]:
    return lambda value: value.endswith(text)


def _prefix_ignore_case(_where: str, text: str) -> Callable[[str], bool]:
    return letter_case.beginning(text)


def _suffix_ignore_case(_where: str, text: str) -> Callable[[str], bool]:
    return letter_case.ending(text)


def _equals_ignore_case(_where: str, text: str) -> Callable[[str], bool]:
    return letter_case.equal(text)


_TEXT_OPERATORS = {
    "prefix": _TextOperator(_prefix, messages.prefix),
    "suffix": _TextOperator(_suffix, messages.suffix),
    "equals-ignore-case": _TextOperator(_equals_ignore_case, messages.equals_ignore_case),
    "wildcard": _TextOperator(compile_wildcard, messages.wildcard),
}
_IGNORING_CASE = {
    "prefix": _TextOperator(_prefix_ignore_case, messages.prefix_ignore_case),
    "suffix": _TextOperator(_suffix_ignore_case, messages.suffix_ignore_case),
}


def _read_text_operator(where: str, operand: Any) -> Condition:
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


def _read_numeric(where: str, operand: Any) -> Condition:
    return Condition(*parse_numeric(where, operand))


def _read_exists(where: str, operand: Any) -> Condition:
    if operand is True:
        return Condition(messages.ANY_VALUE, lambda _value: True)
    if operand is False:
        return Condition(messages.NO_FIELD, lambda _value: False, absent=True)
    raise PatternError(where, "Exists takes true or false, without quotes.")


def _read_cidr(where: str, operand: Any) -> Condition:
    network = _network(where, _text(where, operand))

    def holds(value: str) -> bool:
        # A zone ("%eth0") is part of an address to Python, and not to EventBridge.
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


def _read_anything_but(where: str, operand: Any) -> Condition:
    """Read what a field must not be: texts, numbers, or what an operator of texts accepts.

    A value of another type is something else, and so matches.
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
    """The texts of an operator within anything-but, each with its place."""
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


_READERS: dict[str, Callable[[str, Any], Condition]] = {
    "prefix": _read_text_operator,
    "suffix": _read_text_operator,
    "equals-ignore-case": _read_text_operator,
    "wildcard": _read_text_operator,
    "anything-but": _read_anything_but,
    "numeric": _read_numeric,
    "exists": _read_exists,
    "cidr": _read_cidr,
}
