"""The shortest time between two runs of a schedule."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from triggers.schedules import parse, parse_zone
from triggers.schedules.every import Every
from triggers.schedules.intervals import smallest_gap
from triggers.schedules.plan import Plan

NOW = datetime(2027, 1, 29, 12, 30, tzinfo=UTC)


def minutes(expression: str) -> float | None:
    gap = smallest_gap(parse(expression), NOW)
    return None if gap is None else gap.total_seconds() / 60


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", 1),
        ("rate(2 hours)", 120),
        ("cron(* * * * ? *)", 1),
        ("cron(0/10 * * * ? *)", 10),
        # From minute 56 to the next hour.
        ("cron(0/7 * * * ? *)", 4),
        ("cron(0,55 9,17 * * ? *)", 55),
        ("cron(0 9-17 ? * MON-FRI *)", 60),
        ("cron(30 9 * * ? *)", 1440),
        ("cron(0 9 ? * MON *)", 7 * 1440),
        # From the last evening of a month to the first morning of the next.
        ("cron(0 0,23 1,L * ? *)", 60),
        # On days that do not follow each other, midnight is no neighbor of the evening.
        ("cron(0 0,23 1,15 * ? *)", 23 * 60),
        ("cron(0 9 1 1 ? 2028)", None),
        ("cron(0,5 9 1 1 ? 2028)", 5),
        ("cron(0 9 1 1 ? 2020)", None),
        ("at(2027-02-01T09:00:00)", None),
    ],
)
def test_examples(expression: str, expected: float | None) -> None:
    assert minutes(expression) == expected


_FIELDS = st.lists(st.integers(0, 59), min_size=1, max_size=4, unique=True)
_HOURS = st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True)
_DAYS = st.sampled_from(["* * ? *", "1,L * ? *", "? * MON,TUE *", "? * MON-FRI *", "*/2 * ? *"])


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(_FIELDS, _HOURS, _DAYS)
def test_no_two_runs_are_closer(minute: list[int], hour: list[int], days: str) -> None:
    text = f"cron({','.join(map(str, minute))} {','.join(map(str, hour))} {days})"
    schedule = parse(text)
    runs = schedule.next_runs(NOW, parse_zone("UTC"), 400)
    assert smallest_gap(schedule, NOW) == min(b - a for a, b in pairwise(runs))


def plan_gap(*expressions: str, **rules: Any) -> timedelta | None:
    return smallest_gap(Plan(tuple(parse(each) for each in expressions), **rules), NOW)


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        # Each minute of one day of the year, after more than 1000 runs of the other expression.
        (["cron(0 * * * ? *)", "cron(* * 15 11 ? *)"], 1),
        # One run that is close to one of the other expression, in another year.
        (["cron(0 * * * ? *)", "cron(7 9 15 11 ? 2031)"], 7),
        (["cron(0 9 * * ? *)", "cron(0 12 * * ? *)"], 180),
        (["rate(1 hour)", "at(2031-01-29T12:40:00)"], 10),
    ],
)
def test_the_gap_of_a_plan_counts_expressions_that_run_late(
    expressions: list[str], expected: int
) -> None:
    assert plan_gap(*expressions) == timedelta(minutes=expected)


def test_an_expression_that_never_runs_does_not_count() -> None:
    every_second_monday = Every(14, "days", date(1970, 1, 5))

    gap = plan_gap("cron(0 9 ? * MON *)", "cron(1 9 ? * TUE *)", every=every_second_monday)

    assert gap == timedelta(days=14)
