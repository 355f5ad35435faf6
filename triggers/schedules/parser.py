"""From text to an expression.

What may be meant by a text that cannot be read is in `corrections`, which is loaded on an error
only: the Lambda function that runs triggers reads expressions that are right.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import At, parse_at
from triggers.schedules.cron import Cron
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.fields import (
    HOURS,
    MINUTES,
    MONTH,
    WEEKDAY_NAMES,
    YEAR,
    DayRule,
    days_by_month_shape,
    parse_day_of_month,
    parse_day_of_week,
    parse_values,
)
from triggers.schedules.rate import Rate, parse_rate
from triggers.schedules.schedule import YEARS

Expression = Cron | Rate | At

MAX_LENGTH = 256

_FORM = re.compile(r"(cron|rate|at)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_VALUE_FIELDS = {0: MINUTES, 1: HOURS, 3: MONTH, 5: YEAR}
_ORDER = _("minutes hours day-of-month month day-of-week year")


def parse(text: str, zone: ZoneInfo | None = None) -> Expression:
    """Read a schedule expression of at most 256 characters.

    Takes "cron(0 9 * * ? *)", "rate(5 minutes)" and "at(2027-01-01T09:00:00)", each also without
    its parentheses, and cron also without its keyword or its year. Keywords and names may be in
    any case. Source: EventBridge Scheduler User Guide, "Schedule types".

    Args:
        text: the expression.
        zone: the schedule's timezone if it is known. Only corrections use it: the time of a
            moment such as 2027-01-01T09:00:00Z depends on it.

    Raises:
        ExpressionError: each of its corrections parses.
    """
    try:
        return _parse(text)
    except ExpressionError as error:
        from triggers.schedules.corrections import with_corrections

        raise with_corrections(error, text, zone, _parse) from None


@lru_cache(maxsize=2048)
def _parse(text: str) -> Expression:
    _check_text(text)
    text = text.strip()
    match = _FORM.fullmatch(text)
    if match is None:
        return _fitting(parse_cron(text))
    keyword, body, write = _opened(match[1].lower(), match[2])
    readers: dict[str, Callable[[str], Expression]]
    readers = {"cron": parse_cron, "rate": parse_rate, "at": parse_at}
    try:
        return _fitting(readers[keyword](body))
    except ExpressionError as error:
        raise error.within(write) from None


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        reason = _(
            "The expression has %(length)s characters; shorten it to %(most)s.",
            length=len(text),
            most=MAX_LENGTH,
        )
        raise ExpressionError("expression", reason)
    odd = next((char for char in text if not (" " <= char <= "~" or char in "\t\r\n")), None)
    if odd is not None:
        reason = _(
            "The character U+%(code)s has no meaning here; use plain ASCII text.",
            code=f"{ord(odd):04X}",
        )
        raise ExpressionError("expression", reason)
    if not text.strip():
        reason = _(
            "The expression is empty; write one such as cron(0 9 * * ? *) or rate(5 minutes)."
        )
        raise ExpressionError("expression", reason)


def _opened(keyword: str, rest: str) -> tuple[str, str, Callable[[str], str]]:
    """The keyword, what it holds, and how to write another body in the same way."""
    if not rest.startswith("("):
        prefix = "" if keyword == "cron" else f"{keyword} "
        return keyword, rest, lambda body: f"{prefix}{body}"
    inside, closed, trailing = rest[1:].partition(")")
    if not closed or trailing:
        reason = _(
            "The expression must end with the parenthesis that closes %(keyword)s(.",
            keyword=keyword,
        )
        raise ExpressionError("expression", reason, f"{keyword}({inside})")
    return keyword, inside.strip(), lambda body: f"{keyword}({body})"


def _fitting(expression: Expression) -> Expression:
    # EventBridge takes the canonical form, which is longer than a bare one.
    if len(expression.canonical) > MAX_LENGTH:
        reason = _(
            "Written out as cron(...) the expression passes %(most)s characters; shorten it.",
            most=MAX_LENGTH,
        )
        raise ExpressionError("expression", reason)
    return expression


def parse_cron(body: str) -> Cron:
    """Read five or six fields, without `cron(...)` around them.

    Raises ExpressionError whose corrections, if any, correct `body`.
    """
    typed = [_LEADING_ZEROS.sub("", word) for word in body.upper().split()]
    fields = _six(typed)
    _check_day_fields(fields)
    minutes, hours = _read(fields, 0), _read(fields, 1)
    months, years = _read(fields, 3), _read(fields, 5)
    rule = _read_days(fields)
    cron = Cron(tuple(fields), minutes, hours, months, years, rule, days_by_month_shape(rule))
    if not cron.has_a_day():
        raise _never(cron)
    return cron


def _six(typed: list[str]) -> list[str]:
    """The six fields of a cron, of which the year may be left out."""
    if len(typed) == 5:
        return [*typed, "*"]
    if len(typed) == 6:
        return typed
    if len(typed) == 1:
        reason = _(
            "A cron expression has six fields (%(order)s), and this has 1 field.", order=_ORDER
        )
    else:
        reason = _(
            "A cron expression has six fields (%(order)s), and this has %(number)s fields.",
            order=_ORDER,
            number=len(typed),
        )
    raise ExpressionError("expression", reason)


def _check_day_fields(fields: list[str]) -> None:
    """See to it that exactly one of the two day fields is `?`."""
    day, weekday = fields[2], fields[4]
    if (day == "?") != (weekday == "?"):
        return
    if day == "?":
        reason = _("Both day fields are ?; put * in day-of-month for every day, or name the days")
        raise ExpressionError("day-of-month", _("%(reason)s.", reason=reason))
    if weekday == "*":
        reason = _(
            "Put ? in day-of-week, because day-of-month already says which days and one of the "
            "two must be ?"
        )
        if day == "*":
            reason = _(
                "Put ? in day-of-week, because both day fields are * and one of the two must be ?"
            )
        raise ExpressionError("day-of-week", _("%(reason)s.", reason=reason))
    if day == "*":
        reason = _("Put ? in day-of-month, because day-of-week says which days")
        raise ExpressionError("day-of-month", _("%(reason)s.", reason=reason))
    reason = _("Only one day field can have a value; put ? in day-of-week or in day-of-month")
    raise ExpressionError("day-of-week", _("%(reason)s.", reason=reason))


def _read(fields: list[str], index: int) -> tuple[int, ...]:
    try:
        return parse_values(_VALUE_FIELDS[index], fields[index])
    except ExpressionError as error:
        raise error.within(lambda fixed: _with(fields, index, fixed)) from None


def _read_days(fields: list[str]) -> DayRule:
    index, reader = (4, parse_day_of_week) if fields[2] == "?" else (2, parse_day_of_month)
    try:
        return reader(fields[index])
    except ExpressionError as error:
        raise error.within(lambda fixed: _with(fields, index, fixed)) from None


def _with(fields: list[str], index: int, value: str) -> str:
    return " ".join([*fields[:index], value, *fields[index + 1 :]])


def _never(cron: Cron) -> ExpressionError:
    """The error of a cron whose days do not occur in its months and years."""
    fields = list(cron.fields)
    if replace(cron, years=tuple(YEARS)).has_a_day():
        reason = _("Its day and month do not come together in the years given; change the year.")
        note = _("It leaves out the year %(value)s.", value=fields[5])
        return ExpressionError(
            "year", reason, corrections=[Correction(_with(fields, 5, "*"), (note,))]
        )
    reason = _("It would never run, for none of its months has such a day; use L for the last one.")
    if cron.rule.nth:
        last = f"{WEEKDAY_NAMES[cron.rule.nth[0][0] - 1]}L"
        return ExpressionError("day-of-week", reason, _with(fields, 4, last))
    last = "LW" if cron.rule.nearest else "L"
    return ExpressionError("day-of-month", reason, _with(fields, 2, last))
