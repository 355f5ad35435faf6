"""Moments converted to an operator's time zone by the server's time zone data."""

from urllib.parse import urlencode

import pytest
from django.test import Client

CLOCK = "/console/clock"
# British Columbia stays at -07:00 since 2026. Older time zone data says -08:00.
WINTER = "2026-12-01T17:00:00.000Z"


def asked(client: Client, zone: str, *moments: str) -> tuple[int, list[str] | None]:
    query = urlencode([("zone", zone), *(("at", moment) for moment in moments)])
    response = client.get(f"{CLOCK}?{query}")
    return response.status_code, response.json().get("times")


def test_newest_time_zone_data(viewer: Client) -> None:
    assert asked(viewer, "America/Vancouver", WINTER) == (200, ["2026-12-01T10:00:00-07:00"])


def test_moments_in_their_order(viewer: Client) -> None:
    times = ["2026-12-02T02:00:00+09:00", "2027-01-01T09:00:00+09:00"]
    assert asked(viewer, "Asia/Tokyo", WINTER, "2027-01-01T00:00:00Z") == (200, times)


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        ("Nowhere", [WINTER]),
        ("", [WINTER]),
        ("UTC", ["soon"]),
        ("UTC", ["2027-01-01T00:00:00"]),
        ("Asia/Tokyo", ["9999-12-31T23:59:59Z"]),
        ("UTC", [WINTER] * 101),
    ],
)
def test_invalid_input_is_rejected(viewer: Client, zone: str, moments: list[str]) -> None:
    assert asked(viewer, zone, *moments)[0] == 400


def test_strangers_are_sent_to_the_sign_in(client: Client, db: None) -> None:
    assert client.get(CLOCK).status_code == 302
