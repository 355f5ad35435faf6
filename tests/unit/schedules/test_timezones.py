"""Which zones are offered for names that are not IANA's, and what is said of odd zones."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.unit.schedules.test_schedule_parse import error_of
from triggers.schedules import find_warnings, parse, parse_zone, zone_names

AFTER = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        # Abbreviations, with all that they stand for.
        ("CST", ("America/Chicago", "Asia/Shanghai", "Asia/Taipei", "America/Havana")),
        ("IST", ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin")),
        ("bst", ("Europe/London", "Asia/Dhaka")),
        ("AEDT", ("Australia/Sydney",)),
        ("MSK", ("Europe/Moscow",)),
        ("SGT", ("Asia/Singapore",)),
        ("Z", ("UTC",)),
        ("ET", ("America/New_York",)),
        ("JST", ("Asia/Tokyo",)),
        # Countries and parts of them.
        ("China", ("Asia/Shanghai", "Asia/Urumqi")),
        ("Pacific", ("America/Los_Angeles", "America/Vancouver")),
        ("eastern", ("America/New_York", "America/Toronto")),
        ("Korea", ("Asia/Seoul", "Asia/Pyongyang")),
        ("日本", ("Asia/Tokyo",)),
        # Cities.
        ("Asia/Osaka", ("Asia/Tokyo",)),
        ("Mumbai", ("Asia/Kolkata",)),
        ("Asia/Beijing", ("Asia/Shanghai",)),
        ("America/London", ("Europe/London",)),
        ("s\u00e3o paulo", ("America/Sao_Paulo",)),
        ("\u6771\u4eac", ("Asia/Tokyo",)),
        ("\u30e0\u30f3\u30d0\u30a4", ("Asia/Kolkata",)),
        ("Calcutta", ("Asia/Kolkata",)),
        # Windows, and clocks by their names.
        ("Tokyo Standard Time", ("Asia/Tokyo",)),
        ("W. Europe Standard Time", ("Europe/Berlin",)),
        ("Pacific Standard Time (Mexico)", ("America/Tijuana",)),
        ("Pacific Time", ("America/Los_Angeles",)),
        # Offsets.
        ("UTC+05:30", ("Asia/Kolkata", "Asia/Colombo")),
        ("+0545", ("Asia/Kathmandu",)),
        ("-03:30", ("America/St_Johns",)),
        ("UTC+0", ("UTC",)),
        # Slips of the pen, within a region.
        ("Asia/Tokio", ("Asia/Tokyo",)),
        ("America/New_Yrok", ("America/New_York",)),
        ("Singapur", ("Asia/Singapore",)),
        # Nothing is guessed for short words, or across regions.
        ("ABC", ()),
        ("XST", ()),
        ("Korfu", ()),
        ("Europe/Osaak", ()),
        ("Asia/Omks", ()),
    ],
)
def test_offered(name: str, offered: tuple[str, ...]) -> None:
    assert error_of(name, parse_zone).suggestions == offered


def test_all_are_named_in_the_error() -> None:
    said = "Did you mean Asia/Kolkata, Asia/Jerusalem or Europe/Dublin?"
    assert error_of("IST", parse_zone).reason.endswith(said)


def test_places_of_an_offset_are_offered_beside_its_own_zone() -> None:
    assert error_of("GMT+9", parse_zone).suggestions[:3] == (
        "Etc/GMT-9",
        "Asia/Tokyo",
        "Asia/Seoul",
    )


def test_only_known_zones_are_in_the_table() -> None:
    from triggers.schedules.zone_aliases import _table

    written = " ".join([*_table()["spellings"].values(), _table()["representatives"]])
    assert set(written.split()) - zone_names() == set()


def test_table_is_not_read_for_right_names() -> None:
    code = (
        "import sys; from triggers.schedules import parse_zone; parse_zone('Asia/Tokyo');"
        "sys.exit('triggers.schedules.zone_aliases' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("EST", "EST knows no summer time: its clock shows UTC-05:00 all year."),
        ("MST", "MST knows no summer time: its clock shows UTC-07:00 all year."),
        ("HST", "HST knows no summer time: its clock shows UTC-10:00 all year."),
        ("Etc/GMT+9", "The sign of Etc/GMT+9 is reversed: its clock shows UTC-09:00 all year"),
        ("Etc/GMT-14", "The sign of Etc/GMT-14 is reversed: its clock shows UTC+14:00 all year"),
    ],
)
@pytest.mark.parametrize(
    "expression", ["cron(0 9 * * ? *)", "rate(1 day)", "at(2027-01-01T09:00:00)"]
)
def test_odd_zone_is_told(zone: str, said: str, expression: str) -> None:
    (warning,) = find_warnings(parse(expression), parse_zone(zone), AFTER)
    assert warning.startswith(said)


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "Etc/GMT", "Etc/GMT+0", "Asia/Tokyo"])
def test_other_zones_are_told_nothing_of(zone: str) -> None:
    assert find_warnings(parse("cron(0 9 * * ? *)"), parse_zone(zone), AFTER) == []


@pytest.mark.parametrize("zone", ["EST", "MST", "HST", *(f"Etc/GMT{n:+}" for n in range(-14, 13))])
def test_what_is_told_of_a_clock_is_so(zone: str) -> None:
    shown = AFTER.astimezone(parse_zone(zone)).isoformat()[-6:]
    told = find_warnings(parse("cron(0 9 * * ? *)"), parse_zone(zone), AFTER)
    assert zone == "Etc/GMT+0" or f"UTC{shown} all year" in told[0]
