"""Runs that events ask for: put on record for each trigger that takes the event, or held back.

Whoever finds that triggers take an event offers it to them. An offer becomes a run on record that
another process begins, or waits for the events to pause (`debounceSeconds`), or is dropped and
counted (`maxRunsPerHour`, overlaps). The id of the run follows from the event and the trigger, so
that an event that is delivered twice runs once.
"""

import hashlib
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
from executions.runner.claim import Occurrence, new_record
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.ids import uuid7
from moca.retry import retry
from moca.sentences import Reason
from moca.times import CLOCKS_APART
from triggers.models import OverlapPolicy, RunStatus, Trigger

logger = logging.getLogger(__name__)

# How long a run that an event asked for may wait for a process to begin it.
QUEUE_LEASE = timedelta(days=1)
HOUR = timedelta(hours=1)
# A run begins at the latest after so many times the pause that it waits for.
LONGEST_PAUSES = 10
# Events whose pause is over that are looked at in one turn, and when one that cannot be run is
# looked at again.
MOST_SETTLED = 100
BROKEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """An event for a trigger.

    Attributes:
        id: the id of the execution that runs it.
        user_id: whose trigger it is.
        at: when the event came in.
        event: the EventBridge envelope.
        earlier_id: what its id may have been at an earlier delivery; empty where that was the same.
        refusal: why the trigger drops the event, whatever else; None if it may take it.
    """

    id: str
    user_id: str
    trigger_id: str
    at: datetime
    event: dict[str, Any]
    earlier_id: str = ""
    refusal: Reason | None = None

    @classmethod
    def of(
        cls,
        trigger: Trigger,
        event: dict[str, Any],
        event_id: str,
        at: datetime,
        earlier_at: datetime | None = None,
        refusal: Reason | None = None,
    ) -> "Offer":
        """The offer of an event to a trigger.

        Args:
            trigger: the trigger.
            event: the EventBridge envelope.
            event_id: by which the event is known, the same for each delivery.
            at: when it came in, the same for each delivery.
            earlier_at: what that may have been at an earlier delivery.
            refusal: why the trigger drops the event.
        """
        digest = hashlib.sha256(f"{trigger.pk} {event_id}".encode()).digest()[:10]
        key, earlier = (
            uuid7(round(moment.timestamp() * 1000), digest) if moment else ""
            for moment in (at, earlier_at)
        )
        return cls(key, trigger.user_id, trigger.pk, at, event, earlier, refusal)


@dataclass(slots=True)
class _Desk:
    """What offers do to one trigger, gathered so that it is written once."""

    trigger: Trigger
    changes: dict[str, Any] = field(default_factory=dict)
    skipped: list[tuple[Reason, datetime]] = field(default_factory=list)

    def note(self, reason: Reason, at: datetime) -> None:
        self.skipped.append((reason, at))

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            self.changes.setdefault(name, getattr(self.trigger, name))
            setattr(self.trigger, name, value)

    def write(self) -> None:
        """Write what has changed, where nobody else has; ConflictError else."""
        trigger = self.trigger
        if self.changes:
            row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk, **self.changes)
            if not row.update(**{name: getattr(trigger, name) for name in self.changes}):
                raise ConflictError("the trigger has changed meanwhile")
        if self.skipped:
            reason, at = self.skipped[-1]
            trigger.note_skip(reason, at, len(self.skipped))


def offer(offers: Sequence[Offer], claim: Callable[[], None] | None = None) -> int:
    """Put the runs of events on record, and hand them to the processes that run them.

    Args:
        offers: events for triggers.
        claim: called first, in the same transaction; ConflictError where another process has the
            events.

    Returns:
        How many runs are on record now that were not before.

    Raises:
        ConflictError: others keep writing the same rows, or have claimed the events.
        DispatchError: a run could not be handed on; offer the event again.
    """

    def once(*, known: bool) -> int:
        with transaction.atomic():
            if claim:
                claim()
            return _offer(offers, known=known)

    overtaken = (IntegrityError, ConflictError)
    try:
        # That all are new is taken for granted at first, which saves a look at each.
        return once(known=False)
    except overtaken:
        return retry(partial(once, known=True), on=overtaken)


def end_debounce(user_id: str, trigger_id: str, now: datetime) -> datetime | None:
    """Run the event that a trigger's pause has left over, if the pause is over.

    Args:
        user_id: whose trigger it is.
        trigger_id: the trigger's id.
        now: the present.

    Returns:
        When to look again; None where nothing waits any more.

    Raises:
        ConflictError: another event came, or another process has this one.
    """
    with transaction.atomic():
        pending = PendingEvent.objects.filter(pk=trigger_id).first()
        if pending is None or pending.due_at > now:
            return pending.due_at if pending else None
        gone = PendingEvent.objects.filter(pk=trigger_id, events=pending.events)
        if not gone.delete()[0]:
            raise ConflictError("another process has the event")
        event = json.loads(pending.envelope)
        made = Offer(pending.execution_id, user_id, trigger_id, pending.last_at, event)
        _offer([made], known=True, paused=True)
    return None


def end_due_debounces(now: datetime) -> None:
    """Run the events whose pause is over; what goes wrong with one stops no other.

    Raises:
        OperationalError: the database failed.
    """
    for pending in list(PendingEvent.objects.due(now)[:MOST_SETTLED]):
        ids = {"triggerId": pending.trigger_id}
        try:
            end_debounce(pending.user_id, pending.trigger_id, now)
        except ConflictError:
            logger.info("Another process has the event", extra=ids)
        except OperationalError:
            raise
        except Exception:
            logger.exception("An event that waited could not be run", extra=ids)
            row = PendingEvent.objects.filter(pk=pending.pk, events=pending.events)
            row.update(due_at=now + BROKEN)


def _offer(offers: Sequence[Offer], *, known: bool, paused: bool = False) -> int:
    """Make offers in the transaction that is under way.

    Args:
        offers: the offers.
        known: whether runs may be on record already: each is looked for then.
        paused: whether the pause of `debounceSeconds` is over.
    """
    now = timezone.now()
    triggers = Trigger.objects.named({(one.user_id, one.trigger_id) for one in offers})
    desks = {trigger.pk: _Desk(trigger) for trigger in triggers}
    new: list[TriggerExecution] = []
    again: list[TriggerExecution] = []
    for one in offers:
        desk = desks.get(one.trigger_id)
        if desk is None:
            continue
        waits = not paused and not one.refusal and _waits_for_pause(desk.trigger)
        reason = None if waits else _refusal(desk.trigger, one, now)
        # A run that begins meets the one on record when it is put there; what is held back would
        # not, and be counted as dropped or take the place of a later event.
        earlier = _earlier(one) if known or waits or reason or one.earlier_id else None
        if earlier is not None:
            again += _to_be_handed_on_again(earlier)
        elif waits:
            _let_wait(desk, one, now)
        elif reason:
            desk.note(reason, one.at)
            if reason.code is TOO_MANY:
                _note_limit(desk)
        else:
            new.append(_accept(desk, one, now))
    for desk in desks.values():
        desk.write()
    TriggerExecution.objects.bulk_create(new)
    get_dispatcher().dispatch_all([*new, *again])
    return len(new)


def _earlier(one: Offer) -> TriggerExecution | None:
    rows = TriggerExecution.objects.filter(trigger_id=one.trigger_id)
    found: TriggerExecution | None = rows.filter(pk=one.id).first()
    if found is None and one.earlier_id:
        found = rows.filter(pk=one.earlier_id).first()
    return found


def _to_be_handed_on_again(execution: TriggerExecution) -> list[TriggerExecution]:
    """The run on record, where no process has begun it and it may not have been handed on."""
    if get_dispatcher().is_transactional or execution.attempt or execution.reached_agent:
        return []
    if execution.status == RunStatus.FAILED:
        record = TriggerExecution.objects.filter(trigger_id=execution.trigger_id, pk=execution.pk)
        until = timezone.now() + QUEUE_LEASE
        reopened: dict[str, Any] = {"status": RunStatus.RUNNING, "lease_until": until}
        reopened |= reasons.columns("error", "")
        reopened |= {"completed_at": None, "duration_ms": None}
        if not record.filter(status=RunStatus.FAILED, attempt=0).update(**reopened):
            return []
    return [execution]


def _refusal(trigger: Trigger, one: Offer, now: datetime) -> Reason | None:
    if not trigger.enabled:
        return DISABLED()
    if one.refusal:
        return one.refusal
    if not envelope.fits(one.event):
        return TOO_LARGE(size=f"{envelope.MAX_STORED_PAYLOAD:,}")
    if trigger.is_held(now):
        return BUSY()
    subscription = trigger.subscription
    most = subscription.runs_per_hour if subscription else None
    is_full = most is not None and trigger.runs_in_hour >= most
    return TOO_MANY() if is_full and _hour_goes_on(trigger, now) else None


def _note_limit(desk: _Desk) -> None:
    """Put on record, once an hour, that the trigger's limit holds its events back."""
    trigger = desk.trigger
    subscription = trigger.subscription
    most = subscription.runs_per_hour if subscription else None
    if most is None or trigger.hour_began_at is None or trigger.runs_in_hour != most:
        return
    # One more than there were marks the hour as noted.
    desk.set(runs_in_hour=most + 1)
    end = trigger.hour_began_at + HOUR
    audit.note(
        AuditEntry.Action.HELD_BACK,
        trigger,
        by=audit.system("events"),
        why=HELD_BACK(time=f"{end:%Y-%m-%d %H:%M}", number=most),
    )


def _hour_goes_on(trigger: Trigger, now: datetime) -> bool:
    # An hour that has yet to begin was written while the clock was ahead.
    began = trigger.hour_began_at
    return began is not None and began - CLOCKS_APART <= now < began + HOUR


def _accept(desk: _Desk, one: Offer, now: datetime) -> TriggerExecution:
    trigger = desk.trigger
    occurrence = Occurrence(one.id, one.user_id, trigger.pk, Source.EVENT, event=one.event)
    execution = new_record(trigger, occurrence, one.event, now, now + QUEUE_LEASE)
    execution.attempt = 0
    if trigger.overlap_policy == OverlapPolicy.SKIP:
        desk.set(running_since=now, running_until=now + QUEUE_LEASE)
    subscription = trigger.subscription
    if subscription and subscription.runs_per_hour is not None:
        if _hour_goes_on(trigger, now):
            desk.set(runs_in_hour=trigger.runs_in_hour + 1)
        else:
            desk.set(hour_began_at=now, runs_in_hour=1)
    return execution


def _waits_for_pause(trigger: Trigger) -> bool:
    subscription = trigger.subscription
    return trigger.enabled and subscription is not None and bool(subscription.debounce)


def _let_wait(desk: _Desk, one: Offer, now: datetime) -> None:
    """Keep the event until no further one has come for a while; only the latest is kept."""
    subscription = desk.trigger.subscription
    pause = subscription.debounce if subscription else timedelta()
    pending = PendingEvent.objects.filter(pk=one.trigger_id).first()
    latest: dict[str, Any] = {
        "execution_id": one.id,
        "envelope": json.dumps(one.event, ensure_ascii=False),
        "last_at": one.at,
    }
    if pending is None:
        due = now + pause
        PendingEvent.objects.create(
            trigger_id=one.trigger_id, user_id=one.user_id, first_at=now, due_at=due, **latest
        )
        get_dispatcher().wake(one.user_id, one.trigger_id, due)
    elif pending.execution_id not in (one.id, one.earlier_id):
        due = max(pending.due_at, min(now + pause, pending.first_at + LONGEST_PAUSES * pause))
        # Buses keep no order, and bring some events late or a second time.
        kept = latest if one.at >= pending.last_at else {}
        row = PendingEvent.objects.filter(pk=one.trigger_id, events=pending.events)
        if not row.update(due_at=due, events=pending.events + 1, **kept):
            raise ConflictError("another event came at the same moment")
        desk.note(MERGED(), min(one.at, pending.last_at))
