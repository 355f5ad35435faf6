"""Compares texts without regard to case, letter by letter, for the `equals-ignore-case` operators.

Source: Event Ruler, EqualsIgnoreCaseParser.java. Each letter of the pattern matches its own lower
and upper case, whatever letters are beside it. A capital sigma in the pattern therefore matches the
small sigma, but not the final one; a final sigma matches the capital. The upper case of one letter
can be several letters: "ß" matches "ß" and "SS". Unlike Event Ruler, which reads a letter beyond
U+FFFF as two question marks, this module treats it as a letter.
"""

import re
from collections.abc import Callable

# The most letters that one letter becomes in the other case (Unicode, SpecialCasing.txt).
_LONGEST = 3


def equal(text: str) -> Callable[[str], bool]:
    """A test of whether a whole text is equal."""
    is_equal = _compiled(text).fullmatch
    return lambda value: is_equal(value) is not None


def beginning(text: str) -> Callable[[str], bool]:
    """A test of how a text begins."""
    begins = _compiled(text).match
    return lambda value: begins(value) is not None


def ending(text: str) -> Callable[[str], bool]:
    """A test of how a text ends."""
    if not text:
        return lambda _value: True
    # Compare backwards from the end; a search forwards would have to try each position.
    begins = _compiled(text[::-1], is_reversed=True).match
    longest = _LONGEST * len(text)
    return lambda value: begins(value[-longest:][::-1]) is not None


def _compiled(text: str, *, is_reversed: bool = False) -> re.Pattern[str]:
    """A regular expression that never backtracks, since no two cases of a letter begin alike."""
    step = -1 if is_reversed else 1
    return re.compile("".join(_cases(letter, step) for letter in text))


def _cases(letter: str, step: int) -> str:
    lower, upper = letter.lower()[::step], letter.upper()[::step]
    if lower == upper:
        return re.escape(lower)
    return f"(?:{re.escape(lower)}|{re.escape(upper)})"
