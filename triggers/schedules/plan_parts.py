"""Reads the parts of a schedule beside its expression, for `triggers.validation`.

The parts are those of `scheduleConfig` in the HTTP API: `moreExpressions`, `every`, `daysOff`,
`moveTo` and `workingDays`. docs/schedules.md has what they mean.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, cast

from moca.sentences import Sentence as _
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.days_off import NO_DAYS_OFF, DaysOff, code_of, country_names
from triggers.schedules.errors import ExpressionError
from triggers.schedules.every import Every, EveryUnit
from triggers.schedules.plan import Move, Plan
from triggers.schedules.rate import Rate

PLAN_PARTS = ("moreExpressions", "every", "daysOff", "moveTo", "workingDays")
# The most expressions of one schedule, and what the other parts hold at the most.
MOST_EXPRESSIONS = 10
MOST_DATES, MOST_RANGES, MOST_RANGE_DAYS = 366, 100, 366
MOST_EVERY: Mapping[EveryUnit, int] = {"days": 366, "weeks": 104, "months": 120}
MOST_WORKING_DAY = 23
MOVES = ("previous", "next")

Expression = Cron | Rate | At
PartError = Callable[[str, ExpressionError], None]


def read_plan(
    expression: Expression,
    config: Mapping[str, Any],
    read: Callable[[str], Expression],
    fail: PartError,
) -> Expression | Plan:
    """The schedule of an expression and the parts beside it.

    Args:
        expression: the first expression.
        config: the map that has the parts.
        read: parses a further expression, or raises ExpressionError.
        fail: called with the name of each invalid part and its error.

    Returns:
        The expression itself if no part is set.
    """

    def part(name: str, convert: Callable[[Any], Any], default: Any) -> Any:
        value = config.get(name)
        if value is None or value in ("", [], {}):
            return default
        try:
            return convert(value)
        except ExpressionError as error:
            fail(name, error)
            return default

    more = part("moreExpressions", lambda value: _more(value, expression, read), ())
    every = part("every", _every, None)
    off = part("daysOff", _days_off, NO_DAYS_OFF)
    working = part("workingDays", _working_days, ())
    plan = Plan((expression, *more), every, off, "", working)
    move: Move = part("moveTo", lambda value: _move(value, plan, config.get("daysOff")), "")
    plan = Plan(plan.expressions, every, off, move, working)
    return plan if more or plan.has_day_rules else expression


def _error(name: str, reason: str) -> ExpressionError:
    field, _bracket, _rest = name.partition("[")
    return ExpressionError(field, _("%(name)s: %(reason)s", name=name, reason=reason))


def _more(
    value: Any, first: Expression, read: Callable[[str], Expression]
) -> tuple[Expression, ...]:
    most = MOST_EXPRESSIONS - 1
    if not isinstance(value, list) or len(value) > most:
        reason = _("Give a list of at most %(most)s further expressions.", most=most)
        raise _error("moreExpressions", reason)
    found: list[Expression] = []
    for number, text in enumerate(value):
        name = f"moreExpressions[{number}]"
        if not isinstance(text, str):
            raise _error(name, _("Give a text such as cron(30 11 ? * SAT *)."))
        try:
            each = read(text)
        except ExpressionError as error:
            why = error.reason
            if error.suggestion:
                why = _("%(reason)s Try %(suggestion)s", reason=why, suggestion=error.suggestion)
            raise _error(name, why) from None
        if each == first or each in found:
            raise _error(name, _("This expression is there already; leave it out."))
        found.append(each)
    return tuple(found)


def _map(name: str, value: Any, keys: Iterable[str]) -> Mapping[str, Any]:
    """A JSON object that has some of these keys and no others."""
    known = ", ".join(keys)
    if not isinstance(value, dict):
        raise _error(name, _("Give an object with some of %(known)s.", known=known))
    for key in value:
        if key not in keys:
            reason = _("There is no such part; use some of %(known)s.", known=known)
            raise _error(f"{name}.{str(key)[:40]}", reason)
    return cast(Mapping[str, Any], value)


def _date(name: str, value: Any) -> date:
    try:
        found = date.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.isoformat() != value or not 1970 <= found.year <= 2199:
        raise _error(name, _("Give a date from 1970 to 2199, such as 2026-12-24."))
    return found


def _every(value: Any) -> Every:
    fields = _map("every", value, (*MOST_EVERY, "from"))
    units = [unit for unit in MOST_EVERY if fields.get(unit) is not None]
    if len(units) != 1:
        reason = _("Give one of days, weeks and months, such as {weeks: 2, from: 2026-12-07}.")
        raise _error("every", reason)
    unit = units[0]
    number, most = fields[unit], MOST_EVERY[unit]
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        reason = _("Give a whole number from 1 to %(most)s.", most=most)
        raise _error(f"every.{unit}", reason)
    if fields.get("from") in (None, ""):
        reason = _("Give the date from which the interval counts, such as 2026-12-07.")
        raise _error("every.from", reason)
    return Every(number, unit, _date("every.from", fields["from"]))


def _days_off(value: Any) -> DaysOff:
    fields = _map("daysOff", value, ("dates", "ranges", "holidays", "weekends"))
    dates = _list("daysOff.dates", fields.get("dates"), MOST_DATES)
    ranges = _list("daysOff.ranges", fields.get("ranges"), MOST_RANGES)
    weekends = fields.get("weekends")
    if weekends not in (None, True, False):
        raise _error("daysOff.weekends", _("Give true or false."))
    return DaysOff(
        frozenset(_date(f"daysOff.dates[{n}]", each) for n, each in enumerate(dates)),
        tuple(_range(f"daysOff.ranges[{n}]", each) for n, each in enumerate(ranges)),
        _country(fields.get("holidays")),
        bool(weekends),
    )


def _list(name: str, value: Any, most: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise _error(name, _("Give a list of at most %(most)s.", most=most))
    return value


def _range(name: str, value: Any) -> tuple[date, date]:
    fields = _map(name, value, ("from", "to"))
    first, last = (_date(f"{name}.{key}", fields.get(key)) for key in ("from", "to"))
    if last < first:
        raise _error(f"{name}.to", _("This is before its first day; exchange the two."))
    if (last - first).days >= MOST_RANGE_DAYS:
        reason = _("A range has at most %(most)s days; set an end date.", most=MOST_RANGE_DAYS)
        raise _error(name, reason)
    return first, last


def _country(value: Any) -> str:
    if value in (None, ""):
        return ""
    name = "daysOff.holidays"
    countries = country_names()
    country, dash, subdivision = value.partition("-") if isinstance(value, str) else ("", "", "")
    if country not in countries:
        if code := code_of(str(value)):
            raise _error(
                name, _("Give the code %(code)s instead of %(text)s.", code=code, text=value)
            )
        reason = _("Give the code of a country, such as DE, or of a part of it, such as DE-BY.")
        raise _error(name, reason)
    parts = countries[country]
    if dash and subdivision not in parts:
        if not parts:
            reason = _("%(country)s has no parts; write %(country)s alone.", country=country)
            raise _error(name, reason)
        known = ", ".join(parts)
        reason = _(
            "%(country)s has the parts %(known)s; use one of them.", country=country, known=known
        )
        raise _error(name, reason)
    return cast(str, value)


def _working_days(value: Any) -> tuple[int, ...]:
    reason = _(
        "Give a list of different numbers, such as [1, -1] for the first and the last working day "
        "of the month; from 1 to %(most)s, or from -1 to -%(most)s.",
        most=MOST_WORKING_DAY,
    )
    if not isinstance(value, list) or len(set(map(str, value))) != len(value):
        raise _error("workingDays", reason)
    for each in value:
        is_number = isinstance(each, int) and not isinstance(each, bool)
        if not is_number or not 1 <= abs(each) <= MOST_WORKING_DAY:
            raise _error("workingDays", reason)
    return tuple(sorted(value))


def _move(value: Any, plan: Plan, given: Any) -> Move:
    if value not in MOVES:
        raise _error("moveTo", _("Give previous or next, or leave it out."))
    if plan.working_days:
        reason = _("A working day is never left out; remove moveTo or workingDays.")
        raise _error("moveTo", reason)
    if plan.days_off.is_empty:
        if given:
            return ""
        reason = _("There is nothing to move; name the days that are left out in daysOff.")
        raise _error("moveTo", reason)
    if not all(isinstance(each, Cron) for each in plan.expressions):
        reason = _("Only the runs of cron(...) can be moved; remove moveTo, or the others.")
        raise _error("moveTo", reason)
    return cast(Move, value)
