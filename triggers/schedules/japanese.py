"""A schedule in Japanese, such as 「平日 09:00 (Asia/Tokyo)」."""

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.fields import HOURS, MINUTES, MONTH, YEAR, DayRule
from triggers.schedules.rate import Rate

_UNITS = {"minute": "分", "hour": "時間", "day": "日"}
# From Sunday, as the numbers of day-of-week go.
_WEEKDAYS = "日月火水木金土"
# A list of more times than this reads worse than minutes and hours apart.
_LISTED_TIMES = 4


def describe(expression: Cron | Rate | At, zone: ZoneInfo | None = None) -> str:
    """Say in Japanese when an expression runs; see `triggers.schedules.describe`."""
    if isinstance(expression, Rate):
        return f"{expression.value}{_UNITS[expression.unit]}ごと"
    words = _at_words(expression) if isinstance(expression, At) else _cron_words(expression)
    return f"{words} ({zone.key})" if zone else words


def _at_words(at: At) -> str:
    precision = "seconds" if at.time.second else "minutes"
    day = at.day
    return f"{day.year}年{day.month}月{day.day}日 {at.time.isoformat(precision)} に1回"


def _cron_words(cron: Cron) -> str:
    years = "" if len(cron.years) == YEAR.span else f"{_numbers(cron.years)}年 "
    return f"{years}{_day_words(cron)} {_time_words(cron)}"


def _day_words(cron: Cron) -> str:
    rule, months = cron.rule, cron.months
    every = len(months) == MONTH.span
    month = "" if every else f"{_numbers(months)}月"
    if len(rule.days) == 31 or len(rule.weekdays) == 7:
        return f"{month}の毎日" if month else "毎日"
    weekly = _weekly_words(rule.weekdays)
    monthly = list(_monthly_words(rule))
    if not monthly:
        return f"{month}の{weekly}" if month else weekly
    dates = f"{month or '毎月'}{'、'.join(monthly)}"
    return f"{dates}と{weekly}" if weekly else dates


def _weekly_words(weekdays: tuple[int, ...]) -> str:
    if weekdays == (2, 3, 4, 5, 6):
        return "平日"
    if weekdays == (1, 7):
        return "土日"
    # A week is read from Monday, though its numbers start at Sunday.
    days = sorted(weekdays, key=lambda day: (day - 2) % 7)
    return f"毎週{'・'.join(_WEEKDAYS[day - 1] for day in days)}曜日" if days else ""


def _monthly_words(rule: DayRule) -> Iterator[str]:
    if rule.days:
        yield f"{_numbers(rule.days)}日"
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
    if len(hours) == HOURS.span:
        return every or f"毎時{_numbers(minutes)}分"
    return f"{_numbers(hours)}時台の{every or f'{_numbers(minutes)}分'}"


def _even_minutes(minutes: tuple[int, ...]) -> str:
    """Minutes that divide the hour evenly; empty for others."""
    step = minutes[1] - minutes[0] if len(minutes) > 1 else 0
    if step and minutes == tuple(range(0, MINUTES.span, step)) and MINUTES.span % step == 0:
        return "毎分" if step == 1 else f"{step}分ごと"
    return ""


def _numbers(values: Iterable[int]) -> str:
    """Numbers as a list in which three or more in a row are a stretch: 「1〜5・8」."""
    stretches: list[list[int]] = []
    for value in values:
        if stretches and value == stretches[-1][-1] + 1:
            stretches[-1].append(value)
        else:
            stretches.append([value])
    return "・".join(
        f"{each[0]}〜{each[-1]}" if len(each) > 2 else "・".join(map(str, each))
        for each in stretches
    )
