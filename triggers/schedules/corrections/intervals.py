"""Corrects intervals: loosely written rates, Go durations, ISO 8601 durations and repetitions."""

import re
from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from typing import TypeVar
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.corrections import notes
from triggers.schedules.corrections.moments import parse_moment, weekday_name
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.rate import EXAMPLE, UNIT_MINUTES, rate_words

Size = TypeVar("Size", int, Fraction)

_LOOSE = re.compile(
    r"(?:every\s+(other\s+)?)?\W*([0-9]+(?:\.[0-9]+)?)?\W*([a-z]*)\W*", re.IGNORECASE
)
_RIGHT = re.compile(r"[0-9]+\s+(?:minute|hour|day)s?", re.IGNORECASE)
_BARE = re.compile(r"(?:@?every\b|p[0-9t]|-?[0-9.]+\s*[a-z])[a-z0-9.\s-]*", re.IGNORECASE)
_GO = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:d|h|m|s|ms|us|ns))+", re.IGNORECASE)
_GO_PART = re.compile(r"(?<![0-9])([0-9]+(?:\.[0-9]+)?)(ms|us|ns|d|h|m|s)", re.IGNORECASE)
_ISO = re.compile(
    r"P(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"R([0-9]*)/(?:([^P]+)/)?(P[^/]+)(?:/(.+))?", re.IGNORECASE)
# Patterns of units, as people abbreviate them; no unit means minutes.
_UNIT_MINUTES = (
    (r"m?|minu?t?e?s?", Fraction(1)),
    (r"s(ec)?(onds?|s)?", Fraction(1, 60)),
    (r"h|h(ou)?rs?", Fraction(60)),
    (r"d(ays?)?", Fraction(1440)),
    (r"w|w(ee)?ks?", Fraction(7 * 1440)),
    (r"fortnights?", Fraction(14 * 1440)),
)
_UNIT_MONTHS = ((r"mo(n|nths?|s)?", 1), (r"quarters?", 3), (r"y(ears?|rs?)?|annum", 12))
_ISO_MINUTES = (Fraction(10080), Fraction(1440), Fraction(60), Fraction(1), Fraction(1, 60))
_GO_MINUTES = {
    "d": Fraction(1440),
    "h": Fraction(60),
    "m": Fraction(1),
    "s": Fraction(1, 60),
    "ms": Fraction(1, 60_000),
    "us": Fraction(1, 60_000_000),
    "ns": Fraction(1, 60_000_000_000),
}


def interval(error: ExpressionError, body: str, *, bare: bool = False) -> ExpressionError | None:
    """The error for the text inside `rate(...)`, or for a text without it if `bare`.

    None if the text is no interval, or if it is a valid one and `error` says what is wrong.
    """
    if _RIGHT.fullmatch(body) and not bare:
        return None
    if bare and not _BARE.fullmatch(body):
        return None
    corrections = pace(re.sub(r"^@", "", body.strip()))
    monthly = corrections and corrections[0].expression.startswith("cron")
    by_cron = _("A rate counts minutes, hours or days; months and years are for cron(...).")
    if not bare:
        reason = by_cron if monthly else _rate_reason(body)
        return ExpressionError("rate", reason, corrections=corrections)
    if not corrections:
        return None
    reason = _("A repeated run is written as a rate, such as rate(5 minutes).")
    if monthly:
        reason = by_cron
    return ExpressionError("expression", reason, corrections=map(_whole, corrections))


def _whole(correction: Correction) -> Correction:
    text = correction.expression
    written = text if text.startswith("cron") else f"rate({text})"
    return Correction(written, correction.notes)


def repetition(body: str, zone: ZoneInfo | None) -> ExpressionError | None:
    """The error for an ISO 8601 repetition, such as R/2027-01-01T09:00:00Z/P1D, or None."""
    match = _REPEATED.fullmatch(body)
    if match is None:
        return None
    reason = _("A repetition of ISO 8601 is not understood; write a rate or a cron expression.")
    start = parse_moment(match[2].strip()) if match[2] else None
    limits = _limits(match)
    corrections: list[Correction] = []
    for correction in pace(match[3]):
        if start and correction.expression.startswith("cron"):
            wall, name = start.at(zone)
            corrections.append(Correction(_on(correction.expression, wall), limits, name))
            continue
        more = list(limits)
        if match[2]:
            more.append(
                _("It counts from the start date; set that to %(start)s.", start=match[2].strip())
            )
        corrections.append(Correction(_whole(correction).expression, (*correction.notes, *more)))
        if start and correction.expression in ("1 day", "7 days"):
            wall, name = start.at(zone)
            days = "* * ?" if correction.expression == "1 day" else f"? * {weekday_name(wall)}"
            clock = f"cron({wall.minute} {wall.hour} {days} *)"
            corrections.append(Correction(clock, limits, name))
    return ExpressionError("expression", reason, corrections=corrections)


def _limits(match: re.Match[str]) -> tuple[str, ...]:
    """Notes on what a rate drops from a repetition: its count and its end."""
    found = []
    if match[1] and match[1] != "0":
        found.append(notes.no_count(match[1]))
    if match[4]:
        found.append(notes.no_end(match[4]))
    return tuple(found)


def _on(text: str, wall: datetime) -> str:
    """A monthly or yearly cron expression, moved from midnight on the 1st to a date and time."""
    _minute, _hour, _day, month, weekday, year = text[5:-1].split()
    if month == "1":
        month = str(wall.month)
    elif "/" in month:
        step = int(month.partition("/")[2])
        month = f"{(wall.month - 1) % step + 1}/{step}"
    if "/" in year:
        year = f"{wall.year}/{year.partition('/')[2]}"
    return f"cron({wall.minute} {wall.hour} {wall.day} {month} {weekday} {year})"


def pace(text: str) -> list[Correction]:
    """Corrections for the text of an interval: the inside of `rate(...)`, or whole cron(...)."""
    if match := _ISO.fullmatch(text):
        numbers = [Fraction(number or 0) for number in match.groups()]
        minutes = _sum(n * size for n, size in zip(numbers[2:], _ISO_MINUTES, strict=True))
        months = int(numbers[0] * 12 + numbers[1])
        if months and minutes:
            return []
        return _monthly(months) if months else _rates(minutes)
    plain = re.sub(r"^every\s+", "", text, flags=re.IGNORECASE)
    if _GO.fullmatch(plain):
        parts = _GO_PART.findall(plain.lower())
        return _rates(_sum(Fraction(number) * _GO_MINUTES[unit] for number, unit in parts))
    return _loose(text)


def _sum(minutes: Iterable[Fraction]) -> Fraction:
    return sum(minutes, Fraction(0))


def _loose(text: str) -> list[Correction]:
    """Corrections for a loosely written interval such as "5 mins", "every hour" or "5"."""
    match = _LOOSE.fullmatch(text)
    if match is None or not (match[2] or match[3]) or len(match[2] or "") > 9:
        return []
    number = Fraction(match[2] or 1) * (2 if match[1] else 1)
    word = match[3].lower()
    if months := _size(_UNIT_MONTHS, word):
        total = number * months
        return _monthly(int(total)) if total.denominator == 1 else []
    minutes = _size(_UNIT_MINUTES, word)
    return [] if minutes is None else _rates(number * minutes, minutes)


def _size(units: Iterable[tuple[str, Size]], word: str) -> Size | None:
    """The size of the first unit whose pattern matches, or None if none does."""
    return next((size for pattern, size in units if re.fullmatch(pattern, word)), None)


def _rates(exact: Fraction, unit_minutes: Fraction | None = None) -> list[Correction]:
    """The inside of `rate(...)` for a number of minutes, rounded to whole minutes.

    Args:
        exact: the minutes.
        unit_minutes: the minutes of the unit that was written, if there was one.
    """
    if exact < 1 and unit_minutes and unit_minutes > 1:
        return []
    total = max(round(exact), 1)
    noted: tuple[str, ...] = ()
    if exact and total != exact:
        noted = (
            _(
                "A rate counts whole minutes; %(exact)s seconds are rounded to %(rounded)s "
                "seconds.",
                exact=f"{float(exact * 60):g}",
                rounded=total * 60,
            ),
        )
    largest = unit_minutes or Fraction(1440)
    for unit, size in reversed(UNIT_MINUTES.items()):
        if total % size == 0 and (size <= largest or unit == "minute"):
            return [Correction(rate_words(total // size, unit), noted)]
    return []


def _monthly(months: int) -> list[Correction]:
    """The cron expression for an interval in months, which a rate cannot count."""
    note = _("It takes midnight on the first day; change the time and the day to yours.")
    if months and 12 % months == 0:
        month = {1: "*", 12: "1"}.get(months, f"1/{months}")
        return [Correction(f"cron(0 0 1 {month} ? *)", (note,))]
    if not months or months % 12 or months > 1200:
        return []
    return [Correction(f"cron(0 0 1 1 ? 2000/{months // 12})", (note,))]


def _rate_reason(body: str) -> str:
    match = _LOOSE.fullmatch(body)
    if match is None or not match[2]:
        return _("A rate is a whole number and a unit, %(example)s.", example=EXAMPLE)
    if not match[3]:
        return _("The rate has no unit; add minutes, hours or days, %(example)s.", example=EXAMPLE)
    if "." in match[2]:
        return _("A rate takes whole numbers only, %(example)s.", example=EXAMPLE)
    return _("The unit of a rate is minutes, hours or days, %(example)s.", example=EXAMPLE)
