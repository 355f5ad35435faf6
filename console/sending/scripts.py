"""Scripts that sign and send an event, for senders of general kinds: made from their options.

They need a POSIX shell, openssl and curl, and read the secret from the variable SECRET.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from events.models import EventSource
from events.schemes.base import BODY, HEADER, ISO, MILLISECONDS, PART
from events.schemes.hmac import BASE64, HEX, STANDARD, HmacScheme
from events.schemes.token import BASIC, BEARER, TokenScheme
from events.senders import Sender

EXAMPLE: dict[str, Any] = {"type": "order.paid", "order": {"id": 4711}}
# Senders and the shell write times as these forms.
TIMES = {MILLISECONDS: "$(date +%s)000", ISO: "$(date -u +%Y-%m-%dT%H:%M:%SZ)"}
SECONDS_NOW = "$(date +%s)"
TO_HEX = "od -An -v -tx1 | tr -d ' \\n'"
BINARY_KEYS = {
    STANDARD: f'KEY=$(printf %s "${{SECRET#whsec_}}" | openssl base64 -d -A | {TO_HEX})',
    BASE64: f'KEY=$(printf %s "$SECRET" | openssl base64 -d -A | {TO_HEX})',
    HEX: 'KEY="$SECRET"',
}


def script_of(source: EventSource, address: str) -> str:
    """A script that sends an event to a source, or "" if no shell can sign as its sender does."""
    sender = source.sender
    match sender.scheme:
        case HmacScheme():
            return _signing(sender, sender.scheme, address)
        case TokenScheme():
            return _with_token(sender, sender.scheme, address)
    return ""


def _signing(sender: Sender, scheme: HmacScheme, address: str) -> str:
    in_body = scheme.time.startswith(BODY)
    path = scheme.time.removeprefix(BODY) if in_body else ""
    document, headers = _document(sender, path, is_text=scheme.time_form == ISO)
    lines = []
    if scheme.time:
        lines.append(f"TIME={TIMES.get(scheme.time_form, SECONDS_NOW)}")
    if scheme.id or any(name for name, _ in headers):
        lines.append("ID=$(openssl rand -hex 12)")
    lines.append(f"BODY={document}")
    if scheme.key in BINARY_KEYS:
        lines.append(BINARY_KEYS[scheme.key])
        mac = '-mac HMAC -macopt "hexkey:$KEY"'
    else:
        mac = '-hmac "$SECRET"'
    lines += [
        f'SIGNATURE=$(printf %s "{_signed(scheme, address)}" |',
        f"  openssl dgst -{scheme.algorithm} {mac} -binary | {_encoder(scheme)})",
    ]
    signature = f"{_quoted(scheme.prefix)}$SIGNATURE"
    if scheme.time.startswith(PART):
        name = scheme.time.removeprefix(PART)
        signature = f"{name}=$TIME{scheme.split}{signature}"
    if scheme.time.startswith(HEADER):
        headers.append((scheme.time.removeprefix(HEADER), "$TIME"))
    if scheme.id:
        headers.append((scheme.id, "$ID"))
    headers.append((scheme.header, signature))
    return "\n".join([*lines, *_curl(address, headers)])


def _with_token(sender: Sender, scheme: TokenScheme, address: str) -> str:
    document, headers = _document(sender, "")
    extra = []
    if scheme.header:
        headers.append((scheme.header, "$SECRET"))
    elif BEARER in scheme.ways:
        headers.append(("Authorization", "Bearer $SECRET"))
    elif BASIC in scheme.ways:
        # The secret may be user:password, or the password of any user.
        extra = ['-u "moca:$SECRET"']
    lines = [f"BODY={document}"]
    if any(value == "$ID" for _, value in headers):
        lines.insert(0, "ID=$(openssl rand -hex 12)")
    return "\n".join([*lines, *_curl(address, headers, extra)])


def _document(
    sender: Sender, time: str, *, is_text: bool = False
) -> tuple[str, list[tuple[str, str]]]:
    """The body in the shell's quotes, and the headers of an event's type and id."""
    document, headers = json.loads(json.dumps(EXAMPLE)), []
    for places, value in ((sender.type_from, "order.paid"), (sender.id_from, "$ID")):
        place = places[0] if places else ""
        if place.startswith(HEADER):
            headers.append((place.removeprefix(HEADER), value))
        elif place and value != "$ID":
            _put(document, place.removeprefix(BODY), value)
        elif place:
            _put(document, place.removeprefix(BODY), "evt-4711")
    if time:
        _put(document, time, "TIME-HERE")
    text = json.dumps(document).replace("'", "'\\''")
    quote = '"' if is_text else ""
    timed = text.replace('"TIME-HERE"', f"""{quote}'"$TIME"'{quote}""")
    return f"'{timed}'", headers


def _put(document: dict[str, Any], path: str, value: str) -> None:
    *parents, last = path.split(".")
    for name in parents:
        inner = document.get(name)
        if not isinstance(inner, dict):
            inner = document[name] = {}
        document = inner
    document[last] = value


def _signed(scheme: HmacScheme, address: str) -> str:
    values: Mapping[str, str] = {
        "{body}": "$BODY",
        "{time}": "${TIME}",
        "{id}": "${ID}",
        "{url}": address,
    }
    text = _quoted(scheme.signed)
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _quoted(text: str) -> str:
    """A text within the shell's double quotes."""
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _encoder(scheme: HmacScheme) -> str:
    return "openssl base64 -A" if scheme.encoding == BASE64 else TO_HEX


def _curl(
    address: str, headers: list[tuple[str, str]], extra: list[str] | None = None
) -> list[str]:
    lines = [f"curl '{address}' -H 'Content-Type: application/json' \\"]
    lines += [f"  {text} \\" for text in extra or ()]
    # The id may be signed, and be that of the event too.
    lines += [f'  -H "{_quoted(name)}: {value}" \\' for name, value in dict(headers).items()]
    return [*lines, '  --data-binary "$BODY"']
