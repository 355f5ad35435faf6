"""Formats and parses times as ISO 8601, for the API, logs and storage."""

from datetime import UTC, datetime, timedelta

# The greatest difference between the clocks of two processes.
CLOCKS_APART = timedelta(seconds=5)


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
