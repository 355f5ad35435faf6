"""Describes a schedule in Japanese, such as 「平日 09:00 (Asia/Tokyo)」."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.fields import HOURS, MINUTES, MONTH, YEAR, DayRule
from triggers.schedules.plan import Plan
from triggers.schedules.plan_words import plan_in_japanese
from triggers.schedules.rate import Rate
from triggers.schedules.values import step_of, stretches

_UNITS = {"minute": "分", "hour": "時間", "day": "日"}
# From Sunday, in the order of the day-of-week numbers.
_WEEKDAYS = "日月火水木金土"
# More times than this are not listed one by one, but as hours and minutes.
_LISTED_TIMES = 4


def describe(expression: Cron | Rate | At | Plan, zone: ZoneInfo | None = None) -> str:
    """Describe in Japanese when a schedule runs; see `triggers.schedules.describe`."""
    if isinstance(expression, Plan):
        words = plan_in_japanese(expression, "、".join(map(describe, expression.expressions)))
        return f"{words} ({zone.key})" if zone else words
    if isinstance(expression, Rate):
        return f"{expression.value}{_UNITS[expression.unit]}ごと"
    words = _at_words(expression) if isinstance(expression, At) else _cron_words(expression)
    return f"{words} ({zone.key})" if zone else words


def _at_words(at: At) -> str:
    precision = "seconds" if at.time.second else "minutes"
    day = at.day
    return f"{day.year}年{day.month}月{day.day}日 {at.time.isoformat(precision)} に1回"


def _cron_words(cron: Cron) -> str:
    years = "" if len(cron.years) == YEAR.span else f"{_year_words(cron.years)} "
    return f"{years}{_day_words(cron)} {_time_words(cron)}"


def _year_words(years: tuple[int, ...]) -> str:
    step = _even_step(years)
    if step and years[-1] + step > YEAR.high:
        return f"{years[0]}年から{step}年ごと"
    return _step_words(years, "年") or f"{_numbers(years)}年"


def _day_words(cron: Cron) -> str:
    rule = cron.rule
    month = _month_words(cron.months)
    if rule.is_daily:
        return f"{month}の毎日" if month else "毎日"
    weekly = _weekly_words(rule.weekdays)
    monthly = list(_monthly_words(rule))
    if not monthly:
        return f"{month}の{weekly}" if month else weekly
    # Dates of a single month look like those in a calendar: 1月1日.
    of = "の" if len(cron.months) > 1 and month else ""
    dates = f"{month or '毎月'}{of}{'、'.join(monthly)}"
    return f"{dates}と{weekly}" if weekly else dates


def _month_words(months: tuple[int, ...]) -> str:
    """The months, each with 月 to tell it from a date; empty if it is all of them."""
    if len(months) == MONTH.span:
        return ""
    return "・".join(f"{each}月" for each in _number_words(months))


def _weekly_words(weekdays: tuple[int, ...]) -> str:
    if weekdays == (2, 3, 4, 5, 6):
        return "平日"
    if weekdays == (1, 7):
        return "土日"
    # The list starts on Monday, though the numbers start on Sunday.
    days = sorted(weekdays, key=lambda day: (day - 2) % 7)
    return f"毎週{'・'.join(_WEEKDAYS[day - 1] for day in days)}曜日" if days else ""


def _monthly_words(rule: DayRule) -> Iterator[str]:
    if rule.days:
        yield _step_words(rule.days, "日") or f"{_numbers(rule.days)}日"
    yield from (f"{day}日に最も近い平日" for day in rule.nearest)
    yield from (f"第{nth}{_WEEKDAYS[day - 1]}曜日" for day, nth in rule.nth)
    yield from (f"最終{_WEEKDAYS[day - 1]}曜日" for day in rule.last)
    yield from (f"末日の{days}日前" if days else "末日" for days in sorted(rule.before_end))
    if rule.last_weekday:
        yield "最終平日"


def _time_words(cron: Cron) -> str:
    minutes, hours = cron.minutes, cron.hours
    if len(minutes) * len(hours) <= _LISTED_TIMES:
        return "・".join(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    every = _even_minutes(minutes)
    past = _step_words(minutes, "分") or f"{_numbers(minutes)}分"
    if len(hours) == HOURS.span:
        return every or f"毎時{past}"
    return f"{_numbers(hours)}時台の{every or past}"


def _even_minutes(minutes: tuple[int, ...]) -> str:
    """Words for minutes at even steps through the hour; empty for other minutes."""
    step = minutes[1] - minutes[0] if len(minutes) > 1 else 0
    if step and minutes == tuple(range(0, MINUTES.span, step)) and MINUTES.span % step == 0:
        return "毎分" if step == 1 else f"{step}分ごと"
    return ""


def _step_words(values: tuple[int, ...], unit: str) -> str:
    """Words for many values at even steps: 「1日から31日まで2日ごと」; empty for other values."""
    step = _even_step(values)
    if not step or len(values) <= _LISTED_TIMES:
        return ""
    return f"{values[0]}{unit}から{values[-1]}{unit}まで{step}{unit}ごと"


def _even_step(values: tuple[int, ...]) -> int:
    """The even step of three or more values if it is 2 or more, else 0."""
    step = step_of(values) or 0
    return step if step > 1 and len(values) > 2 else 0


def _numbers(values: tuple[int, ...]) -> str:
    """Numbers as a list: 「1〜5・8」."""
    return "・".join(_number_words(values))


def _number_words(values: tuple[int, ...]) -> Iterator[str]:
    """Each number, or three and more consecutive ones as a range."""
    for first, last in stretches(values):
        if last - first > 1:
            yield f"{first}〜{last}"
        else:
            yield from map(str, range(first, last + 1))
