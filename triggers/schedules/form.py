"""The outer form of an expression, shared by the parser and by its corrections."""

import re

from moca.sentences import Sentence as _

# Characters of an expression (EventBridge Scheduler API, ScheduleExpression).
MAX_LENGTH = 256
# The keyword, and the text after it.
FORM = re.compile(r"(cron|rate|at)\b\s*(.*)", re.IGNORECASE | re.DOTALL)

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def odd_character(text: str) -> str | None:
    """The first character that no expression has, or None if there is none."""
    if text.isascii() and text.isprintable():
        return None
    return next((char for char in text if not (" " <= char <= "~" or char in "\t\r\n")), None)


def odd_character_reason(character: str) -> str:
    """The error reason for such a character."""
    return _(
        "The character U+%(code)s has no meaning here; use plain ASCII text.",
        code=f"{ord(character):04X}",
    )


def split_fields(body: str) -> list[str]:
    """The fields inside `cron(...)`, in upper case and without leading zeros."""
    return _LEADING_ZEROS.sub("", body.upper()).split()
