"""Debounce the events of a trigger: keep the latest until no further one has come for a while.

A trigger asks for this by `debounceSeconds`. `enqueue` calls these functions in its transactions.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from executions.dispatchers import get_dispatcher
from executions.models import PendingEvent
from moca.concurrency import ConflictError
from triggers.models import Trigger

# A debounce ends at the latest after so many times `debounceSeconds`.
LONGEST = 10


def debounces(trigger: Trigger, now: datetime) -> bool:
    """Whether a trigger, which has to be enabled and not paused, debounces its events."""
    subscription = trigger.subscription
    return trigger.fires(now) and subscription is not None and bool(subscription.debounce)


def postpone(
    trigger: Trigger,
    event: dict[str, Any],
    execution_ids: tuple[str, str],
    at: datetime,
    now: datetime,
) -> datetime | None:
    """Keep an event until its trigger's debounce is over, and begin one if none is under way.

    Args:
        trigger: the trigger.
        event: the EventBridge envelope.
        execution_ids: the id of the event's execution, and the one of an earlier delivery, if any.
        at: when the event came in.
        now: the present.

    Returns:
        When the event came in that is dropped for the other; None if none is dropped.

    Raises:
        ConflictError: another process has written the row.
        DispatchError: nobody can be scheduled to end the debounce.
    """
    subscription = trigger.subscription
    pause = subscription.debounce if subscription else timedelta()
    pending = PendingEvent.objects.filter(pk=trigger.pk).first()
    latest: dict[str, Any] = {
        "execution_id": execution_ids[0],
        "envelope": json.dumps(event, ensure_ascii=False),
        "last_at": at,
    }
    if pending is None:
        due = now + pause
        PendingEvent.objects.create(
            trigger_id=trigger.pk, user_id=trigger.user_id, first_at=now, due_at=due, **latest
        )
        get_dispatcher().wake(trigger.user_id, trigger.pk, due)
        return None
    if pending.execution_id in execution_ids:
        return None
    due = max(pending.due_at, min(now + pause, pending.first_at + LONGEST * pause))
    # Buses keep no order: an event may come late, or twice.
    kept = latest if at >= pending.last_at else {}
    row = PendingEvent.objects.filter(pk=trigger.pk, events=pending.events)
    if not row.update(due_at=due, events=pending.events + 1, **kept):
        raise ConflictError("another event came at the same moment")
    dropped: datetime = min(at, pending.last_at)
    return dropped


def remove(pending: PendingEvent) -> None:
    """Remove the event of a debounce that is over.

    Raises:
        ConflictError: another process has removed it, or a further event came.
    """
    row = PendingEvent.objects.filter(pk=pending.pk, events=pending.events)
    if not row.delete()[0]:
        raise ConflictError("another process has the event")


def delay(pending: PendingEvent, due: datetime) -> None:
    """Have the debounce of an event that cannot be run end later, unless a further event came."""
    PendingEvent.objects.filter(pk=pending.pk, events=pending.events).update(due_at=due)
