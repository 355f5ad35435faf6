"""Times in the one form in which they leave and enter, ISO 8601, and how far clocks may differ."""

from datetime import UTC, datetime, timedelta

# How far apart the clocks of processes may be.
CLOCKS_APART = timedelta(seconds=5)


def iso(moment: datetime) -> str:
    """The moment in UTC with milliseconds and `Z`: `2027-01-31T09:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 date and time with an offset or `Z`.

    Raises:
        ValueError: the text is no date and time, or has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset: end it with Z or +09:00")
    return moment.astimezone(UTC)
