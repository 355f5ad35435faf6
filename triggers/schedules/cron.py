"""`cron(...)`: runs at the local times that six fields select.

If the clocks skip a local time, the run of that day is skipped. If they repeat it, it runs the
first time only (EventBridge Scheduler User Guide, "Daylight savings time"). The guide does not say
what happens to schedules with several runs an hour; this module applies the same rule to them.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from triggers.schedules.fields import DayRule
from triggers.schedules.schedule import YEARS, Schedule
from triggers.schedules.timezones import MINUTE, first_pass, stretch_around

Day = tuple[int, int, int]
Time = tuple[int, int]
_DAY = timedelta(days=1)


# The length and first weekday of each kind of month.
_SHAPES = [(length, first) for length in range(28, 32) for first in range(1, 8)]


@lru_cache(maxsize=12 * len(YEARS))
def _shape(year: int, month: int) -> tuple[int, int]:
    """The length of a month, and its first weekday from 1 = Sunday to 7 = Saturday."""
    weekday, length = monthrange(year, month)
    return length, (weekday + 1) % 7 + 1


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """A cron expression: its fields as text, and the sorted values that each selects.

    `fields` are minutes, hours, day-of-month, month, day-of-week and year, in upper case and
    without leading zeros. Two expressions with equal fields are equal.
    """

    fields: tuple[str, ...]
    minutes: tuple[int, ...] = field(compare=False, repr=False)
    hours: tuple[int, ...] = field(compare=False, repr=False)
    months: tuple[int, ...] = field(compare=False, repr=False)
    years: tuple[int, ...] = field(compare=False, repr=False)
    rule: DayRule = field(compare=False, repr=False)
    # The days in each kind of month that was asked for.
    _known: dict[tuple[int, int], tuple[int, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def canonical(self) -> str:
        """The form that EventBridge accepts, such as "cron(0 9 * * ? *)"."""
        return f"cron({' '.join(self.fields)})"

    def has_a_day(self) -> bool:
        """Whether any date in its years matches."""
        if self.rule.is_in_every_month:
            return True
        return any(self._days_in(y, m) for y in self.years for m in self.months)

    def has_day_on(self, day: date) -> bool:
        """Whether it runs on a date, whether or not a clock shows its times then."""
        return (
            day.month in self.months
            and day.year in self.years
            and day.day in self._days_in(day.year, day.month)
        )

    @property
    def days(self) -> tuple[tuple[int, ...], ...]:
        """The days in each of the 28 kinds of month, by their length and first weekday."""
        return tuple(self.rule.days_in(length, first) for length, first in _SHAPES)

    def wall_from(self, wall: datetime) -> datetime | None:
        """The first selected local time at or after `wall`, whether or not a clock shows it."""
        wall = _whole_minute_from(wall)
        day = self._day_from(wall.year, wall.month, wall.day)
        if day is None:
            return None
        time: Time | None = self.hours[0], self.minutes[0]
        if day == (wall.year, wall.month, wall.day):
            time = self._time_from(wall.hour, wall.minute)
        if time is None:
            later = wall + _DAY
            return self.wall_from(later.replace(hour=0, minute=0))
        return datetime(*day, *time, tzinfo=wall.tzinfo)

    def wall_before(self, wall: datetime) -> datetime | None:
        """The last selected local time before `wall`, whether or not a clock shows it."""
        wall = _whole_minute_from(wall) - MINUTE
        day = self._day_to(wall.year, wall.month, wall.day)
        if day is None:
            return None
        time: Time | None = self.hours[-1], self.minutes[-1]
        if day == (wall.year, wall.month, wall.day):
            time = self._time_to(wall.hour, wall.minute)
        if time is None:
            return self.wall_before(wall.replace(hour=0, minute=0))
        return datetime(*day, *time, tzinfo=wall.tzinfo)

    def _after(self, after: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        wall = after.astimezone(zone)
        # In the second pass of a repeated hour, all runs of that hour are over.
        start = _first_clear(wall) if wall.fold else wall.replace(second=0, microsecond=0) + MINUTE
        found = self.wall_from(start)
        while found is not None:
            run = first_pass(found)
            if run is not None:
                return run
            found = self.wall_from(stretch_around(found)[1])
        return None

    def _before(self, before: datetime, zone: ZoneInfo, _first: datetime) -> datetime | None:
        wall = before.astimezone(zone)
        found = self.wall_before(_first_clear(wall) if wall.fold else wall)
        while found is not None:
            run = first_pass(found)
            if run is not None:
                return run
            found = self.wall_before(min(found, stretch_around(found)[0]))
        return None

    def _days_in(self, year: int, month: int) -> tuple[int, ...]:
        shape = _shape(year, month)
        days = self._known.get(shape)
        if days is None:
            days = self._known[shape] = self.rule.days_in(*shape)
        return days

    def _day_from(self, year: int, month: int, day: int) -> Day | None:
        for index in range(bisect_left(self.years, year), len(self.years)):
            y = self.years[index]
            for m in self.months[bisect_left(self.months, month) :] if y == year else self.months:
                days = self._days_in(y, m)
                at = bisect_left(days, day) if (y, m) == (year, month) else 0
                if at < len(days):
                    return y, m, days[at]
        return None

    def _day_to(self, year: int, month: int, day: int) -> Day | None:
        for y in reversed(self.years[: bisect_right(self.years, year)]):
            for m in reversed(self.months):
                if y == year and m > month:
                    continue
                days = self._days_in(y, m)
                end = bisect_right(days, day) if (y, m) == (year, month) else len(days)
                if end:
                    return y, m, days[end - 1]
        return None

    def _time_from(self, hour: int, minute: int) -> Time | None:
        at = bisect_left(self.hours, hour)
        if at < len(self.hours) and self.hours[at] == hour:
            index = bisect_left(self.minutes, minute)
            if index < len(self.minutes):
                return hour, self.minutes[index]
            at += 1
        return (self.hours[at], self.minutes[0]) if at < len(self.hours) else None

    def _time_to(self, hour: int, minute: int) -> Time | None:
        end = bisect_right(self.hours, hour)
        if end and self.hours[end - 1] == hour:
            index = bisect_right(self.minutes, minute)
            if index:
                return hour, self.minutes[index - 1]
            end -= 1
        return (self.hours[end - 1], self.minutes[-1]) if end else None


def _whole_minute_from(wall: datetime) -> datetime:
    if not (wall.second or wall.microsecond or wall.fold):
        return wall
    floor = wall.replace(second=0, microsecond=0, fold=0)
    return floor if floor == wall else floor + MINUTE


def _first_clear(wall: datetime) -> datetime:
    return stretch_around(_whole_minute_from(wall))[1]
