"""`at(yyyy-mm-ddThh:mm:ss)`: one run at a local time of the schedule's timezone."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.errors import ExpressionError
from triggers.schedules.schedule import YEARS, Schedule, within_reach
from triggers.schedules.timezones import first_pass

# EventBridge Scheduler User Guide, "One-time schedules".
_AT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})", re.IGNORECASE
)
FORM = _("yyyy-mm-ddThh:mm:ss, such as at(2027-01-01T09:00:00)")


@dataclass(frozen=True, slots=True)
class At(Schedule):
    """Runs once, at this date and time in the schedule's zone.

    Start and end are ignored, as EventBridge Scheduler does for one-time schedules. If the zone's
    clocks skip the time, it never runs. If they repeat the time, it runs the first time.
    """

    day: date
    time: time

    @property
    def canonical(self) -> str:
        """The form that EventBridge accepts, such as "at(2027-01-01T09:00:00)"."""
        return f"at({self.day.isoformat()}T{self.time.isoformat()})"

    def instant(self, zone: ZoneInfo) -> datetime | None:
        """The time of the run in UTC, or None if the zone's clocks skip it."""
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
        """The run if it is strictly later than `after`, else None. Bounds are ignored."""
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
        """The run if it is strictly earlier than `before`, else None. Bounds are ignored."""
        return self._before(within_reach(before), zone, before)

    def _after(self, after: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        run = self.instant(zone)
        return run if run is not None and run > after else None

    def _before(self, before: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        run = self.instant(zone)
        return run if run is not None and run < before else None


def parse_at(body: str) -> At:
    """Parse the text inside `at(...)`, such as "2027-01-01T09:00:00".

    Raises ExpressionError (field "at").
    """
    match = _AT.fullmatch(body)
    if match is None:
        raise ExpressionError("at", _("A one-time schedule is written %(form)s.", form=FORM))
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
        reason = _("There is no such date or time; write a real one as %(form)s.", form=FORM)
        raise ExpressionError("at", reason) from None
