"""Formats and parses times as ISO 8601, for the API, logs and storage."""

from datetime import UTC, datetime, timedelta, tzinfo

# The greatest difference between the clocks of two processes.
CLOCKS_APART = timedelta(seconds=5)
# The least difference between two stored moments.
INSTANT = timedelta(microseconds=1)


def iso(moment: datetime) -> str:
    """The moment in UTC with milliseconds and `Z`: `2027-01-31T09:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """Parse an ISO 8601 date and time with an offset or `Z`; the result is in UTC.

    Raises:
        ValueError: the text is no date and time, or it has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset: end it with Z or +09:00")
    return moment.astimezone(UTC)


def parse_local(text: str, zone: tzinfo) -> datetime:
    """Parse an ISO 8601 date and time that a person enters; the result is in UTC.

    Args:
        text: without an offset, it is by the clock of the zone.
        zone: a time zone.

    Raises:
        ValueError, OverflowError: the text is no date and time.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
