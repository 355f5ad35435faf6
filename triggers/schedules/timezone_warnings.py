"""What may surprise about a time zone that is taken as it was written."""

import re
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _

# Names that read like a clock with summer time, and a place whose clock people know by them.
_WITHOUT_SUMMER_TIME = {
    "EST": ("-05:00", "America/New_York"),
    "MST": ("-07:00", "America/Denver"),
    "HST": ("-10:00", "Pacific/Honolulu"),
}
_REVERSED = re.compile(r"Etc/GMT([+-])([1-9][0-9]?)")


def timezone_warnings(zone: ZoneInfo) -> list[str]:
    """Sentences about a zone whose clock is not the one that its name suggests."""
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
