"""What EventBridge Scheduler is given for a plan: an expression for each of the plan's own.

It is the same schedule if EventBridge's language can say it. Else it is the nearest expression that
has all its times and more, and the handler leaves out what is not meant.
"""

from dataclasses import dataclass

from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.fields import MONTH, WEEKDAY_NAMES, YEAR, DayRule
from triggers.schedules.form import MAX_LENGTH
from triggers.schedules.parser import Expression, parse
from triggers.schedules.plan import Plan
from triggers.schedules.rate import Rate

# A month of each kind: from January 2000, all lengths and first weekdays occur within 28 years.
_MONTHS = [(year, month) for year in range(2000, 2028) for month in range(1, 13)]
_MONDAY_TO_FRIDAY = frozenset({2, 3, 4, 5, 6})
_SUNDAY, _SATURDAY = 1, 7


@dataclass(frozen=True, slots=True)
class Projection:
    """An expression for EventBridge Scheduler.

    Attributes:
        expression: it has all times that are meant.
        is_exact: whether it has no others.
    """

    expression: Expression
    is_exact: bool


def to_eventbridge(schedule: Expression | Plan) -> list[Projection]:
    """The expression for each of the schedule's own, in their order."""
    if not isinstance(schedule, Plan):
        return [Projection(schedule, is_exact=True)]
    if not schedule.has_day_rules:
        return [Projection(each, is_exact=True) for each in schedule.expressions]
    return [_project(each, schedule) for each in schedule.expressions]


def _project(expression: Cron | Rate | At, plan: Plan) -> Projection:
    if not isinstance(expression, Cron):
        return Projection(expression, is_exact=False)
    if plan.move:
        return _with_moves(expression, plan)
    minutes, hours, day, month, weekday, year = expression.fields
    is_exact = False
    if plan.working_days:
        if expression.rule.is_daily:
            day, weekday, is_exact = *_working_days(plan), _says_working_days(plan)
    elif plan.days_off.is_weekly and plan.days_off.weekends and _is_weekly(expression.rule):
        kept = _MONDAY_TO_FRIDAY & set(_weekdays(expression.rule))
        if kept:
            day, weekday, is_exact = "?", _names(kept), True
    if plan.every:
        is_exact = False
        common = set(expression.months) & set(plan.every.months_of_year())
        month = _months(common) if common else month
    text = f"cron({minutes} {hours} {day} {month} {weekday} {year})"
    if len(text) > MAX_LENGTH:
        return Projection(expression, is_exact=False)
    return Projection(parse(text), is_exact)


def _with_moves(cron: Cron, plan: Plan) -> Projection:
    minutes, hours, *_rest = cron.fields
    days = _moved(cron.rule, plan)
    if days and len(cron.months) == MONTH.span and len(cron.years) == YEAR.span:
        return Projection(parse(f"cron({minutes} {hours} {days[0]} * {days[1]} *)"), is_exact=True)
    step = 1 if plan.move == "next" else -1
    month = _months({(m - 1 + s) % 12 + 1 for m in cron.months for s in (0, step)})
    year = _years({y + s for y in cron.years for s in (0, step)})
    text = f"cron({minutes} {hours} * {month} ? {year})"
    if len(text) > MAX_LENGTH:
        text = f"cron({minutes} {hours} * * ? *)"
    return Projection(parse(text), is_exact=False)


# Working days


def _says_working_days(plan: Plan) -> bool:
    """Whether `1W` and `LW` say them: the first and last day from Monday to Friday."""
    return plan.days_off.is_weekly and set(plan.working_days) <= {1, -1}


def _working_days(plan: Plan) -> tuple[str, str]:
    """The day-of-month and day-of-week fields that have all of them."""
    if _says_working_days(plan):
        names = {1: "1W", -1: "LW"}
        return ",".join(names[each] for each in sorted(plan.working_days, reverse=True)), "?"
    days: set[int] = set()
    for number in plan.working_days:
        # Days off, without a limit, can move it to any later day, or to any earlier one.
        days |= set(range(number, 32) if number > 0 else range(1, 33 + number))
    if plan.days_off.is_weekly:
        days = {day for each in _MONTHS for day in _in_month(plan, *each)}
    return _list(days, 1, 31), "?"


def _in_month(plan: Plan, year: int, month: int) -> set[int]:
    days = plan.days_off.working_days(year, month)
    chosen = (days[n - 1 if n > 0 else n] for n in plan.working_days if abs(n) <= len(days))
    return {day.day for day in chosen}


# Weekends


def _is_weekly(rule: DayRule) -> bool:
    """Whether the rule is about days of the week alone, or takes every day."""
    return rule.is_daily or not (
        rule.days or rule.before_end or rule.nearest or rule.last_weekday or rule.last or rule.nth
    )


def _weekdays(rule: DayRule) -> tuple[int, ...]:
    return tuple(range(1, 8)) if rule.is_daily else rule.weekdays


def _moved(rule: DayRule, plan: Plan) -> tuple[str, str] | None:
    """The day fields that say exactly what is moved; None if no fields do."""
    if not plan.days_off.is_weekly or plan.every:
        return None
    if _is_weekly(rule):
        to = 2 if plan.move == "next" else 6
        moved = {to if day in (_SUNDAY, _SATURDAY) else day for day in _weekdays(rule)}
        return "?", _names(moved)
    if rule == DayRule(days=(1,)) and plan.move == "next":
        return "1W", "?"
    if rule == DayRule(before_end=(0,)) and plan.move == "previous":
        return "LW", "?"
    return None


# Fields


def _names(weekdays: set[int] | frozenset[int]) -> str:
    if set(weekdays) == _MONDAY_TO_FRIDAY:
        return "MON-FRI"
    return ",".join(WEEKDAY_NAMES[day - 1] for day in sorted(weekdays))


def _months(months: set[int]) -> str:
    return _list(months, MONTH.low, MONTH.high)


def _years(years: set[int]) -> str:
    return _list({year for year in years if YEAR.low <= year <= YEAR.high}, YEAR.low, YEAR.high)


def _list(values: set[int], low: int, high: int) -> str:
    """The values as a field: ranges with commas, or `*` for all."""
    if len(values) == high - low + 1:
        return "*"
    found: list[list[int]] = []
    for value in sorted(values):
        if found and value == found[-1][-1] + 1:
            found[-1].append(value)
        else:
            found.append([value])
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in found)
