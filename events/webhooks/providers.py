"""Parses webhooks of GitHub, Slack and Stripe; the body becomes the event's `detail`.

Their signatures are verified in `events.signatures`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from events.kinds import SourceKind
from events.webhooks.fields import (
    GITHUB,
    MAX_NAME,
    SLACK,
    STRIPE,
    IncomingEvent,
    make_event,
    optional_text,
    parse_json,
    required_text,
    unix_time,
)

VERIFICATION = "url_verification"


def _github(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> IncomingEvent:
    repository = document.get("repository")
    name = optional_text(repository.get("full_name")) if isinstance(repository, dict) else ""
    kind = headers.get("x-github-event", "") or "webhook"
    digest, delivery = _digest(body), headers.get("x-github-delivery", "").strip()[:MAX_NAME]
    sent = make_event(digest, GITHUB, kind, now, document, [name] if name else [])
    sent.envelope["id"] = delivery or digest
    return replace(sent, unsigned_id=delivery)


def _slack(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> IncomingEvent:
    inner = document.get("event")
    kind = inner.get("type") if isinstance(inner, dict) else document.get("type")
    # Slack's messages about itself, such as app_rate_limited, have no id.
    key = required_text(document, "event_id") if "event_id" in document else _digest(body)
    time = unix_time(document.get("event_time"), now)
    return make_event(key, SLACK, optional_text(kind) or "event", time, document)


def _stripe(
    document: dict[str, Any], headers: Mapping[str, str], body: bytes, now: datetime
) -> IncomingEvent:
    key, kind = required_text(document, "id"), required_text(document, "type")
    return make_event(key, STRIPE, kind, unix_time(document.get("created"), now), document)


PROVIDERS: dict[
    str, Callable[[dict[str, Any], Mapping[str, str], bytes, datetime], IncomingEvent]
] = {
    SourceKind.GITHUB: _github,
    SourceKind.SLACK: _slack,
    SourceKind.STRIPE: _stripe,
}


def slack_challenge(kind: str, body: bytes) -> str | None:
    """The challenge to answer when Slack verifies a new address, or None for other messages.

    Source: "Using the Slack Events API", url_verification.
    """
    if kind != SourceKind.SLACK or VERIFICATION.encode() not in body:
        return None
    document = parse_json(body)
    if isinstance(document, dict) and document.get("type") == VERIFICATION:
        challenge = document.get("challenge")
        return challenge if isinstance(challenge, str) and challenge else None
    return None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
