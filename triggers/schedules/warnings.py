"""Warns the author of a valid schedule about runs that may be missing, moved or the last."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.days_off import DaysOff
from triggers.schedules.description import WEEKDAYS, date_words, zone_words
from triggers.schedules.fields import HOURS, MONTH, WEEKDAY_NAMES
from triggers.schedules.plan import Plan
from triggers.schedules.rate import Rate
from triggers.schedules.schedule import YEARS
from triggers.schedules.step_warnings import step_warnings
from triggers.schedules.timezone_warnings import timezone_warnings
from triggers.schedules.timezones import ClockChange, clock_changes, first_pass, is_repeated

_YEAR_DAYS = 366
_SHORT_MONTHS = {29: {2}, 30: {2}, 31: {2, 4, 6, 9, 11}}
_SKIPS_SHORT_MONTHS = {
    29: _("It skips months without a 29th; L means the last day."),
    30: _("It skips months without a 30th; L means the last day."),
    31: _("It skips months without a 31st; L means the last day."),
}
_END_OF_YEARS = datetime(YEARS[-1] + 1, 1, 3, tzinfo=UTC)


def find_warnings(
    expression: Cron | Rate | At | Plan, zone: ZoneInfo, after: datetime
) -> list[str]:
    """Warnings about the runs in the year after `after`, one sentence each; the zone's come first.

    `after` is an aware datetime, usually the present.
    """
    each = expression.expressions if isinstance(expression, Plan) else (expression,)
    found = [w for one in each for w in _expression_warnings(one, zone, after)]
    if isinstance(expression, Plan):
        found += _unknown_holidays(expression.days_off, zone, after)
    return [*timezone_warnings(zone), *dict.fromkeys(found)]


def _unknown_holidays(off: DaysOff, zone: ZoneInfo, after: datetime) -> list[str]:
    """A warning if no public holidays are known of a year that the next 366 days are in.

    The data of some countries end with a year, and Ukraine has none while martial law lasts.
    """
    first = after.astimezone(zone)
    years = {first.year, (first + timedelta(days=_YEAR_DAYS)).year}
    missing = [str(year) for year in sorted(years) if not off.knows_holidays(year)]
    if not missing:
        return []
    return [
        _(
            "No public holidays of %(country)s are known for %(years)s, so none is a day off. "
            "Upgrade the holidays package, or list the days off by their dates.",
            country=off.holidays,
            years=", ".join(missing),
        )
    ]


def _expression_warnings(
    expression: Cron | Rate | At, zone: ZoneInfo, after: datetime
) -> list[str]:
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
        *step_warnings(expression, after),
        *_nights(expression, after),
        *_clock_changes(expression, zone, after),
    ]


def _at_warnings(at: At, zone: ZoneInfo, after: datetime) -> list[str]:
    wall, run = at.wall(zone), at.instant(zone)
    if run is None:
        return [
            _(
                "It never runs: the clocks skip %(moment)s, %(zone)s.",
                moment=_moment(wall),
                zone=zone_words(zone),
            )
        ]
    if run <= after:
        return [_("It never runs: its time is past.")]
    if is_repeated(wall):
        return [
            _("The clocks show %(moment)s twice; it runs the first time.", moment=_moment(wall))
        ]
    return []


def _rate_warnings(rate: Rate, zone: ZoneInfo, after: datetime) -> list[str]:
    change = next(clock_changes(zone, after, _YEAR_DAYS), None)
    if rate.period < timedelta(days=1) or change is None:
        return []
    return [
        _(
            "A rate counts elapsed time, so its local time moves when the clocks change, next on "
            "%(date)s. Use cron(...) for a fixed local time.",
            date=date_words(change.was),
        )
    ]


def _ending(cron: Cron, zone: ZoneInfo, after: datetime) -> list[str]:
    if cron.years[-1] == YEARS[-1] and cron.can_fire(after, zone):
        return []
    last = cron.previous_run(_END_OF_YEARS, zone)
    if last is None:
        return [_("It never runs: the clocks skip each of its times.")]
    wall = last.astimezone(zone)
    if last <= after:
        return [_("It never runs again: its last run was on %(moment)s.", moment=_moment(wall))]
    if last > after + timedelta(days=_YEAR_DAYS):
        return []
    return [_("It ends within a year: its last run is on %(moment)s.", moment=_moment(wall))]


def _missing_days(cron: Cron) -> list[str]:
    notes: list[str] = []
    months = set(cron.months)
    for day in _late_days(cron):
        short = months & _SHORT_MONTHS[day]
        if day == 29 and months == {2}:
            notes.append(_("The 29th of February comes in leap years only; L means its last day."))
        elif short:
            notes.append(_SKIPS_SHORT_MONTHS[day])
    notes += _missing_before_end(cron)
    for weekday, nth in cron.rule.nth:
        if nth == 5:
            notes.append(
                _(
                    "It skips months without a fifth %(weekday)s; %(name)sL means the last one.",
                    weekday=_(WEEKDAYS[weekday - 1]),
                    name=WEEKDAY_NAMES[weekday - 1],
                )
            )
    return notes


def _late_days(cron: Cron) -> list[int]:
    """The days from the 29th on that stand alone in the field, or that begin a range."""
    written = re.findall(r"(?:^|,)(29|30|31)W?(?=,|$)", cron.fields[2])
    late = {int(number) for number in written}
    rule = cron.rule
    others = rule.before_end or rule.nearest or rule.last_weekday
    if rule.days and rule.days[0] in _SHORT_MONTHS and not others:
        late.add(rule.days[0])
    return sorted(late)


def _missing_before_end(cron: Cron) -> list[str]:
    """A warning about L-28 to L-30, which short months do not have."""
    furthest = max(cron.rule.before_end, default=0)
    if not set(cron.months) & _SHORT_MONTHS.get(furthest + 1, set()):
        return []
    return [
        _(
            "It skips months of fewer than %(days)s days, for L-%(back)s lies before their 1st.",
            days=furthest + 1,
            back=furthest,
        )
    ]


def _unix_weekdays(cron: Cron) -> list[str]:
    if cron.fields[4] == "1-5":
        return [_("Weekdays count from 1 = SUN, so 1-5 is Sunday to Thursday; MON-FRI is 2-6.")]
    if cron.fields[4] in ("6,7", "6-7"):
        return [_("Weekdays count from 1 = SUN, so 6 and 7 are Friday and Saturday.")]
    return []


def _nights(cron: Cron, after: datetime) -> list[str]:
    """A warning about hours on both sides of midnight, unless it runs on every day."""
    if len(cron.hours) == HOURS.span or not _is_over_midnight(cron):
        return []
    if not cron.rule.is_daily:
        return [
            _("The hours after midnight count to the day they fall on, not to the evening before.")
        ]
    if len(cron.months) < MONTH.span:
        return [
            _(
                "The hours after midnight count to the month they fall on, not to that of the "
                "evening before."
            )
        ]
    if cron.years != tuple(range(cron.years[0], YEARS[-1] + 1)) or cron.years[0] > after.year:
        return [
            _(
                "The hours after midnight count to the year they fall on, not to that of the "
                "evening before."
            )
        ]
    return []


def _is_over_midnight(cron: Cron) -> bool:
    if cron.hours[0] == HOURS.low and cron.hours[-1] == HOURS.high:
        return True
    ranges = re.findall(r"([0-9]+)-([0-9]+)(?:/([0-9]+))?", cron.fields[1])
    return any(
        any(hour > HOURS.high for hour in range(int(first), int(last) + 25, int(step or 1)))
        for first, last, step in ranges
        if int(first) > int(last)
    )


def _clock_changes(cron: Cron, zone: ZoneInfo, after: datetime) -> list[str]:
    """A warning about the first clock change that skips a run, and the first that repeats one."""
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
    skips = first_pass(found) is None
    if several:
        runs = _(
            "the runs between %(low)s and %(high)s", low=_clock_time(low), high=_clock_time(high)
        )
        effect = (
            _("it skips %(runs)s", runs=runs) if skips else _("%(runs)s happen once", runs=runs)
        )
    else:
        run = _("the run at %(time)s", time=_clock_time(found))
        effect = _("it skips %(run)s", run=run) if skips else _("%(run)s happens once", run=run)
    return _(
        "On %(date)s the clocks go from %(was)s to %(becomes)s: %(effect)s.",
        date=date_words(found),
        was=_clock_time(change.was),
        becomes=_clock_time(change.becomes),
        effect=effect,
    )


def _moment(wall: datetime) -> str:
    return _("%(date)s at %(time)s", date=date_words(wall), time=_clock_time(wall))


def _clock_time(wall: datetime) -> str:
    return f"{wall:%H:%M}"
