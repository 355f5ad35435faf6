"""The limit on how often new schedules fire: the setting MIN_INTERVAL_MINUTES."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from moca.api.errors import TOO_FREQUENT
from triggers.schedules import Expression, Plan
from triggers.schedules.intervals import smallest_gap
from triggers.validation import read_schedule

MINUTE = timedelta(minutes=1)


def interval_errors(config: Any, before: Any, now: datetime) -> list[ValidationError]:
    """The error that a schedule fires more often than MIN_INTERVAL_MINUTES allows.

    Args:
        config: the trigger's map.
        before: the map as it was stored, if it was a schedule; its expression stays allowed.
        now: the present.
    """
    schedule, _errors = read_schedule(config)
    earlier = read_schedule(before)[0] if before else None
    if schedule is None or (earlier and earlier.expression == schedule.expression):
        return []
    fault = interval_fault(schedule.expression, now)
    if not fault:
        return []
    return [ValidationError(fault, code=TOO_FREQUENT, params={"part": "expression"})]


def interval_fault(expression: Expression | Plan, now: datetime) -> str:
    """Say that a schedule fires too often, and what is allowed; empty if it does not."""
    least = settings.MIN_INTERVAL_MINUTES * MINUTE
    gap = smallest_gap(expression, now) if least else None
    if gap is None or gap >= least:
        return ""
    return _(
        "This fires too often: %(gap)s min lie between two of its runs, and at least %(least)s min "
        "have to. Choose a longer interval."
    ) % {"gap": gap // MINUTE, "least": settings.MIN_INTERVAL_MINUTES}
