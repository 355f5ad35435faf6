"""Describes the rules of a plan in English and Japanese, for `description` and `japanese`."""

from collections.abc import Iterator
from datetime import date

from triggers.schedules.days_off import DaysOff
from triggers.schedules.every import Every
from triggers.schedules.phrases import date_words, joined, ordinal
from triggers.schedules.plan import Plan

# Dates and ranges that are named one by one; the rest is counted.
_NAMED = 3
_UNITS = {"days": "日", "weeks": "週間", "months": "か月"}


def describe_plan(plan: Plan, times: list[str]) -> str:
    """A plan in English, such as "At 09:00 on Mondays, every 2 weeks from 7 December 2026".

    Args:
        plan: the plan.
        times: each of its expressions in English.
    """
    first, *more = times
    words = [joined([first, *(each[0].lower() + each[1:] for each in more)])]
    if plan.working_days:
        nth = joined(map(_nth, _in_order(plan.working_days)))
        words.append(f"only on the {nth} working day of the month")
    if plan.every:
        words.append(_every(plan.every))
    if not plan.days_off.is_empty:
        off = joined(_days_off(plan.days_off))
        if plan.working_days:
            words.append(f"with {off} as days off")
        elif plan.move:
            side = "before" if plan.move == "previous" else "after"
            words.append(f"moved from {off} to the working day {side}")
        else:
            words.append(f"except on {off}")
    return ", ".join(words)


def _in_order(numbers: tuple[int, ...]) -> list[int]:
    """From the first of the month to the last."""
    return sorted(numbers, key=lambda number: (number < 0, number))


def _nth(number: int) -> str:
    if number == -1:
        return "last"
    return f"{ordinal(-number)} to last" if number < 0 else ordinal(number)


def _every(every: Every) -> str:
    unit = every.unit.removesuffix("s")
    pace = f"{unit}" if every.number == 1 else f"{every.number} {every.unit}"
    return f"every {pace} from {date_words(every.first)}"


def _days_off(off: DaysOff) -> Iterator[str]:
    if off.weekends:
        yield "weekends"
    if off.holidays:
        yield f"public holidays of {off.holidays}"
    days, rest = _named(off)
    for first, last in days:
        words = date_words(first)
        yield words if first == last else f"{words} to {date_words(last)}"
    if rest:
        yield f"{rest} more {'date' if rest == 1 else 'dates or ranges'}"


def _named(off: DaysOff) -> tuple[list[tuple[date, date]], int]:
    """The first dates and ranges, and how many others there are."""
    days = sorted({*off.ranges, *((day, day) for day in off.dates)})
    return days[:_NAMED], len(days[_NAMED:])


def plan_in_japanese(plan: Plan, times: str) -> str:
    """A plan in Japanese.

    Args:
        plan: the plan.
        times: its expressions in Japanese.
    """
    words = [times]
    if plan.working_days:
        nth = "・".join(map(_nth_in_japanese, _in_order(plan.working_days)))
        words.append(f"毎月{nth}営業日のみ")
    if plan.every:
        day, number = _day_in_japanese(plan.every.first), plan.every.number
        words.append(
            f"{day}から{number}{_UNITS[plan.every.unit]}ごと" if number > 1 else f"{day}から"
        )
    if not plan.days_off.is_empty:
        off = "・".join(_days_off_in_japanese(plan.days_off))
        if plan.working_days:
            words.append(f"休業日は{off}")
        elif plan.move:
            side = "前" if plan.move == "previous" else "翌"
            words.append(f"{off}は{side}営業日に移動")
        else:
            words.append(f"{off}を除く")
    return "、".join(words)


def _nth_in_japanese(number: int) -> str:
    if number == -1:
        return "最終"
    return f"最後から{-number}番目の" if number < 0 else f"第{number}"


def _days_off_in_japanese(off: DaysOff) -> Iterator[str]:
    if off.weekends:
        yield "週末"
    if off.holidays:
        yield f"祝日({off.holidays})"
    days, rest = _named(off)
    for first, last in days:
        words = _day_in_japanese(first)
        yield words if first == last else f"{words}〜{_day_in_japanese(last)}"
    if rest:
        yield f"ほか{rest}件"


def _day_in_japanese(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
