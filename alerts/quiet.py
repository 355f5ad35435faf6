"""Quiet hours, in which a rule sends nothing: pure functions of times and a time zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def end_of_quiet(moment: datetime, start: time | None, end: time | None, zone: str) -> datetime:
    """The first moment from `moment` on that is not within quiet hours.

    The hours are those of the wall clock in the zone. If the clock skips the end, they end as the
    clock is put ahead; if the end comes twice, they end at the first.

    Args:
        moment: an aware time.
        start: when the quiet hours begin; None for none.
        end: when they end; earlier than the start if midnight is within them.
        zone: the name of the time zone; UTC if there is no such zone.
    """
    if start is None or end is None or start == end:
        return moment
    tz = _zone(zone)
    local = moment.astimezone(tz)
    if not _is_within(local.time().replace(tzinfo=None), start, end):
        return moment
    day = local.date()
    if local.time() >= end:
        # Midnight lies between now and the end.
        day += timedelta(days=1)
    over = _first_instant(datetime.combine(day, end), tz)
    # In an hour that comes twice, the end may lie before its second turn.
    return max(over, moment)


def _is_within(now: time, start: time, end: time) -> bool:
    return start <= now < end if start < end else now >= start or now < end


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the wall clock of the zone shows this time, or a later one."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    if shown == wall:
        return instant
    # The clock skips it. Before the jump, fold=1 counts by the offset after the jump.
    earlier = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    jump = instant - earlier
    return _jump_between(earlier, instant, zone, jump)


def _jump_between(before: datetime, after: datetime, zone: ZoneInfo, jump: timedelta) -> datetime:
    """The instant at which the clock is put ahead, found by halving."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
