"""Parses CloudEvents 1.0: the JSON event format, and the three modes of the HTTP binding.

Source: https://github.com/cloudevents/spec, json-format.md and http-protocol-binding.md of version
1.0.2.

An envelope has no field for `dataschema`, `datacontenttype` and extensions. They go to `cloudevent`
in its `detail`, because an event bus keeps no other fields.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from events.webhooks.errors import EnvelopeError
from events.webhooks.fields import (
    MAX_TYPE,
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
# The most events in one message.
MAX_BATCH = 50
PREFIX = "ce-"
# The envelope has a field for each of these attributes.
PLACED = ("specversion", "id", "source", "type", "time", "subject")
DATA = ("data", "data_base64")
CONTENT_TYPE = "datacontenttype"
# The key in `detail` for the other attributes. If the data has this key itself, the data's wins.
OTHERS = "cloudevent"
# The type of data without a datacontenttype.
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
    """Whether a message has its attributes in headers and only the data in its body."""
    return f"{PREFIX}specversion" in headers and not media_type.startswith(FAMILY)


def structured(document: Any, now: datetime, where: str = "") -> IncomingEvent:
    """Parse an event in the JSON format.

    Args:
        document: the event.
        now: the present: the time of an event that has none.
        where: the prefix of field names in errors.
    """
    event = require_object(document, where.removesuffix("."))
    # The id is unique within its source (CloudEvents 1.0, id).
    key = json.dumps([required_text(event, name, where) for name in ("source", "id")])
    return _event(key, event, _data_in(event, where), now, where)


def batch(document: Any, now: datetime) -> list[IncomingEvent]:
    """Parse a list of events in the JSON format, which may be empty."""
    if not isinstance(document, list) or len(document) > MAX_BATCH:
        raise EnvelopeError("", f"Give a list of at most {MAX_BATCH} events.")
    return [structured(one, now, f"[{place}].") for place, one in enumerate(document)]


def binary(
    key: str, media_type: str, headers: Mapping[str, str], data: Any, now: datetime
) -> IncomingEvent:
    """Parse an event with its attributes in headers.

    Args:
        key: the message's id, which is signed, unlike the headers.
        media_type: the request's media type, which is that of the data.
        headers: the request's headers, their names in lower case.
        data: the body, parsed by `data_of()`.
        now: the present: the time of an event that has none.
    """
    attributes: dict[str, Any] = {
        name.removeprefix(PREFIX): _unescaped(text, name)
        for name, text in headers.items()
        if name.startswith(PREFIX)
    }
    attributes[CONTENT_TYPE] = None if media_type in ("", JSON_TYPE) else media_type
    return _event(key, attributes, data, now, PREFIX)


def data_of(body: bytes, media_type: str) -> Any:
    """Parse a body: as JSON if it is that, else as text, else to an object with its base64.

    Raises EnvelopeError if the media type is JSON and the body is a broken object or list. Other
    bodies that are called JSON are texts: the SDKs for Python (2.2.0) and npm (10.0.0) send the
    data of such an event without quotation marks.
    """
    if not body:
        return {}
    try:
        # Whatever the media type, because it is not signed.
        return parse_json(body)
    except EnvelopeError:
        if body.lstrip().startswith((b"{", b"[")) and _is_json(media_type):
            raise
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return {"data_base64": base64.b64encode(body).decode()}
    return text


def _is_json(media_type: str) -> bool:
    """Whether data of a media type is JSON (json-format.md, 3.1)."""
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
    """The attributes that the envelope has no field for."""
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
    """Decode a header: quotes and percent-encoding (http-protocol-binding.md, 3.1.3.2).

    Senders that do not encode send UTF-8 or Latin-1; both are accepted.
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
    """The text that the sender sent: servers decode each byte of a header as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except ValueError:
        # It was Latin-1, or a gateway has already decoded it as UTF-8.
        return text
