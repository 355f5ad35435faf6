"""Regular maintenance, for the scheduler process and the reconciler.

It closes lost runs, ends runs that nobody answered, removes expired rows, and corrects times that
were written while the clock was ahead.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from alerts.models import Delivery, DeliveryState, Happened, HappenedState
from events.models import EventState, ReceivedEvent, SeenMessage
from executions.backfill.model import Backfill
from executions.failures import (
    DEBOUNCE_CORRECTED,
    EVENTS_EXPIRED,
    EXECUTIONS_EXPIRED,
    LEASE_CORRECTED,
    TOKENS_EXPIRED,
)
from executions.models import (
    CancelRequest,
    Line,
    MeasuredProcess,
    OutputPiece,
    PendingEvent,
    TriggerExecution,
)
from executions.runner import LEASE, close_lost, end_unanswered, lines
from executions.runner.execute import LAMBDA_SECONDS
from executions.runner.holds import extend_hold
from moca import audit
from moca.authentication.models import APIKey, APIToken, AuditEntry, FailedSignIns
from moca.sentences import Code, Reason
from moca.times import CLOCKS_APART
from triggers import pauses
from triggers.models import IdempotencyKey, Process, Spending, Trigger

# How many rows one transaction removes, so that no other writer waits long.
REMOVED_AT_ONCE = 500
# How many rows of one kind one call corrects.
MOST_CORRECTED = 1000
# No running process gives a longer lease. The longest one is that of a Lambda function: its
# time-out and half a minute.
LONGEST_LEASE = timedelta(seconds=LAMBDA_SECONDS, minutes=5)
# Why rows are gone that an operator may look for.
EXPIRED: dict[type[Model], Code] = {
    TriggerExecution: EXECUTIONS_EXPIRED,
    ReceivedEvent: EVENTS_EXPIRED,
    APIToken: TOKENS_EXPIRED,
    APIKey: TOKENS_EXPIRED,
}


def tidy(now: datetime) -> None:
    """Close lost runs, end unanswered ones and pauses that are over, and remove expired rows.

    Raises:
        OperationalError: the database is away.
    """
    close_lost(now)
    lines.repair(now)
    end_unanswered(now)
    remove_expired(now)
    pauses.end_due(now)


def remove_expired(now: datetime) -> None:
    """Remove expired rows, unless the database does so itself, as DynamoDB does by its TTL."""
    if getattr(connection.features, "expires_rows", False):
        return
    # A queued event stays, even if no scheduler has run for days.
    handled = ReceivedEvent.objects.exclude(state=EventState.QUEUED)
    kinds: list[QuerySet[Any]] = [TriggerExecution.objects.all(), IdempotencyKey.objects.all()]
    kinds += [handled, APIToken.objects.all(), FailedSignIns.objects.all()]
    kinds += [APIKey.objects.all()]
    kinds += [CancelRequest.objects.all(), Process.objects.all(), Spending.objects.all()]
    kinds += [OutputPiece.objects.all(), MeasuredProcess.objects.all(), Line.objects.all()]
    kinds += [SeenMessage.objects.all()]
    kinds += [Happened.objects.exclude(state=HappenedState.WAITING)]
    kinds += [Delivery.objects.exclude(state=DeliveryState.WAITING)]
    kinds += [Backfill.objects.all()]
    for rows in kinds:
        expired = rows.filter(ttl__lt=int(now.timestamp())).values_list("pk", flat=True)
        while ids := list(expired[:REMOVED_AT_ONCE]):
            with transaction.atomic():
                rows.filter(pk__in=ids).delete()
                if why := EXPIRED.get(rows.model):
                    audit.note_expired(rows.model, len(ids), why=why())


def end_far_leases(now: datetime) -> None:
    """Shorten leases that were given while the clock was ahead.

    Otherwise a lost run would count as running, and hold its trigger, until the wrong time comes. A
    process that is alive renews its leases.
    """
    until = now + LEASE
    for process in Process.objects.schedulers():
        if process.has_lease(until + CLOCKS_APART):
            row = Process.objects.filter(pk=process.pk, lease_until=process.lease_until)
            row.update(lease_until=until)
    far = TriggerExecution.objects.running().filter(lease_until__gt=now + LONGEST_LEASE)
    # A run of a process is judged by the lease of the process.
    far = far.filter(process_id="")
    for execution in list(far.order_by("lease_until")[:MOST_CORRECTED]):
        if not execution.attempt:
            # The run waits for a process, for a day at the most.
            continue
        record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
        if record.filter(lease_until=execution.lease_until).update(lease_until=until):
            extend_hold(execution, until)
            why = LEASE_CORRECTED(until=f"{execution.lease_until:%Y-%m-%d %H:%M}")
            changes = {"execution": ["", execution.pk]}
            _note(execution.find_trigger() or execution, why, changes)


def end_far_debounces(now: datetime) -> None:
    """Shorten debounces that began while the clock was ahead."""
    far = PendingEvent.objects.filter(due_at__gt=now + CLOCKS_APART).order_by("due_at")
    pending = {row.pk: row for row in list(far[:MOST_CORRECTED])}
    keys = {(row.user_id, row.pk) for row in pending.values()}
    for trigger in Trigger.objects.named(keys) if keys else ():
        row, subscription = pending[trigger.pk], trigger.subscription
        pause = subscription.debounce if subscription else timedelta(0)
        if row.due_at > now + pause + CLOCKS_APART:
            same = PendingEvent.objects.filter(pk=row.pk, events=row.events)
            if same.update(due_at=now + pause):
                _note(trigger, DEBOUNCE_CORRECTED(until=f"{row.due_at:%Y-%m-%d %H:%M}"))


def _note(instance: Model, why: Reason, changes: dict[str, Any] | None = None) -> None:
    """Write the audit entry of a correction."""
    action = AuditEntry.Action.REPAIRED
    audit.note(action, instance, by=audit.system("housekeeping"), why=why, changes=changes)
