"""Schedules in words: descriptions and warnings."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from triggers.schedules import ExpressionError, describe, find_warnings, parse, zone_words

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 10 * * ? *", "At 10:00 every day"),
        ("15 12 * * ? *", "At 12:15 every day"),
        ("0 18 ? * MON-FRI *", "At 18:00 on weekdays"),
        ("0 8 1 * ? *", "At 08:00 on the 1st of the month"),
        ("0/15 * * * ? *", "Every 15 minutes"),
        ("0/10 * ? * MON-FRI *", "Every 10 minutes on weekdays"),
        ("0/5 8-17 ? * MON-FRI *", "Every 5 minutes from 08:00 to 17:55 on weekdays"),
        (
            "0/30 20-2 ? * MON-FRI *",
            "Every 30 minutes from 00:00 to 02:30 and 20:00 to 23:30 on weekdays",
        ),
        ("0/30 20-2 * * ? *", "Every 30 minutes from 20:00 to 02:30"),
        ("5,35 14 * * ? *", "At 14:05 and 14:35 every day"),
        ("15 10 ? * 6L 2027-2028", "At 10:15 on the last Friday of the month, in 2027 and 2028"),
        ("0 2 ? * THU#3 *", "At 02:00 on the third Thursday of the month"),
        ("0 2 L * ? *", "At 02:00 on the last day of the month"),
        ("0 */6 * * ? *", "At 00:00, 06:00, 12:00 and 18:00 every day"),
        ("0 8,12,17 ? * MON-FRI *", "At 08:00, 12:00 and 17:00 on weekdays"),
        ("0 10 1 1,4,7,10 ? *", "At 10:00 on the 1st of January, April, July and October"),
        ("* * * * ? *", "Every minute"),
        ("*/2 9 * * ? *", "Every 2 minutes from 09:00 to 09:58"),
        ("0 * * * ? *", "Every hour"),
        ("30 * * * ? *", "Every hour at 30 minutes past"),
        ("0 */2 * * ? *", "Every 2 hours"),
        ("0 8-17 ? * 7,1 *", "Every hour from 08:00 to 17:00 on weekends"),
        ("10 1/4 * * ? *", "Every 4 hours from 01:10 to 21:10"),
        ("5/15 * * * ? *", "Every 15 minutes from 00:05 to 23:50"),
        ("*/7 * * * ? *", "Every 7 minutes from 0 to 56 minutes past the hour"),
        (
            "10-20 8,10 * * ? *",
            "Every minute from 10 to 20 minutes past the hour in the hours 08 and 10",
        ),
        ("5,20,37 * * * ? *", "At 5, 20 and 37 minutes past the hour"),
        (
            "5,20,37 8-10,12,14 * * ? *",
            "At 5, 20 and 37 minutes past the hour in the hours 08 to 10, 12 and 14",
        ),
        ("*/15 */2 * * ? *", "Every 15 minutes in every 2nd hour from 00 to 22"),
        ("0/20 0/6 * * ? *", "Every 20 minutes in every 6th hour from 00 to 18"),
        (
            "10/20 0/6 * * ? *",
            "At 10, 30 and 50 minutes past the hour in every 6th hour from 00 to 18",
        ),
        ("0 9 15W * ? *", "At 09:00 on the weekday nearest the 15th of the month"),
        ("0 9 LW * ? *", "At 09:00 on the last weekday of the month"),
        ("0 9 L-1 * ? *", "At 09:00 on the day before the last day of the month"),
        ("0 9 L-3 * ? *", "At 09:00 on the 3rd day before the last day of the month"),
        ("0 9 1,15 * ? *", "At 09:00 on the 1st and 15th of the month"),
        ("0 9 1-7 * ? *", "At 09:00 every day from the 1st to the 7th of the month"),
        ("0 9 */2 * ? *", "At 09:00 every 2nd day from the 1st to the 31st of the month"),
        ("0 0 29 2 ? *", "At 00:00 on the 29th of February"),
        ("0 9 * NOV-FEB ? *", "At 09:00 every day from November to February"),
        ("0 9 3 6-8 ? *", "At 09:00 on the 3rd of each month from June to August"),
        ("0 9 ? MAR MON *", "At 09:00 on Mondays in March"),
        ("0 9 ? * MON,WED,FRI *", "At 09:00 on Mondays, Wednesdays and Fridays"),
        ("0 9 ? * SUN,TUE *", "At 09:00 on Tuesdays and Sundays"),
        ("0 9 ? * FRI-MON *", "At 09:00 every day from Friday to Monday"),
        ("0 9 ? * L *", "At 09:00 on Saturdays"),
        ("0 9 ? * MON,FRI#2 *", "At 09:00 on Mondays and the second Friday of the month"),
        ("0 9 ? * * 2027", "At 09:00 every day, in 2027"),
        ("0 9 * * ? 2027-2030", "At 09:00 every day, from 2027 to 2030"),
        ("0 9 1 1 ? 2028/4", "At 09:00 on the 1st of January, every 4 years from 2028 to 2196"),
        ("rate(1 minute)", "Every minute"),
        ("rate(5 minutes)", "Every 5 minutes"),
        ("rate(1 day)", "Every day"),
        ("at(2027-01-01T09:00:00)", "Once, on 1 January 2027 at 09:00"),
        ("at(2027-01-01T09:00:30)", "Once, on 1 January 2027 at 09:00:30"),
    ],
)
def test_description(text, words):
    assert describe(parse(text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 9 ? * MON-FRI *", "At 09:00 on weekdays, Tokyo time"),
        ("at(2027-01-01T09:00:00)", "Once, on 1 January 2027 at 09:00, Tokyo time"),
        ("rate(5 minutes)", "Every 5 minutes"),
    ],
)
def test_description_in_a_zone(text, words):
    assert describe(parse(text), TOKYO) == words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5 time"),
        ("America/New_York", "New York time"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("EST", "EST time"),
        ("Australia/West", "West time"),
        ("Brazil/West", "Brazil/West time"),
    ],
)
def test_zone_words(zone, words):
    assert zone_words(ZoneInfo(zone)) == words


def parsed(text):
    try:
        return parse(text)
    except ExpressionError:
        return None


VALUES = st.lists(st.integers(0, 23), min_size=1, max_size=6).map(lambda v: ",".join(map(str, v)))
FIELDS = st.one_of(st.just("*"), VALUES, st.sampled_from(["*/5", "3/7", "1-9", "9-1", "2-11/3"]))
DAYS = st.one_of(
    st.tuples(st.one_of(FIELDS, st.sampled_from(["L", "LW", "L-3,15W", "1,L-30"])), st.just("?")),
    st.tuples(
        st.just("?"), st.one_of(FIELDS, st.sampled_from(["L", "6L", "FRI#5", "MON,TUE,FRIL"]))
    ),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(FIELDS, FIELDS, DAYS, FIELDS, st.sampled_from(["*", "2027", "2027/7", "2027-2033"]))
def test_every_expression_has_words(minutes, hours, days, months, years):
    expression = parsed(f"{minutes} {hours} {days[0]} {months} {days[1]} {years}")
    assume(expression is not None)
    words = describe(expression, NEW_YORK)
    assert re.fullmatch(r"(At|Every)( \S+)+, New York time", words)
    assert all(note.endswith(".") for note in find_warnings(expression, NEW_YORK, NOW))


SKIPPED = "On 14 March 2027 the clocks go from 02:00 to 03:00: it skips the "
REPEATED = "On 7 November 2027 the clocks go from 02:00 to 01:00: the "


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("0 9 * * ? *", []),
        ("30 2 * * ? *", [f"{SKIPPED}run at 02:30."]),
        ("30 1 * * ? *", [f"{REPEATED}run at 01:30 happens once."]),
        (
            "0/15 * * * ? *",
            [
                f"{SKIPPED}runs between 02:00 and 03:00.",
                f"{REPEATED}runs between 01:00 and 02:00 happen once.",
            ],
        ),
        ("30 2 ? * MON-FRI *", []),
        ("0 9 31 * ? *", ["It skips months without a 31st; L means the last day."]),
        ("0 9 1,31W * ? *", ["It skips months without a 31st; L means the last day."]),
        ("0 9 31 1,3 ? *", []),
        (
            "0 9 */2 * ? *",
            [
                "The step of 2 days starts anew each month, so day 31 is followed by day 1 of the "
                "next; rate(2 days) keeps it even."
            ],
        ),
        (
            "0 9 29 2 ? *",
            ["The 29th of February comes in leap years only; L means its last day."],
        ),
        (
            "0 9 ? * FRI#5 *",
            ["It skips months without a fifth Friday; FRIL means the last one."],
        ),
        (
            "0 9 ? * 1-5 *",
            ["Weekdays count from 1 = SUN, so 1-5 is Sunday to Thursday; MON-FRI is 2-6."],
        ),
        (
            "*/45 * * * ? *",
            [
                "The step of 45 minutes starts anew each hour, so the gap there is shorter; "
                "rate(45 minutes) keeps it even.",
                "On 14 March 2027 the clocks go from 02:00 to 03:00: it skips the runs between "
                "02:00 and 03:00.",
                "On 7 November 2027 the clocks go from 02:00 to 01:00: the runs between 01:00 and "
                "02:00 happen once.",
            ],
        ),
        (
            "0 20-0 ? * MON-FRI *",
            ["The hours after midnight count to the day they fall on, not to the evening before."],
        ),
        (
            "0 9 1 2 ? 2027",
            ["It ends within a year: its last run is on 1 February 2027 at 09:00."],
        ),
        ("0 9 1 1 ? 2026", ["It never runs again: its last run was on 1 January 2026 at 09:00."]),
        ("0 9 1 1 ? 2027-2029", []),
        ("30 2 14 3 ? 2027", ["It never runs: the clocks skip each of its times."]),
        ("rate(1 hour)", []),
        (
            "rate(1 day)",
            [
                "A rate counts elapsed time, so its local time moves when the clocks change, "
                "next on 14 March 2027. Use cron(...) for a fixed local time."
            ],
        ),
        ("at(2027-06-01T09:00:00)", []),
        ("at(2026-06-01T09:00:00)", ["It never runs: its time is past."]),
        (
            "at(2027-03-14T02:30:00)",
            ["It never runs: the clocks skip 14 March 2027 at 02:30, New York time."],
        ),
        (
            "at(2027-11-07T01:30:00)",
            ["The clocks show 7 November 2027 at 01:30 twice; it runs the first time."],
        ),
    ],
)
def test_warnings(text, notes):
    assert find_warnings(parse(text), NEW_YORK, NOW) == notes


def test_no_clock_changes_where_there_are_none():
    assert find_warnings(parse("0/15 * * * ? *"), TOKYO, NOW) == []


DOCUMENTED = re.findall(
    r"^\| `([^`]+)` \| ((?:At|Every|Once)\b[^|]*) \|$",
    (Path(__file__).parents[3] / "docs" / "schedules.md").read_text(),
    re.MULTILINE,
)


def test_the_examples_are_found():
    assert len(DOCUMENTED) == 18


@pytest.mark.parametrize(("text", "words"), DOCUMENTED)
def test_the_documented_examples_say_what_they_do(text, words):
    assert describe(parse(text)) == words
