"""What has to be done from time to time: close lost runs, remove what has expired."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from events.models import EventState, ReceivedEvent
from executions.failures import EVENTS_EXPIRED, EXECUTIONS_EXPIRED
from executions.models import PendingEvent, TriggerExecution
from executions.runner import LEASE, close_lost
from moca import audit
from moca.authentication.models import APIToken, FailedSignIns
from moca.sentences import Code
from moca.times import CLOCKS_APART
from triggers.models import IdempotencyKey, Trigger

# Rows removed in one go, so that no writer waits long.
BATCH = 500
# Rows of one kind that are mended in one go.
MOST_MENDED = 1000
# No process vouches for a run that it has begun for longer; a Lambda function comes closest to it.
LONGEST_LEASE = timedelta(minutes=20)
# Why rows go that an operator may look for.
EXPIRED: dict[type[Model], Code] = {
    TriggerExecution: EXECUTIONS_EXPIRED,
    ReceivedEvent: EVENTS_EXPIRED,
}


def tidy(now: datetime) -> None:
    """Do what is due; cheap where there is nothing.

    DynamoDB removes expired items by itself (its TTL attribute); elsewhere this does.
    """
    close_lost(now)
    remove_expired(now)


def remove_expired(now: datetime) -> None:
    """Remove the rows whose time is over, unless the database does so by itself."""
    if getattr(connection.features, "expires_rows", False):
        return
    # An event that nobody has looked at yet stays: no scheduler was running for days.
    handled = ReceivedEvent.objects.exclude(state=EventState.QUEUED)
    kinds: list[QuerySet[Any]] = [TriggerExecution.objects.all(), IdempotencyKey.objects.all()]
    kinds += [handled, APIToken.objects.all(), FailedSignIns.objects.all()]
    for rows in kinds:
        expired = rows.filter(ttl__lt=int(now.timestamp())).values_list("pk", flat=True)
        while ids := list(expired[:BATCH]):
            with transaction.atomic():
                rows.filter(pk__in=ids).delete()
                if why := EXPIRED.get(rows.model):
                    audit.note_expired(rows.model, len(ids), why=why())


def end_far_leases(now: datetime) -> None:
    """Shorten the leases that were given while the clock was ahead; a live process renews its own.

    The trigger would be held, and the run be shown as running, until the wrong time comes.
    """
    far = TriggerExecution.objects.running().filter(lease_until__gt=now + LONGEST_LEASE)
    until = now + LEASE
    for execution in list(far.order_by("lease_until")[:MOST_MENDED]):
        if not execution.attempt:
            # It waits for a process, which may take a day.
            continue
        record = TriggerExecution.objects.filter(
            trigger_id=execution.trigger_id, pk=execution.pk, lease_until=execution.lease_until
        )
        record.update(lease_until=until)
        held = Trigger.objects.filter(user_id=execution.user_id, pk=execution.trigger_id)
        held.filter(running_since=execution.started_at).update(running_until=until)


def end_far_pauses(now: datetime) -> None:
    """Let events go on soon whose pause was begun while the clock was ahead."""
    far = PendingEvent.objects.filter(due_at__gt=now + CLOCKS_APART).order_by("due_at")
    pending = {row.pk: row for row in list(far[:MOST_MENDED])}
    keys = {(row.user_id, row.pk) for row in pending.values()}
    for trigger in Trigger.objects.named(keys) if keys else ():
        row, subscription = pending[trigger.pk], trigger.subscription
        pause = subscription.debounce if subscription else timedelta(0)
        if row.due_at > now + pause + CLOCKS_APART:
            same = PendingEvent.objects.filter(pk=row.pk, events=row.events)
            same.update(due_at=now + pause)
