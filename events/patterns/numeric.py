"""The operator `numeric`, which compares numbers.

Source: Event Ruler since 1.8.0, ComparableNumber.java. It compares numbers that a double can hold
(IEEE 754, 64 bits). A number with more digits, such as 9007199254740993, matches nothing if it is
in an event, and is an error in a pattern. The User Guide still names an older limit: 5.0e9, with
six digits after the point.
"""

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeGuard

from events.patterns import messages
from events.patterns.errors import PatternError

# A double holds every whole number up to this one.
_EXACT = 2**53
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_LOWER = (">", ">=")
_UPPER = ("<", "<=")


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a JSON number; true, NaN and infinity are none."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def is_comparable(value: Any) -> bool:
    """Whether a value is a number that a double holds exactly.

    A number with a point or an exponent is always one, because decoding JSON made it a double.
    """
    if type(value) is not int:
        return is_number(value)
    if -_EXACT <= value <= _EXACT:
        return True
    try:
        return Decimal(repr(float(value))) == value
    except OverflowError:
        return False


def parse_numeric(where: str, operand: Any) -> tuple[str, Callable[[Any], bool]]:
    """Parse one comparison, or a lower bound and an upper bound.

    Returns:
        A phrase that describes it, and the test.

    Raises:
        PatternError: the operand is invalid.
    """
    if not isinstance(operand, list):
        raise PatternError(where, 'Numeric takes a list, such as [">", 0, "<=", 5].')
    if len(operand) not in (2, 4):
        reason = "Write one comparison, or a lower bound and an upper one"
        raise PatternError(where, f'{reason}: [">", 0] or [">", 0, "<=", 5].')
    pairs = [
        (_symbol(f"{where}[{index}]", operand[index]), _bound(f"{where}[{index + 1}]", number))
        for index, number in zip(range(0, len(operand), 2), operand[1::2], strict=True)
    ]
    if len(pairs) == 2:
        _check_range(where, pairs)
    wanted = messages.number([messages.compared(symbol, bound) for symbol, bound in pairs])
    tests = [(_COMPARE[symbol], bound) for symbol, bound in pairs]
    (compare, bound), (compare_too, bound_too) = tests[0], tests[-1]

    def holds(value: Any) -> bool:
        return is_comparable(value) and compare(value, bound) and compare_too(value, bound_too)

    return wanted, holds


def _symbol(where: str, symbol: Any) -> str:
    if isinstance(symbol, str) and symbol in _COMPARE:
        return symbol
    hints = {"==": "=", "=>": ">=", "=<": "<=", "===": "="}
    hint = hints.get(symbol) if isinstance(symbol, str) else None
    if hint:
        raise PatternError(where, f'Write "{hint}" for {messages.shown(symbol)}.')
    raise PatternError(where, "A comparison begins with one of =, >, >=, < and <=. Put it here.")


def _bound(where: str, bound: Any) -> int | float:
    if not is_number(bound):
        raise PatternError(where, "Compare with a number, without quotes.")
    check_comparable(where, bound)
    return bound


def check_comparable(where: str, number: float) -> None:
    """Raise PatternError for a number that a double cannot hold exactly."""
    if not is_comparable(number):
        reason = "The number has more digits than can be compared. Round it to 15 digits."
        raise PatternError(where, reason)


def _check_range(where: str, pairs: list[tuple[str, int | float]]) -> None:
    (first, low), (second, high) = pairs
    if first in _UPPER and second in _LOWER:
        reason = "The lower bound comes first. Write"
        raise PatternError(where, f'{reason} ["{second}", {high}, "{first}", {low}].')
    if first not in _LOWER or second not in _UPPER:
        reason = "A range is a lower bound with > or >=, then an upper one with < or <="
        raise PatternError(where, f'{reason}: [">", 0, "<=", 5].')
    if low == high and (first, second) == (">=", "<="):
        raise PatternError(where, f'Write ["=", {low}] for a range of one number.')
    if low >= high:
        raise PatternError(
            where, f"No number is above {low} and below {high}. Make the lower bound the smaller."
        )
