"""Builds envelopes and validates their fields, for the parsers of all formats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from events.schemes.base import MAX_FIELDS, Message
from events.senders import NAMES
from events.webhooks.errors import EnvelopeError
from moca.api.errors import APIError
from moca.api.parsers import read_json
from moca.api.storable import faults
from moca.times import iso, parse_iso

# Limits of EventBridge (PutEvents, PutEventsRequestEntry): every accepted event fits on a bus.
MAX_NAME = 256
MAX_TYPE = 128
MAX_RESOURCE = 2048
MAX_WHOLE = 2**63 - 1
# Prefixes of source names that a sender may not use: names of AWS and of this service.
RESERVED = ("aws.", "moca.", "webhook.", "eventbridge.")
# Times in Unix seconds are less than this for ages, those in milliseconds more.
MIN_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event from a sender.

    Attributes:
        key: the deduplication key: equal if the sender sends the same event again.
        envelope: the event in EventBridge's form.
        unsigned_id: the sender's id, if the signature does not cover it. Different events with
            such ids may share a key; see `events.deliveries`.
    """

    key: str
    envelope: dict[str, Any]
    unsigned_id: str = ""


def make_event(
    key: str, source: str, kind: str, time: datetime, detail: Any, resources: Sequence[str] = ()
) -> IncomingEvent:
    """Build an event. A `detail` that is no object becomes `{"data": detail}`."""
    return IncomingEvent(
        key,
        {
            "version": "0",
            "id": key[:MAX_NAME],
            "detail-type": kind[:MAX_TYPE],
            "source": source,
            "account": "",
            "time": iso(time),
            "region": settings.AWS_REGION,
            "resources": list(resources),
            "detail": detail if isinstance(detail, dict) else {"data": detail},
        },
    )


def parse_json(body: bytes) -> Any:
    """Parse JSON; EnvelopeError if it is invalid, or cannot be stored or put on a bus."""
    try:
        return read_json(body, largest=MAX_WHOLE)
    except APIError as error:
        if error.details:
            first = error.details[0]
            raise EnvelopeError(first["field"], first["message"]) from error
        raise EnvelopeError("", error.message) from error


def parse_form(message: Message) -> dict[str, Any]:
    """The fields of a form; EnvelopeError if they are too many or cannot be stored."""
    fields = message.document
    if not isinstance(fields, dict):
        raise EnvelopeError("", f"Send a form with at most {MAX_FIELDS:,} fields.")
    for fault in faults(fields):
        raise EnvelopeError(fault["field"], fault["message"])
    return fields


def require_object(document: Any, where: str) -> dict[str, Any]:
    """The document if it is an object, else EnvelopeError."""
    if not isinstance(document, dict):
        raise EnvelopeError(where, "Give a JSON object.")
    return document


def required_text(
    document: Mapping[str, Any], name: str, where: str = "", *, most: int = MAX_NAME
) -> str:
    """A field that must be a text of 1 to `most` characters, else EnvelopeError.

    Args:
        document: the object.
        name: the field.
        where: the prefix of the field's name in errors.
        most: the limit in characters.
    """
    text = document.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= most:
        raise EnvelopeError(f"{where}{name}", f"Give a text of 1 to {most} characters.")
    return text


def optional_text(value: Any) -> str:
    """The value if it is a text of at most `MAX_NAME` characters, else an empty text."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME else ""


def optional_time(document: Mapping[str, Any], name: str, where: str, now: datetime) -> datetime:
    """A field with a time (RFC 3339), or the present if it is missing; EnvelopeError if invalid."""
    text = document.get(name)
    if text is None:
        return now
    if isinstance(text, str) and len(text) > MAX_NAME:
        raise EnvelopeError(f"{where}{name}", f"Give a time of at most {MAX_NAME} characters.")
    try:
        # Its letters may be in lower case (RFC 3339, 5.6).
        return parse_iso(text.upper())
    except (AttributeError, ValueError, OverflowError) as error:
        raise EnvelopeError(
            f"{where}{name}", "Give a time such as 2027-01-31T09:00:00Z."
        ) from error


def unix_time(seconds: Any, now: datetime) -> datetime:
    """A provider's time in Unix seconds or as text, or the present if it is neither."""
    try:
        if isinstance(seconds, str):
            return parse_iso(seconds)
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def sender_time(value: Any, now: datetime) -> datetime:
    """A sender's time in Unix seconds, in milliseconds or as text, or the present."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    if isinstance(value, int | float) and value >= MIN_MILLISECONDS:
        value /= 1000
    return unix_time(value.upper() if isinstance(value, str) else value, now)


def check_resource(text: Any, field: str) -> None:
    """Validate an entry of `resources`."""
    if not isinstance(text, str) or len(text) > MAX_RESOURCE:
        raise EnvelopeError(field, f"Give texts of at most {MAX_RESOURCE:,} characters.")


def check_source(source: str, field: str) -> None:
    """Reject a source name that belongs to AWS, to this service or to a known provider."""
    lowered = source.lower()
    if lowered.startswith(RESERVED):
        *others, last = RESERVED
        raise EnvelopeError(
            field,
            f"A name may not begin with {', '.join(others)} or {last}, as those of AWS and of this "
            "service do: use another.",
        )
    if lowered in NAMES:
        raise EnvelopeError(field, f"{lowered} is what {lowered} alone signs: use another name.")
