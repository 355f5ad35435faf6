"""`rate(N unit)`: a run every so much elapsed time, whatever the clocks do meanwhile."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.errors import ExpressionError
from triggers.schedules.schedule import YEARS, Schedule, within_reach

Unit = Literal["minute", "hour", "day"]

# EventBridge Scheduler User Guide, "Rate-based schedules"; a day is 24 hours.
_MINUTES: dict[Unit, int] = {"minute": 1, "hour": 60, "day": 1440}
_LONGEST_DAYS = 365 * len(YEARS)

_RATE = re.compile(r"([0-9]+)\s+(minute|hour|day)s?", re.IGNORECASE)
_LOOSE = re.compile(r"(?:every\s)?\W*([0-9]+(?:\.[0-9]+)?)?\W*([a-z]*)\W*", re.IGNORECASE)
_EXAMPLE = _("such as rate(5 minutes), rate(1 hour) or rate(1 day)")


@dataclass(frozen=True, slots=True)
class Rate(Schedule):
    """Runs at the start of the schedule and every `value` `unit`s after.

    Without a start it runs for the first time one period after the creation of its trigger.
    """

    value: int
    unit: Unit

    @property
    def canonical(self) -> str:
        """Such as "rate(1 minute)" or "rate(5 minutes)"."""
        return f"rate({_words(self.value, self.unit)})"

    @property
    def period(self) -> timedelta:
        """The time from one run to the next."""
        return timedelta(minutes=self.value * _MINUTES[self.unit])

    def _first(self, start: datetime | None, anchor: datetime) -> datetime:
        """The start itself, or one period after the creation where there is none."""
        return within_reach(start) if start is not None else within_reach(anchor) + self.period

    def _after(self, after: datetime, _zone: ZoneInfo, first: datetime) -> datetime | None:
        if after < first:
            return first
        return first + ((after - first) // self.period + 1) * self.period

    def _before(self, before: datetime, _zone: ZoneInfo, first: datetime) -> datetime | None:
        if before <= first:
            return None
        # Rounded up and less one, so that a run at `before` itself does not count.
        return first + (-(-(before - first) // self.period) - 1) * self.period


def read_rate(body: str) -> Rate:
    """Read what stands inside `rate(...)`, such as "5 minutes".

    Raises ExpressionError (field "rate") whose suggestion corrects `body`.
    """
    match = _RATE.fullmatch(body)
    if match is None:
        raise ExpressionError("rate", _reason(body), correct_rate(body))
    value, unit = int(match[1]), cast(Unit, match[2].lower())
    if value == 0:
        reason = _("A rate needs a number of 1 or more; the shortest is rate(1 minute).")
        raise ExpressionError("rate", reason, f"1 {unit}")
    if value * _MINUTES[unit] > _LONGEST_DAYS * 1440:
        reason = _(
            "A rate this slow would not run again by %(year)s; use a smaller number.",
            year=YEARS[-1],
        )
        raise ExpressionError("rate", reason)
    return Rate(value, unit)


def correct_rate(body: str) -> str | None:
    """Turn a loose wording such as "5 mins", "every hour" or "5" into a rate's body."""
    match = _LOOSE.fullmatch(body)
    if match is None or not (match[1] or match[2]):
        return None
    minutes = _minutes_of(match[2].lower())
    if minutes is None:
        return None
    total = round(float(match[1] or 1) * minutes) if len(match[1] or "") < 10 else 0
    if total < 1:
        return "1 minute" if minutes <= 1 else None
    for unit in reversed(_MINUTES):
        if total % _MINUTES[unit] == 0 and (_MINUTES[unit] <= minutes or unit == "minute"):
            return _words(total // _MINUTES[unit], unit)
    return None


def _minutes_of(word: str) -> float | None:
    """The length of a unit as people abbreviate it; no unit at all means minutes."""
    if word in ("", "m") or re.fullmatch(r"minu?t?e?s?", word):
        return 1
    if re.fullmatch(r"s(ec)?(onds?|s)?", word):
        return 1 / 60
    if re.fullmatch(r"h(ou)?rs?|h", word):
        return 60
    if re.fullmatch(r"d(ays?)?", word):
        return 1440
    return 7 * 1440 if re.fullmatch(r"w(ee)?ks?|w", word) else None


def _reason(body: str) -> str:
    match = _LOOSE.fullmatch(body)
    if match is None or not match[1]:
        return _("A rate is a whole number and a unit, %(example)s.", example=_EXAMPLE)
    if not match[2]:
        return _("The rate has no unit; add minutes, hours or days, %(example)s.", example=_EXAMPLE)
    if "." in match[1]:
        return _("A rate takes whole numbers only, %(example)s.", example=_EXAMPLE)
    return _("The unit of a rate is minutes, hours or days, %(example)s.", example=_EXAMPLE)


def _words(value: int, unit: Unit) -> str:
    return f"{value} {unit}" if value == 1 else f"{value} {unit}s"
