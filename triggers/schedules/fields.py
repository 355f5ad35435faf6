"""Parses the six fields of a cron expression, for `parser`.

Source of the grammar: EventBridge Scheduler User Guide, "Schedule types", "Cron-based schedules".
All text here is in upper case. An error's suggestion replaces the text of its one field.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from moca.sentences import Sentence as _
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.schedule import YEARS

MONTH_NAMES = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_ITEM = re.compile(r"(?:(\*)|([A-Z]+|[0-9]+)(?:-([A-Z]+|[0-9]+))?)(?:/([0-9]+))?")
_BEFORE_END = re.compile(r"L(?:-([0-9]+))?")
_NEAREST = re.compile(r"([0-9]+)W")
_LAST = re.compile(r"([A-Z]{3}|[0-9]+)L")
_NTH = re.compile(r"([A-Z]{3,}|[0-9]+)#([0-9]+)")


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name and bounds. `names` are the names of its values, the first one that of `low`.

    If `wraps`, a range may continue at the bottom after the top, such as `20-2` or `FRI-MON`.
    `words` has the values of each single number and name, and of `*`.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = False
    words: dict[str, tuple[int, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        values = tuple(range(self.low, self.high + 1))
        words = {str(value): (value,) for value in values}
        words |= {name: (value,) for name, value in zip(self.names, values, strict=False)}
        object.__setattr__(self, "words", {"*": values, **words})

    @property
    def span(self) -> int:
        """How many values the field has."""
        return self.high - self.low + 1

    def error(self, reason: str, suggestion: str | None = None) -> ExpressionError:
        """An error in this field."""
        return ExpressionError(self.name, reason, suggestion or None)


MINUTES = Field(_("minutes"), 0, 59)
HOURS = Field(_("hours"), 0, 23, wraps=True)
DAY_OF_MONTH = Field(_("day-of-month"), 1, 31)
MONTH = Field(_("month"), 1, 12, MONTH_NAMES, wraps=True)
DAY_OF_WEEK = Field(_("day-of-week"), 1, 7, WEEKDAY_NAMES, wraps=True)
YEAR = Field(_("year"), YEARS[0], YEARS[-1])


@dataclass(frozen=True, slots=True)
class DayRule:
    """The days that the one day field selects: those that any of its parts selects.

    Weekdays count from 1 = Sunday to 7 = Saturday, like those of EventBridge Scheduler.
    """

    days: tuple[int, ...] = ()
    """Days by number, 1-31."""
    before_end: tuple[int, ...] = ()
    """Days before the last day: `L` is 0 and `L-3` is 3."""
    nearest: tuple[int, ...] = ()
    """`15W` is 15: the weekday (Monday to Friday) nearest the 15th."""
    last_weekday: bool = False
    """`LW`: the last Monday-to-Friday day of the month."""
    weekdays: tuple[int, ...] = ()
    """Days of every week."""
    last: tuple[int, ...] = ()
    """`6L` is 6: the last Friday."""
    nth: tuple[tuple[int, int], ...] = ()
    """`6#2` is (6, 2): the second Friday."""

    @property
    def is_daily(self) -> bool:
        """Whether it selects every day of a month."""
        return len(self.days) == 31 or len(self.weekdays) == 7

    @property
    def is_in_every_month(self) -> bool:
        """Whether it selects a day in months of every kind."""
        return bool(
            self.weekdays
            or self.last
            or self.last_weekday
            or (self.days and self.days[0] <= 28)
            or (self.nearest and self.nearest[0] <= 28)
            or (self.before_end and self.before_end[0] < 28)
            or any(nth <= 4 for _weekday, nth in self.nth)
        )

    def days_in(self, length: int, first: int) -> tuple[int, ...]:
        """The selected days of a month of `length` days whose 1st is weekday `first` (1-7)."""
        if self.days and not (self.before_end or self.nearest or self.last_weekday):
            return self.days[: bisect_right(self.days, length)]
        picked = {day for day in self.days if day <= length}
        picked.update(length - back for back in self.before_end if back < length)
        picked.update(_nearest_weekday(day, length, first) for day in self.nearest if day <= length)
        if self.last_weekday:
            picked.add(_nearest_weekday(length, length, first))
        for weekday in self.weekdays:
            picked.update(range(1 + (weekday - first) % 7, length + 1, 7))
        for weekday in self.last:
            picked.add(max(range(1 + (weekday - first) % 7, length + 1, 7)))
        for weekday, nth in self.nth:
            day = 1 + (weekday - first) % 7 + 7 * (nth - 1)
            picked.update({day} if day <= length else ())
        return tuple(sorted(picked))


# The rules of single words, such as 15, FRI or *.
_DAYS = {word: DayRule(days=values) for word, values in DAY_OF_MONTH.words.items()}
_WEEKDAYS = {word: DayRule(weekdays=values) for word, values in DAY_OF_WEEK.words.items()}


def _nearest_weekday(day: int, length: int, first: int) -> int:
    weekday = (first + day - 2) % 7 + 1
    if weekday == 7:
        return day - 1 if day > 1 else day + 2
    if weekday == 1:
        return day + 1 if day < length else day - 2
    return day


def parse_values(field: Field, text: str) -> tuple[int, ...]:
    """Parse a minutes, hours, month or year field to its values, sorted."""
    if text in field.words:
        return field.words[text]
    if "," not in text:
        return tuple(sorted(_plain(field, text, text)))
    return tuple(
        sorted({value for item in _items(field, text) for value in _plain(field, item, text)})
    )


def parse_day_of_month(text: str) -> DayRule:
    """Parse a day-of-month field other than `?`."""
    if text in _DAYS:
        return _DAYS[text]
    if "L" not in text and "W" not in text:
        return DayRule(days=parse_values(DAY_OF_MONTH, text))
    days: set[int] = set()
    before_end: set[int] = set()
    nearest: set[int] = set()
    last_weekday = False
    for item in _items(DAY_OF_MONTH, text):
        if item == "LW":
            last_weekday = True
        elif match := _BEFORE_END.fullmatch(item):
            before_end.add(_days_before_end(match[1], item, text))
        elif match := _NEAREST.fullmatch(item):
            nearest.add(_number(DAY_OF_MONTH, match[1], item, text))
        else:
            days.update(_plain(DAY_OF_MONTH, item, text))
    return DayRule(
        days=tuple(sorted(days)),
        before_end=tuple(sorted(before_end)),
        nearest=tuple(sorted(nearest)),
        last_weekday=last_weekday,
    )


def parse_day_of_week(text: str) -> DayRule:
    """Parse a day-of-week field other than `?`."""
    if text in _WEEKDAYS:
        return _WEEKDAYS[text]
    if "0" in text:
        _refuse_unix_sunday(text)
    if "L" not in text and "#" not in text:
        return DayRule(weekdays=parse_values(DAY_OF_WEEK, text))
    weekdays: set[int] = set()
    last: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in _items(DAY_OF_WEEK, text):
        if item == "L":
            weekdays.add(DAY_OF_WEEK.high)
        elif match := _LAST.fullmatch(item):
            last.add(_number(DAY_OF_WEEK, match[1], item, text))
        elif match := _NTH.fullmatch(item):
            nth.add(_nth_weekday(match[1], match[2], item, text))
            if text.count("#") > 1:
                raise _only_one_nth(text)
        else:
            weekdays.update(_plain(DAY_OF_WEEK, item, text))
    return DayRule(
        weekdays=tuple(sorted(weekdays)), last=tuple(sorted(last)), nth=tuple(sorted(nth))
    )


def _only_one_nth(text: str) -> ExpressionError:
    reason = _("Only one # can stand in day-of-week; make a schedule for each of them.")
    note = _("It leaves out the other days; make another trigger for those.")
    corrections = [Correction(item, (note,)) for item in text.split(",") if "#" in item]
    return ExpressionError(DAY_OF_WEEK.name, reason, corrections=corrections)


def _items(field: Field, text: str) -> list[str]:
    items = text.split(",")
    if "" in items:
        kept = ",".join(item for item in items if item)
        reason = _("A comma in %(field)s has no value on one side; remove it.", field=field.name)
        raise field.error(reason, kept)
    return items


def _plain(field: Field, item: str, text: str) -> Sequence[int]:
    """Parse a number, a name, `*` or a range, with or without a step."""
    if item in field.words:
        return field.words[item]
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _unreadable(field, item, text)
    star, first, last, step = match.groups()
    if step is not None and int(step) == 0:
        reason = _(
            "A step of 0 in %(field)s never moves on; use a step of 1 or more.", field=field.name
        )
        raise field.error(reason, _replaced(text, item, item.split("/")[0]))
    low = field.low if star else _number(field, first, item, text)
    high = field.high if star or step else low
    if last is not None:
        high = _number(field, last, item, text)
    return _stepped(field, low, high, int(step or 1), item, text)


def _stepped(field: Field, low: int, high: int, step: int, item: str, text: str) -> Sequence[int]:
    if low <= high:
        return range(low, high + 1, step)
    if field.wraps:
        return [
            field.low + (value - field.low) % field.span
            for value in range(low, high + field.span + 1, step)
        ]
    ends, slash, tail = item.partition("/")
    first, last = ends.split("-")
    split = f"{first}-{field.high}{slash}{tail},{field.low}-{last}{slash}{tail}"
    if field is YEAR:
        split = f"{last}-{first}{slash}{tail}"
    reason = _(
        "The range %(range)s in %(field)s runs backwards; write %(split)s.",
        range=_quoted(item),
        field=field.name,
        split=_quoted(split),
    )
    raise field.error(reason, _replaced(text, item, split))


def _number(field: Field, word: str, item: str, text: str) -> int:
    """Parse a number or name, which is part of `item`, which is part of the field's `text`."""
    if word in field.words:
        return field.words[word][0]
    if not word.isdigit():
        raise _unreadable(field, item, text)
    if field.low <= int(word) <= field.high:
        return int(word)
    reason = _(
        "%(value)s is out of range: the %(field)s field takes %(bounds)s.",
        value=_quoted(word),
        field=field.name,
        bounds=_bounds(field),
    )
    fixed = re.sub(rf"(?<![0-9/#]){word}(?![0-9])", _in_bounds(field, word, item), item)
    raise field.error(reason, _replaced(text, item, fixed))


def _in_bounds(field: Field, word: str, item: str) -> str:
    # Hour 24 and minute 60 mean 0 of the next day or hour, unless they end a range.
    if field in (MINUTES, HOURS) and "-" not in item:
        return "0"
    if field is YEAR and int(word) < 100:
        return str(2000 + int(word))
    return str(min(max(int(word), field.low), field.high))


def _bounds(field: Field) -> str:
    bounds = _("%(low)s to %(high)s", low=field.low, high=field.high)
    if not field.names:
        return bounds
    names = _("%(low)s to %(high)s", low=field.names[0], high=field.names[-1])
    return _("%(numbers)s, or %(names)s", numbers=bounds, names=names)


def _unreadable(field: Field, item: str, text: str) -> ExpressionError:
    if "?" in item:
        reason = _(
            "The ? in %(field)s is not allowed: it stands alone, in a day field.", field=field.name
        )
        day_field = field in (DAY_OF_MONTH, DAY_OF_WEEK)
        return field.error(reason, None if day_field else _replaced(text, item, "*"))
    for word in re.findall("[A-Z]{4,}", item):
        if word[:3] in field.names:
            reason = _(
                "Names in %(field)s have three letters: write %(name)s.",
                field=field.name,
                name=word[:3],
            )
            return field.error(reason, _replaced(text, item, item.replace(word, word[:3])))
    fixed = f"*{item}" if re.fullmatch("/[0-9]+", item) else item.strip("-/W#")
    plausible = fixed != item and _ITEM.fullmatch(fixed)
    reason = _("%(item)s cannot be read: %(rule)s.", item=_quoted(item), rule=_rule(field, item))
    return field.error(reason, _replaced(text, item, fixed) if plausible else None)


def _rule(field: Field, item: str) -> str:
    """What the field accepts, or which field the item belongs in."""
    named = {"field": field.name, "bounds": _bounds(field)}
    if "#" in item and field is not DAY_OF_WEEK:
        return _("the %(field)s field takes %(bounds)s; # belongs in day-of-week", **named)
    if "W" in item and field is not DAY_OF_MONTH and not field.names:
        return _("the %(field)s field takes %(bounds)s; W belongs in day-of-month", **named)
    if field is DAY_OF_MONTH:
        return _(
            "the %(field)s field takes %(bounds)s, ranges, lists and steps, L, L-3, LW and 15W",
            **named,
        )
    if field is DAY_OF_WEEK:
        return _(
            "the %(field)s field takes %(bounds)s, ranges, lists and steps, FRIL and FRI#2", **named
        )
    return _("the %(field)s field takes %(bounds)s, ranges, lists and steps", **named)


def _refuse_unix_sunday(text: str) -> None:
    if re.search(r"(?<![0-9#/])0+(?![0-9])", text):
        reason = _("Weekdays count from 1 = SUN to 7 = SAT, so 0 is no day; write their names.")
        raise DAY_OF_WEEK.error(reason)


def _days_before_end(number: str | None, item: str, text: str) -> int:
    if number is None:
        return 0
    if 1 <= int(number) <= 30:
        return int(number)
    reason = _(
        "%(item)s is out of range: the day-of-month field takes L-1 to L-30, or L.",
        item=_quoted(item),
    )
    raise DAY_OF_MONTH.error(reason, _replaced(text, item, "L" if int(number) == 0 else "L-30"))


def _nth_weekday(weekday: str, nth: str, item: str, text: str) -> tuple[int, int]:
    number = _number(DAY_OF_WEEK, weekday, item, text)
    if 1 <= int(nth) <= 5:
        return number, int(nth)
    reason = _(
        "%(item)s is out of range: the number after # is 1 to 5; L means the last.",
        item=_quoted(item),
    )
    fixed = f"{weekday}#1" if int(nth) == 0 else f"{weekday}L"
    raise DAY_OF_WEEK.error(reason, _replaced(text, item, fixed))


def _replaced(text: str, item: str, fixed: str) -> str:
    return ",".join(fixed if each == item else each for each in text.split(","))


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}..."'
