"""Running times around changes of the clock, of which every zone has its own kind."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from triggers.schedules import parse


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def texts(runs):
    return [f"{run:%Y-%m-%dT%H:%M}" for run in runs]


NEXT_RUNS = [
    # Forward: the local time does not exist and is skipped that day.
    (
        "30 2 * * ? *",
        "America/New_York",
        "2027-03-13",
        ["2027-03-13T07:30", "2027-03-15T06:30", "2027-03-16T06:30"],
    ),
    ("0 3 * * ? *", "America/New_York", "2027-03-14", ["2027-03-14T07:00", "2027-03-15T07:00"]),
    ("59 1 * * ? *", "America/New_York", "2027-03-14", ["2027-03-14T06:59", "2027-03-15T05:59"]),
    ("0/30 * * * ? *", "Europe/Berlin", "2027-03-28", ["2027-03-28T00:30", "2027-03-28T01:00"]),
    ("15 2 * * ? *", "Australia/Lord_Howe", "2027-10-02", ["2027-10-03T15:15"]),
    ("30 2 * * ? *", "Australia/Lord_Howe", "2027-10-02", ["2027-10-02T15:30"]),
    ("0 9 * * ? *", "Pacific/Apia", "2011-12-29", ["2011-12-29T19:00", "2011-12-30T19:00"]),
    ("0 0 30 12 ? 2011-2012", "Pacific/Apia", "2011-12-01", ["2012-12-29T10:00"]),
    ("0 2 * * ? *", "Antarctica/Troll", "2027-03-27", ["2027-03-27T02:00", "2027-03-29T00:00"]),
    ("0 0 * * ? *", "America/Sao_Paulo", "2018-11-03", ["2018-11-03T03:00", "2018-11-05T02:00"]),
    ("30 0 * * ? *", "Africa/Cairo", "2024-04-25T12:00", ["2024-04-26T21:30"]),
    ("30 0 * * ? *", "Asia/Beirut", "2024-03-29T12:00", ["2024-03-29T22:30", "2024-03-31T21:30"]),
    ("10 0 * * ? *", "Africa/Monrovia", "1972-01-06", ["1972-01-06T00:54", "1972-01-08T00:10"]),
    ("* 2 ? 3 SUN#2 *", "America/New_York", "2027-01-01", []),
    # Back: the local time comes twice and counts the first time.
    ("30 1 * * ? *", "America/New_York", "2027-11-07", ["2027-11-07T05:30", "2027-11-08T06:30"]),
    ("30 1 * * ? *", "America/New_York", "2027-11-07T05:30", ["2027-11-08T06:30"]),
    ("30 1 * * ? *", "America/New_York", "2027-11-07T06:15", ["2027-11-08T06:30"]),
    (
        "0/15 * * * ? *",
        "America/New_York",
        "2027-11-07T05:30",
        ["2027-11-07T05:45", "2027-11-07T07:00", "2027-11-07T07:15"],
    ),
    ("0/15 * * * ? *", "America/New_York", "2027-11-07T06:05", ["2027-11-07T07:00"]),
    (
        "45 1 * * ? *",
        "Australia/Lord_Howe",
        "2027-04-03",
        ["2027-04-03T14:45", "2027-04-04T15:15"],
    ),
    (
        "45 23 * * ? *",
        "America/Sao_Paulo",
        "2018-02-17T12:00",
        ["2018-02-18T01:45", "2018-02-19T02:45"],
    ),
    ("0 0 30 10 ? 2005", "America/St_Johns", "2005-01-01", ["2005-10-30T02:30"]),
    ("0 2 * * ? *", "Antarctica/Troll", "2027-10-30T12:00", ["2027-10-31T00:00"]),
    (
        "0 * * * ? *",
        "Antarctica/Troll",
        "2027-10-30T23:00",
        ["2027-10-31T00:00", "2027-10-31T03:00"],
    ),
    (
        "30 2 * * ? *",
        "Africa/Casablanca",
        "2025-02-23",
        ["2025-02-23T01:30", "2025-02-24T02:30"],
    ),
    # Elapsed time knows no change.
    ("rate(12 hours)", "America/New_York", "2027-03-14", ["2027-03-14T12:00", "2027-03-15T00:00"]),
]


@pytest.mark.parametrize(("text", "zone", "after", "expected"), NEXT_RUNS)
def test_next_runs(text, zone, after, expected):
    runs = parse(text).next_runs(utc(after), ZoneInfo(zone), len(expected) or 1)
    assert texts(runs) == expected


@pytest.mark.parametrize(
    ("text", "zone", "before", "expected"),
    [
        ("30 2 * * ? *", "America/New_York", "2027-03-15T06:30", "2027-03-13T07:30"),
        ("* * * * ? *", "America/New_York", "2027-03-14T07:00", "2027-03-14T06:59"),
        ("30 1 * * ? *", "America/New_York", "2027-11-07T05:30", "2027-11-06T05:30"),
        ("30 1 * * ? *", "America/New_York", "2027-11-07T06:10", "2027-11-07T05:30"),
        ("0/15 * * * ? *", "America/New_York", "2027-11-07T06:01", "2027-11-07T05:45"),
        ("0/15 * * * ? *", "America/New_York", "2027-11-07T07:00", "2027-11-07T05:45"),
        ("* * * * ? *", "Pacific/Apia", "2011-12-30T10:00", "2011-12-30T09:59"),
        ("0 9 * * ? *", "Pacific/Apia", "2011-12-30T19:00", "2011-12-29T19:00"),
        ("* * * * ? *", "Africa/Monrovia", "1972-01-07T00:45", "1972-01-07T00:43"),
        ("* 2 ? 3 SUN#2 *", "America/New_York", "2027-01-01", "2006-03-12T07:59"),
    ],
)
def test_previous_run(text, zone, before, expected):
    assert texts([parse(text).previous_run(utc(before), ZoneInfo(zone))]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at(2027-03-14T01:59:59)", utc("2027-03-14T06:59:59")),
        ("at(2027-03-14T02:30:00)", None),
        ("at(2027-03-14T03:00:00)", utc("2027-03-14T07:00")),
        ("at(2027-11-07T01:30:00)", utc("2027-11-07T05:30")),
    ],
)
def test_at(text, expected):
    assert parse(text).next_run(utc("2027-01-01"), ZoneInfo("America/New_York")) == expected


def test_an_at_in_a_gap_cannot_fire():
    at = parse("at(2027-03-14T02:30:00)")
    assert at.can_fire(utc("2027-01-01"), ZoneInfo("America/New_York")) is False
