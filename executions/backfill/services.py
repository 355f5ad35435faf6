"""Starts and stops backfills, for the API, the pages and the command."""

from contextlib import suppress
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from executions.backfill import worker
from executions.backfill.model import Backfill
from executions.backfill.plan import Plan, Wanted, make_plan
from executions.dispatchers import get_dispatcher
from executions.failures import STOPPED_BY_PERSON
from executions.models import expiry
from moca import audit
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from triggers.models import Trigger


class NotFiringError(Exception):
    """The trigger is disabled or paused, which stops a backfill."""

    def __init__(self) -> None:
        super().__init__(
            _("The trigger is disabled or paused, which stops a backfill: enable or resume it.")
        )


def start(trigger: Trigger, wanted: Wanted, *, by: str) -> tuple[Plan, Backfill | None]:
    """Have runs of a trigger made up for.

    Args:
        trigger: the trigger, which has to be enabled and not paused.
        wanted: which runs, and at which pace.
        by: the operator's name, the user id of an API caller, or a command.

    Returns:
        What runs, and the backfill; None if there is nothing to run.

    Raises:
        ValidationError: by field: the request makes no sense, or is for too many runs.
        NotFiringError: the trigger is disabled or paused.
    """
    now = timezone.now()
    plan = make_plan(trigger, wanted, now)
    if not plan.items:
        return plan, None
    if not trigger.fires(now):
        raise NotFiringError
    backfill = Backfill(
        trigger_id=trigger.pk,
        user_id=trigger.user_id,
        kind=wanted.kind,
        items=[item.key for item in plan.items],
        per_minute=wanted.per_minute,
        at_once=wanted.at_once,
        next_at=now,
        pace_at=now,
        created_at=now,
        created_by=by[:150],
        ttl=expiry(now),
    )
    with transaction.atomic():
        backfill.save(force_insert=True)
        changes: dict[str, list[Any]] = {
            "backfill": ["", backfill.pk],
            "runs": ["", backfill.total],
        }
        audit.note(AuditEntry.Action.RUN, trigger, by=by, changes=changes)
    if not get_dispatcher().is_transactional:
        # No process polls there. Elsewhere, the scheduler process begins the first run.
        with suppress(ConflictError, IntegrityError):
            worker.advance(backfill)
    return plan, backfill


def stop(backfill: Backfill, *, by: str) -> bool:
    """Begin no further run; False if the backfill has ended. Runs under way go on.

    Raises:
        ConflictError: other processes keep changing it.
    """
    for _try in range(worker.TRIES):
        backfill.refresh_from_db(from_queryset=worker.row_of(backfill))
        if not backfill.is_running:
            return False
        try:
            worker.end(backfill, STOPPED_BY_PERSON(name=by), by=by)
        except ConflictError:
            continue
        return True
    raise ConflictError("Others keep changing this backfill: try again in a moment.")
