"""`rate(N unit)`: runs at a fixed interval of elapsed time, which clock changes do not affect."""

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
UNIT_MINUTES: dict[Unit, int] = {"minute": 1, "hour": 60, "day": 1440}
_LONGEST_DAYS = 365 * len(YEARS)

_RATE = re.compile(r"([0-9]+)\s+(minute|hour|day)s?", re.IGNORECASE)
EXAMPLE = _("such as rate(5 minutes), rate(1 hour) or rate(1 day)")


@dataclass(frozen=True, slots=True)
class Rate(Schedule):
    """Runs at the start of the schedule, then every `value` `unit`s.

    Without a start, the first run is one period after the creation of the trigger.
    """

    value: int
    unit: Unit

    @property
    def canonical(self) -> str:
        """The form that EventBridge accepts, such as "rate(1 minute)" or "rate(5 minutes)"."""
        return f"rate({rate_words(self.value, self.unit)})"

    @property
    def period(self) -> timedelta:
        """The time from one run to the next."""
        return timedelta(minutes=self.value * UNIT_MINUTES[self.unit])

    def _first(self, start: datetime | None, anchor: datetime) -> datetime:
        """The start, or one period after the creation if there is no start."""
        return within_reach(start) if start is not None else within_reach(anchor) + self.period

    def _after(self, after: datetime, _zone: ZoneInfo, first: datetime) -> datetime | None:
        if after < first:
            return first
        return first + ((after - first) // self.period + 1) * self.period

    def _before(self, before: datetime, _zone: ZoneInfo, first: datetime) -> datetime | None:
        if before <= first:
            return None
        # Round up and subtract one, because a run at `before` itself does not count.
        return first + (-(-(before - first) // self.period) - 1) * self.period


def parse_rate(body: str) -> Rate:
    """Parse the text inside `rate(...)`, such as "5 minutes".

    Raises ExpressionError (field "rate").
    """
    match = _RATE.fullmatch(body)
    if match is None:
        reason = _("A rate is a whole number and a unit, %(example)s.", example=EXAMPLE)
        raise ExpressionError("rate", reason)
    value, unit = int(match[1]), cast(Unit, match[2].lower())
    if value == 0:
        reason = _("A rate needs a number of 1 or more; the shortest is rate(1 minute).")
        raise ExpressionError("rate", reason, f"1 {unit}")
    if value * UNIT_MINUTES[unit] > _LONGEST_DAYS * 1440:
        reason = _(
            "A rate this slow would not run again by %(year)s; use a smaller number.",
            year=YEARS[-1],
        )
        raise ExpressionError("rate", reason)
    return Rate(value, unit)


def rate_words(value: int, unit: Unit) -> str:
    """The text inside `rate(...)`, such as "1 minute" or "5 minutes"."""
    return f"{value} {unit}" if value == 1 else f"{value} {unit}s"
