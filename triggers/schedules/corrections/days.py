"""Corrects the two day fields: EventBridge requires `?` in exactly one of them."""

import re

from moca.sentences import Sentence as _
from triggers.schedules.errors import Correction
from triggers.schedules.fields import WEEKDAY_NAMES

_UNIX_WEEKDAY = re.compile(r"(?<![#/0-9])0*([0-7])(?![0-9])")
_UNIX_ITEM = re.compile(r"([0-7]|[A-Z]{3})(?:-([0-7]|[A-Z]{3}))?(/[0-9]+)?")
_UNIX_LAST = re.compile(r"L([0-7])")


def from_unix_weekdays(text: str) -> str:
    """A day-of-week field of Unix cron (0 or 7 = Sunday), with names instead of numbers."""
    return ",".join(map(_named_item, text.split(",")))


def _named_item(item: str) -> str:
    if match := _UNIX_LAST.fullmatch(item):
        return f"{WEEKDAY_NAMES[int(match[1]) % 7]}L"
    match = _UNIX_ITEM.fullmatch(item)
    if match and match[2]:
        ends = (_UNIX_WEEKDAY.sub(_name, match[1]), _UNIX_WEEKDAY.sub(_name, match[2]))
        # 0-7 is the whole week, with Sunday at both ends.
        if ends == ("SUN", "SUN") and match[1] != match[2]:
            return f"SUN-SAT{match[3] or ''}"
    return _UNIX_WEEKDAY.sub(_name, item)


def _name(match: re.Match[str]) -> str:
    return WEEKDAY_NAMES[int(match[1]) % 7]


def with_days(fields: list[str], numbering: str, *, both: bool = False) -> list[Correction]:
    """Corrections of six fields in EventBridge's order, each with one `?` in the day fields.

    Args:
        fields: minutes to year; neither of the day fields is `?`, or both are.
        numbering: the numbers of weekdays: "unix" (0 = Sunday), "quartz" (1 = Sunday) or "either".
        both: whether the author means the days of both fields, as Unix cron does. Other programs
            mean the days that are in both, such as a Friday the 13th, or reject two values.
    """
    day, weekday = ("*" if fields[n] == "?" else fields[n] for n in (2, 4))
    if weekday == "*":
        return [Correction(_with(fields, day, "?"))]
    weekdays = _weekdays(weekday, numbering)
    if day == "*":
        return [Correction(_with(fields, "?", each)) for each in weekdays]
    without_weekday = _("It leaves out the day-of-week %(value)s.", value=weekday)
    without_day = _("It leaves out the day-of-month %(value)s.", value=day)
    if both:
        without_weekday = _(
            "It leaves out the day-of-week %(value)s; make another trigger for that.",
            value=weekday,
        )
        without_day = _(
            "It leaves out the day-of-month %(value)s; make another trigger for that.", value=day
        )
    return [
        Correction(_with(fields, day, "?"), (without_weekday,)),
        *(Correction(_with(fields, "?", each), (without_day,)) for each in weekdays),
    ]


def _with(fields: list[str], day: str, weekday: str) -> str:
    return " ".join([*fields[:2], day, fields[3], weekday, fields[5]])


def _weekdays(text: str, numbering: str) -> list[str]:
    """The field in EventBridge's numbers or in names: one text a reading."""
    named = from_unix_weekdays(text)
    if numbering == "unix" or re.search(r"(?<![0-9#/])0(?![0-9])", text):
        return [named]
    return [text] if numbering == "quartz" or named == text else [text, named]
