"""Warns about steps, which restart in each hour, day, week, month and year.

`0 9 */2 * ? *` looks like every other day, but it runs on the 31st and then on the 1st.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from moca.sentences import Sentence as _
from triggers.schedules.cron import Cron
from triggers.schedules.description import WEEKDAYS
from triggers.schedules.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    MINUTES,
    MONTH,
    YEAR,
    Field,
    parse_values,
)

_STEP = re.compile(r"(?:\*|(?:[0-9]+|[A-Z]{3})(?:-(?:[0-9]+|[A-Z]{3}))?)/([0-9]+)")


@dataclass(frozen=True, slots=True)
class _Step:
    """A field that consists of one item with a step of 2 or more."""

    field: Field
    size: int
    values: tuple[int, ...]
    is_range: bool

    @property
    def passes(self) -> bool:
        """Whether the first step leaves the field, so that only the first value is selected."""
        if self.is_range or len(self.values) > 1:
            return False
        # Months differ in length: no step in days leads to the same day of each month.
        return self.size != self.field.span or self.field is DAY_OF_MONTH

    @property
    def gap(self) -> int:
        """The distance from the last value to the first one of the next round."""
        return self.values[0] + self.field.span - self.values[-1]

    @property
    def is_uneven(self) -> bool:
        """Whether the gap between two rounds is shorter than the step."""
        return len(self.values) > 1 and self.gap < self.size


def step_warnings(cron: Cron, after: datetime) -> Iterator[str]:
    """Warnings about steps that do not give even gaps, one sentence each."""
    yield from _minutes(cron)
    yield from _hours(cron)
    yield from _days(cron)
    yield from _weekdays(cron)
    yield from _months(cron)
    yield from _years(cron, after)


def _step(cron: Cron, index: int, field: Field) -> _Step | None:
    match = _STEP.fullmatch(cron.fields[index])
    if match is None or int(match[1]) < 2:
        return None
    text = cron.fields[index]
    return _Step(field, int(match[1]), parse_values(field, text), is_range="-" in text)


def _is_unbroken(cron: Cron) -> bool:
    """Whether it runs on every day of every year, like a rate."""
    return cron.rule.is_daily and len(cron.months) == MONTH.span and len(cron.years) == YEAR.span


def _has_neighbours(values: tuple[int, ...]) -> bool:
    return any(value + 1 in values for value in values)


def _has_following_days(cron: Cron) -> bool:
    return any(_has_neighbours(days) for days in cron.days)


def _minutes(cron: Cron) -> Iterator[str]:
    step = _step(cron, 0, MINUTES)
    if step is None:
        return
    if step.passes:
        yield _(
            "The step of %(step)s minutes passes the hour, so it runs once an hour; "
            "rate(%(step)s minutes) counts on.",
            step=step.size,
        )
    elif step.is_uneven and len(cron.hours) == HOURS.span and _is_unbroken(cron):
        yield _(
            "The step of %(step)s minutes starts anew each hour, so the gap there is shorter; "
            "rate(%(step)s minutes) keeps it even.",
            step=step.size,
        )
    elif step.is_uneven and _has_following_hours(cron):
        yield _(
            "The step of %(step)s minutes starts anew each hour, so the gap there is shorter.",
            step=step.size,
        )


def _has_following_hours(cron: Cron) -> bool:
    over_midnight = cron.hours[0] == HOURS.low and cron.hours[-1] == HOURS.high
    return _has_neighbours(cron.hours) or (over_midnight and _has_following_days(cron))


def _hours(cron: Cron) -> Iterator[str]:
    step = _step(cron, 1, HOURS)
    if step is None:
        return
    if step.passes:
        yield _(
            "The step of %(step)s hours passes the day, so it runs in one hour of the day; "
            "rate(%(step)s hours) counts on.",
            step=step.size,
        )
    elif step.is_uneven and len(cron.minutes) == 1 and _is_unbroken(cron):
        yield _(
            "The step of %(step)s hours starts anew each day, so the gap there is shorter; "
            "rate(%(step)s hours) keeps it even.",
            step=step.size,
        )
    elif step.is_uneven and _has_following_days(cron):
        yield _(
            "The step of %(step)s hours starts anew each day, so the gap there is shorter.",
            step=step.size,
        )


def _days(cron: Cron) -> Iterator[str]:
    step = _step(cron, 2, DAY_OF_MONTH)
    if step is None:
        return
    if step.passes:
        yield _(
            "The step of %(step)s days passes the month, so it runs on one day of the month; "
            "rate(%(step)s days) counts on.",
            step=step.size,
        )
        return
    last = _last_before_an_uneven_gap(cron, step)
    if last is None:
        return
    once_a_day = len(cron.minutes) == len(cron.hours) == 1
    if once_a_day and len(cron.months) == MONTH.span and len(cron.years) == YEAR.span:
        yield _(
            "The step of %(step)s days starts anew each month, so day %(last)s is followed by day "
            "%(first)s of the next; rate(%(step)s days) keeps it even.",
            step=step.size,
            last=last,
            first=step.values[0],
        )
    else:
        yield _(
            "The step of %(step)s days starts anew each month, so day %(last)s is followed by day "
            "%(first)s of the next.",
            step=step.size,
            last=last,
            first=step.values[0],
        )


def _last_before_an_uneven_gap(cron: Cron, step: _Step) -> int | None:
    """The last selected day before the shortest gap across months that differs from the step."""
    gaps: dict[int, int] = {}
    for month in cron.months:
        if month % 12 + 1 not in cron.months:
            continue
        # A year whose February has 28 days.
        length = monthrange(2027, month)[1]
        last = max(day for day in step.values if day <= length)
        gaps[length - last + step.values[0]] = last
    uneven = sorted(gap for gap in gaps if gap != step.size)
    # A range that ends before the month does is bounded on purpose.
    if not uneven or step.values[-1] + step.size <= DAY_OF_MONTH.high:
        return None
    return gaps[uneven[0]]


def _weekdays(cron: Cron) -> Iterator[str]:
    step = _step(cron, 4, DAY_OF_WEEK)
    if step is not None and step.is_uneven:
        yield _(
            "The step of %(step)s in day-of-week starts anew each week, so %(last)s is followed by "
            "%(first)s.",
            step=step.size,
            last=_(WEEKDAYS[step.values[-1] - 1]),
            first=_(WEEKDAYS[step.values[0] - 1]),
        )


def _months(cron: Cron) -> Iterator[str]:
    step = _step(cron, 3, MONTH)
    if step is None or not _has_neighbours(cron.years):
        return
    if step.passes:
        yield _(
            "The step of %(step)s months passes the year, so it runs in one month of the year.",
            step=step.size,
        )
    elif step.is_uneven:
        yield _(
            "The step of %(step)s months starts anew each year, so the gap there is shorter.",
            step=step.size,
        )


def _years(cron: Cron, after: datetime) -> Iterator[str]:
    match = re.fullmatch(r"\*/([0-9]+)", cron.fields[5])
    if match is None or int(match[1]) < 2:
        return
    following = cron.wall_from(after)
    if following is not None:
        yield _(
            "The step of %(step)s years counts from %(first)s, so the next year is %(year)s.",
            step=int(match[1]),
            first=YEAR.low,
            year=following.year,
        )
