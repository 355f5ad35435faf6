"""Parses schedule expressions: text to Cron, Rate or At.

If a text is invalid, `corrections` finds what its author may have meant. That package is imported
on an error only, because the Lambda function that runs triggers parses valid expressions.
"""

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
    parse_day_of_month,
    parse_day_of_week,
    parse_values,
)
from triggers.schedules.form import (
    FORM,
    MAX_LENGTH,
    odd_character,
    odd_character_reason,
    split_fields,
)
from triggers.schedules.rate import Rate, parse_rate
from triggers.schedules.schedule import YEARS

Expression = Cron | Rate | At

_VALUE_FIELDS = {0: MINUTES, 1: HOURS, 3: MONTH, 5: YEAR}
# A shorter text stays within MAX_LENGTH when "cron(", " *" and ")" are added to it.
_SURELY_FITS = MAX_LENGTH - len("cron( *)")
_ORDER = _("minutes hours day-of-month month day-of-week year")


def parse(text: str, zone: ZoneInfo | None = None) -> Expression:
    """Parse a schedule expression of at most 256 characters.

    Accepts "cron(0 9 * * ? *)", "rate(5 minutes)" and "at(2027-01-01T09:00:00)". The parentheses
    are optional, and for cron the keyword and the year too. Keywords and names may be in any case.
    Source: EventBridge Scheduler User Guide, "Schedule types".

    Args:
        text: the expression.
        zone: the schedule's timezone, if it is known. Only corrections use it, to convert a
            time such as 2027-01-01T09:00:00Z.

    Raises:
        ExpressionError: the text is invalid. Each of the error's corrections parses.
    """
    try:
        return _parse(text)
    except ExpressionError as error:
        from triggers.schedules.corrections import with_corrections  # 80 ms of each start

        raise with_corrections(error, text, zone, _parse) from None


@lru_cache(maxsize=2048)
def _parse(text: str) -> Expression:
    _check_text(text)
    text = text.strip()
    match = FORM.fullmatch(text)
    if match is None:
        return _checked_length(parse_cron(text), text)
    keyword, body, write = _unwrap(match[1].lower(), match[2])
    try:
        return _checked_length(_PARSERS[keyword](body), text)
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
    if (odd := odd_character(text)) is not None:
        raise ExpressionError("expression", odd_character_reason(odd))
    if not text.strip():
        reason = _(
            "The expression is empty; write one such as cron(0 9 * * ? *) or rate(5 minutes)."
        )
        raise ExpressionError("expression", reason)


def _unwrap(keyword: str, rest: str) -> tuple[str, str, Callable[[str], str]]:
    """The keyword, the text within its parentheses, and a function that wraps another body."""
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


def _checked_length(expression: Expression, text: str) -> Expression:
    # EventBridge gets the canonical form, which is longer than a bare one.
    if len(text) > _SURELY_FITS and len(expression.canonical) > MAX_LENGTH:
        reason = _(
            "Written out as cron(...) the expression passes %(most)s characters; shorten it.",
            most=MAX_LENGTH,
        )
        raise ExpressionError("expression", reason)
    return expression


def parse_cron(body: str) -> Cron:
    """Parse the five or six fields inside `cron(...)`.

    Raises ExpressionError; its corrections, if any, replace `body`.
    """
    fields = _six_fields(split_fields(body))
    _check_day_fields(fields)
    minutes, hours = _parse_field(fields, 0), _parse_field(fields, 1)
    months, years = _parse_field(fields, 3), _parse_field(fields, 5)
    rule = _parse_days(fields)
    cron = Cron(tuple(fields), minutes, hours, months, years, rule)
    if not cron.has_a_day():
        raise _never_runs(cron)
    return cron


_PARSERS: dict[str, Callable[[str], Expression]] = {
    "cron": parse_cron,
    "rate": parse_rate,
    "at": parse_at,
}


def _six_fields(typed: list[str]) -> list[str]:
    """Add the year if it is missing; ExpressionError for another number of fields."""
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
    """Check that exactly one of the two day fields is `?`."""
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


def _parse_field(fields: list[str], index: int) -> tuple[int, ...]:
    try:
        return parse_values(_VALUE_FIELDS[index], fields[index])
    except ExpressionError as error:
        raise error.within(lambda fixed: _replace_field(fields, index, fixed)) from None


def _parse_days(fields: list[str]) -> DayRule:
    index, parser = (4, parse_day_of_week) if fields[2] == "?" else (2, parse_day_of_month)
    try:
        return parser(fields[index])
    except ExpressionError as error:
        raise error.within(lambda fixed: _replace_field(fields, index, fixed)) from None


def _replace_field(fields: list[str], index: int, value: str) -> str:
    return " ".join([*fields[:index], value, *fields[index + 1 :]])


def _never_runs(cron: Cron) -> ExpressionError:
    """The error for days that do not occur in the given months and years."""
    fields = list(cron.fields)
    if replace(cron, years=tuple(YEARS)).has_a_day():
        reason = _("Its day and month do not come together in the years given; change the year.")
        note = _("It leaves out the year %(value)s.", value=fields[5])
        return ExpressionError(
            "year", reason, corrections=[Correction(_replace_field(fields, 5, "*"), (note,))]
        )
    reason = _("It would never run, for none of its months has such a day; use L for the last one.")
    if cron.rule.nth:
        last = f"{WEEKDAY_NAMES[cron.rule.nth[0][0] - 1]}L"
        return ExpressionError("day-of-week", reason, _replace_field(fields, 4, last))
    last = "LW" if cron.rule.nearest else "L"
    return ExpressionError("day-of-month", reason, _replace_field(fields, 2, last))
