"""The API view that previews a schedule before it is saved."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api.errors import Detail, InvalidFieldsError, contract_name, detail
from moca.api.json_schema import or_null
from moca.api.views import APIView
from moca.times import iso
from triggers.i18n import suggestions_of
from triggers.intervals import interval_fault
from triggers.schedules import (
    Expression,
    ExpressionError,
    Plan,
    describe,
    find_warnings,
    parse,
    parse_zone,
)
from triggers.schedules.plan_parts import PLAN_PARTS, read_plan
from triggers.serializers import ScheduleConfigSerializer

DEFAULT_COUNT = 10
MAX_COUNT = 50
YEAR = timedelta(days=365)

Read = TypeVar("Read")

_OF_SCHEDULE: dict[str, Any] = ScheduleConfigSerializer._declared_fields
# What a schedule has beside its expression, as `scheduleConfig` of a trigger has it.
PLAN_SHAPES = {
    contract_name(name): or_null(field.shape(getattr(field, "rules", {}), field.help_text))
    for name, field in _OF_SCHEDULE.items()
    if contract_name(name) in PLAN_PARTS
}


class PreviewView(APIView):
    def post(self, request: Request) -> Response:
        """Describe a schedule and tell its next runs."""
        return Response(preview(self.body, timezone.now()))


def preview(body: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The answer of the API: the schedule in words, its next runs and warnings.

    Args:
        body: the request, with `expression`, and optionally `timezone`, `count` and the parts of
            `scheduleConfig` that say more than one expression.
        now: the moment that the runs are later than.

    Raises:
        InvalidFieldsError: with all invalid fields.
    """
    errors: list[Detail] = []
    zone_errors: list[Detail] = []
    zone = (
        _parsed(body, "timezone", parse_zone, zone_errors)
        if body.get("timezone")
        else ZoneInfo("UTC")
    )
    expression = _plan(
        body, _parsed(body, "expression", lambda t: parse(t, zone), errors), zone, errors
    )
    errors += zone_errors
    count = _parsed_count(body.get("count"), errors)
    if expression is None or zone is None or errors:
        raise InvalidFieldsError(errors)
    off = _days_off(expression, zone, count, now)
    return {
        "expression": expression.canonical,
        "description": describe(expression, zone),
        "nextRuns": _runs(expression, zone, count, now),
        **({"daysOff": off} if off else {}),
        "warnings": [
            *filter(None, [interval_fault(expression, now)]),
            *find_warnings(expression, zone, now),
        ],
    }


def _plan(
    body: Mapping[str, Any],
    expression: Expression | None,
    zone: ZoneInfo | None,
    errors: list[Detail],
) -> Expression | Plan | None:
    """The schedule of the expression and the parts beside it."""
    if expression is None or not any(part in body for part in PLAN_PARTS):
        return expression

    def fail(part: str, error: ExpressionError) -> None:
        errors.append(detail(part, error.reason, error.field))

    return read_plan(expression, body, lambda text: parse(text, zone), fail)


def _days_off(
    expression: Expression | Plan, zone: ZoneInfo, count: int, now: datetime
) -> list[dict[str, str]]:
    """The next days of a year whose runs are left out or moved."""
    if not isinstance(expression, Plan):
        return []
    today = now.astimezone(zone).date()
    found = islice(expression.days_left_out(today, today + YEAR), count)
    return [
        {
            "date": each.day.isoformat(),
            "reason": each.why,
            **({"movedTo": each.target.isoformat()} if each.target else {}),
        }
        for each in found
    ]


def _runs(
    expression: Expression | Plan, zone: ZoneInfo, count: int, now: datetime
) -> list[dict[str, str]]:
    return [
        {"utc": iso(run), "local": run.astimezone(zone).isoformat()}
        for run in expression.next_runs(now.replace(microsecond=0), zone, count)
    ]


def _parsed(
    body: Mapping[str, Any], name: str, read: Callable[[str], Read], errors: list[Detail]
) -> Read | None:
    text = body.get(name)
    if text is None:
        errors.append(detail(name, "This is needed.", "required"))
    elif not isinstance(text, str):
        errors.append(detail(name, "Give a text."))
    else:
        try:
            return read(text)
        except ExpressionError as error:
            suggestions = suggestions_of(error)
            errors.append(detail(name, error.reason, error.field, error.suggestion, suggestions))
    return None


def _parsed_count(value: Any, errors: list[Detail]) -> int:
    if value is None:
        return DEFAULT_COUNT
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_COUNT:
        errors.append(detail("count", f"Give a whole number from 1 to {MAX_COUNT}."))
        return DEFAULT_COUNT
    return value
