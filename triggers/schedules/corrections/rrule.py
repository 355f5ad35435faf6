"""Corrects recurrence rules of iCalendar (RFC 5545), such as FREQ=WEEKLY;BYDAY=MO."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.corrections import recurrence
from triggers.schedules.corrections.moments import Moment, weekday_name
from triggers.schedules.corrections.notes import at_midnight, no_count, no_end, no_seconds
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.fields import WEEKDAY_NAMES
from triggers.schedules.rate import Unit, rate_words

_DAYS = dict(zip(("SU", "MO", "TU", "WE", "TH", "FR", "SA"), WEEKDAY_NAMES, strict=True))
_START = re.compile(r"DTSTART(?:;TZID=([^:;\s]+))?:([0-9]{8})(?:T([0-9]{6})(Z?))?", re.IGNORECASE)
_READ = {
    *("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYHOUR", "BYMINUTE"),
    *("COUNT", "UNTIL", "WKST", "BYSECOND"),
}
_SHORT: dict[str, Unit] = {"MINUTELY": "minute", "HOURLY": "hour"}
_FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")

Parts = dict[str, str]


def rrule(body: str, zone: ZoneInfo | None, parse: recurrence.Parse) -> ExpressionError | None:
    """The error for a recurrence rule, or None if the text is none."""
    match = re.search(r"(?:^|[\s:])((?:[A-Z]+=[^;\s]+;)*FREQ=[^\s]+)", body, re.IGNORECASE)
    if match is None:
        return None
    reason = _("A recurrence rule of iCalendar is not understood; write cron(...) or rate(...).")
    pairs = (part.partition("=") for part in match[1].upper().strip(";").split(";"))
    parts = {name: value for name, _equals, value in pairs}
    start = _start(body)
    name, wall = "", None
    if start is not None:
        wall, name = start.at(zone)
    if recurrence.needs_plan(parts, body, wall):
        own = ZoneInfo(name) if name else zone or ZoneInfo("UTC")
        return _planned(parts, body, wall, own, name, parse)
    written = _expression(parts, wall) if set(parts) <= _READ else None
    if written is None:
        return ExpressionError("expression", reason)
    expression, notes = written
    correction = Correction(expression, (*notes, *_left_out(parts)), name)
    return ExpressionError("expression", reason, corrections=[correction])


def _planned(
    parts: Parts,
    body: str,
    start: datetime | None,
    zone: ZoneInfo,
    name: str,
    parse: recurrence.Parse,
) -> ExpressionError:
    """The error for a rule that needs more than one expression, with the schedule that says it."""
    try:
        found = recurrence.read(parts, body, start, zone, _expression, parse)
    except recurrence.NotSaidError as error:
        return ExpressionError("expression", error.args[0])
    reason = _("A recurrence rule of iCalendar is written as a schedule with further parts.")
    correction = Correction(found.expression, tuple(found.notes), name, parts=found.parts)
    return ExpressionError("expression", reason, corrections=[correction])


def _start(body: str) -> Moment | None:
    match = _START.search(body)
    if match is None:
        return None
    return recurrence.stamp(f"{match[2]}T{match[3] or '000000'}{match[4] or ''}", match[1] or "")


def _left_out(parts: Parts) -> list[str]:
    """Notes on the parts that no expression has."""
    found: list[str] = []
    if "COUNT" in parts:
        found.append(no_count(parts["COUNT"]))
    if "UNTIL" in parts:
        found.append(no_end(parts["UNTIL"]))
    if parts.get("BYSECOND", "0") != "0":
        found.append(no_seconds(parts["BYSECOND"]))
    return found


def _expression(parts: Parts, start: datetime | None) -> tuple[str, list[str]] | None:
    """The expression for a rule with its notes, or None if no expression can say the rule."""
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch("[1-9][0-9]{0,4}", interval):
        return None
    number = int(interval)
    if number > 1:
        return _every_so_often(parts, number, start)
    notes: list[str] = []
    minute, hour = _time(parts, start, notes)
    days = _days(parts, start, notes)
    return None if days is None else (f"cron({minute} {hour} {days} *)", notes)


def _every_so_often(
    parts: Parts, number: int, start: datetime | None
) -> tuple[str, list[str]] | None:
    """The expression for a rule that skips periods; a rate, if nothing else restricts it."""
    note = _("It counts from the start date; set that to the first run.")
    by = {name for name in parts if name.startswith("BY")}
    frequency = parts["FREQ"]
    if frequency in _SHORT and not by:
        return f"rate({rate_words(number, _SHORT[frequency])})", [note]
    at_a_time = by <= {"BYHOUR", "BYMINUTE"} and "," not in "".join(parts[name] for name in by)
    if frequency == "DAILY" and at_a_time:
        return f"rate({rate_words(number, 'day')})", [note]
    one_day = by == {"BYDAY"} and re.fullmatch("[A-Z]{2}", parts["BYDAY"])
    if frequency == "WEEKLY" and (not by or one_day):
        return f"rate({rate_words(7 * number, 'day')})", [note]
    if frequency == "MONTHLY" and 12 % number == 0 and "BYMONTH" not in parts:
        return _every_few_months(parts, number, start)
    return None


def _every_few_months(
    parts: Parts, number: int, start: datetime | None
) -> tuple[str, list[str]] | None:
    notes: list[str] = []
    minute, hour = _time(parts, start, notes)
    first = (start.month - 1) % number + 1 if start else 1
    if start is None:
        notes.append(_("It counts the months from January."))
    days = _days({**parts, "BYMONTH": "%"}, start, notes)
    if days is None:
        return None
    return f"cron({minute} {hour} {days.replace('%', f'{first}/{number}')} *)", notes


def _time(parts: Parts, start: datetime | None, notes: list[str]) -> tuple[str, str]:
    frequency = parts["FREQ"]
    minute = parts.get("BYMINUTE", str(start.minute) if start else "0")
    hour = parts.get("BYHOUR", str(start.hour) if start else "0")
    if frequency == "MINUTELY":
        return parts.get("BYMINUTE", "*"), parts.get("BYHOUR", "*")
    if frequency == "HOURLY":
        return minute, parts.get("BYHOUR", "*")
    if start is None and "BYHOUR" not in parts:
        notes.append(at_midnight())
    return minute, hour


def _days(parts: Parts, start: datetime | None, notes: list[str]) -> str | None:
    """The day-of-month, month and day-of-week, or None if no expression can say them."""
    frequency, month = parts["FREQ"], parts.get("BYMONTH", "*")
    if frequency not in _FREQUENCIES or {"BYDAY", "BYMONTHDAY"} <= set(parts):
        return None
    if frequency == "YEARLY" and month == "*" and "BYMONTHDAY" not in parts:
        if "BYDAY" in parts:
            return None
        month = str(start.month if start else 1)
    if "BYDAY" in parts:
        weekday = _byday(parts["BYDAY"], of_month=frequency in ("MONTHLY", "YEARLY"))
        return weekday and f"? {month} {weekday}"
    if "BYMONTHDAY" in parts:
        day = _month_days(parts["BYMONTHDAY"])
        return day and f"{day} {month} ?"
    return _first_days(frequency, month, start, notes)


def _first_days(frequency: str, month: str, start: datetime | None, notes: list[str]) -> str:
    """The day fields for a rule without days: those of its start."""
    if frequency == "WEEKLY":
        if start is None:
            notes.append(_("It takes Sunday, because no day is given."))
        weekday = weekday_name(start) if start else WEEKDAY_NAMES[0]
        return f"? {month} {weekday}"
    if frequency in ("MONTHLY", "YEARLY"):
        if start is None:
            notes.append(_("It takes the first day, because no day is given."))
        return f"{start.day if start else 1} {month} ?"
    return f"* {month} ?"


def _byday(text: str, *, of_month: bool) -> str | None:
    words = []
    for item in text.split(","):
        match = re.fullmatch(r"([+-]?[0-9])?(SU|MO|TU|WE|TH|FR|SA)", item)
        if match is None or (match[1] and not of_month):
            return None
        number, name = int(match[1] or 0), _DAYS[match[2]]
        if number < -1 or number > 5:
            return None
        words.append(name + {0: "", -1: "L"}.get(number, f"#{number}"))
    nth = [word for word in words if "#" in word]
    return None if len(nth) > 1 else ",".join(words)


def _month_days(text: str) -> str | None:
    words = []
    for item in text.split(","):
        if not re.fullmatch("[+-]?[0-9]{1,2}", item) or not 1 <= abs(int(item)) <= 31:
            return None
        day = int(item)
        words.append(str(day) if day > 0 else "L" if day == -1 else f"L{day + 1}")
    return ",".join(words)
