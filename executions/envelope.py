"""The EventBridge envelope of the event that starts a run, for the runner and the pages.

Agents know its shape: "AWS service event metadata" in the EventBridge User Guide,
https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
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
    Source.ANSWER: "Answered Run",
    # The agent gets the event that it would have got in time.
    Source.BACKFILL: "Scheduled Event",
    Source.FIRE: "Fired",
}
# In bytes. A record, with its output, has to stay below the 400 KB of a DynamoDB item.
MAX_STORED_PAYLOAD = 200_000


def build(trigger: Trigger, source: Source, event_id: str, at: datetime) -> dict[str, Any]:
    """Make the envelope of a run that a schedule or a person starts.

    Args:
        trigger: the trigger that fires.
        source: what starts the run.
        event_id: the execution's id.
        at: when the run was due or, if it is a manual one, asked for.
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
    """The event as the JSON text that its record keeps; cut after `MAX_STORED_PAYLOAD` bytes."""
    text = json.dumps(event, ensure_ascii=False)
    return text.encode()[:MAX_STORED_PAYLOAD].decode(errors="ignore")


def fits(event: dict[str, Any]) -> bool:
    """Whether a record keeps the whole event, which a queued run needs."""
    return len(json.dumps(event, ensure_ascii=False).encode()) <= MAX_STORED_PAYLOAD


def deserialize(payload: str) -> dict[str, Any] | None:
    """The event of a record; None if it has none, or its text was cut."""
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
