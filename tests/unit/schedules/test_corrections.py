"""What is offered for expressions of other programs, and for texts with a mistake."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.schedules.test_schedule_parse import error_of
from triggers.schedules import Sentence, describe, parse

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
AFTER = datetime(2027, 1, 1, tzinfo=UTC)


def offers(text, zone=None):
    error = error_of(text, lambda text: parse(text, zone))
    return [each.expression for each in error.corrections]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Seconds first
        ("0 0 9 * * 1-5", ["0 9 ? * MON-FRI *"]),
        ("0 0 9 * * MON-FRI", ["0 9 ? * MON-FRI *"]),
        ("0 0 9 * * 7", ["0 9 ? * SUN *"]),
        ("0 0 9 13 * FRI", ["0 9 13 * ? *", "0 9 ? * FRI *"]),
        # Seconds last
        ("0 0 9 * * 0", ["0 9 ? * SUN *", "0 0 9 * ? *"]),
        ("30 9 * * 1-5 0", ["9 * ? 1-5 SUN *", "30 9 ? * MON-FRI *"]),
        ("0 0 9 * * 5L", ["0 9 ? * FRIL *"]),
        ("0 0 9 ? * 2-6", ["0 9 ? * 2-6 *"]),
        ("0 0 9 1 * ?", ["0 9 1 * ? *"]),
        ("0 30 9 * * *", ["30 9 * * ? *"]),
        ("0 0 9 * * *", ["0 0 9 * ? *", "0 9 * * ? *"]),
        ("*/5 * * * * *", ["*/5 * * * ? *", "* * * * ? *"]),
        ("0 0 9 ? * MON-FRI 2027", ["0 9 ? * MON-FRI 2027"]),
        ("cron(0 9 * * ? * *)", ["cron(0 9 * * ? *)"]),
        ("0 9 * * ? * 2027", ["0 9 * * ? 2027"]),
        ("0 9 * * ? 2027 2028", ["0 9 * * ? 2027", "0 9 * * ? 2028"]),
        ("0 9 * * * * *", ["9 * * * ? *", "0 9 * * ? *"]),
        # Unix
        ("0 9 * * 0-7", ["0 9 ? * SUN-SAT *"]),
        ("0 9 * * 5-7", ["0 9 ? * FRI-SUN *"]),
        ("0 9 * * L5", ["0 9 ? * FRIL *"]),
        ("0 9 1 * 1", ["0 9 1 * ? *", "0 9 ? * MON *"]),
        ("0 9 * * 1-5 *", ["0 9 ? * 1-5 *", "0 9 ? * MON-FRI *", "9 * * 1-5 ? *"]),
        ("0 9 * * * /usr/bin/backup --all", ["0 9 * * ? *"]),
        ("0 9 * * 1-5 # work days", ["0 9 ? * MON-FRI *"]),
        ("- cron: '0 9 * * 1-5'", ["0 9 ? * MON-FRI *"]),
        # Jenkins, OpenBSD
        ("~ 9 * * *", ["0 9 * * ? *"]),
        ("5~20 9 * * *", ["5 9 * * ? *"]),
        ("H 9 * * *", ["0 9 * * ? *"]),
        ("H/15 * * * *", ["*/15 * * * ? *"]),
        ("H(0-29)/10 8 * * 1-5", ["0-29/10 8 ? * MON-FRI *"]),
        # Shorthand
        ("@every 5m", ["rate(5 minutes)"]),
        ("@every 1h30m", ["rate(90 minutes)"]),
        ("@yearly", ["0 0 1 1 ? *"]),
        ("@midnight", ["0 0 * * ? *"]),
        # ISO 8601 and iCalendar
        ("PT5M", ["rate(5 minutes)"]),
        ("P1D", ["rate(1 day)"]),
        ("P3M", ["cron(0 0 1 1/3 ? *)"]),
        ("P1M2D", []),
        ("R/2027-01-01T09:00:00/P1D", ["rate(1 day)", "cron(0 9 * * ? *)"]),
        ("R/2027-02-15T09:00:00/P1M", ["cron(0 9 15 * ? *)"]),
        ("R/2027-02-15T09:00:00/P3M", ["cron(0 9 15 2/3 ? *)"]),
        ("R/\u2026/P1D", ["rate(1 day)"]),
        ("FREQ=WEEKLY;BYDAY=MO", ["cron(0 0 ? * MON *)"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=30", ["cron(30 9 ? * FRIL *)"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-2;BYHOUR=9", ["cron(0 9 L-1 * ? *)"]),
        ("FREQ=DAILY;INTERVAL=2", ["rate(2 days)"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", []),
        ("FREQ=MONTHLY;BYSETPOS=1;BYDAY=MO", []),
        # English
        ("every day at 9am", ["cron(0 9 * * ? *)"]),
        ("every weekday at 9:30", ["cron(30 9 ? * MON-FRI *)"]),
        ("Mondays and Fridays at 6 p.m.", ["cron(0 18 ? * MON,FRI *)"]),
        ("monday to thursday at 18:00", ["cron(0 18 ? * MON-THU *)"]),
        ("at noon", ["cron(0 12 * * ? *)"]),
        ("the last friday of the month at 12am", ["cron(0 0 ? * FRIL *)"]),
        ("every month on the 1st at 9:00", ["cron(0 9 1 * ? *)"]),
        ("every day at 9am and 5:30pm", ["cron(0 9 * * ? *)", "cron(30 17 * * ? *)"]),
        ("every full moon", []),
        ("every other day", ["rate(2 days)"]),
        # Times and spaces
        ("9:30 * * ? *", ["30 9 * * ? *"]),
        ("0 9:30 ? * MON *", ["30 9 ? * MON *"]),
        ("9:30,18:30 * * ? *", ["30 9,18 * * ? *"]),
        ("15 9am * * ? *", ["15 9 * * ? *"]),
        ("0 9 ? * MON - FRI *", ["0 9 ? * MON-FRI *"]),
        ("0 9 * * 1 - 5", ["0 9 ? * MON-FRI *"]),
        ("60 9 * * ? *", ["0 9 * * ? *", "0 10 * * ? *"]),
        ("0 24 ? * FRI *", ["0 0 ? * FRI *", "0 0 ? * SAT *"]),
        ("0 9 ? * * MON-FRI", ["0 9 ? * MON-FRI *"]),
        ("0 9 ? * FRI#2,MON#1 *", ["0 9 ? * FRI#2 *", "0 9 ? * MON#1 *"]),
        # Around the expression
        ("0 9 * * ? *;", ["0 9 * * ? *"]),
        ("cron(0 9 * * ? *);", ["cron(0 9 * * ? *)"]),
        ("(0 9 * * ? *)", ["0 9 * * ? *"]),
        ("cron(rate(5 minutes))", ["rate(5 minutes)"]),
        ("\u201c0 9 * * ? *\u201d", ["0 9 * * ? *"]),
        ("cron(0 9 * * ? *), rate(1 day)", ["cron(0 9 * * ? *)", "rate(1 day)"]),
        # Rates
        ("rate(1 month)", ["cron(0 0 1 * ? *)"]),
        ("rate(1 year)", ["cron(0 0 1 1 ? *)"]),
        ("rate(5 months)", []),
        ("rate(PT5M)", ["rate(5 minutes)"]),
    ],
)
def test_offers(text, expected):
    assert offers(text) == expected


@pytest.mark.parametrize(
    ("text", "zone", "expression", "timezone"),
    [
        ("at(2027-01-01T09:00:00Z)", None, "at(2027-01-01T09:00:00)", "UTC"),
        ("at(2027-01-01T09:00:00Z)", TOKYO, "at(2027-01-01T18:00:00)", ""),
        ("at(2027-01-01T09:00:00+09:00)", None, "at(2027-01-01T00:00:00)", "UTC"),
        ("at(2027-01-01T09:00:00+09:00)", TOKYO, "at(2027-01-01T09:00:00)", ""),
        ("2027-01-01T09:00:00-0500", NEW_YORK, "at(2027-01-01T09:00:00)", ""),
        ("at(1798761600)", TOKYO, "at(2027-01-01T09:00:00)", ""),
        # New York's clock shows 01:30 twice that night, and at(...) means the first time.
        ("at(2027-11-07T06:30:00Z)", NEW_YORK, "at(2027-11-07T06:30:00)", "UTC"),
        (
            "at(2027-01-01T09:00:00+09:00[Asia/Tokyo])",
            NEW_YORK,
            "at(2027-01-01T09:00:00)",
            "Asia/Tokyo",
        ),
        ("TZ=Asia/Tokyo 0 9 * * *", None, "0 9 * * ? *", "Asia/Tokyo"),
        ("TZ=Asia/Tokyo 0 9 * * *", TOKYO, "0 9 * * ? *", ""),
        ("every weekday at 9 in Tokyo", None, "cron(0 9 ? * MON-FRI *)", "Asia/Tokyo"),
        ("every day at 9:30 in New York", None, "cron(30 9 * * ? *)", NEW_YORK.key),
        ("0 9 * * * in UTC", TOKYO, "0 9 * * ? *", "UTC"),
        ("every monday in march", None, "cron(0 0 ? MAR MON *)", ""),
        ("CRON_TZ=America/New_York cron(0 9 * * ? *)", TOKYO, "cron(0 9 * * ? *)", NEW_YORK.key),
        ("0 9 * * ? * Asia/Tokyo", None, "0 9 * * ? *", "Asia/Tokyo"),
        ("R/2027-01-01T00:00:00Z/P1M", TOKYO, "cron(0 9 1 * ? *)", ""),
        (
            "DTSTART;TZID=Asia/Tokyo:20270104T093000\nRRULE:FREQ=WEEKLY",
            None,
            "cron(30 9 ? * MON *)",
            "Asia/Tokyo",
        ),
    ],
)
def test_the_moment_stays(text, zone, expression, timezone):
    error = error_of(text, lambda text: parse(text, zone))
    assert [(each.expression, each.timezone) for each in error.corrections] == [
        (expression, timezone)
    ]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "30 0 9 * * ?",
            "It leaves out the seconds (30), for a schedule runs at whole minutes.",
        ),
        ("0 9 1 * MON", "It leaves out the day-of-week MON; make another trigger for that."),
        (
            "every other Monday at 9 in Tokyo",
            "It leaves out the interval; set every 2 weeks beside it, with the date from which it "
            "counts.",
        ),
        (
            "every 3 days at 9",
            "It leaves out the interval; set every 3 days beside it, with the date from which it "
            "counts.",
        ),
        # Friday the 13th in Spring, and no two triggers.
        ("0 0 9 13 * FRI", "It leaves out the day-of-week FRI."),
        ("0 0 29 2 ? 2027", "It leaves out the year 2027."),
        ("TZ=Asia/Tokyo 0 9 * * *", "Set the timezone to Asia/Tokyo with it."),
        ("at(2027-01-01T09:00:00Z)", "Set the timezone to UTC with it."),
        (
            "@every 90s",
            "A rate counts whole minutes; 90 seconds are rounded to 120 seconds.",
        ),
        ("R5/PT10M", "It does not stop after 5 repetitions; set an end date."),
        ("FREQ=DAILY;UNTIL=20280101", "It leaves out its end; set the end date to 20280101."),
        ("0 9 * * * root /bin/true", "It leaves out the command."),
        ("at(2027-01-01T09:00:00.5)", "It leaves out the fraction of a second."),
        ("at(2027-02-30T09:00:00)", "That month has 28 days."),
    ],
)
def test_what_is_left_out_is_said(text, note):
    assert note in error_of(text).corrections[0].notes


def test_each_offer_is_said_in_words():
    words = [each.words for each in error_of("0 0 9 * * *").corrections]
    assert words == ["At 00:00 on the 9th of the month", "At 09:00 every day"]


def test_words_name_the_zone_of_an_offer():
    words = error_of("at(2027-01-01T09:00:00+09:00)").corrections[0].words
    assert words == "Once, on 1 January 2027 at 00:00, UTC"


def test_reading_what_is_right_does_not_load_the_corrections():
    code = (
        "import sys; from triggers.schedules import parse; parse('0 9 * * ? *');"
        "print([name for name in sys.modules if 'corrections' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


DOCUMENTED = re.findall(
    r"^\| `([^`]+)` \| `([^`]+)`(?: or `([^`]+)`)? \| [^|]*\|$",
    (Path(__file__).parents[3] / "docs" / "schedules.md")
    .read_text()
    .partition("## Expressions of other programs")[2],
    re.MULTILINE,
)


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: row[0])
def test_the_documented_corrections_are_offered(row):
    text, *expected = row
    assert offers(text, TOKYO) == [each for each in expected if each]


# Dialects against models of theirs


def few(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(",".join)


MINUTES = few(["0", "5", "30", "*/20", "7-9", "59", "10-40/15"])
HOURS = few(["9", "0", "23", "*/8", "8-17", "9-17/4"])
ANY_DAY = st.one_of(st.just("*"), few(["1", "15", "28-31", "*/9", "2-20/6"]))
MONTHS = st.one_of(st.just("*"), few(["1", "6-8", "*/5", "12", "JAN", "mar-may"]))
NUMBERED = ["0", "1", "5", "7", "1-5", "0-6", "0-7", "5-7", "1-7", "0-7/2", "1-5/2", "MON", "sat"]
UNIX_WEEKDAYS = st.one_of(st.just("*"), few(NUMBERED), st.just("*/2"), st.just("1-5/3"))
QUARTZ_WEEKDAYS = few(["1", "2-6", "7", "MON-FRI", "SUN", "4", "2-6/2"])


def runs_of(text, days=800):
    return parse(text).next_runs(AFTER, ZoneInfo("UTC"), days)


def unix_runs(minutes, hours, days, months, weekdays, count):
    walk = croniter(f"{minutes} {hours} {days} {months} {weekdays}", AFTER)
    return [walk.get_next(datetime) for _ in range(count)]


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(MINUTES, HOURS, ANY_DAY, MONTHS, UNIX_WEEKDAYS)
def test_unix_cron_keeps_its_runs(minutes, hours, days, months, weekdays):
    offered = offers(f"{minutes} {hours} {days} {months} {weekdays}")
    theirs = unix_runs(minutes, hours, days, months, weekdays, 60)
    apart = [runs_of(each, 60) for each in offered]
    # Unix fires on the days of either field if both are given, so both triggers are needed.
    together = sorted({run for runs in apart for run in runs})[:60]
    assert theirs in [*apart, together]


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(MINUTES, HOURS, st.one_of(ANY_DAY, st.just("?")), MONTHS, UNIX_WEEKDAYS)
def test_spring_keeps_its_runs(minutes, hours, days, months, weekdays):
    assume(days in "*?" or weekdays == "*")
    assume(not (days == "?" and weekdays[0].isdigit()))  # Then Quartz's numbers are meant.
    offered = offers(f"0 {minutes} {hours} {days} {months} {weekdays}")
    theirs = unix_runs(minutes, hours, days.replace("?", "*"), months, weekdays, 60)
    assert theirs in [runs_of(each, 60) for each in offered]


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(
    MINUTES,
    HOURS,
    st.one_of(
        st.tuples(ANY_DAY, st.just("?")), st.tuples(st.just("?"), QUARTZ_WEEKDAYS | st.just("*"))
    ),
    MONTHS,
    st.sampled_from(["", " *", " 2027", " 2027-2030"]),
)
def test_quartz_keeps_its_runs(minutes, hours, days, months, year):
    # Quartz differs from EventBridge by the seconds, and by a year that may be left out.
    offered = offers(f"0 {minutes} {hours} {days[0]} {months} {days[1]}{year}")
    same = f"{minutes} {hours} {days[0]} {months} {days[1]}{year or ' *'}"
    assert [runs_of(each, 60) for each in offered] == [runs_of(same, 60)]


FRAGMENTS = st.sampled_from(
    """
    * ? L W LW L-3 0 1 5 7 08 12 24 31 60 99 2027 2200 1-5 5-1 0-7 */5 H H/15 H(0-9) ~ 5~9 9:30 9am
    MON MONDAY FRI#2 FRI#6 6L L5 JAN - , ; # " ' ( ) cron( rate( at( @daily @every 5m 90s PT5M P1D
    P1M R/ R5/ / TZ=Asia/Tokyo TZ=Nowhere UTC Asia/Tokyo every day weekday at 9 pm and the 1st last
    friday month months other 1.5 -5 2027-01-01 T09:00:00 Z +09:00 [Asia/Tokyo] 1798761600 DTSTART:
    20270101T090000Z FREQ=WEEKLY; BYDAY=MO INTERVAL=2; cron: /bin/true \u2013 \u2026 \uff10
    """.split()  # noqa: SIM905
)


@settings(max_examples=examples(500), deadline=None, derandomize=True)
@given(
    st.lists(FRAGMENTS, min_size=1, max_size=9),
    st.sampled_from([" ", " ", " ", ""]),
    st.sampled_from([None, TOKYO, NEW_YORK]),
)
def test_every_offer_parses_and_has_words(fragments, space, zone):
    error = error_of(space.join(fragments), lambda text: parse(text, zone))
    assert error is None or all(
        describe(parse(each.expression)) in each.words for each in error.corrections
    )


@settings(max_examples=examples(200), deadline=None, derandomize=True)
@given(st.lists(FRAGMENTS, min_size=1, max_size=9).map(" ".join))
def test_what_is_said_can_be_translated(text):
    error = error_of(text)
    said = (
        [error.reason, *(note for each in error.corrections for note in each.notes)]
        if error
        else []
    )
    assert all(isinstance(each, Sentence) for each in said)


def mutated(text, places):
    for place, char in places:
        place %= len(text) + 1
        text = text[:place] + char + text[place + (char == "") :]
    return text


@settings(max_examples=examples(400), deadline=None, derandomize=True)
@given(
    st.sampled_from(
        [
            "cron(0 9 ? * MON-FRI *)",
            "0 0 9 * * 1-5",
            "at(2027-01-01T09:00:00+09:00)",
            "rate(5 minutes)",
            "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9",
            "R/2027-01-01T09:00:00Z/P1D",
            "every weekday at 9:30",
            "TZ=Asia/Tokyo 0 9 * * *",
        ]
    ),
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["", "", *" 0*?/,-LW#:;+()9aTZ"])), max_size=3
    ),
)
def test_every_offer_for_a_slip_parses(text, places):
    error = error_of(mutated(text, places))
    assert error is None or all(error_of(each.expression) is None for each in error.corrections)


@settings(max_examples=examples(200), deadline=None, derandomize=True)
@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2198, 1, 1)),  # noqa: DTZ001
    st.integers(-12 * 60, 14 * 60),
    st.sampled_from([None, TOKYO, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
def test_a_moment_with_an_offset_stays_that_moment(wall, minutes, zone):
    wall = wall.replace(microsecond=0)
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    error = error_of(f"at({wall.isoformat()}{offset})", lambda text: parse(text, zone))
    (offer,) = error.corrections
    own = ZoneInfo(offer.timezone) if offer.timezone else zone
    instant = (wall - timedelta(minutes=minutes)).replace(tzinfo=UTC)
    assert parse(offer.expression).instant(own) == instant


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;BYDAY=MO,WE",
        "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=30",
        "FREQ=MONTHLY;BYMONTHDAY=1,-1",
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=MONTHLY;INTERVAL=3",
        "FREQ=YEARLY",
        "FREQ=YEARLY;BYMONTHDAY=1",
        "FREQ=YEARLY;BYMONTH=6;BYDAY=-1FR",
        "FREQ=HOURLY;BYDAY=MO",
    ],
)
def test_a_recurrence_rule_keeps_its_runs(rule):
    rrule = pytest.importorskip("dateutil.rrule")
    start = datetime(2027, 2, 5, 9, 30)  # noqa: DTZ001
    theirs = rrule.rrulestr(rule, dtstart=start)[:40]
    (offer,) = offers(f"DTSTART:{start:%Y%m%dT%H%M%S} RRULE:{rule}")
    ours = parse(offer).next_runs(start.replace(tzinfo=UTC) - timedelta(seconds=1), UTC_ZONE, 40)
    assert [run.replace(tzinfo=None) for run in ours] == list(theirs)


UTC_ZONE = ZoneInfo("UTC")
