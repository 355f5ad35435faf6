"""When an occurrence is overdue: against a walk through time that shares no code with the engine.

The walk of `test_schedule_walk` finds all occurrences around changes of the clock. A service that
runs them on time causes no alarm, however late within the window it starts them; one that skips an
occurrence causes an alarm for exactly that one.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.schedules.test_schedule_walk import (
    EVERY,
    EVERY_DAY,
    HOURS,
    MINUTES,
    MONTH_DAYS,
    WEEK_DAYS,
    ZONES,
    change_days,
    crons,
    mostly,
    parsed,
    walk_minutes,
)
from triggers.schedules import parse
from triggers.schedules.grace import Expectation, grace

UTC_ZONE = ZoneInfo("UTC")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = datetime(2027, 1, 4, 12, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
# How often a process looks.
PASS = timedelta(minutes=15)


def expectation(text, zone=UTC_ZONE, window=timedelta(0), **bounds):
    whole = {"start": None, "end": None, "anchor": NOON - DAY, **bounds}
    return Expectation(parse(text, zone), zone, window, **whole)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (MINUTE, 2 * MINUTE),
        (20 * MINUTE, 2 * MINUTE),
        (HOUR, 6 * MINUTE),
        (5 * HOUR, 30 * MINUTE),
        (365 * DAY, 30 * MINUTE),
        (None, 5 * MINUTE),
    ],
)
def test_grace(interval, expected):
    assert grace(interval) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("cron(0 * * * ? *)", {}, 6 * MINUTE),
        ("rate(1 hour)", {}, 6 * MINUTE),
        ("cron(0 12 * * ? *)", {"window": HOUR}, 90 * MINUTE),
        ("at(2027-01-04T12:00:00)", {}, 5 * MINUTE),
        ("cron(0 12 * * ? *)", {"end": NOON + HOUR}, 5 * MINUTE),
    ],
)
def test_expected_by(text, options, expected):
    assert expectation(text, **options).expected_by(NOON) == NOON + expected


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("at(2027-01-04T12:00:00)", {}),
        ("cron(0 12 * * ? *)", {}),
        ("cron(0 12 * * ? *)", {"window": HOUR}),
        ("rate(1 day)", {}),
    ],
)
def test_overdue_from_the_moment_on(text, options):
    expected = expectation(text, **options)
    by = expected.expected_by(NOON)
    told = [expected.overdue(NOON - HOUR, at, 9) for at in (by - timedelta(seconds=1), by)]
    assert told == [[], [NOON]]


@pytest.mark.parametrize(
    "bounds", [{"end": NOON - HOUR}, {"start": NOON + HOUR}], ids=["ended", "not begun"]
)
def test_outside_of_its_dates_nothing_is_overdue(bounds):
    assert expectation("cron(0 12 * * ? *)", **bounds).overdue(NOON, NOON + DAY, 9) == []


def test_what_is_overdue_is_bounded():
    assert len(expectation("rate(1 minute)").overdue(NOON - DAY, NOON, 100)) == 100


@settings(max_examples=examples(150), deadline=None, derandomize=True)
@given(
    crons(
        MINUTES,
        HOURS,
        mostly(EVERY_DAY, st.one_of(MONTH_DAYS, WEEK_DAYS)),
        EVERY,
        EVERY,
    ),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.sampled_from([0, 0, 1, 15, 60, 600]).map(lambda minutes: minutes * MINUTE),
    st.integers(0, 2**32),
)
def test_alarms_are_for_skipped_occurrences_alone(fields, zone, window, seed):
    """150 expressions, each for two days in which the offset changes: 30,000 looks."""
    expression = parsed(fields)
    if expression is None:
        return
    random = Random(seed)
    start = random.choice(change_days(zone)) - DAY
    end = start + 3 * DAY
    runs = [run for run in walk_minutes(fields, zone, start, 3) if run < end]
    skipped = set(random.sample(runs, min(len(runs), random.randrange(4))))
    # A service may start a run anywhere in the window, and a minute after it.
    ran = {
        run: run + window * random.random() + MINUTE * random.random()
        for run in runs
        if run not in skipped
    }
    expected = Expectation(expression, zone, window, start=None, end=None, anchor=start)
    alarms, now = [], start + random.random() * PASS
    while now < end + window + DAY:
        overdue = expected.overdue(now - PASS, now, 1000)
        alarms += [due for due in overdue if start <= due < end and ran.get(due, NEVER) > now]
        now += PASS
    assert sorted(alarms) == sorted(skipped)


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(
    st.integers(1, 100_000),
    st.integers(0, 10**9),
    st.integers(0, 600).map(lambda minutes: minutes * MINUTE),
)
def test_no_rate_is_overdue_twice_or_never(minutes, seed, window):
    """Looks at any moments find each occurrence exactly once."""
    random = Random(seed)
    expected = expectation(f"rate({minutes} minutes)", window=window, anchor=NOON)
    period = timedelta(minutes=minutes)
    moments = sorted(NOON + 20 * period * random.random() for _ in range(12))
    moments = [NOON, *moments, NOON + 20 * period + window + HOUR]
    found = [due for since, now in pairwise(moments) for due in expected.overdue(since, now, 1000)]
    wanted = [NOON + count * period for count in range(1, 21)]
    assert [due for due in sorted(found) if due <= wanted[-1]] == wanted
