"""What all forms of events share: the envelope, and the fields that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from moca.api.errors import APIError
from moca.api.parsers import read_json
from moca.times import iso, parse_iso

# EventBridge, PutEvents and PutEventsRequestEntry: what it takes, so that no event is accepted here
# that could not be put on a bus.
MAX_NAME = 256
MAX_TYPE = 128
MAX_RESOURCE = 2048
MAX_WHOLE = 2**63 - 1
# Names that a sender may not claim: those of AWS, of this service, and of sources that are known
# by their signatures.
RESERVED = ("aws.", "moca.", "webhook.")
GITHUB, SLACK, STRIPE = "github.com", "slack.com", "stripe.com"


class EnvelopeError(ValueError):
    """The body is no event; the text says what is wrong, `field` where, `code` in a word."""

    code = "body"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ContentTypeError(EnvelopeError):
    """The body is of a type that the source does not take."""

    code = "content-type"


class SizeError(EnvelopeError):
    """The events are larger than an event bus takes."""

    code = "size"


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as a sender knows it.

    Attributes:
        key: by which it is known; the same for the same event sent again.
        envelope: the event.
        unsigned_id: an id that came with it and that nobody signed. Events of the same key may be
            several then, each with an id of its own; see `events.deliveries`.
    """

    key: str
    envelope: dict[str, Any]
    unsigned_id: str = ""


def make_event(
    key: str, source: str, kind: str, time: datetime, detail: Any, resources: Sequence[str] = ()
) -> IncomingEvent:
    """An event in EventBridge's form, whose `detail` is always an object."""
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
    """Read JSON; EnvelopeError where it is none, or holds what cannot be stored or put on a bus."""
    try:
        return read_json(body, largest=MAX_WHOLE)
    except APIError as error:
        if error.details:
            first = error.details[0]
            raise EnvelopeError(first["field"], first["message"]) from error
        raise EnvelopeError("", error.message) from error


def require_object(document: Any, where: str) -> dict[str, Any]:
    """The document, which must be an object."""
    if not isinstance(document, dict):
        raise EnvelopeError(where, "Give a JSON object.")
    return document


def required_text(
    document: Mapping[str, Any], name: str, where: str = "", *, most: int = MAX_NAME
) -> str:
    """A name that must be there.

    Args:
        document: what it is in.
        name: the field.
        where: what stands before the field's name in an error.
        most: how many characters it may have.
    """
    text = document.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= most:
        raise EnvelopeError(f"{where}{name}", f"Give a text of 1 to {most} characters.")
    return text


def optional_text(value: Any) -> str:
    """A name that may be there; empty where it is not, or no name."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME else ""


def optional_time(document: Mapping[str, Any], name: str, where: str, now: datetime) -> datetime:
    """A time that may be there (RFC 3339); the present where it is not."""
    text = document.get(name)
    if text is None:
        return now
    if isinstance(text, str) and len(text) > MAX_NAME:
        raise EnvelopeError(f"{where}{name}", f"Give a time of at most {MAX_NAME} characters.")
    try:
        # Its letters may be small ones (RFC 3339, 5.6).
        return parse_iso(text.upper())
    except (AttributeError, ValueError, OverflowError) as error:
        raise EnvelopeError(
            f"{where}{name}", "Give a time such as 2027-01-31T09:00:00Z."
        ) from error


def unix_time(seconds: Any, now: datetime) -> datetime:
    """A provider's time in seconds, or in words; the present where it is neither."""
    try:
        if isinstance(seconds, str):
            return parse_iso(seconds)
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def check_resource(text: Any, field: str) -> None:
    """Check a part of `resources`."""
    if not isinstance(text, str) or len(text) > MAX_RESOURCE:
        raise EnvelopeError(field, f"Give texts of at most {MAX_RESOURCE:,} characters.")


def check_source(source: str, field: str) -> None:
    """Check that a sender does not pass for somebody else."""
    lowered = source.lower()
    if lowered.startswith(RESERVED):
        *others, last = RESERVED
        raise EnvelopeError(
            field,
            f"A name may not begin with {', '.join(others)} or {last}, as those of AWS and of this "
            "service do: use another.",
        )
    if lowered in (GITHUB, SLACK, STRIPE):
        raise EnvelopeError(field, f"{lowered} is what {lowered} alone signs: use another name.")
