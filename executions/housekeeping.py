"""What has to be done from time to time: close lost runs, remove what has expired."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from events.models import EventState, ReceivedEvent
from executions.models import TriggerExecution
from executions.runner import close_lost
from moca import audit
from moca.authentication.models import APIToken, FailedSignIns
from triggers.models import IdempotencyKey

# Rows removed in one go, so that no writer waits long.
BATCH = 500
# Why rows go that an operator may look for.
EXPIRED: dict[type[Model], str] = {
    TriggerExecution: "Their time was over: EXECUTION_TTL_DAYS after their start.",
    ReceivedEvent: "Their time was over: seven days after they came.",
}


def tidy(now: datetime) -> None:
    """Do what is due; cheap where there is nothing.

    DynamoDB removes expired items by itself (its TTL attribute); elsewhere this does.
    """
    close_lost(now)
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
                    audit.note_expired(rows.model, len(ids), why=why)
