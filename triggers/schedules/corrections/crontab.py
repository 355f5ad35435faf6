"""Corrects cron expressions of other programs: Unix, Quartz, Spring, Jenkins and others."""

import re
from collections.abc import Callable
from typing import Any

from moca.sentences import Sentence as _
from triggers.schedules.corrections import notes
from triggers.schedules.corrections.days import from_unix_weekdays, with_days
from triggers.schedules.corrections.english import clock_time
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.fields import MONTH_NAMES, WEEKDAY_NAMES
from triggers.schedules.form import split_fields

_MACROS = {
    "annually": "0 0 1 1 ? *",
    "daily": "0 0 * * ? *",
    "hourly": "0 * * * ? *",
    "midnight": "0 0 * * ? *",
    "monthly": "0 0 1 * ? *",
    "weekly": "0 0 ? * SUN *",
    "yearly": "0 0 1 1 ? *",
}
_NAMES = "|".join((*WEEKDAY_NAMES, *MONTH_NAMES, "L", "W", "H"))
_CRON_WORD = re.compile(rf"(?:[0-9*?/,#~():-]|{_NAMES})+", re.IGNORECASE)
_PICKED = re.compile(r"H(?:\(([0-9]+)-([0-9]+)\))?(/[0-9]+)?|([0-9]*)~([0-9]*)(/[0-9]+)?")
_LOWEST = ("0", "0", "1", "1", "0")
# One item of a day-of-week field, which cannot be a year.
_WEEKDAY_ITEM = re.compile(
    r"(?:[0-7]|[A-Z]{3,9})(?:-(?:[0-7]|[A-Z]{3,9}))?(?:/[1-7])?"
    r"|(?:[0-7]|[A-Z]{3})L|L[0-7]|(?:[0-7]|[A-Z]{3})#[1-5]|\*/[1-7]|\?"
)

Read = Callable[[str], Any]


def crontab(error: ExpressionError, body: str, read: Read) -> ExpressionError | None:
    """The error for a cron expression of another program, or None if `body` is none.

    Args:
        error: the error that `read` raised.
        body: the fields, without `cron(...)`.
        read: parses an expression, or raises ExpressionError.
    """
    for recognise in (_macro, _command, _spaced, _clock, _picked):
        if found := recognise(body):
            return found
    fields = split_fields(body)
    if later := _carried(fields):
        return ExpressionError(
            error.field, error.reason, corrections=[*error.corrections, Correction(later)]
        )
    if len(fields) == 5:
        return _in_order(error, [*fields, "*"], "unix", both=True)
    if len(fields) == 6:
        return _six(error, fields, read)
    return _seven(error, fields) if len(fields) == 7 else None


def _macro(body: str) -> ExpressionError | None:
    macro = body.lstrip("@").lower()
    if macro not in _MACROS:
        return None
    reason = _(
        "Shorthand such as %(word)s is not understood; write its six fields.", word=body[:40]
    )
    return ExpressionError("expression", reason, _MACROS[macro])


def _spaced(body: str) -> ExpressionError | None:
    joined = re.sub(r"\s*([,/#-])\s*", r"\1", body)
    if joined == body or not 5 <= len(joined.split()) <= 7:
        return None
    reason = _("A space separates two fields; leave out those within a field.")
    return ExpressionError("expression", reason, joined)


def _clock(body: str) -> ExpressionError | None:
    """A time such as 9:30 or 9am in place of the minutes and hours."""
    fields = body.split()
    place = next((n for n, word in enumerate(fields[:2]) if _times(word)), None)
    if place is None or not 4 <= len(fields) <= 6:
        return None
    times = _times(fields[place])
    hours = ",".join(str(hour) for hour, _minute in times)
    minutes = {minute for _hour, minute in times}
    if place == 1 and minutes == {0} and fields[0].isdigit():
        minutes = {int(fields[0])}
    rest = fields[place + 1 :]
    if len(minutes) > 1:
        note = notes.one_time_only()
        corrections = [
            Correction(" ".join([str(minute), str(hour), *rest]), (note,)) for hour, minute in times
        ]
    else:
        corrections = [Correction(" ".join([str(minutes.pop()), hours, *rest]))]
    reason = _("Write the minutes and the hours of a time as two fields, 30 9 for 09:30.")
    return ExpressionError("expression", reason, corrections=corrections)


def _times(word: str) -> list[tuple[int, int]]:
    times = [clock_time(item) for item in word.split(",")]
    return [time for time in times if time] if all(times) else []


def _picked(body: str) -> ExpressionError | None:
    """Values that the program chooses: H of Jenkins, or ~ of a cron with random times."""
    fields = body.upper().split()
    if len(fields) not in (5, 6):
        return None
    written = [_lowest(word, _LOWEST[n]) if n < 5 else word for n, word in enumerate(fields)]
    if written == fields:
        return None
    reason = _("H and ~ leave the choice of a value to the program; write the values themselves.")
    note = _("It takes the lowest of the values to choose from; any other would do too.")
    return ExpressionError(
        "expression", reason, corrections=[Correction(" ".join(written), (note,))]
    )


def _lowest(word: str, bottom: str) -> str:
    items = []
    for item in word.split(","):
        match = _PICKED.fullmatch(item)
        if match is None:
            items.append(item)
        elif step := match[3] or match[6]:
            low, high = match[1] or match[4], match[2] or match[5]
            items.append((f"{low}-{high}" if low and high else low or "*") + step)
        else:
            items.append(match[1] or match[4] or bottom)
    return ",".join(items)


def _command(body: str) -> ExpressionError | None:
    """A line of a crontab: five fields and a command."""
    words = body.split()
    if len(words) < 6 or not all(_CRON_WORD.fullmatch(word) for word in words[:5]):
        return None
    if _CRON_WORD.fullmatch(words[5]) and not re.match("/[A-Za-z]", words[5]):
        return None
    if words[5][:3].upper() in WEEKDAY_NAMES:
        return None
    reason = _("A trigger runs its agent and no command; give the schedule alone.")
    note = _("It leaves out the command.")
    return ExpressionError(
        "expression", reason, corrections=[Correction(" ".join(words[:5]), (note,))]
    )


def _carried(fields: list[str]) -> str | None:
    """Six fields with minute 60 or hour 24 carried over to the next hour or day, or None."""
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        return None
    minute, hour, day, _month, weekday, _year = fields
    if minute == "60" and hour.isdigit() and int(hour) < 23:
        return " ".join(["0", str(int(hour) + 1), *fields[2:]])
    if hour != "24":
        return None
    if weekday in WEEKDAY_NAMES:
        following = WEEKDAY_NAMES[(WEEKDAY_NAMES.index(weekday) + 1) % 7]
        return " ".join([minute, "0", day, fields[3], following, fields[5]])
    if day.isdigit() and int(day) < 28:
        return " ".join([minute, "0", str(int(day) + 1), *fields[3:]])
    return None


def _in_order(
    error: ExpressionError, fields: list[str], numbering: str, *, both: bool = False
) -> ExpressionError | None:
    """Six fields in EventBridge's order, whose day fields may be wrong."""
    day, weekday = fields[2], fields[4]
    if (day == "?") == (weekday == "?"):
        return _explained(error, with_days(fields, numbering, both=both), weekday)
    if day == "?" and re.search(r"(?<![0-9#/])0(?![0-9])", weekday):
        named = " ".join([*fields[:4], from_unix_weekdays(weekday), fields[5]])
        return ExpressionError(error.field, error.reason, named)
    return None


def _explained(
    error: ExpressionError, corrections: list[Correction], weekday: str
) -> ExpressionError:
    """The error for the day fields; its reason names the likeliest correction."""
    reason = getattr(error.reason, "parts", {}).get("reason")
    first = corrections[0]
    if reason is None or first.notes:
        return ExpressionError(error.field, error.reason, corrections=corrections)
    if error.field == "day-of-month" and first.expression.split()[4] not in (weekday, "?"):
        reason = _(
            "Put ? in day-of-month, because day-of-week says which days; number weekdays from "
            "1 = SUN, not from 0, or name them"
        )
    sentence: str = _("%(reason)s.", reason=reason)
    if len(first.expression) <= 80:
        sentence = _("%(reason)s: %(corrected)s.", reason=reason, corrected=first.expression)
    return ExpressionError(error.field, sentence, corrections=corrections)


def _six(error: ExpressionError, fields: list[str], read: Read) -> ExpressionError | None:
    """Six fields that may start with seconds instead of ending in a year."""
    month, weekday, last = fields[3:]
    has_weekday = all(_WEEKDAY_ITEM.fullmatch(item) for item in last.split(","))
    if {fields[2], weekday} == {"*", "?"} and re.match("[A-Z]", last) and has_weekday:
        return _swapped(fields)
    if "?" in fields[:3] or weekday == "?":
        return _in_order(error, fields, "either")
    if "?" in (month, last) or (has_weekday and not last.startswith("*")):
        return _seconds_first(fields, read)
    return _either_order(error, fields, read)


def _swapped(fields: list[str]) -> ExpressionError:
    """The weekday stands in place of the year, and a `?` in place of the weekday."""
    reason = _("The day-of-week comes before the year; exchange the two.")
    corrected = " ".join([*fields[:2], "?", fields[3], fields[5], "*"])
    return ExpressionError("year", reason, corrected)


def _seconds_first(fields: list[str], read: Read) -> ExpressionError:
    reason = _("The year is last and there are no seconds; drop the first field and add a year.")
    corrections = [*_without_seconds([*fields, "*"]), *_seconds_last(fields, read)]
    return ExpressionError("year", reason, corrections=corrections)


def _seconds_last(fields: list[str], read: Read) -> list[Correction]:
    """Corrections of Unix's five fields followed by seconds, the order of croniter."""
    if "?" in fields or not re.fullmatch("0|[89]|[1-5][0-9]", fields[5]):
        return []
    corrections = with_days([*fields[:5], "*"], "unix", both=True)
    return _noting_seconds(fields[5], [each for each in corrections if _parses(each, read)])


def _without_seconds(fields: list[str]) -> list[Correction]:
    """Corrections of seven fields that start with seconds."""
    numbering = "quartz" if "?" in (fields[3], fields[5]) else "unix"
    return _noting_seconds(fields[0], with_days(fields[1:], numbering))


def _noting_seconds(seconds: str, corrections: list[Correction]) -> list[Correction]:
    """Corrections with a note that they drop the seconds, unless these are 0."""
    if seconds in ("0", "?"):
        return corrections
    note = notes.no_seconds(seconds)
    return [Correction(each.expression, (note, *each.notes)) for each in corrections]


def _either_order(error: ExpressionError, fields: list[str], read: Read) -> ExpressionError | None:
    """Six fields that may end in a year or begin with seconds, whichever parses."""
    plain = with_days(fields, "either")
    seconds = []
    if fields[5].startswith("*"):
        seconds = _without_seconds([*fields, "*"])
    ours = [each for each in plain if _parses(each, read)]
    theirs = [each for each in seconds if _parses(each, read)]
    if theirs and not ours:
        return _seconds_first(fields, read)
    corrections = [*(ours or plain), *theirs, *_seconds_last(fields, read)]
    return _explained(error, corrections, fields[4])


def _parses(correction: Correction, read: Read) -> bool:
    try:
        read(correction.expression)
    except ExpressionError:
        return False
    return True


def _seven(error: ExpressionError, fields: list[str]) -> ExpressionError:
    """Seven fields: with seconds and a year, or with an extra field at the end."""
    corrections = []
    if "?" in (fields[3], fields[5]) and "?" not in fields[:3]:
        corrections = _without_seconds(fields)
    elif "?" in (fields[2], fields[4]):
        corrections = _without_the_last(fields)
    else:
        corrections = _without_seconds(fields)
        if fields[5] == fields[6] == "*":
            corrections += with_days(fields[:6], "either")
    return ExpressionError(error.field, error.reason, corrections=corrections)


def _without_the_last(fields: list[str]) -> list[Correction]:
    *others, fifth, last = fields
    if last in ("*", fifth):
        return [Correction(" ".join([*others, fifth]))]
    if fifth == "*":
        return [Correction(" ".join([*others, last]))]
    return [
        Correction(
            " ".join([*others, kept]), (_("It leaves out the field %(value)s.", value=left),)
        )
        for kept, left in ((fifth, last), (last, fifth))
    ]
