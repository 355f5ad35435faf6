"""Running times where no clock changes: next and previous runs, bounds, rates, one-time runs."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.schedules import parse

Z = ZoneInfo("UTC")
TOKYO = ZoneInfo("Asia/Tokyo")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def texts(runs):
    return [f"{run:%Y-%m-%dT%H:%M}" for run in runs]


# 1 January 2027 is a Friday. The first block is every example of the AWS guides in the grammar.
NEXT_RUNS = [
    ("0 10 * * ? *", "2027-01-01T10:00", ["2027-01-02T10:00", "2027-01-03T10:00"]),
    ("15 12 * * ? *", "2027-01-01", ["2027-01-01T12:15", "2027-01-02T12:15"]),
    (
        "0 18 ? * MON-FRI *",
        "2027-01-01",
        ["2027-01-01T18:00", "2027-01-04T18:00", "2027-01-05T18:00"],
    ),
    ("0 8 1 * ? *", "2027-01-01T08:00", ["2027-02-01T08:00", "2027-03-01T08:00"]),
    ("0/15 * * * ? *", "2027-01-01T23:31", ["2027-01-01T23:45", "2027-01-02T00:00"]),
    ("0/10 * ? * MON-FRI *", "2027-01-01T23:45", ["2027-01-01T23:50", "2027-01-04T00:00"]),
    ("0/5 8-17 ? * MON-FRI *", "2027-01-01T17:50", ["2027-01-01T17:55", "2027-01-04T08:00"]),
    (
        "0/30 20-2 ? * MON-FRI *",
        "2027-01-01T02:00",
        ["2027-01-01T02:30", "2027-01-01T20:00", "2027-01-01T20:30"],
    ),
    ("0/30 20-2 ? * MON-FRI *", "2027-01-01T23:30", ["2027-01-04T00:00", "2027-01-04T00:30"]),
    ("5,35 14 * * ? *", "2027-01-01", ["2027-01-01T14:05", "2027-01-01T14:35"]),
    (
        "15 10 ? * 6L 2027-2028",
        "2028-10-28",
        ["2028-11-24T10:15", "2028-12-29T10:15"],
    ),
    ("15 10 ? * 6L 2027-2028", "2027-01-01", ["2027-01-29T10:15", "2027-02-26T10:15"]),
    ("0 2 ? * THU#3 *", "2027-01-01", ["2027-01-21T02:00", "2027-02-18T02:00"]),
    (
        "0 2 L * ? *",
        "2028-01-01",
        ["2028-01-31T02:00", "2028-02-29T02:00", "2028-03-31T02:00", "2028-04-30T02:00"],
    ),
    (
        "0 */6 * * ? *",
        "2027-01-01",
        ["2027-01-01T06:00", "2027-01-01T12:00", "2027-01-01T18:00", "2027-01-02T00:00"],
    ),
    (
        "0 8,12,17 ? * MON-FRI *",
        "2027-01-01T09:00",
        ["2027-01-01T12:00", "2027-01-01T17:00", "2027-01-04T08:00"],
    ),
    ("0 10 1 1,4,7,10 ? *", "2027-01-01T10:00", ["2027-04-01T10:00", "2027-07-01T10:00"]),
    # The other examples of the grammar
    ("0 9 * * ? *", "2027-01-01", ["2027-01-01T09:00"]),
    ("5,0/20 9 * * ? *", "2027-01-01", ["2027-01-01T09:00", "2027-01-01T09:05"]),
    ("0 0 ? * FRI-MON *", "2027-01-01", ["2027-01-02T00:00", "2027-01-03T00:00"]),
    ("0 0 ? * FRI-MON *", "2027-01-03", ["2027-01-04T00:00", "2027-01-08T00:00"]),
    ("0 0 1 NOV-FEB ? *", "2027-01-01", ["2027-02-01T00:00", "2027-11-01T00:00"]),
    ("0 0 L-3 2 ? *", "2027-01-01", ["2027-02-25T00:00", "2028-02-26T00:00"]),
    ("0 0 LW * ? *", "2027-01-01", ["2027-01-29T00:00", "2027-02-26T00:00"]),
    ("0 0 15W * ? *", "2027-05-01", ["2027-05-14T00:00", "2027-06-15T00:00"]),
    ("0 0 15W 8 ? *", "2027-01-01", ["2027-08-16T00:00", "2028-08-15T00:00"]),
    ("0 0 2W 1 ? *", "2026-12-31", ["2027-01-01T00:00"]),
    ("0 0 1W 5 ? *", "2027-01-01", ["2027-05-03T00:00"]),
    ("0 0 31W * ? *", "2027-01-01", ["2027-01-29T00:00", "2027-03-31T00:00"]),
    ("0 0 31W 10 ? *", "2027-01-01", ["2027-10-29T00:00"]),
    ("0 0 ? * FRIL *", "2027-01-01", ["2027-01-29T00:00"]),
    ("0 0 ? * FRI#2 *", "2027-01-01", ["2027-01-08T00:00"]),
    ("0 0 ? * 6#2 *", "2027-01-01", ["2027-01-08T00:00"]),
    ("0 0 ? * L *", "2027-01-01", ["2027-01-02T00:00", "2027-01-09T00:00"]),
    ("0 0 ? * 3 *", "2027-01-01", ["2027-01-05T00:00"]),
    ("0 0 29 2 ? *", "2027-01-01", ["2028-02-29T00:00", "2032-02-29T00:00"]),
    ("0 0 29 2 ? *", "2096-03-01", ["2104-02-29T00:00"]),
    ("0 0 ? 2 FRI#5 *", "2027-01-01", ["2036-02-29T00:00", "2064-02-29T00:00"]),
    ("59 23 31 12 ? 2199", "1970-01-01", ["2199-12-31T23:59"]),
    ("0 0 1 1 ? 1970", "1900-01-01", ["1970-01-01T00:00"]),
    ("0 0 1 1 ? 2027", "2027-01-01", []),
]


@pytest.mark.parametrize(("text", "after", "expected"), NEXT_RUNS)
def test_next_runs(text, after, expected):
    assert texts(parse(text).next_runs(utc(after), Z, max(len(expected), 1))) == expected


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("0 10 * * ? *", "2027-01-01T10:00", "2026-12-31T10:00"),
        ("0 10 * * ? *", "2027-01-01T10:01", "2027-01-01T10:00"),
        ("0 18 ? * MON-FRI *", "2027-01-04T18:00", "2027-01-01T18:00"),
        ("0/15 * * * ? *", "2027-01-01T00:00", "2026-12-31T23:45"),
        ("0 0 29 2 ? *", "2104-02-29", "2096-02-29T00:00"),
        ("0 0 ? 2 FRI#5 *", "2027-01-01", "2008-02-29T00:00"),
        ("15 10 ? * 6L 2027-2028", "2199-01-01", "2028-12-29T10:15"),
    ],
)
def test_previous_run(text, before, expected):
    assert texts([parse(text).previous_run(utc(before), Z)]) == [expected]


def test_runs_are_local_times_of_the_zone():
    assert texts(parse("0 9 ? * MON *").next_runs(utc("2027-01-01"), TOKYO, 1)) == [
        "2027-01-04T00:00"
    ]


def test_runs_come_back_in_utc_whatever_the_zone_of_the_instant():
    after = datetime(2027, 1, 1, 9, tzinfo=TOKYO)
    assert parse("0 9 * * ? *").next_run(after, TOKYO).isoformat() == "2027-01-02T00:00:00+00:00"


@pytest.mark.parametrize("part", [{"second": 1}, {"microsecond": 1}])
def test_a_fraction_of_a_minute_after_a_run_is_after_it(part):
    run = utc("2027-01-01T10:00")
    assert parse("0 10 * * ? *").previous_run(run.replace(**part), Z) == run


@pytest.mark.parametrize("method", ["next_run", "previous_run", "can_fire"])
@pytest.mark.parametrize("text", ["0 9 * * ? *", "rate(1 day)", "at(2027-01-01T09:00:00)"])
def test_a_naive_instant_is_refused(text, method):
    with pytest.raises(ValueError, match="aware"):
        getattr(parse(text), method)(datetime(2027, 1, 1), Z)  # noqa: DTZ001


FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment", "following", "preceding"),
    [
        ("* * * * ? *", FIRST, utc("1970-01-01T08:00"), None),
        ("* * * * ? *", LAST, None, utc("2200-01-01T07:59")),
        ("at(2199-12-31T23:59:59)", FIRST, utc("2200-01-01T07:59:59"), None),
        ("at(2199-12-31T23:59:59)", LAST, None, utc("2200-01-01T07:59:59")),
        ("rate(1 day)", LAST, None, None),
    ],
)
def test_the_ends_of_time(text, moment, following, preceding):
    zone = ZoneInfo("America/Los_Angeles")
    expression = parse(text)
    found = expression.next_run(moment, zone), expression.previous_run(moment, zone)
    assert found == (following, preceding)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, "2027-01-02T10:00"),
        ({"start": "2027-02-01"}, "2027-02-01T10:00"),
        ({"start": "2027-02-01T10:00"}, "2027-02-01T10:00"),
        ({"start": "2026-01-01"}, "2027-01-02T10:00"),
        ({"end": "2027-01-02T10:00"}, "2027-01-02T10:00"),
        ({"end": "2027-01-02T09:59"}, None),
        ({"start": "2027-02-01T10:01", "end": "2027-02-02T09:59"}, None),
    ],
)
def test_next_run_within_bounds(bounds, expected):
    after = utc("2027-01-01T10:00")
    run = parse("0 10 * * ? *").next_run(after, Z, **{k: utc(v) for k, v in bounds.items()})
    assert run == (expected and utc(expected))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, "2027-01-01T10:00"),
        ({"end": "2026-12-01T10:00"}, "2026-12-01T10:00"),
        ({"end": "2026-12-01T09:59"}, "2026-11-30T10:00"),
        ({"start": "2027-01-01T10:00"}, "2027-01-01T10:00"),
        ({"start": "2027-01-01T10:01"}, None),
    ],
)
def test_previous_run_within_bounds(bounds, expected):
    before = utc("2027-01-02T10:00")
    run = parse("0 10 * * ? *").previous_run(before, Z, **{k: utc(v) for k, v in bounds.items()})
    assert run == (expected and utc(expected))


def test_next_runs_stop_at_the_end():
    runs = parse("0 10 * * ? *").next_runs(utc("2027-01-01"), Z, 9, end=utc("2027-01-02T10:00"))
    assert texts(runs) == ["2027-01-01T10:00", "2027-01-02T10:00"]


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 0 1 1 ? 2026", "2027-01-01", False),
        ("0 0 1 1 ? 2028", "2027-01-01", True),
        ("at(2027-01-01T09:00:00)", "2027-01-01T08:59", True),
        ("at(2027-01-01T09:00:00)", "2027-01-01T09:00", False),
        ("rate(1 minute)", "2027-01-01", True),
    ],
)
def test_can_fire(text, after, expected):
    assert parse(text).can_fire(utc(after), Z) is expected


@pytest.mark.parametrize(
    ("text", "after", "bounds", "expected"),
    [
        ("rate(5 minutes)", "2027-01-01", {}, ["2027-01-01T00:05", "2027-01-01T00:10"]),
        ("rate(1 hour)", "2027-01-01", {"anchor": "2026-12-31T23:20"}, ["2027-01-01T00:20"]),
        ("rate(1 hour)", "2027-01-01", {"anchor": "2027-01-01"}, ["2027-01-01T01:00"]),
        ("rate(1 hour)", "2027-01-01", {"anchor": "2027-01-01T00:30"}, ["2027-01-01T01:30"]),
        (
            "rate(2 days)",
            "2027-01-01",
            {"start": "2027-01-05T06:00", "anchor": "2026-12-31T23:20"},
            ["2027-01-05T06:00", "2027-01-07T06:00"],
        ),
        ("rate(1 day)", "2027-01-05", {"start": "2027-01-01T06:00"}, ["2027-01-05T06:00"]),
        ("rate(1 day)", "2027-01-01", {"end": "2027-01-01T23:59"}, []),
        ("rate(1 day)", "2027-01-01", {"end": "2027-01-02T00:00"}, ["2027-01-02T00:00"]),
    ],
)
def test_rate(text, after, bounds, expected):
    bounds = {name: utc(value) for name, value in bounds.items()}
    assert texts(parse(text).next_runs(utc(after), Z, len(expected) or 1, **bounds)) == expected


@pytest.mark.parametrize(
    ("before", "bounds", "expected"),
    [
        ("2027-01-01", {}, None),
        ("2027-01-01T02:00", {"anchor": "2027-01-01"}, "2027-01-01T01:00"),
        ("2027-01-01T02:01", {"anchor": "2027-01-01"}, "2027-01-01T02:00"),
        ("2027-01-01T00:30", {"anchor": "2027-01-01"}, None),
        ("2027-01-01T01:00", {"anchor": "2027-01-01"}, None),
        ("2027-01-01T01:01", {"anchor": "2027-01-01"}, "2027-01-01T01:00"),
        ("2027-01-01T00:30", {"start": "2027-01-01"}, "2027-01-01T00:00"),
        ("2027-01-01", {"anchor": "2027-01-01"}, None),
        ("2027-01-09", {"start": "2027-01-01", "end": "2027-01-02"}, "2027-01-02T00:00"),
    ],
)
def test_previous_run_of_a_rate(before, bounds, expected):
    bounds = {name: utc(value) for name, value in bounds.items()}
    run = parse("rate(1 hour)").previous_run(utc(before), Z, **bounds)
    assert run == (expected and utc(expected))


def test_at_is_in_the_zone():
    run = parse("at(2027-01-01T09:00:30)").next_run(utc("2026-01-01"), TOKYO)
    assert run == utc("2027-01-01T00:00:30")


def test_at_ignores_its_bounds():
    run = utc("2027-01-01T09:00")
    late, early = utc("2028-01-01"), utc("2026-06-01")
    at = parse("at(2027-01-01T09:00:00)")
    assert at.next_run(utc("2026-01-01"), Z, start=late, end=early) == run


@pytest.mark.parametrize(
    ("before", "expected"),
    [("2027-01-01T09:00", None), ("2027-01-01T09:01", "2027-01-01T09:00")],
)
def test_previous_run_of_an_at(before, expected):
    run = parse("at(2027-01-01T09:00:00)").previous_run(utc(before), Z)
    assert run == (expected and utc(expected))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(["*", "0", "*/7", "5-50/9", "3,17"]),
    st.sampled_from(["*", "9", "*/5", "8-17"]),
    st.sampled_from(["*", "1", "31", "*/9", "10-20"]),
    st.sampled_from(["*", "2", "1,6", "*/5"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
)
def test_croniter_agrees_where_the_dialects_do(minutes, hours, days, months, moment):
    if days == "31" and months == "2":
        return
    after = moment.replace(tzinfo=UTC)
    theirs = croniter(f"{minutes} {hours} {days} {months} *", after).get_next(datetime)
    assert parse(f"{minutes} {hours} {days} {months} ? *").next_run(after, Z) == theirs


def test_runs_follow_one_another():
    runs = parse("0 9 ? * MON-FRI *").next_runs(utc("2027-01-01"), TOKYO, 500)
    steps = {later - run for run, later in pairwise(runs)}
    assert steps == {timedelta(days=1), timedelta(days=3)}
