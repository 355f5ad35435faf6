"""Time zones by IANA name, and the local times that a clock change skips or repeats.

A wall time here is a datetime with the zone as its tzinfo and fold 0. Python adds to and compares
such datetimes by local time, which is what a cron expression needs.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from moca.sentences import Sentence as _
from triggers.schedules.errors import Correction, ExpressionError

MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)

# Files of the time zone database that are no zones, or that depend on the machine.
_NOT_ZONES = {"Factory", "localtime", "posixrules"}


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every IANA name that `parse_zone` accepts."""
    return frozenset(available_timezones() - _NOT_ZONES)


def parse_zone(name: str) -> ZoneInfo:
    """The zone with an exact IANA name such as "Asia/Tokyo" or "UTC".

    Raises ExpressionError (field "timezone"); its suggestions are names that may be meant.
    """
    if name in zone_names():
        return ZoneInfo(name)
    if not name.strip():
        reason = _("Name a timezone, such as Asia/Tokyo or UTC.")
        raise ExpressionError("timezone", reason, "UTC")
    from triggers.schedules.zone_aliases import candidates  # 11 ms of each start: a large table

    found = candidates(name, zone_names())
    if not found:
        reason = _("This is not an IANA timezone name. Write one such as Asia/Tokyo or UTC.")
        raise ExpressionError("timezone", reason)
    reason = _(
        "This is not an IANA timezone name. Did you mean %(suggestion)s?",
        suggestion=_alternatives(found),
    )
    raise ExpressionError("timezone", reason, corrections=map(Correction, found))


def _alternatives(names: tuple[str, ...]) -> str:
    """Names as a list: "a", "a or b", "a, b or c"."""
    *most, last = names
    return _("%(most)s or %(last)s", most=", ".join(most), last=last) if most else last


def first_pass(wall: datetime) -> datetime | None:
    """The time in UTC at which a clock first shows this wall time, or None if none shows it."""
    run = wall.astimezone(UTC)
    # Python reads a skipped time with the offset before the gap (PEP 495): it converts back to
    # another time.
    return run if run.astimezone(wall.tzinfo) == wall else None


def is_repeated(wall: datetime) -> bool:
    """Whether a clock shows this wall time twice."""
    return wall.astimezone(UTC) < wall.replace(fold=1).astimezone(UTC)


def stretch_around(wall: datetime) -> tuple[datetime, datetime]:
    """The start and end of the skipped or repeated wall times around `wall`.

    `wall` is a whole minute, and the end is one too. If `wall` is neither skipped nor repeated,
    both are `wall`.
    """
    length = abs(wall.replace(fold=1).astimezone(UTC) - wall.astimezone(UTC))
    offset = wall.utcoffset()

    def outside(minutes: int) -> bool:
        return (wall + minutes * MINUTE).utcoffset() != offset

    end = wall + bisect_left(range(-(-length // MINUTE)), True, key=outside) * MINUTE
    return end - length, end


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of offset: at wall time `was`, the clock is set to `becomes`."""

    was: datetime
    becomes: datetime


def clock_changes(zone: ZoneInfo, after: datetime, days: int) -> Iterator[ClockChange]:
    """The changes of a zone's offset within `days` days after `after` (aware), in order."""
    start = after.astimezone(UTC)
    offset = start.astimezone(zone).utcoffset()
    for number in range(days):
        low = start + number * _DAY
        later = (low + _DAY).astimezone(zone).utcoffset()
        if later != offset:
            yield _change_between(low, zone)
            offset = later


def _change_between(low: datetime, zone: ZoneInfo) -> ClockChange:
    old = low.astimezone(zone).utcoffset()

    def changed(seconds: int) -> bool:
        return (low + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != old

    low = low.replace(microsecond=0)
    moment = low + timedelta(seconds=bisect_left(range(86_401), True, key=changed))
    becomes = moment.astimezone(zone).replace(fold=0)
    was = (moment - timedelta(seconds=1)).astimezone(zone).replace(fold=0) + timedelta(seconds=1)
    return ClockChange(was=was, becomes=becomes)
