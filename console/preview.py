"""The preview of a schedule beside the form: description, next runs, warnings and errors."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from console import charts
from executions.runner.execute import LAMBDA_SECONDS, RESERVE_SECONDS
from moca.display import day_words, duration, exact, relative
from moca.times import iso, parse_iso
from triggers.forms import form_values
from triggers.i18n import Suggestion, describe_schedule, suggestions_of, translated
from triggers.models import Trigger
from triggers.plan_form import (
    FIELDS_OF_CODES,
    FIELDS_OF_PARTS,
    PlanFields,
    parts_of,
    without_name,
)
from triggers.schedules import (
    Expression,
    ExpressionError,
    Plan,
    find_warnings,
    parse,
    parse_zone,
)
from triggers.schedules.plan import DayOff
from triggers.schedules.plan_parts import read_plan

RUNS_AHEAD = 10
RUNS_ON_PAGE = 5
# Days off that are listed among the next runs, at the most; and those that are in any case.
MOST_OFF, LEAST_OFF = 15, 5
# The longest run on Lambda.
RUN_SECONDS = LAMBDA_SECONDS - RESERVE_SECONDS
DAYS = 365
# Runs counted in a year. Each later day gets the count of the last counted day.
COUNTED = 2000
# The chart needs a year after this, and dates end with the year 9999.
LATEST = datetime(9998, 1, 1, tzinfo=UTC)


class Row(NamedTuple):
    """A line of the list of runs: a run, or a day without one.

    Attributes:
        utc: the time of the run in UTC; empty for a day.
        text: the time or the day in the schedule's zone.
        away: how far away the run is.
        is_off: whether the day is left out.
        note: what happens instead, and why.
    """

    utc: str
    text: str
    away: str = ""
    is_off: bool = False
    note: str = ""


@dataclass(slots=True)
class Preview:
    """A schedule before it is saved.

    Attributes:
        words: its description.
        further: its further expressions.
        runs: its next runs: in UTC, in the schedule's time zone, and how far away.
        warnings: surprises, such as skipped months.
        rows: the next runs with the days that are left out or moved between them; empty if the
            schedule leaves none out.
        first_rows: the same with fewer runs, for the page of a trigger.
        errors: the form's field, the reason, and the suggestions of
            `triggers.i18n.suggestions_of`.
        year: the number of runs on each day.
    """

    expression: str = ""
    zone: str = "UTC"
    words: str = ""
    runs: list[tuple[str, str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    first_rows: list[Row] = field(default_factory=list)
    further: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, str, list[Suggestion]]] = field(default_factory=list)
    year: charts.Year | None = None


def preview(entered: Mapping[str, Any], now: datetime) -> Preview:
    """Parse a schedule and describe what it will do.

    Args:
        entered: `expression`, `timezone`, `start_date`, `end_date` and `timeout_seconds` of the
            form, and `counted_from`, the creation time of an existing trigger.
        now: the time after which runs are listed.
    """
    shown = Preview(expression=str(entered.get("expression") or "").strip())
    zone = _zone(str(entered.get("timezone") or "UTC").strip(), shown)
    if not shown.expression:
        return shown
    expression = _expression(entered, zone, shown)
    if expression is None or zone is None or shown.errors:
        return shown
    if isinstance(expression, Plan):
        shown.further = tuple(each.canonical for each in expression.expressions[1:])
    first, last = _bound(entered, "start_date", zone), _bound(entered, "end_date", zone)
    after = min(first - timedelta(seconds=1) if first and first > now else now, LATEST)
    origin = after.replace(microsecond=0)
    made = _made(entered) or origin
    runs = expression.next_runs(origin, zone, RUNS_AHEAD, start=first, end=last, anchor=made)
    shown.words = describe_schedule(expression, zone)
    shown.zone = str(zone)
    shown.runs = [(iso(run), exact(run, zone), relative(run, now)) for run in runs]
    shown.warnings = [translated(each) for each in find_warnings(expression, zone, now)]
    shown.warnings += _too_often(runs, entered)
    if not runs and not shown.warnings:
        shown.warnings.append(_("It never runs between its start date and end date."))
    shown.warnings += _too_long(entered)
    following = partial(expression.next_run, zone=zone, start=first, end=last, anchor=made)
    off = list(_days_off(expression, zone, after))
    shown.rows = _rows(runs, off, zone, now)
    shown.first_rows = _rows(runs[:RUNS_ON_PAGE], off, zone, now)
    shown.year = _year(following, zone, after, {each.day for each in off})
    return shown


def _expression(
    entered: Mapping[str, Any], zone: ZoneInfo | None, shown: Preview
) -> Expression | Plan | None:
    """The schedule that was entered; None if its expression is invalid."""

    def fail(part: str, error: ExpressionError) -> None:
        name = FIELDS_OF_CODES.get(error.field) or FIELDS_OF_PARTS[part]
        label = PlanFields.base_fields[name].label
        shown.errors.append((name, f"{label}: {without_name(translated(error.reason))}", []))

    try:
        expression = parse(shown.expression, zone)
    except ExpressionError as error:
        offers = [_with_fields(each, zone) for each in suggestions_of(error)]
        shown.errors.append(("expression", translated(error.reason), offers))
        return None
    return read_plan(expression, parts_of(entered), lambda text: parse(text, zone), fail)


def _with_fields(offer: Suggestion, zone: ZoneInfo | None) -> Suggestion:
    """A suggestion with the values of the form's fields for its further parts."""
    if "parts" not in offer:
        return offer
    config = {"timezone": offer.get("timezone") or str(zone or "UTC"), **offer["parts"]}
    return {**offer, "fields": json.dumps(form_values(config))}


def _days_off(expression: Expression | Plan, zone: ZoneInfo, after: datetime) -> Iterable[DayOff]:
    """The days of the next year whose runs are left out or moved."""
    if not isinstance(expression, Plan) or expression.days_off.is_empty:
        return ()
    first = (after + timedelta(seconds=1)).astimezone(zone).date()
    return expression.days_left_out(first, first + timedelta(days=DAYS - 1))


def _rows(runs: list[datetime], off: list[DayOff], zone: ZoneInfo, now: datetime) -> list[Row]:
    """The runs, with the days off before the last of them."""
    if not off:
        return []
    found: list[tuple[date, int, Row]] = []
    origins = {each.target: each.day for each in off if each.target}
    for run in runs:
        day = run.astimezone(zone).date()
        origin = origins.get(day)
        note = _("moved from %(day)s") % {"day": day_words(origin)} if origin else ""
        found.append((day, 1, Row(iso(run), exact(run, zone), relative(run, now), note=note)))
    last = found[-1][0] if found else date.max
    among = sum(each.day <= last for each in off)
    for each in off[: min(max(among, LEAST_OFF), MOST_OFF)]:
        note = translated(each.why)
        if each.target:
            moved = _("moved to %(day)s") % {"day": day_words(each.target)}
            note = f"{note}: {moved}"
        found.append((each.day, 0, Row("", day_words(each.day), is_off=True, note=note)))
    return [row for _day, _order, row in sorted(found, key=lambda each: each[:2])]


def with_creation(values: Mapping[str, Any], trigger: Trigger | None) -> dict[str, Any]:
    """The values of a trigger's form, with the creation time that `preview` needs."""
    made = {} if trigger is None else {"counted_from": iso(trigger.created_at)}
    return {**values, **made}


def _zone(name: str, shown: Preview) -> ZoneInfo | None:
    try:
        return parse_zone(name or "UTC")
    except ExpressionError as error:
        shown.errors.append(("timezone", translated(error.reason), suggestions_of(error)))
        return None


def _bound(entered: Mapping[str, Any], name: str, zone: ZoneInfo) -> datetime | None:
    """A date of the form in the schedule's time zone. None if it is empty or invalid."""
    value = entered.get(name)
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def _made(entered: Mapping[str, Any]) -> datetime | None:
    """The creation time of the trigger, from which a rate without a start date counts."""
    try:
        return parse_iso(str(entered.get("counted_from"))).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _too_often(runs: list[datetime], entered: Mapping[str, Any]) -> list[str]:
    try:
        limit = timedelta(seconds=int(entered.get("timeout_seconds") or 0))
    except (ValueError, OverflowError, TypeError):
        return []
    gaps = [later - earlier for earlier, later in pairwise(runs)]
    if not gaps or not limit or min(gaps) >= limit:
        return []
    between = duration(round(min(gaps).total_seconds() * 1000))
    most = duration(round(limit.total_seconds() * 1000))
    return [
        _(
            "Two runs can be only %(between)s apart, and a run may take %(most)s: runs may "
            "overlap, or be skipped."
        )
        % {"between": between, "most": most}
    ]


def _too_long(entered: Mapping[str, Any]) -> list[str]:
    """A warning if Lambda ends a run before its timeout does."""
    try:
        seconds = int(entered.get("timeout_seconds") or 0)
    except ValueError:
        # The form reports the error.
        return []
    if not settings.TRIGGER_LAMBDA_ARN or seconds <= RUN_SECONDS:
        return []
    most = duration(1000 * RUN_SECONDS)
    return [
        _(
            "The function that runs triggers waits for %(most)s at the most. A longer run is "
            "handed over to “manage.py runworker” if the agent speaks A2A and a worker is alive. "
            "Otherwise its end is not known, unless the agent calls back."
        )
        % {"most": most}
    ]


def _year(
    following: Callable[[datetime], datetime | None],
    zone: ZoneInfo,
    after: datetime,
    off: Collection[date],
) -> charts.Year:
    """The number of runs on each day of the next year. Counting stops after COUNTED runs.

    Args:
        following: returns the first run after a time.
        zone: the time zone of the days.
        after: the time after which the year begins.
        off: the days that are left out.
    """
    origin = after.replace(microsecond=0)
    end = after + timedelta(days=DAYS)
    counts: dict[date, int] = {}
    left, count = COUNTED, 1
    run = following(origin)
    while run is not None and run < end:
        day = run.astimezone(zone).date()
        midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
        if left > 0:
            count = _runs_until(midnight, run, following)
            left -= count
        counts[day] = count
        # From the last second of the day: the next result is the first run of a later day.
        run = following(max(run, midnight - timedelta(seconds=1)))
    return charts.year(counts, (origin + timedelta(seconds=1)).astimezone(zone).date(), off)


def _runs_until(
    midnight: datetime, run: datetime, following: Callable[[datetime], datetime | None]
) -> int:
    """The number of runs from `run` to the end of its day, at most MANY."""
    count, later = 1, following(run)
    while later is not None and later < midnight and count < charts.MANY:
        count, later = count + 1, following(later)
    return count
