"""The JSON shapes of event sources and received events in the API's OpenAPI document."""

from events.serializers import EventSourceSerializer
from moca.api.json_schema import (
    answer,
    boolean,
    component,
    each,
    moment,
    number,
    record,
    text,
    uuid,
)

_SOURCE = EventSourceSerializer.answer_shape()
SOURCES = answer(
    "EventSourceList",
    "All event sources.",
    {"eventSources": each(_SOURCE)},
    metadata={"count": number("How many there are.")},
)
EVENT = component(
    "Event",
    {
        "type": "object",
        "description": "An EventBridge envelope, a CloudEvent, or any other JSON.",
    },
)
_RECEIPT = component(
    "EventReceipt",
    record(
        "An event that was taken in.",
        {
            "id": text("By which it is known here."),
            "duplicate": boolean("Whether it had come before, so that nothing was done."),
        },
    ),
)
# Without a user, because senders do not sign in.
_ABOUT = record(
    "About the request, and the answer: count.",
    {"requestId": uuid(), "timestamp": moment()},
    {"count": number("How many events they are.")},
)
RECEIVED = component(
    "EventReceipts",
    record(
        "The events are on record, and go on to all triggers that listen.",
        {"metadata": component("EventReceiptsMetadata", _ABOUT)},
        {
            "events": each(_RECEIPT, "In the order in which they were sent."),
            "challenge": text("What Slack reads back when it is told this address."),
        },
    ),
)
