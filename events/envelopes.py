"""From what senders send to EventBridge envelopes, the one form in which events go on.

EventBridge's own ("Events in Amazon EventBridge", structure), CloudEvents 1.0 (the JSON event
format and the HTTP protocol binding: structured, batched and binary), and the bodies of GitHub,
Slack, Stripe and other webhooks, which become an envelope's `detail`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from events import marks
from events.models import SourceKind
from moca.api.errors import APIError
from moca.api.parsers import read_json
from moca.times import iso, parse_iso

Envelope = dict[str, Any]

# Events in one message: a batch of CloudEvents.
MAX_BATCH = 50
# As EventBridge, PutEvents: names that a sender may not claim.
RESERVED = ("aws.", "moca.")
MAX_NAME = 256

JSON_TYPE = "application/json"
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
FORMS = {
    SourceKind.WEBHOOK: (JSON_TYPE, STRUCTURED, BATCHED),
    SourceKind.GITHUB: (JSON_TYPE,),
    SourceKind.SLACK: (JSON_TYPE,),
    SourceKind.STRIPE: (JSON_TYPE,),
}


class EnvelopeError(ValueError):
    """The body is no event; the text says what is wrong, `field` where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ContentTypeError(EnvelopeError):
    """The body is of a type that the source does not take."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as a sender knows it.

    Attributes:
        key: the sender's own id of the event; the same for the same event sent again.
        envelope: the event.
    """

    key: str
    envelope: Envelope


def read(
    kind: str,
    source_id: str,
    content_type: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> list[Sent]:
    """Read a message's events.

    Args:
        kind: the source's kind.
        source_id: the source's id.
        content_type: the request's Content-Type.
        headers: the request's headers, their names in lower case.
        body: the body, the signature of which was found right.
        now: the present, for events that do not say when they happened.

    Raises:
        ContentTypeError: the source does not take this type.
        EnvelopeError: the body is no event.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in FORMS[SourceKind(kind)]:
        raise ContentTypeError(
            "Content-Type", f"Send the body as {' or '.join(FORMS[SourceKind(kind)])}."
        )
    document = _json(body)
    if kind != SourceKind.WEBHOOK:
        found = [PROVIDERS[kind](_object(document, ""), headers, body, now)]
    elif media_type == BATCHED:
        found = _batch(document, now)
    elif media_type == STRUCTURED:
        found = [_cloud_event(_object(document, ""), "", now)]
    elif "ce-specversion" in headers:
        found = [_binary(document, headers, now)]
    else:
        found = [_plain(document, source_id, headers, now)]
    for sent in found:
        marks.set_source(sent.envelope, source_id)
    return found


def _envelope(
    key: str, source: str, kind: str, time: datetime, detail: Any, resources: list[str]
) -> Sent:
    return Sent(
        key,
        {
            "version": "0",
            "id": key[:MAX_NAME],
            "detail-type": kind[:MAX_NAME],
            "source": source,
            "account": "",
            "time": iso(time),
            "region": settings.AWS_REGION,
            "resources": resources,
            "detail": detail if isinstance(detail, dict) else {"data": detail},
        },
    )


def _plain(document: Any, source_id: str, headers: Mapping[str, str], now: datetime) -> Sent:
    """A body of no particular form, or an EventBridge envelope."""
    key = headers["webhook-id"]
    if isinstance(document, dict) and {"source", "detail-type", "detail"} <= document.keys():
        return _of_eventbridge(document, key, now)
    kind = document.get("type") if isinstance(document, dict) else None
    name = kind if isinstance(kind, str) and kind else "Webhook"
    return _envelope(key, f"webhook.{source_id}", name, now, document, [])


def _of_eventbridge(document: dict[str, Any], key: str, now: datetime) -> Sent:
    source, kind = (_name(document, name, "") for name in ("source", "detail-type"))
    _check_source(source, "source")
    detail = document["detail"]
    if not isinstance(detail, dict):
        raise EnvelopeError("detail", "Give an object.")
    resources = document.get("resources") or []
    if not isinstance(resources, list) or not all(isinstance(text, str) for text in resources):
        raise EnvelopeError("resources", "Give a list of texts.")
    sent = _envelope(key, source, kind, _time(document, "time", "", now), detail, list(resources))
    own = document.get("id")
    if isinstance(own, str) and own:
        sent.envelope["id"] = own[:MAX_NAME]
    return sent


def _cloud_event(document: dict[str, Any], where: str, now: datetime) -> Sent:
    """CloudEvents 1.0, its JSON event format."""
    if document.get("specversion") != "1.0":
        raise EnvelopeError(f"{where}specversion", 'Give "1.0", the version of CloudEvents.')
    key, source, kind = (_name(document, name, where) for name in ("id", "source", "type"))
    _check_source(source, f"{where}source")
    if "data_base64" in document:
        raise EnvelopeError(f"{where}data_base64", "Send JSON in data in place of binary data.")
    subject = document.get("subject")
    resources = [subject] if isinstance(subject, str) and subject else []
    time = _time(document, "time", where, now)
    # The id is unique within its source (CloudEvents 1.0, id).
    sent = _envelope(json.dumps([source, key]), source, kind, time, document.get("data"), resources)
    sent.envelope["id"] = key
    return sent


def _binary(data: Any, headers: Mapping[str, str], now: datetime) -> Sent:
    """CloudEvents 1.0, its HTTP binding: attributes in headers, data in the body."""
    attributes = {
        name.removeprefix("ce-"): text for name, text in headers.items() if name.startswith("ce-")
    }
    return _cloud_event({**attributes, "data": data}, "ce-", now)


def _batch(document: Any, now: datetime) -> list[Sent]:
    if not isinstance(document, list) or not 0 < len(document) <= MAX_BATCH:
        raise EnvelopeError("", f"Give a list of 1 to {MAX_BATCH} events.")
    return [
        _cloud_event(_object(one, f"[{place}]"), f"[{place}].", now)
        for place, one in enumerate(document)
    ]


def _github(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> Sent:
    repository = document.get("repository")
    name = _text(repository.get("full_name")) if isinstance(repository, dict) else ""
    kind = headers.get("x-github-event", "") or "webhook"
    # The delivery's id is not signed: a body that was sent before would pass for a new event.
    key = hashlib.sha256(body).hexdigest()
    sent = _envelope(key, "github.com", kind, now, document, [name] if name else [])
    sent.envelope["id"] = headers.get("x-github-delivery", "")[:MAX_NAME] or key
    return sent


def _slack(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> Sent:
    inner = document.get("event")
    kind = inner.get("type") if isinstance(inner, dict) else document.get("type")
    return _envelope(
        _name(document, "event_id", ""),
        "slack.com",
        _text(kind) or "event",
        _unix(document.get("event_time"), now),
        document,
        [],
    )


def _stripe(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> Sent:
    key, kind = _name(document, "id", ""), _name(document, "type", "")
    return _envelope(key, "stripe.com", kind, _unix(document.get("created"), now), document, [])


PROVIDERS: dict[str, Callable[[dict[str, Any], Mapping[str, str], bytes, datetime], Sent]] = {
    SourceKind.GITHUB: _github,
    SourceKind.SLACK: _slack,
    SourceKind.STRIPE: _stripe,
}


def slack_challenge(kind: str, body: bytes) -> str | None:
    """What Slack wants to read back when an address is set up; None for any other message.

    See "Using the Slack Events API", url_verification.
    """
    if kind != SourceKind.SLACK:
        return None
    document = _json(body)
    if isinstance(document, dict) and document.get("type") == "url_verification":
        return _text(document.get("challenge")) or None
    return None


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except APIError as error:
        field = error.details[0]["field"] if error.details else ""
        raise EnvelopeError(field, error.message) from error


def _object(document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise EnvelopeError(where, "Give a JSON object.")
    return document


def _name(document: Mapping[str, Any], name: str, where: str) -> str:
    text = document.get(name)
    if not isinstance(text, str) or not text or len(text) > MAX_NAME:
        raise EnvelopeError(f"{where}{name}", f"Give a text of 1 to {MAX_NAME} characters.")
    return text


def _check_source(source: str, field: str) -> None:
    if source.startswith(RESERVED):
        raise EnvelopeError(
            field, f"{' and '.join(RESERVED)} begin the sources of AWS and of this service alone."
        )


def _time(document: Mapping[str, Any], name: str, where: str, now: datetime) -> datetime:
    if (text := document.get(name)) is None:
        return now
    try:
        return parse_iso(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise EnvelopeError(
            f"{where}{name}", "Give a time such as 2027-01-31T09:00:00Z."
        ) from error


def _unix(seconds: Any, now: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def _text(value: Any) -> str:
    """A name that may be there; empty where it is not, or no name."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME else ""
