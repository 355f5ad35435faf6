"""The event that starts a run, as an EventBridge envelope.

The shape is the one of EventBridge events ("AWS service event metadata" in its User Guide), which
agents know already.
"""

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from executions.models import Source
from moca.times import iso
from triggers.models import Trigger

TYPES = {
    Source.SCHEDULE: "Scheduled Event",
    Source.EVENT: "Event",
    Source.MANUAL: "Manual Run",
    Source.REPLAY: "Replayed Run",
}
# In bytes: a record must stay under DynamoDB's 400 KB, output and all.
MAX_STORED_PAYLOAD = 200_000


def build(trigger: Trigger, source: Source, event_id: str, at: datetime) -> dict[str, Any]:
    """The event of a run that our own scheduler or an operator starts.

    Args:
        trigger: the trigger that fires.
        source: what starts it.
        event_id: the execution's id.
        at: when it was due, or asked for.
    """
    return {
        "version": "0",
        "id": event_id,
        "detail-type": TYPES[source],
        "source": "moca.triggers",
        "account": "",
        "time": iso(at),
        "region": settings.AWS_REGION,
        "resources": [f"trigger-{trigger.pk}"],
        "detail": {
            "triggerId": trigger.pk,
            "userId": trigger.user_id,
            "agentId": trigger.agent_id,
        },
    }


def serialize(event: dict[str, Any]) -> str:
    """The event as the JSON text that the record keeps, cut where it is very long."""
    text = json.dumps(event, ensure_ascii=False)
    return text.encode()[:MAX_STORED_PAYLOAD].decode(errors="ignore")


def fits(event: dict[str, Any]) -> bool:
    """Whether the record keeps the whole event, so that a run can begin from it."""
    return len(json.dumps(event, ensure_ascii=False).encode()) <= MAX_STORED_PAYLOAD


def deserialize(payload: str) -> dict[str, Any] | None:
    """The event of a record; None where there is none or it was cut."""
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
