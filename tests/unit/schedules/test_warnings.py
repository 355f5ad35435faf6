"""Caveats of steps, nights and late days, against the runs themselves."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.schedules import find_warnings, parse

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY_NIGHT = "The hours after midnight count to the day they fall on, not to the evening before."
MONTH_NIGHT = (
    "The hours after midnight count to the month they fall on, not to that of the evening before."
)
YEAR_NIGHT = (
    "The hours after midnight count to the year they fall on, not to that of the evening before."
)


def notes(text):
    return find_warnings(parse(text), ZONE, NOW)


def gaps(text, count):
    runs = parse(text).next_runs(NOW, ZONE, count)
    return [later - earlier for earlier, later in pairwise(runs)]


@pytest.mark.parametrize(
    "text",
    [
        "0/7 9 * * ? *",
        "0/7 9,11 * * ? *",
        "0/45 0,22 ? * MON *",
        "0/60 * * * ? *",
        "0 0/7 ? * MON *",
        "0 0/24 * * ? *",
        "0 22-1/4 * * ? *",
        "0 9 1/3 6 ? *",
        "0 9 1/3 6,7 ? *",
        "0 9 1-20/3 * ? *",
        "0 9 1 */4 ? *",
        "0 9 1 1/12 ? *",
        "0 9 1 1/5 ? 2028",
        "0 9 ? * MON/2 *",
        "0 9 * * ? 2027/2",
        "0 9 28-31 * ? *",
        "0 9 L-27 * ? *",
        "0 9 L-30 1,3 ? *",
        # Nights of every day
        "0 20-2 * * ? *",
        "0 20-2 1-31 * ? *",
        "0 20-2 ? * 1-7 *",
        "0 20-2 * * ? 2020-2199",
        "0 12-11 ? * MON *",
        "0 22-1/4 ? * MON *",
    ],
)
def test_nothing_surprises(text):
    assert notes(text) == []


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "0/7 9-10 * * ? *",
            "The step of 7 minutes starts anew each hour, so the gap there is shorter.",
        ),
        (
            "0-59/7 * * * ? *",
            "The step of 7 minutes starts anew each hour, so the gap there is shorter; "
            "rate(7 minutes) keeps it even.",
        ),
        (
            "0/90 * * * ? *",
            "The step of 90 minutes passes the hour, so it runs once an hour; rate(90 minutes) "
            "counts on.",
        ),
        (
            "0 0/7 ? * MON-FRI *",
            "The step of 7 hours starts anew each day, so the gap there is shorter.",
        ),
        (
            "0 0/48 * * ? *",
            "The step of 48 hours passes the day, so it runs in one hour of the day; "
            "rate(48 hours) counts on.",
        ),
        (
            "0 9 */14 * ? *",
            "The step of 14 days starts anew each month, so day 29 is followed by day 1 of the "
            "next; rate(14 days) keeps it even.",
        ),
        (
            "0 9 */2 7,8 ? *",
            "The step of 2 days starts anew each month, so day 31 is followed by day 1 of the "
            "next.",
        ),
        (
            "0 9 1/31 * ? *",
            "The step of 31 days passes the month, so it runs on one day of the month; "
            "rate(31 days) counts on.",
        ),
        (
            "0 9 ? * */2 *",
            "The step of 2 in day-of-week starts anew each week, so Saturday is followed by "
            "Sunday.",
        ),
        (
            "0 9 1 1/5 ? *",
            "The step of 5 months starts anew each year, so the gap there is shorter.",
        ),
        (
            "0 9 1 1/24 ? *",
            "The step of 24 months passes the year, so it runs in one month of the year.",
        ),
        ("0 9 1 1 ? */4", "The step of 4 years counts from 1970, so the next year is 2030."),
        (
            "0 9 L-28 2 ? *",
            "It skips months of fewer than 29 days, for L-28 lies before their 1st.",
        ),
        (
            "0 9 L-30,15 * ? *",
            "It skips months of fewer than 31 days, for L-30 lies before their 1st.",
        ),
        ("0 9 30-31 * ? *", "It skips months without a 30th; L means the last day."),
        ("0 9 ? * 6,7 *", "Weekdays count from 1 = SUN, so 6 and 7 are Friday and Saturday."),
        ("0 20-2 L * ? *", DAY_NIGHT),
        ("0 20-2 31 12 ? *", DAY_NIGHT),
        ("0 22-23,0-3 ? * MON-FRI *", DAY_NIGHT),
        ("0 20-2 * 12 ? *", MONTH_NIGHT),
        ("0 20-2 ? NOV-FEB 1-7 *", MONTH_NIGHT),
        ("0 20-2 * * ? 2027,2029", YEAR_NIGHT),
        ("0 20-2 * * ? 2028/2", YEAR_NIGHT),
        ("0 20-2 * * ? 2028-2199", YEAR_NIGHT),
    ],
)
def test_surprise_is_told(text, note):
    assert notes(text) == [note]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 10),
    st.integers(11, 59),
    st.sampled_from(["*", "9", "9-17", "9,11", "0,23", "20-2", "*/2", "23,0,5"]),
    st.sampled_from(["*", "MON", "MON-FRI", "TUE,THU", "SAT,SUN", "FRI-SUN"]),
)
def test_minutes_are_told_of_exactly_if_a_gap_is_shorter(first, step, hours, weekdays):
    text = f"{first}/{step} {hours} ? * {weekdays} *"
    is_shorter = min(gaps(text, 300)) < timedelta(minutes=step)
    assert any("starts anew each hour" in note for note in notes(text)) == is_shorter


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 3),
    st.integers(4, 23),
    st.sampled_from(["*", "MON", "MON-FRI", "TUE,THU", "SAT,SUN", "MON,WED,FRI"]),
)
def test_hours_are_told_of_exactly_if_a_gap_is_shorter(first, step, weekdays):
    text = f"30 {first}/{step} ? * {weekdays} *"
    is_shorter = min(gaps(text, 60)) < timedelta(hours=step)
    assert any("starts anew each day" in note for note in notes(text)) == is_shorter


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(1, 5),
    st.integers(2, 20),
    st.sampled_from(["*", "1", "6,7", "7,8", "1-3", "12,1", "4,6"]),
)
def test_days_are_told_of_if_a_gap_is_shorter(first, step, months):
    text = f"0 9 {first}/{step} {months} ? 2027-2029"
    is_shorter = min(gaps(text, 300)) < timedelta(days=step)
    assert any("starts anew each month" in note for note in notes(text)) or not is_shorter
