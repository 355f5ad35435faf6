"""`at(yyyy-mm-ddThh:mm:ss)`: a single run, in the schedule's timezone."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.errors import ExpressionError
from triggers.schedules.schedule import YEARS, Schedule, within_reach
from triggers.schedules.zones import first_pass

# EventBridge Scheduler User Guide, "One-time schedules".
_AT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})", re.IGNORECASE
)
_LOOSE = re.compile(
    r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})"
    r"(?:[T\s]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?)?"
    r"\s*(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_FORM = _("yyyy-mm-ddThh:mm:ss, such as at(2027-01-01T09:00:00)")


@dataclass(frozen=True, slots=True)
class At(Schedule):
    """Runs once, at this date and time of the schedule's zone.

    EventBridge Scheduler ignores the start and end of a one-time schedule, so this does too.
    A local time that the zone's clocks skip never comes; one they repeat counts the first time.
    """

    day: date
    time: time

    @property
    def canonical(self) -> str:
        """Such as "at(2027-01-01T09:00:00)"."""
        return f"at({self.day.isoformat()}T{self.time.isoformat()})"

    def instant(self, zone: ZoneInfo) -> datetime | None:
        """The moment of the run in UTC, or None if the zone's clocks skip it."""
        return first_pass(self.wall(zone))

    def wall(self, zone: ZoneInfo) -> datetime:
        """The local date and time as a datetime of the zone."""
        return datetime.combine(self.day, self.time, tzinfo=zone)

    def next_run(
        self,
        after: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The run if it is strictly later than `after`, else None; the bounds are ignored."""
        return self._after(within_reach(after), zone, after)

    def previous_run(
        self,
        before: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The run if it is strictly earlier than `before`, else None; the bounds are ignored."""
        return self._before(within_reach(before), zone, before)

    def _after(self, after: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        run = self.instant(zone)
        return run if run is not None and run > after else None

    def _before(self, before: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        run = self.instant(zone)
        return run if run is not None and run < before else None


def read_at(body: str) -> At:
    """Read what stands inside `at(...)`, such as "2027-01-01T09:00:00".

    Raises ExpressionError (field "at") whose suggestion corrects `body`.
    """
    match = _AT.fullmatch(body)
    if match is None:
        raise ExpressionError("at", _reason(body), correct_at(body))
    year, month, day, hour, minute, second = map(int, match.groups())
    if year not in YEARS:
        reason = _(
            "The year of a one-time schedule is %(first)s to %(last)s.",
            first=YEARS[0],
            last=YEARS[-1],
        )
        raise ExpressionError("at", reason)
    try:
        return At(date(year, month, day), time(hour, minute, second))
    except ValueError:
        reason = _("There is no such date or time; write a real one as %(form)s.", form=_FORM)
        raise ExpressionError("at", reason, correct_at(body)) from None


def correct_at(body: str) -> str | None:
    """Turn a loose date and time such as "2027-1-1 9:00" into an at's body."""
    match = _LOOSE.fullmatch(body)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not (year and 1 <= month <= 12 and day and hour < 24 and minute < 60 and second < 60):
        return None
    day = min(day, monthrange(year, month)[1])
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _reason(body: str) -> str:
    match = _LOOSE.fullmatch(body)
    if match is not None and match[7]:
        return _(
            "The time is in the schedule's timezone, so leave out %(offset)s: write %(form)s.",
            offset=match[7],
            form=_FORM,
        )
    if match is not None and not match[4]:
        return _("The time of day is missing; write %(form)s.", form=_FORM)
    return _("A one-time schedule is written %(form)s.", form=_FORM)
