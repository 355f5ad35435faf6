"""What has to be done from time to time: close lost runs, remove what has expired."""

from datetime import datetime

from django.db import connection

from events.models import EventState, ReceivedEvent
from executions.models import TriggerExecution
from executions.runner import close_lost
from triggers.models import IdempotencyKey

# Rows removed in one go, so that no writer waits long.
BATCH = 500


def tidy(now: datetime) -> None:
    """Do what is due; cheap where there is nothing.

    DynamoDB removes expired items by itself (its TTL attribute); elsewhere this does.
    """
    close_lost(now)
    if getattr(connection.features, "expires_rows", False):
        return
    # An event that nobody has looked at yet stays: no scheduler was running for days.
    handled = ReceivedEvent.objects.exclude(state=EventState.QUEUED)
    for rows in (TriggerExecution.objects.all(), IdempotencyKey.objects.all(), handled):
        expired = rows.filter(ttl__lt=int(now.timestamp())).values_list("pk", flat=True)
        while ids := list(expired[:BATCH]):
            rows.filter(pk__in=ids).delete()
