"""Phrases of English that the descriptions of expressions and plans share."""

from collections.abc import Iterable
from datetime import date

from moca.sentences import Sentence as _

MONTHS = tuple(date(2000, month, 1).strftime("%B") for month in range(1, 13))


def date_words(day: date) -> str:
    """A date such as "1 January 2027"."""
    return _(
        "%(day)s %(month)s %(year)s", day=day.day, month=_(MONTHS[day.month - 1]), year=day.year
    )


def joined(words: Iterable[str]) -> str:
    """Join words to a list: "a", "a and b", "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def ordinal(number: int) -> str:
    """The ordinal of a number, such as "1st", "22nd", "13th"."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}th" if number in (11, 12, 13) else f"{number}{suffix}"
