"""CloudEvents 1.0: the JSON event format, and the HTTP binding's three modes.

https://github.com/cloudevents/spec: json-format.md and http-protocol-binding.md of version 1.0.2.

Attributes that an envelope has no place for (`dataschema`, `datacontenttype` and extensions) stand
in its `detail`, as `cloudevent`: what goes over an event bus keeps no other field of ours.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from events.envelope.fields import (
    MAX_TYPE,
    EnvelopeError,
    IncomingEvent,
    check_resource,
    check_source,
    make_event,
    optional_time,
    parse_json,
    require_object,
    required_text,
)

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
FAMILY = "application/cloudevents"
VERSION = "1.0"
# Events in one message.
MAX_BATCH = 50
PREFIX = "ce-"
# The envelope has a field for each of these attributes.
PLACED = ("specversion", "id", "source", "type", "time", "subject")
DATA = ("data", "data_base64")
CONTENT_TYPE = "datacontenttype"
# The part of an envelope's detail that holds the other attributes. Data with such a part keeps it.
OTHERS = "cloudevent"
# What data is that is not said to be anything else.
JSON_TYPE = "application/json"
# Characters of an attribute that has no smaller limit.
MAX_ATTRIBUTE = 2048


def is_event(document: Any) -> bool:
    """Whether a document is an event in the JSON format."""
    return (
        isinstance(document, dict)
        and document.get("specversion") == VERSION
        and {"id", "source", "type"} <= document.keys()
    )


def is_batch(document: Any) -> bool:
    """Whether a document is a list of events in the JSON format."""
    return isinstance(document, list) and bool(document) and all(map(is_event, document))


def is_binary(media_type: str, headers: Mapping[str, str]) -> bool:
    """Whether a message has its attributes in headers, and only its data in the body."""
    return f"{PREFIX}specversion" in headers and not media_type.startswith(FAMILY)


def structured(document: Any, now: datetime, where: str = "") -> IncomingEvent:
    """An event in the JSON format.

    Args:
        document: the event.
        now: the present, for one that does not say when it happened.
        where: what stands before a field's name in an error.
    """
    event = require_object(document, where.removesuffix("."))
    # The id is unique within its source (CloudEvents 1.0, id).
    key = json.dumps([required_text(event, name, where) for name in ("source", "id")])
    return _event(key, event, _data_in(event, where), now, where)


def batch(document: Any, now: datetime) -> list[IncomingEvent]:
    """A list of events in the JSON format, which may be empty."""
    if not isinstance(document, list) or len(document) > MAX_BATCH:
        raise EnvelopeError("", f"Give a list of at most {MAX_BATCH} events.")
    return [structured(one, now, f"[{place}].") for place, one in enumerate(document)]


def binary(
    key: str, media_type: str, headers: Mapping[str, str], data: Any, now: datetime
) -> IncomingEvent:
    """An event with its attributes in headers.

    Args:
        key: the message's id, which is signed; the headers are not.
        media_type: the request's, which is that of the data.
        headers: the request's headers, their names in lower case.
        data: what `data_of()` made of the body.
        now: the present, for one that does not say when it happened.
    """
    attributes: dict[str, Any] = {
        name.removeprefix(PREFIX): _unescaped(text, name)
        for name, text in headers.items()
        if name.startswith(PREFIX)
    }
    attributes[CONTENT_TYPE] = None if media_type in ("", JSON_TYPE) else media_type
    return _event(key, attributes, data, now, PREFIX)


def data_of(body: bytes, media_type: str) -> Any:
    """What a body holds: JSON where it is that, else a text, else an object with its base64."""
    if not body:
        return {}
    try:
        # Whatever its type says, since that is not signed.
        return parse_json(body)
    except EnvelopeError:
        if _is_json(media_type):
            raise
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return {"data_base64": base64.b64encode(body).decode()}
    return text


def _is_json(media_type: str) -> bool:
    """Whether data of a type is JSON (json-format.md, 3.1)."""
    _, _, subtype = media_type.partition("/")
    return subtype == "json" or subtype.endswith("+json")


def _event(
    key: str, attributes: Mapping[str, Any], data: Any, now: datetime, where: str
) -> IncomingEvent:
    if attributes.get("specversion") != VERSION:
        raise EnvelopeError(f"{where}specversion", f'Give "{VERSION}", the version of CloudEvents.')
    own, source = (required_text(attributes, name, where) for name in ("id", "source"))
    kind = required_text(attributes, "type", where, most=MAX_TYPE)
    check_source(source, f"{where}source")
    subject = attributes.get("subject")
    if subject is not None:
        check_resource(subject, f"{where}subject")
    time = optional_time(attributes, "time", where, now)
    others = _others(attributes, where)
    sent = make_event(key, source, kind, time, data, [subject] if subject else [])
    sent.envelope["id"] = own
    if others:
        sent.envelope["detail"] = {OTHERS: others, **sent.envelope["detail"]}
    return sent


def _others(attributes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The attributes that the envelope has no place for."""
    found = {
        name: value
        for name, value in attributes.items()
        if value is not None and name not in PLACED and name not in DATA
    }
    for name, value in found.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if len(text) > MAX_ATTRIBUTE:
            raise EnvelopeError(
                f"{where}{name}", f"Give an attribute of at most {MAX_ATTRIBUTE:,} characters."
            )
    return found


def _data_in(event: Mapping[str, Any], where: str) -> Any:
    """The data of an event in the JSON format (json-format.md, 3.1.2)."""
    encoded = event.get("data_base64")
    if encoded is None:
        return event.get("data") if "data" in event else {}
    try:
        body = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError) as error:
        raise EnvelopeError(f"{where}data_base64", "Give binary data in base64.") from error
    media_type = str(event.get("datacontenttype") or "").partition(";")[0].strip().lower()
    try:
        return data_of(body, media_type)
    except EnvelopeError as error:
        raise EnvelopeError(f"{where}data_base64", str(error)) from error


def _unescaped(text: str, name: str) -> str:
    """A header's value without quotes and percent signs (http-protocol-binding.md, 3.1.3.2).

    Senders that encode nothing send UTF-8 or Latin-1, which is taken for what it is.
    """
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        found = unquote_to_bytes(_as_sent(text).encode()).decode()
    except ValueError:
        found = "\0"
    if "\0" in found:
        raise EnvelopeError(name, "Give a text in UTF-8, percent-encoded.")
    return found


def _as_sent(text: str) -> str:
    """A header's text, of which servers read each byte as a character of Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except ValueError:
        # It was Latin-1, or a gateway has read it as UTF-8 already.
        return text
