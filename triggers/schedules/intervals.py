"""How closely the runs of a schedule follow each other, for limits on how often triggers fire."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.plan import Plan
from triggers.schedules.rate import Rate

# Clock changes do not count: else the answer would depend on the season.
_CLOCK = ZoneInfo("UTC")
_DAY = timedelta(days=1)
# The days with runs that are looked at: more than seven years of a weekly schedule.
_DAYS = 400
# The runs of a plan that are looked at: the next ones, and those around the first of each of its
# expressions.
_RUNS, _RUNS_AROUND = 300, 100


def smallest_gap(expression: Cron | Rate | At | Plan, after: datetime) -> timedelta | None:
    """The shortest time between two runs that follow each other, clock changes aside.

    Args:
        expression: the schedule.
        after: an aware datetime, usually the present; earlier runs do not count.

    Returns:
        None if there are fewer than two runs after it. `at(...)` has one run only.
    """
    match expression:
        case At():
            return None
        case Rate():
            return expression.period
        case Plan():
            return _gap_of_plan(expression, after)
    first = expression.next_run(after, _CLOCK)
    if first is None:
        return None
    times = _times_of_day(expression)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if between := _between_days(expression, first):
        gaps.append(between - (times[-1] - times[0]))
    return min(gaps, default=None)


def _times_of_day(cron: Cron) -> list[timedelta]:
    return [timedelta(hours=hour, minutes=minute) for hour in cron.hours for minute in cron.minutes]


def _gap_of_plan(plan: Plan, after: datetime) -> timedelta | None:
    """The shortest time between two of the next runs, or between two around the first of any part.

    An expression that runs on few days may have its first run long after the next runs of others.
    """
    first_runs = {}
    for each in plan.expressions:
        if run := replace(plan, expressions=(each,)).next_run(after, _CLOCK):
            first_runs[each] = run
    if not first_runs:
        return None
    plan = replace(plan, expressions=tuple(first_runs))
    gaps: list[timedelta] = []
    for each in plan.expressions:
        if isinstance(each, Cron):
            gaps += [later - time for time, later in pairwise(_times_of_day(each))]
    samples = [plan.next_runs(after, _CLOCK, _RUNS)]
    for run in first_runs.values():
        begin = max(after, run - _DAY)
        samples.append(plan.next_runs(begin, _CLOCK, _RUNS_AROUND, anchor=after))
    gaps += [later - run for runs in samples for run, later in pairwise(runs)]
    return min(gaps, default=None)


def _between_days(cron: Cron, first: datetime) -> timedelta | None:
    """The shortest time from one day with runs to the next; None if there is one such day."""
    midnights = replace(cron, hours=(0,), minutes=(0,))
    day = first.astimezone(UTC).replace(hour=0, minute=0)
    shortest: timedelta | None = None
    for _ in range(_DAYS):
        following = midnights.next_run(day, _CLOCK)
        if following is None or shortest == _DAY:
            break
        shortest = min(shortest or following - day, following - day)
        day = following
    return shortest
