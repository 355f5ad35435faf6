"""What a schedule will do, shown beside the form while it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from console import charts
from executions.lambda_time import LONGEST_SECONDS, RESERVE_SECONDS
from moca.display import duration, exact, relative
from moca.times import iso, parse_iso
from triggers.i18n import Suggestion, describe_schedule, suggestions_of, translated
from triggers.models import Trigger
from triggers.schedules import ExpressionError, find_warnings, parse, parse_zone

RUNS_AHEAD = 10
# How long a run on Lambda may take.
LAMBDA_SECONDS = LONGEST_SECONDS - RESERVE_SECONDS
DAYS = 365
# So many runs of a year are counted; after them, each day on which it fires is as the last counted.
COUNTED = 2000
# Beyond this nothing fires, and there is not a year left to draw.
LATEST = datetime(9998, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Preview:
    """A schedule before it is saved.

    Attributes:
        words: what it says.
        runs: its next runs: the moment, on the schedule's clock, how far away.
        warnings: what may surprise about it.
        errors: what is wrong: the form's field, the reason, and what may be meant, as
            `triggers.i18n.suggestions_of` gives it.
        year: how often it fires on each day.
    """

    expression: str = ""
    zone: str = "UTC"
    words: str = ""
    runs: list[tuple[str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, str, list[Suggestion]]] = field(default_factory=list)
    year: charts.Year | None = None


def preview(entered: Mapping[str, Any], now: datetime) -> Preview:
    """Read a schedule and tell what it will do.

    Args:
        entered: `expression`, `timezone`, `start_date`, `end_date` and `timeout_seconds`, as they
            stand in the form, and `counted_from`, when the trigger was made, if it is there yet.
        now: the moment after which runs are told.
    """
    shown = Preview(expression=str(entered.get("expression") or "").strip())
    zone = _zone(str(entered.get("timezone") or "UTC").strip(), shown)
    if not shown.expression:
        return shown
    try:
        expression = parse(shown.expression, zone)
    except ExpressionError as error:
        shown.errors.append(("expression", translated(error.reason), suggestions_of(error)))
        return shown
    if zone is None:
        return shown
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
    shown.year = _year(following, zone, after)
    return shown


def with_creation(values: Mapping[str, Any], trigger: Trigger | None) -> dict[str, Any]:
    """What stands in the form of a trigger, with what `preview` needs to know of it besides."""
    made = {} if trigger is None else {"counted_from": iso(trigger.created_at)}
    return {**values, **made}


def _zone(name: str, shown: Preview) -> ZoneInfo | None:
    try:
        return parse_zone(name or "UTC")
    except ExpressionError as error:
        shown.errors.append(("timezone", translated(error.reason), suggestions_of(error)))
        return None


def _bound(entered: Mapping[str, Any], name: str, zone: ZoneInfo) -> datetime | None:
    """A date of the form on the schedule's clock; None where there is none that can be read."""
    value = entered.get(name)
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def _made(entered: Mapping[str, Any]) -> datetime | None:
    """When the trigger was made, from which a rate without a start counts."""
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
    """A warning where Lambda ends a run before its time-out does."""
    try:
        seconds = int(entered.get("timeout_seconds") or 0)
    except ValueError:
        # The form tells what is wrong with it.
        return []
    if not settings.TRIGGER_LAMBDA_ARN or seconds <= LAMBDA_SECONDS:
        return []
    most = duration(1000 * LAMBDA_SECONDS)
    return [
        _("The function that runs triggers ends a run after %(most)s, before its timeout.")
        % {"most": most}
    ]


def _year(
    following: Callable[[datetime], datetime | None], zone: ZoneInfo, after: datetime
) -> charts.Year:
    """How often it fires on each day of the year to come; runs are counted until they are many.

    Args:
        following: the first run after a moment.
        zone: whose days they are.
        after: the moment after which the year begins.
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
        # The last moment of that day, after which the next one's first run comes.
        run = following(max(run, midnight - timedelta(seconds=1)))
    return charts.year(counts, (origin + timedelta(seconds=1)).astimezone(zone).date())


def _runs_until(
    midnight: datetime, run: datetime, following: Callable[[datetime], datetime | None]
) -> int:
    """How many runs there are from one to the end of its day; of many, as many as tell so."""
    count, later = 1, following(run)
    while later is not None and later < midnight and count < charts.MANY:
        count, later = count + 1, following(later)
    return count
