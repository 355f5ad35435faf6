"""Enqueue the runs of events, for those who find out which triggers an event matches.

They make an `Offer` of the event to each such trigger. An offer is enqueued as a run that another
process claims, or it is debounced (`debounceSeconds`), or dropped and counted (`maxRunsPerHour`,
overlaps). The run's id is made from the event and the trigger, which deduplicates deliveries.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from executions import envelope
from executions.dispatchers import get_dispatcher
from executions.failures import BUSY, DISABLED, HELD_BACK, MERGED, TOO_LARGE, TOO_MANY
from executions.models import PendingEvent, Source, TriggerExecution
from executions.runner import announce, debounce
from executions.runner.entering import enter
from executions.runner.occurrence import REOPENED, Occurrence, new_record
from moca import audit
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.ids import event_run_id
from moca.retry import retry
from moca.sentences import Reason
from moca.times import CLOCKS_APART
from triggers.models import RunStatus, Trigger
from triggers.pauses import reason_not_to_fire

logger = logging.getLogger(__name__)

# How long the run of an event may wait for a process to claim it.
EVENT_QUEUE_LEASE = timedelta(days=1)
HOUR = timedelta(hours=1)
# How many debounces are ended in one turn.
MOST_DEBOUNCES = 100
# When to retry the event of a debounce that could not be run.
RETRY_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """An event for a trigger.

    Attributes:
        id: the id of its execution.
        user_id: the trigger's user.
        trigger_id: the trigger's id.
        at: when the event came in.
        event: the EventBridge envelope.
        earlier_id: the other id that an earlier delivery may have had; else empty.
        refusal: why the trigger has to drop the event; None if it need not.
        trace_context: the trace of the request that brought it; see `moca.tracing`.
    """

    id: str
    user_id: str
    trigger_id: str
    at: datetime
    event: dict[str, Any]
    earlier_id: str = ""
    refusal: Reason | None = None
    trace_context: str = ""

    @classmethod
    def of(
        cls,
        trigger: Trigger,
        event: dict[str, Any],
        event_id: str,
        at: datetime,
        earlier_at: datetime | None = None,
        refusal: Reason | None = None,
        trace_context: str = "",
    ) -> "Offer":
        """Make the offer of an event to a trigger.

        Args:
            trigger: the trigger.
            event: the EventBridge envelope.
            event_id: the event's id, which is the same for each delivery.
            at: when the event came in, which is the same for each delivery.
            earlier_at: the other time that an earlier delivery may have had.
            refusal: why the trigger has to drop the event.
            trace_context: the trace of the request that brought it.
        """
        key, earlier = (
            event_run_id(trigger.pk, event_id, moment) if moment else ""
            for moment in (at, earlier_at)
        )
        owner = trigger.user_id
        return cls(key, owner, trigger.pk, at, event, earlier, refusal, trace_context)


@dataclass(slots=True)
class _Changes:
    """What offers change about one trigger, collected to be written once.

    Attributes:
        before: the fields that change, with their values before.
        skipped: why events were dropped, and when they came in.
    """

    trigger: Trigger
    before: dict[str, Any] = field(default_factory=dict)
    skipped: list[tuple[Reason, datetime]] = field(default_factory=list)

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            self.before.setdefault(name, getattr(self.trigger, name))
            setattr(self.trigger, name, value)

    def write(self) -> None:
        """Write the changes; ConflictError if another process has changed the same fields."""
        trigger = self.trigger
        if self.before:
            row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk, **self.before)
            if not row.update(**{name: getattr(trigger, name) for name in self.before}):
                raise ConflictError("the trigger has changed meanwhile")
        if self.skipped:
            reason, at = self.skipped[-1]
            trigger.note_skip(reason, at, len(self.skipped))
            announce.skipped(trigger, reason)


def offer(offers: Sequence[Offer], claim: Callable[[], None] | None = None) -> int:
    """Put the runs of events on record, and dispatch them to the processes that run them.

    Args:
        offers: events for triggers.
        claim: called first, in the same transaction; raises ConflictError if another process has
            the events.

    Returns:
        How many new runs are on record.

    Raises:
        ConflictError: other processes keep writing the same rows, or have claimed the events.
        DispatchError: a run could not be dispatched. Offer the event again.
    """

    def once(*, known: bool) -> int:
        with transaction.atomic():
            if claim:
                claim()
            return _offer(offers, known=known)

    conflicts = (IntegrityError, ConflictError)
    try:
        # Most runs are new. The insert fails if one is not, which saves a read of each.
        return once(known=False)
    except conflicts:
        return retry(partial(once, known=True), on=conflicts)


def end_debounce(user_id: str, trigger_id: str, now: datetime) -> datetime | None:
    """Enqueue the run of a debounced event, if its trigger's debounce is over.

    Args:
        user_id: the trigger's user.
        trigger_id: the trigger's id.
        now: the present.

    Returns:
        When to call again; None if no event of the trigger is debounced any more.

    Raises:
        ConflictError: another event came, or another process has this one.
        DispatchError: the run could not be dispatched.
    """
    with transaction.atomic():
        pending = PendingEvent.objects.filter(pk=trigger_id).first()
        if pending is None or pending.due_at > now:
            return pending.due_at if pending else None
        debounce.remove(pending)
        event = json.loads(pending.envelope)
        latest = Offer(pending.execution_id, user_id, trigger_id, pending.last_at, event)
        _offer([latest], known=True, debounced=True)
    return None


def end_due_debounces(now: datetime) -> None:
    """Enqueue the runs of all events whose debounce is over.

    An event that cannot be run is logged, and retried in a minute. It stops no other.

    Raises:
        OperationalError: the database is away.
    """
    for pending in list(PendingEvent.objects.due(now)[:MOST_DEBOUNCES]):
        ids = {"triggerId": pending.trigger_id}
        try:
            end_debounce(pending.user_id, pending.trigger_id, now)
        except ConflictError:
            logger.info("Another process has the event", extra=ids)
        except OperationalError:
            raise
        except Exception:
            logger.exception("An event that waited could not be run", extra=ids)
            debounce.delay(pending, now + RETRY_AFTER)


def _offer(offers: Sequence[Offer], *, known: bool, debounced: bool = False) -> int:
    """Make offers in the open transaction; returns how many new runs are on record.

    Args:
        offers: the offers.
        known: whether runs may be on record already, so that each has to be looked up.
        debounced: whether the debounce of the events is over.
    """
    now = timezone.now()
    triggers = Trigger.objects.named({(one.user_id, one.trigger_id) for one in offers})
    changes = {trigger.pk: _Changes(trigger) for trigger in triggers}
    new: list[TriggerExecution] = []
    again: list[TriggerExecution] = []
    for one in offers:
        own = changes.get(one.trigger_id)
        if own is None:
            continue
        waits = not (debounced or one.refusal) and debounce.debounces(own.trigger, now)
        reason = None if waits else _reason_to_drop(own.trigger, one, now)
        # The insert of a run fails if it is on record. A debounced or dropped event inserts none,
        # so its run is looked up. Else a second delivery would count as dropped, or replace a later
        # event.
        earlier = _earlier(one) if known or waits or reason or one.earlier_id else None
        if earlier is not None:
            again += _to_dispatch_again(earlier, own.trigger, one.event)
        elif waits:
            ids = (one.id, one.earlier_id)
            if dropped := debounce.postpone(own.trigger, one.event, ids, one.at, now):
                own.skipped.append((MERGED(), dropped))
        elif reason:
            own.skipped.append((reason, one.at))
            if reason.code is TOO_MANY:
                _note_limit(own)
        elif (made := _waiting_run(own, one, now)) is not None:
            new.append(made)
    for own in changes.values():
        own.write()
    TriggerExecution.objects.bulk_create(new)
    get_dispatcher().dispatch_all([*new, *again])
    return len(new)


def _earlier(one: Offer) -> TriggerExecution | None:
    """The run of an earlier delivery of the event; None if it is not on record."""
    found: TriggerExecution | None = TriggerExecution.objects.keyed(one.trigger_id, one.id).first()
    if found is None and one.earlier_id:
        found = TriggerExecution.objects.keyed(one.trigger_id, one.earlier_id).first()
    return found


def _to_dispatch_again(
    execution: TriggerExecution, trigger: Trigger, event: dict[str, Any]
) -> list[TriggerExecution]:
    """The run on record, if no process has claimed it and its dispatch may have failed."""
    if get_dispatcher().is_transactional or execution.attempt or execution.reached_agent:
        return []
    if execution.status == RunStatus.FAILED:
        record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
        now = timezone.now()
        until = now + EVENT_QUEUE_LEASE
        if isinstance(enter(trigger, execution, event, now), Reason):
            return []
        if not record.filter(status=RunStatus.FAILED, attempt=0).update(
            **REOPENED, lease_until=until, concurrency_key=execution.concurrency_key
        ):
            return []
    return [execution]


def _reason_to_drop(trigger: Trigger, one: Offer, now: datetime) -> Reason | None:
    if not trigger.enabled:
        return DISABLED()
    if pause := reason_not_to_fire(trigger, one.at, now):
        return pause
    if one.refusal:
        return one.refusal
    if not envelope.fits(one.event):
        return TOO_LARGE(size=f"{envelope.MAX_STORED_PAYLOAD:,}")
    if trigger.is_held(now):
        return BUSY()
    subscription = trigger.subscription
    most = subscription.runs_per_hour if subscription else None
    is_full = most is not None and trigger.runs_in_hour >= most
    return TOO_MANY() if is_full and _is_same_hour(trigger, now) else None


def _note_limit(changes: _Changes) -> None:
    """Note in the audit log, once an hour, that `maxRunsPerHour` drops the trigger's events."""
    trigger = changes.trigger
    subscription = trigger.subscription
    most = subscription.runs_per_hour if subscription else None
    if most is None or trigger.hour_began_at is None or trigger.runs_in_hour != most:
        return
    # A count above the limit says that the hour is noted.
    changes.set(runs_in_hour=most + 1)
    end = trigger.hour_began_at + HOUR
    audit.note(
        AuditEntry.Action.HELD_BACK,
        trigger,
        by=audit.system("events"),
        why=HELD_BACK(time=f"{end:%Y-%m-%d %H:%M}", number=most),
    )


def _is_same_hour(trigger: Trigger, now: datetime) -> bool:
    """Whether the hour in which the trigger counts its runs is not over."""
    # If that hour is yet to begin, it was written while the clock was ahead.
    began = trigger.hour_began_at
    return began is not None and began - CLOCKS_APART <= now < began + HOUR


def _waiting_run(changes: _Changes, one: Offer, now: datetime) -> TriggerExecution | None:
    """Make the record of a run that waits for a process; it holds its trigger, and counts there.

    None if the line of its concurrency key does not take it.
    """
    trigger, until = changes.trigger, now + EVENT_QUEUE_LEASE
    occurrence = Occurrence(one.id, one.user_id, trigger.pk, Source.EVENT, event=one.event)
    execution = new_record(trigger, occurrence, one.event, now, until, attempt=0)
    execution.trace_context = one.trace_context or execution.trace_context
    if isinstance(reason := enter(trigger, execution, one.event, now), Reason):
        changes.skipped.append((reason, one.at))
        return None
    if trigger.holds_itself:
        changes.set(running_since=now, running_until=until, running_process="")
    subscription = trigger.subscription
    if subscription and subscription.runs_per_hour is not None:
        if _is_same_hour(trigger, now):
            changes.set(runs_in_hour=trigger.runs_in_hour + 1)
        else:
            changes.set(hour_began_at=now, runs_in_hour=1)
    return execution
