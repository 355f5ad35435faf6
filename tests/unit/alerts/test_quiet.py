"""Quiet hours by the wall clock of a zone, also on the days on which the clock changes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.quiet import end_of_quiet
from tests.examples import examples

BERLIN, TOKYO, LORD_HOWE = "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe"

# When, the quiet hours, the zone, and when they are over, in the local time and its offset.
CASES = [
    ("2027-01-04T12:00+01:00", "22:00", "07:00", BERLIN, "2027-01-04T12:00+01:00"),
    ("2027-01-04T23:00+01:00", "22:00", "07:00", BERLIN, "2027-01-05T07:00+01:00"),
    ("2027-01-05T03:00+01:00", "22:00", "07:00", BERLIN, "2027-01-05T07:00+01:00"),
    ("2027-01-05T07:00+01:00", "22:00", "07:00", BERLIN, "2027-01-05T07:00+01:00"),
    ("2027-01-04T22:00+01:00", "22:00", "07:00", BERLIN, "2027-01-05T07:00+01:00"),
    ("2027-01-04T12:30+09:00", "12:00", "13:00", TOKYO, "2027-01-04T13:00+09:00"),
    # The night that has 23 hours, and the one that has 25.
    ("2027-03-27T23:00+01:00", "22:00", "07:00", BERLIN, "2027-03-28T07:00+02:00"),
    ("2027-10-30T23:00+02:00", "22:00", "07:00", BERLIN, "2027-10-31T07:00+01:00"),
    # Their end is skipped: they end as the clock is put ahead.
    ("2027-03-28T01:00+01:00", "22:00", "02:30", BERLIN, "2027-03-28T03:00+02:00"),
    # Their end comes twice: they end at the first, and the second turn is within no new ones.
    ("2027-10-31T01:00+02:00", "22:00", "02:30", BERLIN, "2027-10-31T02:30+02:00"),
    ("2027-10-31T02:10+01:00", "22:00", "02:30", BERLIN, "2027-10-31T02:10+01:00"),
    # A clock that changes by half an hour.
    ("2027-10-03T00:30+10:30", "22:00", "02:15", LORD_HOWE, "2027-10-03T02:30+11:00"),
    # No such zone: by UTC.
    ("2027-01-04T23:00+00:00", "22:00", "07:00", "No/Zone", "2027-01-05T07:00+00:00"),
]
MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize(("moment", "start", "end", "zone", "over"), CASES)
def test_end(moment: str, start: str, end: str, zone: str, over: str) -> None:
    found = end_of_quiet(
        datetime.fromisoformat(moment), time.fromisoformat(start), time.fromisoformat(end), zone
    )
    assert found == datetime.fromisoformat(over)


def test_rule_without_quiet_hours_waits_for_nothing() -> None:
    moment = datetime(2027, 1, 4, 23, tzinfo=UTC)
    assert end_of_quiet(moment, None, time(7), BERLIN) == moment


@given(
    moment=MOMENTS,
    start=st.times(),
    end=st.times(),
    zone=st.sampled_from([BERLIN, TOKYO, LORD_HOWE, "America/St_Johns"]),
)
@settings(max_examples=examples(300), deadline=None)
def test_hours_end_within_a_day_and_an_hour_and_not_in_the_past(
    moment: datetime, start: time, end: time, zone: str
) -> None:
    over = end_of_quiet(moment, start, end, zone)
    assert moment <= over <= moment + timedelta(hours=25, seconds=1)


@given(
    moment=MOMENTS,
    zone=st.sampled_from([BERLIN, TOKYO, "America/St_Johns"]),
)
@settings(max_examples=examples(300), deadline=None)
def test_what_is_held_back_is_over_the_hours(moment: datetime, zone: str) -> None:
    start, end = time(22), time(7)
    local = end_of_quiet(moment, start, end, zone).astimezone(ZoneInfo(zone)).time()
    assert end <= local < start
