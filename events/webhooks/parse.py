"""Converts request bodies of webhooks to EventBridge envelopes, the one form of events here.

Accepts EventBridge envelopes ("Events in Amazon EventBridge", structure), CloudEvents 1.0, and the
bodies of all senders and other webhooks, which become an envelope's `detail`.

Each event gets a key, by which it is deduplicated. The key depends on the signed parts only, the
body and `webhook-id`: if it used other headers, anybody could replay a message as another event.
GitHub and others sign no id; `events.deliveries` deduplicates their events.
"""

from datetime import datetime
from typing import Any

from events import provenance
from events.kinds import SourceKind
from events.schemes.base import FORM, HEADER, Message
from events.senders import Sender
from events.webhooks import cloudevents
from events.webhooks.content_types import (
    JSON,
    OF_GENERAL,
    OF_KINDS,
    OF_PROVIDERS,
    OF_WEBHOOKS,
    check,
)
from events.webhooks.errors import EnvelopeError
from events.webhooks.fields import (
    MAX_TYPE,
    IncomingEvent,
    check_resource,
    check_source,
    make_event,
    optional_time,
    parse_form,
    parse_json,
    required_text,
    unix_time,
)
from events.webhooks.providers import parse_plain, parse_provider


def parse(sender: Sender, source_id: str, message: Message, now: datetime) -> list[IncomingEvent]:
    """Parse the events of a message.

    Args:
        sender: the source's sender.
        source_id: the source's id.
        message: the message, whose signature is verified.
        now: the present: the time of events that have none.

    Raises:
        ContentTypeError: the source does not accept this type.
        EnvelopeError: the body is no event.
    """
    if sender.kind == SourceKind.WEBHOOK:
        found = _webhook(source_id, message, now)
    elif sender.is_described:
        found = _described(sender, message, now)
    else:
        check(message.media_type, OF_KINDS.get(sender.kind, OF_PROVIDERS))
        found = parse_provider(sender, message, now)
    for sent in found:
        provenance.tag_source(sent.envelope, source_id)
    return found


def sample(sender: Sender, key: str, name: str, body: bytes) -> Message:
    """A message as a sender would send it, without a signature, for what people try.

    Args:
        sender: the sender.
        key: the message's id, for senders that put it in a header.
        name: the event's name, for senders that put it in a header.
        body: its body.
    """
    headers = {"webhook-id": key}
    for places, text in ((sender.id_from, key), (sender.type_from, name)):
        names = (place.removeprefix(HEADER) for place in places if place.startswith(HEADER))
        headers |= dict.fromkeys(names, text)
    return Message(headers, body, JSON)


def _described(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """Events of a sender that the source describes: a CloudEvent, or what its options say."""
    media_type = message.media_type
    check(media_type, OF_GENERAL)
    document = parse_form(message) if media_type == FORM else parse_json(message.body)
    if media_type == cloudevents.BATCHED or cloudevents.is_batch(document):
        return cloudevents.batch(document, now)
    if media_type == cloudevents.STRUCTURED or cloudevents.is_event(document):
        return [cloudevents.structured(document, now)]
    return [parse_plain(sender, message, document, now)]


def _webhook(source_id: str, message: Message, now: datetime) -> list[IncomingEvent]:
    media_type, headers, body = message.media_type, message.headers, message.body
    key = headers["webhook-id"]
    is_binary = cloudevents.is_binary(media_type, headers)
    if not is_binary:
        check(media_type, OF_WEBHOOKS)
    document = cloudevents.data_of(body, media_type) if is_binary else parse_json(body)
    if media_type == cloudevents.BATCHED or cloudevents.is_batch(document):
        return cloudevents.batch(document, now)
    if media_type == cloudevents.STRUCTURED or cloudevents.is_event(document):
        return [cloudevents.structured(document, now)]
    if is_binary:
        return [cloudevents.binary(key, media_type, headers, document, now)]
    return [_plain(key, document, source_id, now)]


def _plain(key: str, document: Any, source_id: str, now: datetime) -> IncomingEvent:
    """An EventBridge envelope, or a body of no known form."""
    if isinstance(document, dict) and {"source", "detail-type", "detail"} <= document.keys():
        return _of_eventbridge(key, document, now)
    kind = document.get("type") if isinstance(document, dict) else None
    name = kind if isinstance(kind, str) and kind else "Webhook"
    # Standard Webhooks, payload structure: `timestamp` is the time of the event.
    said = document.get("timestamp") if isinstance(document, dict) else None
    time = unix_time(said.upper(), now) if isinstance(said, str) else now
    return make_event(key, f"webhook.{source_id}", name, time, document)


def _of_eventbridge(key: str, document: dict[str, Any], now: datetime) -> IncomingEvent:
    source, kind = (
        required_text(document, "source"),
        required_text(document, "detail-type", most=MAX_TYPE),
    )
    check_source(source, "source")
    detail = document["detail"]
    if not isinstance(detail, dict):
        raise EnvelopeError("detail", "Give an object.")
    resources = document.get("resources") or []
    if not isinstance(resources, list):
        raise EnvelopeError("resources", "Give a list of texts.")
    for text in resources:
        check_resource(text, "resources")
    sent = make_event(
        key, source, kind, optional_time(document, "time", "", now), detail, resources
    )
    if document.get("id") is not None:
        sent.envelope["id"] = required_text(document, "id")
    return sent
