"""Parses webhooks of the senders that `events.senders` has; the body becomes the event's `detail`.

Their signatures are verified in `events.signatures`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from events.kinds import SourceKind
from events.schemes.base import BODY, FORM, HEADER, Message, SignatureError, text_in
from events.schemes.hmac import HmacScheme
from events.schemes.token import TokenScheme
from events.schemes.twilio import TwilioScheme, signed_fields
from events.senders import Sender
from events.webhooks import cloudevents
from events.webhooks.errors import EnvelopeError
from events.webhooks.fields import (
    MAX_NAME,
    MAX_TYPE,
    IncomingEvent,
    make_event,
    optional_text,
    optional_time,
    parse_form,
    parse_json,
    require_object,
    required_text,
    sender_time,
    unix_time,
)
from moca.ids import new_id

# The fields with the types of Twilio's events, each with what comes before it in `detail-type`.
TWILIO_TYPES = {
    "EventType": "",
    "MessageStatus": "message.",
    "SmsStatus": "message.",
    "CallStatus": "call.",
}
# The types of Discord's interactions ("Receiving and Responding to Interactions").
INTERACTIONS = {2: "application_command", 3: "message_component", 5: "modal_submit"}

Parser = Callable[[Sender, Message, datetime], list[IncomingEvent]]


def parse_plain(sender: Sender, message: Message, document: Any, now: datetime) -> IncomingEvent:
    """Parse an event whose type, id and time are where the sender's entry says."""
    found = (_value(place, message, document) for place in sender.type_from)
    kind = next((text for text in found if text), sender.type_default)
    about = optional_text(_value(sender.resource_from, message, document))
    time = sender_time(_value(sender.time_from, message, document), now)
    key, unsigned_id = identify(sender, message, document)
    sent = make_event(key, sender.name, kind, time, document, [about] if about else [])
    sent.envelope["id"] = unsigned_id or sent.envelope["id"]
    return replace(sent, unsigned_id=unsigned_id)


def _value(place: str, message: Message, document: Any) -> str:
    """The text at a place in a message whose body is parsed. "" if there is none."""
    if not place.startswith(BODY):
        return message.text_at(place) if place else ""
    return text_in(document, place.removeprefix(BODY))


def identify(sender: Sender, message: Message, document: Any) -> tuple[str, str]:
    """The deduplication key of a message, and the id that its signature does not cover.

    A signed id is the key. Else the body is, because anybody who has a message could send it again
    under another id; see `events.deliveries`.
    """
    for place in sender.id_from:
        if text := _value(place, message, document)[:MAX_NAME]:
            if _is_signed(sender, place):
                return text, ""
            return _body_digest(sender, message, document), text
    if not sender.is_repeated:
        return _body_digest(sender, message, document), ""
    if sender.signs_time and isinstance(sender.scheme, HmacScheme):
        return _signed_digest(sender.scheme, message), ""
    return _digest(message.body), new_id()


def _signed_digest(scheme: HmacScheme, message: Message) -> str:
    """The digest of what is signed, the time and the body."""
    try:
        return _digest(scheme.read(message).texts[0])
    except SignatureError:
        # What an operator tries is not signed.
        return _digest(message.body)


def _is_signed(sender: Sender, place: str) -> bool:
    """Whether a value is signed. A token proves all or nothing."""
    if isinstance(sender.scheme, TokenScheme) or place.startswith(BODY):
        return True
    return place == f"{HEADER}{getattr(sender.scheme, 'id', '')}"


def _body_digest(sender: Sender, message: Message, document: Any) -> str:
    """The digest of a body, without the time at which it was sent, which is another in a retry.

    Of Twilio's forms only what is signed counts: else anybody could replay one in another order.
    """
    if isinstance(sender.scheme, TwilioScheme) and message.media_type == FORM:
        return _digest(signed_fields(message.body).encode())
    time = getattr(sender.scheme, "time", "")
    if not time.startswith(BODY) or not isinstance(document, dict):
        return _digest(message.body)
    first, *others = time.removeprefix(BODY).split(".")
    rest = json.loads(json.dumps(document, sort_keys=True))
    inner, name = rest, first
    for other in others:
        inner, name = inner.get(name), other
        if not isinstance(inner, dict):
            return _digest(message.body)
    inner.pop(name, None)
    return _digest(json.dumps(rest).encode())


def parse_provider(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """Parse the message of a sender from the table."""
    if parser := _PARSERS.get(sender.kind):
        return parser(sender, message, now)
    document = require_object(parse_json(message.body), "")
    return [parse_plain(sender, message, document, now)]


def _slack(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    if message.media_type == FORM:
        return [_slack_form(sender, message, now)]
    document = require_object(parse_json(message.body), "")
    inner = document.get("event")
    kind = inner.get("type") if isinstance(inner, dict) else document.get("type")
    # Slack's messages about itself, such as app_rate_limited, have no id.
    is_named = "event_id" in document
    key = required_text(document, "event_id") if is_named else _digest(message.body)
    time = unix_time(document.get("event_time"), now)
    return [make_event(key, sender.name, optional_text(kind) or "event", time, document)]


def _slack_form(sender: Sender, message: Message, now: datetime) -> IncomingEvent:
    """A command, or the use of a button, menu or dialog ("Handling user interaction").

    Its signature covers the time and a `trigger_id`, so that the body is another each time.
    """
    fields = parse_form(message)
    if "payload" in fields:
        fields = require_object(parse_json(str(fields["payload"]).encode()), "payload")
        kind = optional_text(fields.get("type")) or "interaction"
    elif "command" in fields:
        kind = "command"
    else:
        raise EnvelopeError("payload", "Send a field payload, or a field command.")
    # Slack's old way to prove who sends: it is a secret, and the signature has proven it.
    detail = {name: value for name, value in fields.items() if name != "token"}
    return make_event(_digest(message.body), sender.name, kind, now, detail)


def _stripe(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    document = require_object(parse_json(message.body), "")
    key, kind = required_text(document, "id"), required_text(document, "type")
    time = unix_time(document.get("created"), now)
    return [make_event(key, sender.name, kind, time, document)]


def _sns(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """A notification. Its message is parsed if it is JSON, so that patterns can use its fields."""
    document = require_object(parse_json(message.body), "")
    try:
        said = parse_json(str(document.get("Message")).encode())
    except EnvelopeError:
        said = None
    signing = ("Signature", "SignatureVersion", "SigningCertURL", "UnsubscribeURL")
    detail = {name: value for name, value in document.items() if name not in signing}
    if isinstance(said, dict | list):
        detail["Message"] = said
    return [parse_plain(sender, message, detail, now)]


def _twilio(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """A form, or JSON; Event Streams send lists of CloudEvents."""
    is_form = message.media_type == FORM
    document = parse_form(message) if is_form else parse_json(message.body)
    if cloudevents.is_batch(document):
        found = cloudevents.batch(document, now)
        for each in found:
            each.envelope["source"] = sender.name
        return found
    sent = parse_plain(sender, message, document, now)
    if isinstance(document, dict) and (kind := _twilio_type(document)):
        sent.envelope["detail-type"] = kind[:MAX_TYPE]
    return [sent]


def _twilio_type(fields: dict[str, Any]) -> str:
    """The type of an event, or the status of a message or a call. "" if there is none."""
    for name, prefix in TWILIO_TYPES.items():
        if isinstance(kind := fields.get(name), str) and kind:
            return f"{prefix}{kind}"
    return ""


def _sendgrid(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """A list of events, each with an id of its own."""
    document = parse_json(message.body)
    if not isinstance(document, list):
        raise EnvelopeError("", "Give a list of events.")
    found = []
    for place, one in enumerate(document):
        event = require_object(one, f"[{place}]")
        body = json.dumps(event).encode()
        found.append(parse_plain(sender, Message(message.headers, body), event, now))
    return found


def _discord(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """An interaction, or an event of the application's webhook."""
    document = require_object(parse_json(message.body), "")
    inner = document.get("event")
    if isinstance(inner, dict):
        key, kind = _digest(message.body), optional_text(inner.get("type")) or "event"
        time = sender_time(inner.get("timestamp"), now)
        return [make_event(key, sender.name, kind, time, document)]
    number = document.get("type")
    kind = INTERACTIONS.get(number, "interaction") if isinstance(number, int) else "interaction"
    return [make_event(required_text(document, "id"), sender.name, kind, now, document)]


def _eventbridge(sender: Sender, message: Message, now: datetime) -> list[IncomingEvent]:
    """An event of a bus, or what an input transformer makes of it.

    The name of its source is kept behind a prefix, because names that begin with `aws.` are AWS's
    alone on each bus.
    """
    document = parse_json(message.body)
    if not isinstance(document, dict) or not {"source", "detail-type", "detail"} <= document.keys():
        return [parse_plain(sender, message, document, now)]
    source = f"{sender.name}.{required_text(document, 'source', most=200)}"
    named = document.get("resources")
    resources = [each for each in named if optional_text(each)] if isinstance(named, list) else []
    time = optional_time(document, "time", "", now)
    key = required_text(document, "id")
    kind = required_text(document, "detail-type")
    return [make_event(key, source, kind, time, document["detail"], resources)]


_PARSERS: dict[str, Parser] = {
    SourceKind.SLACK: _slack,
    SourceKind.STRIPE: _stripe,
    SourceKind.SNS: _sns,
    SourceKind.TWILIO: _twilio,
    SourceKind.SENDGRID: _sendgrid,
    SourceKind.DISCORD: _discord,
    SourceKind.EVENTBRIDGE: _eventbridge,
}


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
