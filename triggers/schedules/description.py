"""Describes a schedule in English, such as "At 09:00 on weekdays, Tokyo time"."""

from datetime import date
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.fields import DAY_OF_WEEK, HOURS, MINUTES, MONTH, YEAR, DayRule, Field
from triggers.schedules.phrases import MONTHS, joined, ordinal
from triggers.schedules.phrases import date_words as date_words
from triggers.schedules.plan import Plan
from triggers.schedules.plan_words import describe_plan
from triggers.schedules.rate import Rate
from triggers.schedules.values import step_of, stretches

# From Sunday (2 January 2000), in the order of the day-of-week numbers.
WEEKDAYS = tuple(date(2000, 1, day).strftime("%A") for day in range(2, 9))
_ORDINALS = ("first", "second", "third", "fourth", "fifth")

# More times than this are not listed one by one, but as a pattern.
_LISTED_TIMES = 4


def describe(expression: Cron | Rate | At | Plan, zone: ZoneInfo | None = None) -> str:
    """Describe when a schedule runs; the zone follows at the end if one is given.

    A rate counts elapsed time and does not depend on a zone: its description names none.
    """
    if isinstance(expression, Plan):
        words = describe_plan(expression, [describe(each) for each in expression.expressions])
        return f"{words}, {zone_words(zone)}" if zone else words
    if isinstance(expression, Rate):
        if expression.value == 1:
            return f"Every {expression.unit}"
        return f"Every {expression.value} {expression.unit}s"
    words = _at_words(expression) if isinstance(expression, At) else _cron_words(expression)
    return f"{words}, {zone_words(zone)}" if zone else words


def zone_words(zone: ZoneInfo) -> str:
    """The zone as people call it: "UTC", "Tokyo time"."""
    area, _slash, city = zone.key.rpartition("/")
    # Its full name, because Australia/West exists too.
    if zone.key == "Brazil/West":
        return _("%(city)s time", city=zone.key)
    if city in ("UTC", "UCT", "Universal", "Zulu"):
        return "UTC"
    return _("%(city)s time", city=zone.key if area == "Etc" else city.replace("_", " "))


def _at_words(at: At) -> str:
    precision = "seconds" if at.time.second else "minutes"
    return f"Once, on {date_words(at.day)} at {at.time.isoformat(precision)}"


def _cron_words(cron: Cron) -> str:
    days = _day_words(cron)
    times = _listed_times(cron)
    if times is None:
        words = f"{_pattern_words(cron)} {days}"
    elif days.startswith(("on ", "every ")):
        words = f"At {times} {days}"
    else:
        words = f"At {times} every day {days}"
    return words.strip() + _year_words(cron.years)


def _listed_times(cron: Cron) -> str | None:
    """The times of a day one by one, or None if a pattern reads better."""
    many = len(cron.minutes) * len(cron.hours) > _LISTED_TIMES
    if many and (len(cron.minutes) > 1 or step_of(cron.hours)):
        return None
    return joined(_clock(hour, minute) for hour in cron.hours for minute in cron.minutes)


def _pattern_words(cron: Cron) -> str:
    first, last = cron.minutes[0], cron.minutes[-1]
    if len(cron.minutes) == 1:
        return _hourly_words(cron.hours, first)
    step = step_of(cron.minutes)
    every = "Every minute" if step == 1 else f"Every {step} minutes"
    if step and first < step and last + step > MINUTES.high and MINUTES.span % step == 0:
        hours = _even_hours(cron)
        if hours is not None:
            return f"{every} {hours}".strip()
    if step and len(cron.minutes) > 3:
        words = f"{every} from {first} to {last} minutes past the hour"
    else:
        words = f"At {joined(str(minute) for minute in cron.minutes)} minutes past the hour"
    if len(cron.hours) == HOURS.span:
        return words
    return f"{words} {_hour_list(cron.hours)}"


def _hourly_words(hours: tuple[int, ...], minute: int) -> str:
    if len(hours) == HOURS.span:
        return "Every hour" if minute == 0 else f"Every hour at {minute} minutes past"
    step = step_of(hours) or 1
    every = "Every hour" if step == 1 else f"Every {step} hours"
    if minute == 0 and hours[0] == 0 and len(hours) * step == HOURS.span:
        return every
    return f"{every} from {_clock(hours[0], minute)} to {_clock(hours[-1], minute)}"


def _even_hours(cron: Cron) -> str | None:
    """The first and last time of each stretch of hours, for minutes that fill each hour.

    None if there are too many stretches: a list of hours would not say at which minute the
    pattern begins.
    """
    first, last = cron.minutes[0], cron.minutes[-1]
    if len(cron.hours) == HOURS.span and first == 0:
        return ""
    ranges = stretches(cron.hours)
    wrapped = _run(cron.hours, HOURS)
    if wrapped and wrapped[0] > wrapped[1] and cron.rule.is_daily:
        ranges = [wrapped]
    if len(ranges) > 3:
        return None if first else _hour_list(cron.hours)
    return "from " + joined(f"{_clock(a, first)} to {_clock(b, last)}" for a, b in ranges)


def _hour_list(hours: tuple[int, ...]) -> str:
    step = step_of(hours) or 1
    if len(hours) > 3:
        if step > 1:
            return f"in every {ordinal(step)} hour from {hours[0]:02} to {hours[-1]:02}"
        words = [f"{a:02}" if a == b else f"{a:02} to {b:02}" for a, b in stretches(hours)]
    else:
        words = [f"{hour:02}" for hour in hours]
    return f"in the hour{'s' if len(hours) > 1 else ''} {joined(words)}"


def _day_words(cron: Cron) -> str:
    months = cron.months
    if cron.rule.is_daily:
        return _months_of_days(months)
    monthly = _monthly_words(cron.rule)
    weekly = _weekly_words(cron.rule.weekdays)
    if not monthly:
        return f"{_on(weekly)} {_months_of_days(months)}".strip()
    phrases = [weekly, *monthly] if weekly else monthly
    return f"{_on(joined(phrases))} {_months_of_dates(months)}"


def _on(days: str) -> str:
    return days if days.startswith("every ") else f"on {days}"


def _weekly_words(weekdays: tuple[int, ...]) -> str:
    if weekdays == (2, 3, 4, 5, 6):
        return "weekdays"
    if weekdays == (1, 7):
        return "weekends"
    run = _run(weekdays, DAY_OF_WEEK)
    if run:
        return f"every day from {WEEKDAYS[run[0] - 1]} to {WEEKDAYS[run[1] - 1]}"
    # The list starts on Monday, though the numbers start on Sunday.
    days = sorted(weekdays, key=lambda day: (day - 2) % 7)
    return joined(f"{WEEKDAYS[day - 1]}s" for day in days) if days else ""


def _monthly_words(rule: DayRule) -> list[str]:
    words = [_dates(rule.days)] if rule.days else []
    words += [f"the weekday nearest the {ordinal(day)}" for day in rule.nearest]
    words += [f"the {_ORDINALS[nth - 1]} {WEEKDAYS[day - 1]}" for day, nth in rule.nth]
    words += [f"the last {WEEKDAYS[day - 1]}" for day in rule.last]
    words += [_before_end(days) for days in sorted(rule.before_end, reverse=True)]
    return [*words, "the last weekday"] if rule.last_weekday else words


def _dates(days: tuple[int, ...]) -> str:
    step = step_of(days)
    if step and len(days) > (2 if step == 1 else 3):
        every = "every day" if step == 1 else f"every {ordinal(step)} day"
        return f"{every} from the {ordinal(days[0])} to the {ordinal(days[-1])}"
    return f"the {joined(ordinal(day) for day in days)}"


def _before_end(days: int) -> str:
    if days == 0:
        return "the last day"
    return f"the {f'{ordinal(days)} ' if days > 1 else ''}day before the last day"


def _months_of_days(months: tuple[int, ...]) -> str:
    run = _run(months, MONTH)
    if len(months) == MONTH.span:
        return ""
    if run:
        return f"from {MONTHS[run[0] - 1]} to {MONTHS[run[1] - 1]}"
    return f"in {joined(MONTHS[month - 1] for month in months)}"


def _months_of_dates(months: tuple[int, ...]) -> str:
    run = _run(months, MONTH)
    if len(months) == MONTH.span:
        return "of the month"
    if run:
        return f"of each month from {MONTHS[run[0] - 1]} to {MONTHS[run[1] - 1]}"
    return f"of {joined(MONTHS[month - 1] for month in months)}"


def _year_words(years: tuple[int, ...]) -> str:
    step = step_of(years)
    if len(years) == YEAR.span:
        return ""
    if step == 1 and len(years) > 2:
        return f", from {years[0]} to {years[-1]}"
    if step and len(years) > 3:
        return f", every {step} years from {years[0]} to {years[-1]}"
    return f", in {joined(str(year) for year in years)}"


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _run(values: tuple[int, ...], field: Field) -> tuple[int, int] | None:
    """The ends of three or more consecutive values, which may wrap around the field's top.

    None if there are fewer values, or gaps between them.
    """
    ranges = stretches(values)
    if len(values) < 3 or len(ranges) > 2:
        return None
    if len(ranges) == 1:
        return ranges[0]
    (low, end), (start, high) = ranges
    return (start, end) if (low, high) == (field.low, field.high) else None
