"""A schedule beyond one expression: several of them, intervals, days left out or moved.

A `Plan` has the methods of Cron, Rate and At. A schedule that is one expression alone is none: it
stays a Cron, Rate or At, and costs what it did.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from moca.times import INSTANT
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.days_off import NO_DAYS_OFF, DaysOff
from triggers.schedules.every import Every
from triggers.schedules.fields import MONTH, DayRule
from triggers.schedules.rate import Rate
from triggers.schedules.schedule import YEARS, Schedule, within_reach
from triggers.schedules.timezones import MINUTE

Move = Literal["", "previous", "next"]

_DAY = timedelta(days=1)
# A run is moved over at most so many days; beyond them it is left out.
MOST_MOVED = 31
# The most steps from one run to the next; then the schedule counts as finished.
_MOST_STEPS = 500
_FIRST_DAY, _LAST_DAY = date(YEARS[0] - 1, 12, 1), date(YEARS[-1] + 1, 1, 31)
_ALL_DAYS = DayRule(days=tuple(range(1, 32)))


class DayOff(NamedTuple):
    """A day on which runs would be due, if it was not left out.

    Attributes:
        day: the day, in the schedule's zone.
        target: the working day that its runs are moved to; None if they are left out.
        why: why it is left out, in a few words.
    """

    day: date
    target: date | None
    why: str


@dataclass(frozen=True, slots=True)
class Plan(Schedule):
    """Runs at the times of all its expressions, on the days that its rules take.

    A day is taken if it is in a period of `every`, is one of the `working_days` of its month, and
    is not among `days_off`. With `move`, a run on a day off is moved to the working day before or
    after it. If several times fall into one minute, only the first of them is a run.

    Attributes:
        expressions: one to ten; all of them cron if `move` is set.
        every: the interval; None for each day.
        days_off: the days that are left out; they also say which days are working days.
        move: where a run on a day off goes; empty if it is left out.
        working_days: 1 is the first working day of a month, -1 the last; empty for each day.
    """

    expressions: tuple[Cron | Rate | At, ...]
    every: Every | None = None
    days_off: DaysOff = NO_DAYS_OFF
    move: Move = ""
    working_days: tuple[int, ...] = ()
    _nth: dict[tuple[int, int], tuple[date, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def canonical(self) -> str:
        """Its first expression in the form that EventBridge accepts."""
        return self.expressions[0].canonical

    @property
    def counts_from_anchor(self) -> bool:
        """Whether runs depend on when the trigger was created."""
        return any(isinstance(each, Rate) for each in self.expressions)

    @property
    def _has_whole_minutes(self) -> bool:
        return all(isinstance(each, Cron) for each in self.expressions)

    @property
    def has_day_rules(self) -> bool:
        """Whether it takes certain days only."""
        return bool(self.every or self.working_days or not self.days_off.is_empty)

    def next_run(
        self,
        after: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The first run strictly later than `after`, or None if there is none."""
        runs = self.next_runs(after, zone, 1, start=start, end=end, anchor=anchor)
        return runs[0] if runs else None

    def next_runs(
        self,
        after: datetime,
        zone: ZoneInfo,
        count: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> list[datetime]:
        """The next `count` runs strictly later than `after`; fewer if the schedule ends.

        Only an expression that has just run is asked for its next run: one that hardly ever runs,
        or never, takes long to say so.
        """
        after = within_reach(after)
        bounds = {"start": start, "end": end, "anchor": anchor or after}
        coming = [self._next_of(each, after, zone, bounds) for each in self.expressions]
        runs: list[datetime] = []
        while len(runs) < count and any(coming):
            run = min(each for each in coming if each is not None)
            if run == self._first_of_minute(run, zone, bounds):
                runs.append(run)
            for number, each in enumerate(self.expressions):
                if coming[number] == run:
                    coming[number] = self._next_of(each, run, zone, bounds)
        return runs

    def previous_run(
        self,
        before: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The last run strictly earlier than `before`, or None if there is none."""
        before = within_reach(before)
        bounds = {"start": start, "end": end, "anchor": anchor or before}
        found = [self._previous_of(each, before, zone, bounds) for each in self.expressions]
        runs = [run for run in found if run is not None]
        return self._first_of_minute(max(runs), zone, bounds) if runs else None

    def _after(self, after: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        return self.next_run(after, zone, start=first)

    def _before(self, before: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        return self.previous_run(before, zone, start=first)

    def is_meant(
        self,
        due: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> bool:
        """Whether a run is due in the minute of `due`, and none earlier in the same minute.

        EventBridge fires its nearest expressions, which may have more times.
        """
        minute = due.astimezone(UTC).replace(second=0, microsecond=0)
        run = self.next_run(minute - INSTANT, zone, start=start, end=end, anchor=anchor)
        if run is None or run >= minute + MINUTE:
            return False
        return self._has_whole_minutes or run >= due.replace(microsecond=0)

    def days_left_out(self, first: date, last: date) -> Iterator[DayOff]:
        """The days between two dates whose runs are left out or moved, in order."""
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if not self.days_off.is_left_out(day) or not self._is_selected(day):
                continue
            if any(_is_due_on(each, day) for each in self.expressions):
                yield DayOff(day, self.target_of(day), self.days_off.why(day))

    # One expression

    def _next_of(
        self, expression: Cron | Rate | At, after: datetime, zone: ZoneInfo, bounds: dict[str, Any]
    ) -> datetime | None:
        if not self.has_day_rules:
            return expression.next_run(after, zone, **bounds)
        times, day_from = self._times_of(expression), self._day_from(expression)
        for _step in range(_MOST_STEPS):
            run = times.next_run(after, zone, **bounds)
            if run is None:
                return None
            day = run.astimezone(zone).date()
            wanted = day_from(day)
            if wanted == day:
                return run
            if wanted is None:
                return None
            after = max(run, _start_of(wanted, zone) - INSTANT)
        return None

    def _previous_of(
        self, expression: Cron | Rate | At, before: datetime, zone: ZoneInfo, bounds: dict[str, Any]
    ) -> datetime | None:
        if not self.has_day_rules:
            return expression.previous_run(before, zone, **bounds)
        times, day_to = self._times_of(expression), self._day_to(expression)
        for _step in range(_MOST_STEPS):
            run = times.previous_run(before, zone, **bounds)
            if run is None:
                return None
            day = run.astimezone(zone).date()
            wanted = day_to(day)
            if wanted == day:
                return run
            if wanted is None:
                return None
            before = min(run, _start_of(wanted + _DAY, zone))
        return None

    def _times_of(self, expression: Cron | Rate | At) -> Cron | Rate | At:
        """The expression whose times count; with `move`, it is that of each day."""
        if not self.move or not isinstance(expression, Cron):
            return expression
        months, years = tuple(range(MONTH.low, MONTH.high + 1)), tuple(YEARS)
        return replace(expression, rule=_ALL_DAYS, months=months, years=years)

    def _day_from(self, expression: Cron | Rate | At) -> Callable[[date], date | None]:
        if self.move and isinstance(expression, Cron):
            return lambda day: self._moved_day_from(expression, day)
        return self._taken_from

    def _day_to(self, expression: Cron | Rate | At) -> Callable[[date], date | None]:
        if self.move and isinstance(expression, Cron):
            return lambda day: self._moved_day_to(expression, day)
        return self._taken_to

    def _first_of_minute(self, run: datetime, zone: ZoneInfo, bounds: dict[str, Any]) -> datetime:
        """The first run within the minute of a run."""
        if len(self.expressions) == 1 or self._has_whole_minutes:
            return run
        before = run.replace(second=0, microsecond=0) - INSTANT
        found = [self._next_of(each, before, zone, bounds) for each in self.expressions]
        return min(each for each in found if each is not None)

    # Days

    def _is_selected(self, day: date) -> bool:
        """Whether the interval and the working days select a day, whether or not it is off."""
        if self.every is not None and not self.every.takes(day):
            return False
        return not self.working_days or day in self._nth_of(day.year, day.month)

    def _taken_from(self, day: date) -> date | None:
        """The first day that is taken and is not before `day`; None if there is none."""
        while day <= _LAST_DAY:
            found = self.every.day_from(day) if self.every else day
            if self.working_days:
                found = self._nth_from(found)
            if found > _LAST_DAY:
                return None
            if self.days_off.is_left_out(found):
                found += _DAY
            if found == day:
                return day
            day = found
        return None

    def _taken_to(self, day: date) -> date | None:
        """The last day that is taken and is not after `day`; None if there is none."""
        while day >= _FIRST_DAY:
            found: date | None = self.every.day_to(day) if self.every else day
            if self.working_days and found is not None:
                found = self._nth_to(found)
            if found is None or found < _FIRST_DAY:
                return None
            if self.days_off.is_left_out(found):
                found -= _DAY
            if found == day:
                return day
            day = found
        return None

    def _nth_of(self, year: int, month: int) -> tuple[date, ...]:
        """The chosen working days of a month, in order."""
        known = self._nth.get((year, month))
        if known is None:
            days = self.days_off.working_days(year, month)
            found = (days[n - 1 if n > 0 else n] for n in self.working_days if abs(n) <= len(days))
            known = self._nth[year, month] = tuple(sorted(set(found)))
        return known

    def _nth_from(self, day: date) -> date:
        """The first chosen working day that is not before `day`."""
        while day <= _LAST_DAY:
            found = next((each for each in self._nth_of(day.year, day.month) if each >= day), None)
            if found is not None:
                return found
            day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
        return day

    def _nth_to(self, day: date) -> date:
        """The last chosen working day that is not after `day`."""
        while day >= _FIRST_DAY:
            chosen = reversed(self._nth_of(day.year, day.month))
            found = next((each for each in chosen if each <= day), None)
            if found is not None:
                return found
            day = day.replace(day=1) - _DAY
        return day

    # Days that runs are moved to

    def _is_due(self, cron: Cron, day: date) -> bool:
        return cron.has_day_on(day) and self._is_selected(day)

    def _runs_on(self, cron: Cron, day: date) -> bool:
        """Whether runs are due on a day, or are moved to it."""
        off = self.days_off
        if not off.is_left_out(day) and self._is_due(cron, day):
            return True
        if not off.is_working(day):
            return False
        step = -_DAY if self.move == "next" else _DAY
        for _step in range(MOST_MOVED):
            day += step
            if off.is_working(day):
                return False
            if off.is_left_out(day) and self._is_due(cron, day):
                return True
        return False

    def _moved_day_from(self, cron: Cron, day: date) -> date | None:
        """The first day on which runs are due or moved to, and that is not before `day`."""
        behind = MOST_MOVED * _DAY if self.move == "next" else 0 * _DAY
        ahead = MOST_MOVED * _DAY - behind
        for _step in range(_MOST_STEPS):
            if day > _LAST_DAY:
                return None
            due = self._due_from(cron, day - behind)
            if due is None:
                return None
            day = max(day, due - ahead)
            for _each in range(MOST_MOVED + 1):
                if self._runs_on(cron, day):
                    return day
                day += _DAY
        return None

    def _moved_day_to(self, cron: Cron, day: date) -> date | None:
        """The last day on which runs are due or moved to, and that is not after `day`."""
        ahead = MOST_MOVED * _DAY if self.move == "previous" else 0 * _DAY
        behind = MOST_MOVED * _DAY - ahead
        for _step in range(_MOST_STEPS):
            if day < _FIRST_DAY:
                return None
            due = self._due_to(cron, day + ahead)
            if due is None:
                return None
            day = min(day, due + behind)
            for _each in range(MOST_MOVED + 1):
                if self._runs_on(cron, day):
                    return day
                day -= _DAY
        return None

    def _due_from(self, cron: Cron, day: date) -> date | None:
        """The first day of the expression and the interval that is not before `day`."""
        for _step in range(_MOST_STEPS):
            wall = cron.wall_from(datetime.combine(day, time(), UTC))
            if wall is None:
                return None
            due = wall.date()
            day = self.every.day_from(due) if self.every else due
            if day == due:
                return due
        return None

    def _due_to(self, cron: Cron, day: date) -> date | None:
        """The last day of the expression and the interval that is not after `day`."""
        for _step in range(_MOST_STEPS):
            wall = cron.wall_before(datetime.combine(day + _DAY, time(), UTC))
            if wall is None:
                return None
            due = wall.date()
            found = self.every.day_to(due) if self.every else due
            if found is None or found == due:
                return found
            day = found
        return None

    def target_of(self, day: date) -> date | None:
        """The working day that a run on a day off is moved to; None if it is left out."""
        step = _DAY if self.move == "next" else -_DAY
        for _step in range(MOST_MOVED if self.move else 0):
            day += step
            if self.days_off.is_working(day):
                return day
        return None


def _is_due_on(expression: Cron | Rate | At, day: date) -> bool:
    """Whether an expression by itself runs on a day; a rate counts as running each day."""
    if isinstance(expression, Cron):
        return expression.has_day_on(day)
    return isinstance(expression, Rate) or expression.day == day


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in a zone, in UTC."""
    return within_reach(datetime.combine(day, time(), zone))
