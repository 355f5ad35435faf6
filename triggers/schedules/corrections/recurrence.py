"""Reads recurrence rules of iCalendar that need more than one expression, for `rrule`.

RFC 5545, 3.3.10 and 3.8.5: intervals from DTSTART, EXDATE, RDATE, UNTIL, COUNT, and BYSETPOS where
it counts the working days of a month.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from moca.times import INSTANT, iso
from triggers.schedules.corrections.moments import Moment, parse_moment, weekday_name
from triggers.schedules.cron import Cron
from triggers.schedules.errors import ExpressionError
from triggers.schedules.fields import WEEKDAY_NAMES
from triggers.schedules.plan import Plan
from triggers.schedules.plan_parts import Expression, read_plan

Parts = dict[str, str]
Parse = Callable[[str], Expression]
# The expression for a rule without interval, end and positions; None if there is none.
Plain = Callable[[Parts, datetime | None], tuple[str, list[str]] | None]

_KNOWN = {
    *("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYHOUR", "BYMINUTE", "BYSECOND"),
    *("COUNT", "UNTIL", "WKST", "BYSETPOS"),
}
_UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months"}
_WORKING_DAYS = {"MO", "TU", "WE", "TH", "FR"}
_DATES = re.compile(r"(EXDATE|RDATE)(?:;TZID=([^:;\s]+)|;[^:\s]*)?:([0-9TZ,]+)", re.IGNORECASE)
_STAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_MOST_COUNT = 1000
_DAY_NAMES = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")


class NotSaidError(Exception):
    """The rule says what no schedule can; the message is a sentence about it."""


@dataclass(slots=True)
class Recurrence:
    """A schedule that means the same as a rule.

    Attributes:
        expression: its first expression.
        parts: what it has beside, as `scheduleConfig` has it.
        notes: what it takes for granted.
    """

    expression: str
    parts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def stamp(text: str, zone: str = "") -> Moment | None:
    """A date or time of iCalendar, such as 20270104T093000; None if it is none."""
    match = _STAMP.fullmatch(text.upper())
    if match is None:
        return None
    year, month, day, *clock, utc = match.groups()
    hour, minute, second = (each or "00" for each in clock)
    name = "Z" if utc else f" {zone}"
    return parse_moment(f"{year}-{month}-{day}T{hour}:{minute}:{second}{name}".strip())


def needs_plan(parts: Parts, body: str, start: datetime | None) -> bool:
    """Whether a rule says what an expression alone cannot, or what no schedule can."""
    if set(parts) - _KNOWN:
        return True
    if {"BYSETPOS"} & set(parts) and (start or _is_about_working_days(parts)):
        return True
    if start is None or parts["FREQ"] not in (*_UNITS, "YEARLY"):
        return False
    is_often = parts.get("INTERVAL", "1") != "1" and not _is_in_cron(parts)
    ends = {"COUNT", "UNTIL"} & set(parts)
    nth = len(re.findall("[1-5](?:SU|MO|TU|WE|TH|FR|SA)", parts.get("BYDAY", ""))) > 1
    return bool(is_often or ends or nth or _DATES.search(body))


def read(
    parts: Parts, body: str, start: datetime | None, zone: ZoneInfo, plain: Plain, parse: Parse
) -> Recurrence:
    """The schedule that means the same as a rule.

    Args:
        parts: the rule's parts.
        body: the whole text, which may have EXDATE and RDATE.
        start: DTSTART by the clock of the zone; None if the text has none.
        zone: the schedule's timezone.
        plain: gives the expression for a rule without interval, end and positions.
        parse: parses an expression.

    Raises:
        NotSaidError: no schedule means the same.
    """
    if unknown := sorted(set(parts) - _KNOWN):
        raise NotSaidError(_("No schedule can say %(part)s.", part=unknown[0][:40]))
    rest = {name: value for name, value in parts.items() if name in _KNOWN}
    found: dict[str, Any] = {}
    for name in ("INTERVAL", "COUNT", "UNTIL", "WKST"):
        rest.pop(name, None)
    if "BYSETPOS" in rest:
        _set_positions(rest, found)
    # BYSETPOS may have made it a rule of days, which counts months all the same.
    in_cron = _is_in_cron(parts) and rest["FREQ"] == "MONTHLY"
    every_few = in_cron and parts.get("INTERVAL", "1") != "1"
    texts, notes = _expressions(
        {**rest, "INTERVAL": parts["INTERVAL"]} if every_few else rest, start, plain
    )
    if start is not None:
        found["startDate"] = iso(start.replace(tzinfo=zone))
        if not in_cron:
            texts = _set_interval(parts, texts, start, found)
    _set_dates(body, texts, zone, found, parse)
    found |= {"moreExpressions": texts[1:]} if texts[1:] else {}
    if start is not None:
        _set_end(parts, parse(texts[0]), start, zone, found, parse)
    return Recurrence(texts[0], found, notes)


def _is_in_cron(parts: Parts) -> bool:
    """Whether the interval is one of months that the month field can have."""
    interval = parts.get("INTERVAL", "1")
    number = int(interval) if re.fullmatch("[1-9][0-9]?", interval) else 0
    return bool(
        parts["FREQ"] == "MONTHLY" and number and 12 % number == 0 and "BYMONTH" not in parts
    )


def _is_about_working_days(parts: Parts) -> bool:
    return parts["FREQ"] == "MONTHLY" and set(parts.get("BYDAY", "").split(",")) == _WORKING_DAYS


def _set_positions(rest: Parts, found: dict[str, Any]) -> None:
    """Replace BYSETPOS by what means the same."""
    text = rest.pop("BYSETPOS")
    numbers = text.split(",")
    days = set(rest.get("BYDAY", "").split(","))
    at_once = "," not in rest.get("BYHOUR", "") + rest.get("BYMINUTE", "")
    reason = _(
        "BYSETPOS can be said for the days of a month alone, with one time a day: write "
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1 for its first working day."
    )
    are_numbers = all(re.fullmatch("[+-]?[1-9][0-9]?", each) for each in numbers)
    if rest["FREQ"] != "MONTHLY" or not are_numbers or not at_once or "BYMONTHDAY" in rest:
        raise NotSaidError(reason)
    positions = sorted({int(each) for each in numbers})
    if days == _WORKING_DAYS and all(abs(each) <= 23 for each in positions):
        del rest["BYDAY"]
        rest["FREQ"] = "DAILY"
        found["workingDays"] = positions
    elif days == set(_DAY_NAMES):
        del rest["BYDAY"]
        rest["BYMONTHDAY"] = ",".join(map(str, positions))
    elif len(days) == 1 and days < set(_DAY_NAMES) and all(-1 <= n <= 5 for n in positions):
        rest["BYDAY"] = ",".join(f"{each}{min(days)}" for each in positions)
    else:
        raise NotSaidError(reason)


def _expressions(rest: Parts, start: datetime | None, plain: Plain) -> tuple[list[str], list[str]]:
    """The expressions for the rule: one for each nth weekday, since a cron has one of them."""
    groups: list[Parts] = [rest]
    if "BYDAY" in rest:
        days = rest["BYDAY"].split(",")
        nth = [day for day in days if re.match(r"\+?[1-5]", day)]
        others = [day for day in days if day not in nth]
        if len(nth) > 1:
            lists = [*nth, *([",".join(others)] if others else [])]
            groups = [{**rest, "BYDAY": each} for each in lists]
    texts, notes = [], []
    for group in groups:
        written = plain(group, start)
        if written is None:
            raise NotSaidError(
                _("No expression has these days; write each of them as a rule of its own.")
            )
        texts.append(written[0])
        notes += written[1]
    return texts, list(dict.fromkeys(notes))


def _set_interval(
    parts: Parts, texts: list[str], start: datetime, found: dict[str, Any]
) -> list[str]:
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch("[1-9][0-9]{0,3}", interval):
        raise NotSaidError(_("The interval is a whole number, such as INTERVAL=2."))
    number, frequency = int(interval), parts["FREQ"]
    if number == 1:
        return texts
    if frequency == "YEARLY":
        return [re.sub(r" \*\)$", f" {start.year}/{number})", each) for each in texts]
    if frequency == "WEEKLY" and parts.get("WKST", "MO") != "MO":
        days = parts.get("BYDAY", _DAY_NAMES[WEEKDAY_NAMES.index(weekday_name(start))])
        if days != _DAY_NAMES[WEEKDAY_NAMES.index(weekday_name(start))]:
            raise NotSaidError(_("The weeks of an interval begin on Monday: write WKST=MO."))
    found["every"] = {_UNITS[frequency]: number, "from": start.date().isoformat()}
    return texts


def _set_dates(
    body: str, texts: list[str], zone: ZoneInfo, found: dict[str, Any], parse: Parse
) -> None:
    """Add the days that are left out, and further single runs."""
    out: dict[str, set[tuple[int, int]]] = {}
    for kind, name, values in _DATES.findall(body):
        for value in values.strip(",").split(","):
            moment = stamp(value, name)
            if moment is None:
                raise NotSaidError(_("%(value)s is no date of iCalendar.", value=value[:40]))
            wall = _wall(moment, zone)
            if kind.upper() == "RDATE":
                texts.append(f"at({wall:%Y-%m-%dT%H:%M:%S})")
            else:
                out.setdefault(wall.date().isoformat(), set()).add((wall.hour, wall.minute))
    if len(texts) > 10:
        raise NotSaidError(_("A schedule has at most ten expressions; leave out some dates."))
    has_single_runs = any(each.startswith("at(") for each in texts)
    if has_single_runs and (out or "every" in found or "workingDays" in found):
        raise NotSaidError(_("RDATE cannot stand beside an interval or EXDATE; leave it out."))
    times = {time for each in texts for time in _times(parse(each))}
    dates = sorted(day for day, left in out.items() if left & times)
    if any(not times <= out[day] for day in dates):
        raise NotSaidError(
            _("EXDATE leaves out one time of a day that has several: a schedule leaves out days.")
        )
    if dates:
        found["daysOff"] = {"dates": dates}


def _wall(moment: Moment, zone: ZoneInfo) -> datetime:
    """The date and time by the clock of the schedule's zone."""
    wall, name = moment.at(zone)
    if not name or name == zone.key:
        return wall
    return wall.replace(tzinfo=ZoneInfo(name)).astimezone(zone).replace(tzinfo=None)


def _times(expression: Expression) -> set[tuple[int, int]]:
    if not isinstance(expression, Cron):
        return set()
    return {(hour, minute) for hour in expression.hours for minute in expression.minutes}


def _set_end(
    parts: Parts,
    first: Expression,
    start: datetime,
    zone: ZoneInfo,
    found: dict[str, Any],
    parse: Parse,
) -> None:
    if until := parts.get("UNTIL"):
        moment = stamp(until)
        if moment is None:
            raise NotSaidError(_("%(value)s is no date of iCalendar.", value=until[:40]))
        end = _wall(moment, zone)
        if "T" not in until:
            end += timedelta(hours=23, minutes=59, seconds=59)
        found["endDate"] = iso(end.replace(tzinfo=zone))
    if count := parts.get("COUNT"):
        if not re.fullmatch("[0-9]{1,4}", count) or not 1 <= int(count) <= _MOST_COUNT:
            raise NotSaidError(_("COUNT can be 1 to %(most)s.", most=_MOST_COUNT))
        begin = start.replace(tzinfo=zone).astimezone(UTC)
        runs = planned(first, found, parse).next_runs(begin - INSTANT, zone, int(count))
        if len(runs) == int(count):
            found["endDate"] = iso(runs[-1])


def planned(expression: Expression, parts: dict[str, Any], parse: Parse) -> Expression | Plan:
    """The schedule of an expression and parts; ExpressionError if a part is invalid."""

    def fail(_part: str, error: ExpressionError) -> None:
        raise error

    return read_plan(expression, parts, parse, fail)
