"""Works backfills off: the scheduler process does so in its turns, the handler after each run.

Each run has the id of its occurrence, or one that is made from the failed run. Whoever asks for it
how often, it is put on record once. Every write has the condition that the backfill is as it was
read, so any number of processes may work at one.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import new_session_id
from executions import envelope
from executions.backfill.model import Backfill, BackfillKind, BackfillState
from executions.backfill.plan import due_of, rerun_id
from executions.dispatchers import DispatchError, get_dispatcher
from executions.failures import DISABLED, TRIGGER_GONE
from executions.models import Source, TriggerExecution, expiry
from executions.runner.complete import log_ids
from executions.runner.entering import enter
from executions.runner.holds import hold
from executions.runner.manual import MANUAL_QUEUE_LEASE, TriggerBusyError
from executions.runner.occurrence import REOPENED, Occurrence, new_record
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.ids import occurrence_id
from moca.outages import is_away
from moca.sentences import Reason
from triggers.failures import PAUSED
from triggers.models import Outcome, RunStatus, Trigger
from triggers.pauses import wider_pause

logger = logging.getLogger(__name__)

# How many backfills one turn looks at, and how often a turn looks for them.
MOST_AT_A_TIME = 20
TURN_SECONDS = 1.0
# When to look again at a backfill whose runs are under way, that waits for another run of its
# trigger, and that waits for the end of the installation's pause or for its user's next budget.
SOON = timedelta(seconds=1)
PAUSED_AGAIN = timedelta(seconds=15)
# When to retry after a run could not be dispatched.
RETRY_AFTER = timedelta(minutes=1)
# How much of the pace may be made up for, if nobody looked at a backfill for longer.
BURST = timedelta(minutes=1)
# The longest that a function waits for the pace, so that the next run begins without maintenance.
LONGEST_WAIT = 61.0
TRIES = 10
WORKER = audit.system("backfill")


def work(now: datetime) -> None:
    """Work off what is due of all backfills. An error of one stops no other.

    Raises:
        OperationalError: the database is away.
    """
    for backfill in list(Backfill.objects.due(now)[:MOST_AT_A_TIME]):
        try:
            advance(backfill)
        except (ConflictError, IntegrityError):
            logger.info("Another process works at the backfill", extra=_ids(backfill))
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("A backfill could not go on; trying again", extra=_ids(backfill))
            row_of(backfill).filter(state=BackfillState.RUNNING).update(next_at=now + RETRY_AFTER)


class Turns:
    """Has the scheduler process look for backfills once a second."""

    def __init__(self) -> None:
        self._next_at = time.monotonic()

    def take(self) -> None:
        """Work off what is due, if a second has passed."""
        if time.monotonic() >= self._next_at:
            work(timezone.now())
            self._next_at = time.monotonic() + TURN_SECONDS


def follow(execution: TriggerExecution, seconds_left: float) -> None:
    """After a run of a backfill, begin the next, for functions that no process calls again.

    An error is logged, and maintenance goes on with the backfill.

    Args:
        execution: the run that has ended.
        seconds_left: how long this may wait for the pace.
    """
    if execution.source != Source.BACKFILL:
        return
    try:
        for backfill in list(Backfill.objects.under_way(execution.trigger_id)):
            wait = (backfill.pace_at - timezone.now()).total_seconds()
            if 0 < wait <= min(LONGEST_WAIT, seconds_left):
                time.sleep(wait)
            advance(backfill)
    except (ConflictError, IntegrityError):
        logger.info("Another process works at the backfill", extra=log_ids(execution))
    except Exception:
        logger.exception("A backfill could not go on", extra=log_ids(execution))


def advance(backfill: Backfill) -> None:
    """Begin the runs of a backfill that may begin now, and note which have ended.

    Raises:
        ConflictError, IntegrityError: another process works at it.
    """
    while _step(backfill):
        pass


def _step(backfill: Backfill) -> bool:
    """Begin one run, or note why none begins; False if there is nothing more to do now."""
    now = timezone.now()
    if not backfill.is_running:
        return False
    trigger = Trigger.objects.find(backfill.user_id, backfill.trigger_id)
    reason = _reason_to_stop(trigger, now)
    if trigger is None or reason:
        end(backfill, reason or TRIGGER_GONE(), by=WORKER)
        return False
    ended = _ended(backfill, now)
    if backfill.position == backfill.total:
        if len(ended.get("open", backfill.open)):
            _write(backfill, next_at=now + SOON, **ended)
        else:
            _write(backfill, state=BackfillState.DONE, ended_at=now, **ended)
        return False
    if wider_pause(backfill.user_id, now):
        _write(backfill, next_at=now + PAUSED_AGAIN, **ended)
        return False
    at_once = 1 if trigger.holds_itself else backfill.at_once
    if len(ended.get("open", backfill.open)) >= at_once or backfill.pace_at > now:
        _write(backfill, next_at=max(now + SOON, min(backfill.pace_at, now + BURST)), **ended)
        return False
    try:
        _begin(backfill, trigger, now, ended)
    except TriggerBusyError:
        _write(backfill, next_at=now + SOON, **ended)
        return False
    except DispatchError as error:
        logger.error("A run of a backfill was not dispatched: %s", error, extra=_ids(backfill))
        backfill.refresh_from_db(from_queryset=row_of(backfill))
        _write(backfill, next_at=now + RETRY_AFTER, pace_at=now + RETRY_AFTER)
        return False
    return True


def _reason_to_stop(trigger: Trigger | None, now: datetime) -> Reason | None:
    if trigger is None:
        return TRIGGER_GONE()
    if not trigger.enabled:
        return DISABLED()
    return PAUSED() if trigger.is_paused(now) else None


def _ended(backfill: Backfill, now: datetime) -> dict[str, Any]:
    """What has changed about the runs under way, as columns; empty if nothing has."""
    if not backfill.open:
        return {}
    rows = TriggerExecution.objects.filter(trigger_id=backfill.trigger_id, pk__in=backfill.open)
    states: dict[str, str] = {}
    for row in rows.only("id", "trigger_id", "status", "lease_until", "attempt"):
        row.close_if_lost(now)
        states[row.pk] = row.status
    still = [pk for pk in backfill.open if states.get(pk) == RunStatus.RUNNING]
    if len(still) == len(backfill.open):
        return {}
    succeeded = sum(states.get(pk) == RunStatus.COMPLETED for pk in backfill.open)
    failed = len(backfill.open) - len(still) - succeeded
    return {
        "open": still,
        "succeeded": backfill.succeeded + succeeded,
        "failed": backfill.failed + failed,
    }


def _begin(backfill: Backfill, trigger: Trigger, now: datetime, ended: dict[str, Any]) -> None:
    """Put the next run on record and dispatch it; or pass over one that is on record."""
    key = backfill.items[backfill.position]
    interval = timedelta(minutes=1) / backfill.per_minute
    with transaction.atomic():
        execution = _put_on_record(backfill.kind, trigger, key, now)
        values = {**ended, "position": backfill.position + 1}
        if execution is None:
            _write(backfill, **values, skipped=backfill.skipped + 1)
            return
        pace_at = max(backfill.pace_at, now - BURST) + interval
        values |= {
            "open": [*values.get("open", backfill.open), execution.pk],
            "begun": backfill.begun + 1,
            "pace_at": pace_at,
            "next_at": min(pace_at, now + SOON),
        }
        _write(backfill, **values)
        get_dispatcher().dispatch(execution)


def _put_on_record(kind: str, trigger: Trigger, key: Any, now: datetime) -> TriggerExecution | None:
    """Put the run of an item on record, to wait for a process; None if it is on record.

    Raises:
        TriggerBusyError: a run is under way that may not be overlapped.
        ConflictError, IntegrityError: another process has put it on record.
    """
    occurrence = _occurrence(kind, trigger, key)
    if occurrence is None:
        return None
    record = TriggerExecution.objects.keyed(trigger.pk, occurrence.id)
    earlier = record.first()
    if earlier is not None and earlier.shown_outcome != Outcome.MISSED:
        return None
    until = now + MANUAL_QUEUE_LEASE
    event = occurrence.event_of(trigger, now)
    execution = new_record(trigger, occurrence, event, now, until, attempt=0)
    if isinstance(reason := enter(trigger, execution, event, now), Reason):
        raise TriggerBusyError(reason)
    if trigger.holds_itself and not hold([trigger], now, until=until):
        raise TriggerBusyError
    if earlier is None:
        execution.save(force_insert=True)
        return execution
    same = record.filter(status=RunStatus.FAILED, attempt=earlier.attempt)
    same.update_expected(
        **REOPENED,
        attempt=0,
        source=Source.BACKFILL,
        agent_id=execution.agent_id,
        session_id=trigger.session_id or new_session_id(),
        started_at=now,
        lease_until=execution.lease_until,
        concurrency_key=execution.concurrency_key,
        event_payload=execution.event_payload,
        ttl=expiry(now),
    )
    return execution


def _occurrence(kind: str, trigger: Trigger, key: Any) -> Occurrence | None:
    """The occurrence of an item; None if the failed run is no longer on record."""
    if kind == BackfillKind.MISSED:
        due = due_of(key)
        name = occurrence_id(trigger.pk, due)
        return Occurrence(name, trigger.user_id, trigger.pk, Source.BACKFILL, due)
    failed = TriggerExecution.objects.keyed(trigger.pk, key).first()
    if failed is None:
        return None
    return Occurrence(
        rerun_id(failed),
        trigger.user_id,
        trigger.pk,
        Source.BACKFILL,
        failed.scheduled_at,
        envelope.deserialize(failed.event_payload),
        replay_of=failed.pk,
    )


def end(backfill: Backfill, reason: Reason, *, by: str) -> None:
    """Stop a backfill, and note why. Its runs under way go on.

    Raises:
        ConflictError: another process has changed it.
    """
    values: dict[str, Any] = {"state": BackfillState.STOPPED, "ended_at": timezone.now()}
    trigger = Trigger.objects.find(backfill.user_id, backfill.trigger_id)
    with transaction.atomic():
        _write(backfill, **values, **reasons.columns("reason", reason))
        if trigger is not None:
            changes = {"backfill": [backfill.pk, "stopped"]}
            audit.note(AuditEntry.Action.UPDATED, trigger, by=by, why=reason, changes=changes)


def row_of(backfill: Backfill) -> Any:
    """The row of a backfill, by its key."""
    return Backfill.objects.filter(trigger_id=backfill.trigger_id, pk=backfill.pk)


def _write(backfill: Backfill, **values: Any) -> None:
    """Write columns of a backfill; ConflictError if another process has changed it."""
    before = backfill.changes
    row_of(backfill).filter(changes=before, state=BackfillState.RUNNING).update_expected(
        changes=before + 1, **values
    )
    for name, value in {**values, "changes": before + 1}.items():
        setattr(backfill, name, value)


def _ids(backfill: Backfill) -> dict[str, str]:
    return {"triggerId": backfill.trigger_id}
