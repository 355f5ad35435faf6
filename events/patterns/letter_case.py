"""Texts compared without regard to upper and lower case, letter by letter.

Source: Event Ruler, EqualsIgnoreCaseParser.java. Each letter of the pattern stands for its lower
case and for its upper case, whatever letters are beside it. The capital sigma therefore takes the
small one, and not the one that ends words, which takes the capital. The upper case of one letter
may have several: "ß" takes "ß" and "SS". Event Ruler reads a letter beyond U+FFFF as two question
marks; here it is a letter.
"""

import re
from collections.abc import Callable

# No letter has more letters than this in the other case (Unicode, SpecialCasing.txt).
_LONGEST = 3


def equal(text: str) -> Callable[[str], bool]:
    """Make the test of a whole text."""
    is_equal = _compiled(text).fullmatch
    return lambda value: is_equal(value) is not None


def beginning(text: str) -> Callable[[str], bool]:
    """Make the test of how a text begins."""
    begins = _compiled(text).match
    return lambda value: begins(value) is not None


def ending(text: str) -> Callable[[str], bool]:
    """Make the test of how a text ends."""
    if not text:
        return lambda _value: True
    # From the end, which needs one look. From the beginning, each place would need one.
    begins = _compiled(text[::-1], is_reversed=True).match
    longest = _LONGEST * len(text)
    return lambda value: begins(value[-longest:][::-1]) is not None


def _compiled(text: str, *, is_reversed: bool = False) -> re.Pattern[str]:
    """The letters as an expression that never goes back: no letter's cases begin alike."""
    step = -1 if is_reversed else 1
    return re.compile("".join(_cases(letter, step) for letter in text))


def _cases(letter: str, step: int) -> str:
    lower, upper = letter.lower()[::step], letter.upper()[::step]
    if lower == upper:
        return re.escape(lower)
    return f"(?:{re.escape(lower)}|{re.escape(upper)})"
