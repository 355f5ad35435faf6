"""Warns about valid time zones whose clock differs from what their name suggests."""

import re
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _

# Zones that sound as if they had summer time: their fixed offset, and a place that has it.
_WITHOUT_SUMMER_TIME = {
    "EST": ("-05:00", "America/New_York"),
    "MST": ("-07:00", "America/Denver"),
    "HST": ("-10:00", "Pacific/Honolulu"),
}
_REVERSED = re.compile(r"Etc/GMT([+-])([1-9][0-9]?)")


def timezone_warnings(zone: ZoneInfo) -> list[str]:
    """Warnings about a zone such as EST or Etc/GMT+9, one sentence each."""
    if zone.key in _WITHOUT_SUMMER_TIME:
        offset, place = _WITHOUT_SUMMER_TIME[zone.key]
        return [
            _(
                "%(zone)s knows no summer time: its clock shows UTC%(offset)s all year. Name a "
                "place, such as %(place)s, for the clock that people there go by.",
                zone=zone.key,
                offset=offset,
                place=place,
            )
        ]
    if written := _REVERSED.fullmatch(zone.key):
        sign = "-" if written[1] == "+" else "+"
        return [
            _(
                "The sign of %(zone)s is reversed: its clock shows UTC%(offset)s all year, and "
                "knows no summer time.",
                zone=zone.key,
                offset=f"{sign}{int(written[2]):02}:00",
            )
        ]
    return []
