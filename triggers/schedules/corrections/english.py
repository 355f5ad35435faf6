"""Corrects schedules in plain English, such as "every weekday at 9am"."""

import re
from dataclasses import dataclass, field, replace

from moca.sentences import Sentence as _
from triggers.schedules.corrections import notes
from triggers.schedules.description import WEEKDAYS
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.fields import WEEKDAY_NAMES
from triggers.schedules.phrases import MONTHS

_FILLERS = {"a", "and", "at", "each", "every", "in", "of", "on", "once", "run", "the"}
_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?(?::00)?(am|pm|h)?")
_WEEKDAY = "|".join(f"{day[:3]}(?:{day[3:]})?s?" for day in map(str.lower, WEEKDAYS))
_RANGE = re.compile(rf"({_WEEKDAY})(?:-| to | through | thru | until )({_WEEKDAY})\b")
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in map(str.lower, MONTHS))
_PACES = {
    **dict.fromkeys(("day", "days", "daily", "everyday"), "day"),
    **dict.fromkeys(("week", "weekly"), "week"),
    **dict.fromkeys(("month", "monthly"), "month"),
    **dict.fromkeys(("year", "yearly", "annually"), "year"),
}
_DAYS = {
    **dict.fromkeys(("weekday", "weekdays", "workday", "workdays"), ("MON-FRI",)),
    **dict.fromkeys(("weekend", "weekends"), ("SAT", "SUN")),
}
_HOURS = {"midnight": (0, 0), "midday": (12, 0), "noon": (12, 0)}


@dataclass(slots=True)
class _Said:
    """The parts of a schedule that the words so far name."""

    times: list[tuple[int, int]] = field(default_factory=list)
    weekdays: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    months: list[str] = field(default_factory=list)
    pace: str = ""


# "every other monday at 9" and "every 3 days at 9": an interval that no expression can have.
_INTERVAL = re.compile(
    r"every (other|[0-9]+) (?:(day|week|month)s? |(?=(?:mon|tue|wed|thu|fri|sat|sun)))(.+)"
)


def english(text: str) -> ExpressionError | None:
    """The error for a text that is a schedule in English, or None if it is not.

    It has corrections if every word is understood, and none if the text only begins with "every".
    """
    words = re.sub(r"\b([ap])\.?m\b\.?", r"\1m", text.lower().replace(",", " ")).strip(" .")
    words = re.sub(r"([0-9])\s+(am|pm)\b", r"\1\2", " ".join(words.split()))
    if not re.search("[a-z]{2}|:", words):
        return None
    interval = _INTERVAL.fullmatch(words)
    said = _read(_without(interval) if interval else words)
    corrections = _corrections(said) if said else []
    if interval:
        corrections = [_noting(interval, each) for each in corrections]
    if not corrections and not re.match(r"every\b", words):
        return None
    reason = _(
        "Write a time of day with cron, such as cron(0 9 * * ? *) for 09:00 every day, and a "
        "pace as a rate, such as rate(5 minutes)."
    )
    return ExpressionError("expression", reason, corrections=corrections)


def _without(interval: re.Match[str]) -> str:
    """The words without the interval: those for each day, week or month."""
    return f"every {interval[2] or ''} {interval[3]}"


def _noting(interval: re.Match[str], each: Correction) -> Correction:
    number = "2" if interval[1] == "other" else interval[1]
    note = notes.no_interval(number, f"{interval[2] or 'week'}s")
    return replace(each, notes=(*each.notes, note))


def clock_time(word: str) -> tuple[int, int] | None:
    """The hour and minute of "9:30", "9am" or "17h"; None for other words, plain numbers too."""
    match = _TIME.fullmatch(word.lower())
    if match is None or not (match[2] or match[3]):
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    if match[3] in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return (hour, minute) if hour < 24 and minute < 60 else None


def _read(words: str) -> _Said | None:
    said = _Said()
    words = _RANGE.sub(lambda match: f"{match[1][:3]}-{match[2][:3]}".upper(), words)
    left = words.split()
    before = ""
    while left:
        word = left.pop(0)
        if not _take(said, word, before, left):
            return None
        before = word
    return said


def _take(said: _Said, word: str, before: str, left: list[str]) -> bool:
    """Read one word, with the words of `left` that belong to it; False if it is unknown."""
    if word in _FILLERS:
        return True
    if word in _PACES:
        # The first one counts: "every day of the week" is daily.
        said.pace = said.pace or _PACES[word]
    elif word in _DAYS:
        said.weekdays += _DAYS[word]
    elif re.fullmatch("[A-Z]{3}-[A-Z]{3}", word):
        said.weekdays.append(word)
    elif re.fullmatch(_WEEKDAY, word):
        said.weekdays.append(word[:3].upper())
    elif time := _HOURS.get(word) or clock_time(word):
        said.times.append(time)
    elif before == "at" and word.isdigit() and int(word) < 24:
        said.times.append((int(word), 0))
    else:
        return _take_date(said, word, left)
    return True


def _take_date(said: _Said, word: str, left: list[str]) -> bool:
    if match := re.fullmatch(r"([0-9]{1,2})(?:st|nd|rd|th)", word):
        said.days.append(match[1])
    elif word in ("last", *_NTH) and left:
        following = left.pop(0)
        if following == "day" and word in ("last", "first"):
            said.days.append("L" if word == "last" else "1")
        elif following in ("weekday", "workday") and word == "last":
            said.days.append("LW")
        elif re.fullmatch(_WEEKDAY, following):
            nth = "L" if word == "last" else f"#{_NTH[word]}"
            said.weekdays.append(following[:3].upper() + nth)
        else:
            return False
    elif re.fullmatch(_MONTH, word):
        said.months.append(word[:3].upper())
    else:
        return False
    return True


def _corrections(said: _Said) -> list[Correction]:
    """The cron expression for the words; one for each time if a single one cannot have all."""
    day, month, weekday = _day_fields(said)
    if day and weekday:
        return []
    if not (said.times or said.pace or day or weekday):
        return []
    noted: tuple[str, ...] = ()
    times = list(dict.fromkeys(said.times))
    if not times:
        times = [(0, 0)]
        noted = (notes.at_midnight(),)
    if not (day or weekday):
        day = "*"
    days = f"{day or '?'} {month} {weekday or '?'} *"
    minutes = {minute for _hour, minute in times}
    if len(minutes) == 1:
        hours = ",".join(str(hour) for hour, _minute in times)
        return [Correction(f"cron({minutes.pop()} {hours} {days})", noted)]
    noted = (*noted, notes.one_time_only())
    return [Correction(f"cron({minute} {hour} {days})", noted) for hour, minute in times]


def _day_fields(said: _Said) -> tuple[str, str, str]:
    """The day-of-month, month and day-of-week; a day field is empty if it is not restricted."""
    day, month = ",".join(said.days), ",".join(dict.fromkeys(said.months)) or "*"
    weekday = ",".join(sorted(set(said.weekdays), key=said.weekdays.index))
    if said.pace in ("month", "year") and not (day or weekday):
        day = "1"
    if said.pace == "year" and month == "*":
        month = "1"
    if said.pace == "week" and not (day or weekday):
        weekday = WEEKDAY_NAMES[0]
    return day, month, weekday
