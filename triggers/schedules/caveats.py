"""What may surprise the person who wrote a schedule that is otherwise right."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.description import WEEKDAYS, date_words, ordinal, zone_words
from triggers.schedules.fields import WEEKDAY_NAMES
from triggers.schedules.rate import Rate
from triggers.schedules.schedule import YEARS
from triggers.schedules.zones import ClockChange, clock_changes, first_pass, is_repeated

_YEAR_DAYS = 366
_SHORT_MONTHS = {29: {2}, 30: {2}, 31: {2, 4, 6, 9, 11}}
_END_OF_YEARS = datetime(YEARS[-1] + 1, 1, 3, tzinfo=UTC)


def warnings(expression: Cron | Rate | At, zone: ZoneInfo, after: datetime) -> list[str]:
    """Sentences about runs that will be missing, moved or the last, in the year after `after`.

    `after` is an aware datetime, as a rule the present.
    """
    if isinstance(expression, At):
        return _at_warnings(expression, zone, after)
    if isinstance(expression, Rate):
        return _rate_warnings(expression, zone, after)
    ending = _ending(expression, zone, after)
    if ending and not expression.can_fire(after, zone):
        return ending
    return [
        *ending,
        *_missing_days(expression),
        *_unix_weekdays(expression),
        *_restarting_steps(expression),
        *_nights(expression),
        *_clock_changes(expression, zone, after),
    ]


def _at_warnings(at: At, zone: ZoneInfo, after: datetime) -> list[str]:
    wall, run = at.wall(zone), at.instant(zone)
    if run is None:
        return [f"It never runs: the clocks skip {_moment(wall)}, {zone_words(zone)}."]
    if run <= after:
        return ["It never runs: its time is past."]
    if is_repeated(wall):
        return [f"The clocks show {_moment(wall)} twice; it runs the first time."]
    return []


def _rate_warnings(rate: Rate, zone: ZoneInfo, after: datetime) -> list[str]:
    change = next(clock_changes(zone, after, _YEAR_DAYS), None)
    if rate.period < timedelta(days=1) or change is None:
        return []
    return [
        "A rate counts elapsed time, so its local time moves when the clocks change, "
        f"next on {date_words(change.was)}. Use cron(...) for a fixed local time."
    ]


def _ending(cron: Cron, zone: ZoneInfo, after: datetime) -> list[str]:
    if cron.years[-1] == YEARS[-1] and cron.can_fire(after, zone):
        return []
    last = cron.previous_run(_END_OF_YEARS, zone)
    if last is None:
        return ["It never runs: the clocks skip each of its times."]
    wall = last.astimezone(zone)
    if last <= after:
        return [f"It never runs again: its last run was on {_moment(wall)}."]
    if last > after + timedelta(days=_YEAR_DAYS):
        return []
    return [f"It ends within a year: its last run is on {_moment(wall)}."]


def _missing_days(cron: Cron) -> list[str]:
    notes = []
    months = set(cron.months)
    written = re.findall(r"(?:^|,)(29|30|31)W?(?=,|$)", cron.fields[2])
    for day in sorted({int(number) for number in written}):
        short = months & _SHORT_MONTHS[day]
        if day == 29 and months == {2}:
            notes.append("The 29th of February comes in leap years only; L means its last day.")
        elif short:
            notes.append(f"It skips months without a {ordinal(day)}; L means the last day.")
    for weekday, nth in cron.rule.nth:
        if nth == 5:
            notes.append(
                f"It skips months without a fifth {WEEKDAYS[weekday - 1]}; "
                f"{WEEKDAY_NAMES[weekday - 1]}L means the last one."
            )
    return notes


def _unix_weekdays(cron: Cron) -> list[str]:
    if cron.fields[4] != "1-5":
        return []
    return ["Weekdays count from 1 = SUN, so 1-5 is Sunday to Thursday; MON-FRI is 2-6."]


def _restarting_steps(cron: Cron) -> list[str]:
    notes = []
    named = (("minute", "hour", 60, cron.fields[0]), ("hour", "day", 24, cron.fields[1]))
    for unit, whole, span, text in named:
        step = re.fullmatch(r"(?:\*|[0-9]+)/([0-9]+)", text)
        if step and span % int(step[1]):
            notes.append(
                f"The step of {step[1]} {unit}s starts anew each {whole}, so the gap there is "
                f"shorter; rate({step[1]} {unit}s) keeps it even."
            )
    return notes


def _nights(cron: Cron) -> list[str]:
    wraps = any(
        int(first) > int(last) for first, last in re.findall(r"([0-9]+)-([0-9]+)", cron.fields[1])
    )
    if not wraps or "*" in (cron.fields[2], cron.fields[4]):
        return []
    return ["The hours after midnight count to the day they fall on, not to the evening before."]


def _clock_changes(cron: Cron, zone: ZoneInfo, after: datetime) -> list[str]:
    """One note on the first change that skips a run, and one on the first that repeats a time."""
    notes: dict[bool, str] = {}
    for change in clock_changes(zone, after, _YEAR_DAYS):
        forward = change.becomes > change.was
        if forward not in notes and (note := _clock_change(cron, change)):
            notes[forward] = note
    return list(notes.values())


def _clock_change(cron: Cron, change: ClockChange) -> str | None:
    low, high = sorted((change.was, change.becomes))
    found = cron.wall_from(low)
    if found is None or found >= high:
        return None
    others = cron.wall_from(found + timedelta(minutes=1))
    several = others is not None and others < high
    runs = f"run at {found:%H:%M}"
    if several:
        runs = f"runs between {low:%H:%M} and {high:%H:%M}"
    clocks = f"the clocks go from {change.was:%H:%M} to {change.becomes:%H:%M}"
    if first_pass(found) is None:
        return f"On {date_words(found)} {clocks}: it skips the {runs}."
    return f"On {date_words(found)} {clocks}: the {runs} happen{'' if several else 's'} once."


def _moment(wall: datetime) -> str:
    return f"{date_words(wall)} at {wall:%H:%M}"
