"""From text to an expression, and from a mistake to its correction."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from moca.sentences import Sentence as _
from triggers.schedules.at import At, correct_at, read_at
from triggers.schedules.cron import Cron
from triggers.schedules.errors import ExpressionError
from triggers.schedules.fields import (
    HOURS,
    MINUTES,
    MONTH,
    WEEKDAY_NAMES,
    YEAR,
    DayRule,
    days_by_month_shape,
    from_unix_weekdays,
    read_day_of_month,
    read_day_of_week,
    read_values,
)
from triggers.schedules.rate import Rate, correct_rate, read_rate
from triggers.schedules.schedule import YEARS

Expression = Cron | Rate | At

MAX_LENGTH = 256

_FORM = re.compile(r"(cron|rate|at)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_MACROS = {
    "annually": "0 0 1 1 ? *",
    "daily": "0 0 * * ? *",
    "hourly": "0 * * * ? *",
    "midnight": "0 0 * * ? *",
    "monthly": "0 0 1 * ? *",
    "weekly": "0 0 ? * SUN *",
    "yearly": "0 0 1 1 ? *",
}
_VALUE_FIELDS = {0: MINUTES, 1: HOURS, 3: MONTH, 5: YEAR}
_ORDER = _("minutes hours day-of-month month day-of-week year")


def parse(text: str) -> Expression:
    """Read a schedule expression of at most 256 characters.

    Takes "cron(0 9 * * ? *)", "rate(5 minutes)" and "at(2027-01-01T09:00:00)", each also without
    its parentheses, and cron also without its keyword or its year. Keywords and names may be in
    any case. Source: EventBridge Scheduler User Guide, "Schedule types".

    Raises ExpressionError, whose suggestion, if any, is an expression that parses.
    """
    try:
        return _parse(text)
    except ExpressionError as error:
        raise ExpressionError(error.field, error.reason, _settled(error.suggestion)) from None


def _settled(suggestion: str | None) -> str | None:
    """Correct a corrected text until it parses, for a text can hold several mistakes."""
    for _attempt in range(12):
        if suggestion is None:
            return None
        try:
            _parse(suggestion)
        except ExpressionError as error:
            suggestion = error.suggestion
        else:
            return suggestion
    return None


@lru_cache(maxsize=2048)
def _parse(text: str) -> Expression:
    _check_text(text)
    text = text.strip()
    match = _FORM.fullmatch(text)
    if match is None:
        _refuse_other_dialects(text)
        return _fitting(read_cron(text))
    keyword, body, write = _opened(match[1].lower(), match[2])
    readers: dict[str, Callable[[str], Expression]]
    readers = {"cron": read_cron, "rate": read_rate, "at": read_at}
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
        plain = unicodedata.normalize("NFKC", text).replace("\u2013", "-").replace("\u2014", "-")
        reason = _(
            "The character U+%(code)s has no meaning here; use plain ASCII text.",
            code=f"{ord(odd):04X}",
        )
        raise ExpressionError("expression", reason, plain if plain.isascii() else None)
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


def _refuse_other_dialects(text: str) -> None:
    """Stop at a text without a keyword that is plainly meant for something other than cron."""
    if text[0] in "\"'`":
        reason = _("Leave out the quotes around the expression.")
        raise ExpressionError("expression", reason, text.strip("\"'`"))
    if date := correct_at(text):
        reason = _("A single run is written with at(...) around its date and time.")
        raise ExpressionError("expression", reason, f"at({date})")
    if re.match(r"every\b|[0-9.]+\s*[a-z]{1,7}$", text, re.IGNORECASE):
        rate = correct_rate(text)
        if not rate:
            reason = _(
                "Write a time of day with cron, such as cron(0 9 * * ? *) for 09:00 every day, and "
                "a pace as a rate, such as rate(5 minutes)."
            )
            raise ExpressionError("expression", reason)
        reason = _("A repeated run is written as a rate, such as rate(5 minutes).")
        raise ExpressionError("expression", reason, f"rate({rate})")


def _fitting(expression: Expression) -> Expression:
    # EventBridge takes the canonical form, which is longer than a bare one.
    if len(expression.canonical) > MAX_LENGTH:
        reason = _(
            "Written out as cron(...) the expression passes %(most)s characters; shorten it.",
            most=MAX_LENGTH,
        )
        raise ExpressionError("expression", reason)
    return expression


def read_cron(body: str) -> Cron:
    """Read five or six fields, without `cron(...)` around them.

    Raises ExpressionError whose suggestion corrects `body`.
    """
    typed = [_LEADING_ZEROS.sub("", word) for word in body.upper().split()]
    fields = _six(typed, body)
    _check_day_fields(fields, unix=len(typed) == 5)
    minutes, hours = _read(fields, 0), _read(fields, 1)
    months, years = _read(fields, 3), _read(fields, 5)
    rule = _read_days(fields)
    cron = Cron(tuple(fields), minutes, hours, months, years, rule, days_by_month_shape(rule))
    if not cron.has_a_day():
        raise _never(cron)
    return cron


def _six(typed: list[str], body: str) -> list[str]:
    """The six fields of a cron, of which the year may be left out."""
    macro = body.lstrip("@").lower()
    if macro in _MACROS:
        reason = _(
            "Shorthand such as %(word)s is not understood; write its six fields.", word=body[:40]
        )
        raise ExpressionError("expression", reason, _MACROS[macro])
    if len(typed) == 6 and typed[4] != "?" and re.search("[?A-Z#]", typed[5]):
        reason = _(
            "The year is last and there are no seconds; drop the first field and add a year."
        )
        raise YEAR.error(reason, " ".join([*typed[1:], "*"]))
    if len(typed) == 5:
        return [*typed, "*"]
    if len(typed) != 6:
        raise ExpressionError("expression", _number_of(typed), _with_six_fields(typed, body))
    return typed


def _number_of(typed: list[str]) -> str:
    if len(typed) == 1:
        return _(
            "A cron expression has six fields (%(order)s), and this has 1 field.", order=_ORDER
        )
    return _(
        "A cron expression has six fields (%(order)s), and this has %(number)s fields.",
        order=_ORDER,
        number=len(typed),
    )


def _with_six_fields(typed: list[str], body: str) -> str | None:
    joined = re.sub(r"\s*,\s*", ",", body)
    if joined != body:
        return joined
    return " ".join(typed[1:]) if len(typed) == 7 else None


def _check_day_fields(fields: list[str], *, unix: bool) -> None:
    """See to it that exactly one of the two day fields is `?`."""
    day, weekday = fields[2], fields[4]
    if (day == "?") != (weekday == "?"):
        return
    if day == "?":
        reason = _("Both day fields are ?; put * in day-of-month for every day, or name the days")
        raise _corrected("day-of-month", reason, fields, 2, "*")
    if weekday == "*":
        reason = _(
            "Put ? in day-of-week, because day-of-month already says which days and one of the "
            "two must be ?"
        )
        if day == "*":
            reason = _(
                "Put ? in day-of-week, because both day fields are * and one of the two must be ?"
            )
        raise _corrected("day-of-week", reason, fields, 4, "?")
    if day == "*":
        named = from_unix_weekdays(weekday) if unix else weekday
        reason = _("Put ? in day-of-month, because day-of-week says which days")
        if named != weekday:
            reason = _(
                "Put ? in day-of-month, because day-of-week says which days; number weekdays from "
                "1 = SUN, not from 0, or name them"
            )
        raise _corrected("day-of-month", reason, [*fields[:4], named, fields[5]], 2, "?")
    reason = _("Only one day field can have a value; put ? in day-of-week or in day-of-month")
    raise _corrected("day-of-week", reason, fields, 4, "?")


def _corrected(
    name: str, reason: str, fields: list[str], index: int, value: str
) -> ExpressionError:
    corrected = _with(fields, index, value)
    if len(corrected) <= 80:
        sentence = _("%(reason)s: %(corrected)s.", reason=reason, corrected=corrected)
    else:
        sentence = _("%(reason)s.", reason=reason)
    return ExpressionError(name, sentence, corrected)


def _read(fields: list[str], index: int) -> tuple[int, ...]:
    try:
        return read_values(_VALUE_FIELDS[index], fields[index])
    except ExpressionError as error:
        raise error.within(lambda fixed: _with(fields, index, fixed)) from None


def _read_days(fields: list[str]) -> DayRule:
    index, reader = (4, read_day_of_week) if fields[2] == "?" else (2, read_day_of_month)
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
        return ExpressionError("year", reason, _with(fields, 5, "*"))
    reason = _("It would never run, for none of its months has such a day; use L for the last one.")
    if cron.rule.nth:
        last = f"{WEEKDAY_NAMES[cron.rule.nth[0][0] - 1]}L"
        return ExpressionError("day-of-week", reason, _with(fields, 4, last))
    last = "LW" if cron.rule.nearest else "L"
    return ExpressionError("day-of-month", reason, _with(fields, 2, last))
