"""Describes the routes of event sources in the API's OpenAPI document."""

from events.api import shapes
from events.api.views import EventsView
from moca.api.errors import APIError
from moca.api.json_schema import text
from moca.api.openapi import (
    INTERNAL,
    REQUEST_ID,
    TIMESTAMP,
    Body,
    Fault,
    describe,
    in_header,
    in_query,
    invalid_parameter,
    metadata,
)

EVENTS = "Events"
_SOURCE = {
    "id": "orders",
    "name": "Orders",
    "description": "What the shop tells of its orders.",
    "eventPattern": {"source": ["my.shop"]},
}

describe(
    EventsView,
    "GET",
    "listEventSources",
    "Those that the settings list, and those that operators have added.",
    tag=EVENTS,
    answers=Body(shapes.SOURCES, {"eventSources": [_SOURCE], "metadata": metadata(count=1)}),
)
describe(
    EventsView,
    "POST",
    "receiveEvents",
    "Signed with a secret of the source in place of a token: as Standard Webhooks say, in the "
    "headers below, or as the source's sender signs, such as GitHub or Shopify. Some senders get "
    "an answer in a form of their own. A `webhook-id` that comes again is known and runs nothing "
    "twice, and so is a CloudEvent by its `source` and `id`. CloudEvents "
    "may come as `application/cloudevents+json`, as `application/cloudevents-batch+json`, as "
    "`application/json`, or with `ce-` headers. All events of a message are taken, or none.",
    tag=EVENTS,
    parameters=[
        in_query("source", text(), "The `id` of the event source."),
        in_header(
            "webhook-id", text(), "The sender's id of the message, in ASCII and without dots."
        ),
        in_header("webhook-timestamp", text(), "When it was signed: Unix time in seconds."),
        in_header(
            "webhook-signature",
            text(examples=["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="]),
            "Base64 of the HMAC-SHA256 of `id.timestamp.body`, after `v1,`.",
        ),
    ],
    takes=Body(shapes.EVENT, {"type": "order.paid", "order": {"id": 4711, "total": 12.5}}),
    answers=Body(
        shapes.RECEIVED,
        {
            "events": [{"id": "9f86d081884c7d65", "duplicate": False}],
            "metadata": {"requestId": REQUEST_ID, "timestamp": TIMESTAMP, "count": 1},
        },
    ),
    faults=[
        invalid_parameter("source", "Name the event source: POST /events?source=ID."),
        Fault(
            "It is not signed with a secret of the source, or too old, or there is no such source "
            "that takes events.",
            APIError(
                401,
                "The header webhook-signature is missing: sign the message.",
                code="INVALID_SIGNATURE",
            ),
        ),
        INTERNAL,
        Fault(
            "The event could not go on, or the source's secrets cannot be read; `Retry-After` says "
            "when to send it again.",
            APIError(503, "The event could not be taken on: send it again in a moment."),
        ),
    ],
    is_open=True,
)
