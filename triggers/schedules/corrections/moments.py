"""Corrects one-time schedules: dates and times in other notations, or with an offset."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import FORM, At
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.fields import WEEKDAY_NAMES
from triggers.schedules.timezones import parse_zone

_LOOSE = re.compile(
    r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})"
    r"(?:(?:T|\s+|,\s*)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})([.,][0-9]+)?)?)?"
    r"\s*(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
    r"\s*(?:\[?([A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)\]?)?",
    re.IGNORECASE,
)
_RIGHT = re.compile(r"[0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}", re.IGNORECASE)
_EPOCH = re.compile(r"[0-9]{10}(?:[0-9]{3})?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time that somebody wrote.

    Attributes:
        wall: the date and time without a zone.
        offset: the offset from UTC, or None if there is none.
        zone: the IANA name that follows, or empty if there is none.
        notes: sentences about what `wall` drops.
    """

    wall: datetime
    offset: timedelta | None = None
    zone: str = ""
    notes: tuple[str, ...] = ()

    def at(self, zone: ZoneInfo | None) -> tuple[datetime, str]:
        """The local time of the schedule, and the timezone to set for it (empty to keep `zone`)."""
        if self.zone or self.offset is None:
            return self.wall, self.zone
        instant = self.wall.replace(tzinfo=timezone(self.offset)).astimezone(UTC)
        if zone is not None:
            local = instant.astimezone(zone).replace(tzinfo=None, fold=0)
            # A repeated local time runs the first time only, which may be another instant.
            if At(local.date(), local.time()).instant(zone) == instant:
                return local, ""
        return instant.replace(tzinfo=None), "UTC"


def moment(
    error: ExpressionError, body: str, zone: ZoneInfo | None, *, bare: bool = False
) -> ExpressionError | None:
    """The error for the text inside `at(...)`, or for a text without it if `bare`.

    None if the text is no date. `error` is what the parser raised.
    """
    read = parse_moment(body)
    if read is None:
        return None
    try:
        wall, name = read.at(zone)
    except (ValueError, OverflowError):
        return None
    written = wall.replace(microsecond=0).isoformat()
    if bare:
        reason: str = _("A single run is written with at(...) around its date and time.")
        field, written = "expression", f"at({written})"
    else:
        field, reason = "at", error.reason if _RIGHT.fullmatch(body) else _at_reason(body)
    corrections = [Correction(written, read.notes, name)]
    return ExpressionError(field, reason, corrections=corrections)


def parse_moment(text: str) -> Moment | None:
    """Parse a date and time in one of the usual notations, or as Unix time; None if it is none."""
    if _EPOCH.fullmatch(text):
        seconds = int(text[:10])
        wall = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        return Moment(wall, timedelta(0))
    match = _LOOSE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not (year and 1 <= month <= 12 and day and hour < 24 and minute < 60 and second < 60):
        return None
    last = monthrange(year, month)[1]
    notes = []
    if day > last:
        notes.append(_("That month has %(days)s days.", days=last))
    if match[7] and match[7].strip(".,0"):
        notes.append(_("It leaves out the fraction of a second."))
    try:
        wall = datetime(year, month, min(day, last), hour, minute, second)  # noqa: DTZ001
        return Moment(wall, _offset(match[8]), _zone(match[9]), tuple(notes))
    except ValueError:
        return None


def weekday_name(day: date) -> str:
    """The weekday of a date, as in cron expressions: "SUN" to "SAT"."""
    return WEEKDAY_NAMES[day.isoweekday() % 7]


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 15 or minutes > 59:
        raise ValueError("No clock is that far from UTC.")
    return (1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes)


def _zone(name: str | None) -> str:
    if name is None:
        return ""
    try:
        return parse_zone(name).key
    except ExpressionError as error:
        return error.suggestion or ""


def _at_reason(body: str) -> str:
    match = _LOOSE.fullmatch(body)
    if match is not None and (match[8] or match[9]):
        return _(
            "A one-time schedule is in the schedule's timezone, so it has no %(offset)s: convert "
            "its time, and write it as %(form)s.",
            offset=match[8] or match[9],
            form=FORM,
        )
    if match is not None and not match[4]:
        return _("The time of day is missing; write %(form)s.", form=FORM)
    return _("A one-time schedule is written %(form)s.", form=FORM)
