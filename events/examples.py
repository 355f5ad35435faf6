"""Events to try triggers with: what senders of each kind send, and what a pattern would take."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from events import envelope
from events.models import EventSource, SourceKind
from moca.times import iso

# What stands in the place of a value that a pattern describes but does not name.
ANYTHING = "example"
# GitHub names its events in a header.
GITHUB_EVENT = "pull_request"


def example_body(kind: str, now: datetime) -> dict[str, Any]:
    """What a sender sends; the parts of it that the sender's documentation promises."""
    seconds = int(now.timestamp())
    bodies: dict[str, dict[str, Any]] = {
        SourceKind.GITHUB: {
            "action": "opened",
            "number": 42,
            "pull_request": {"title": "Count the sheep", "user": {"login": "octocat"}},
            "repository": {"full_name": "acme/meadow"},
        },
        SourceKind.SLACK: {
            "type": "event_callback",
            "event_id": "Ev0EXAMPLE",
            "event_time": seconds,
            "team_id": "T0EXAMPLE",
            "event": {"type": "app_mention", "channel": "C0EXAMPLE", "text": "Count the sheep"},
        },
        SourceKind.STRIPE: {
            "id": "evt_example",
            "type": "invoice.paid",
            "created": seconds,
            "data": {"object": {"id": "in_example", "amount_paid": 1250, "currency": "eur"}},
        },
    }
    return bodies.get(kind, {"type": "order.paid", "order": {"id": 4711, "total": 12.5}})


def example_envelope(source: EventSource | None, pattern: Any, now: datetime) -> dict[str, Any]:
    """An event such as a source's, or such as a pattern would take.

    Args:
        source: the source; None for a pattern alone.
        pattern: the pattern of a bus's events.
        now: the present.
    """
    if source is not None and source.has_address:
        headers = {"webhook-id": "example", "x-github-event": GITHUB_EVENT}
        text = json.dumps(example_body(source.kind, now)).encode()
        content = envelope.JSON_TYPE
        (sent,) = envelope.parse(source.kind, source.pk, content, headers, text, now)
        return sent.envelope
    example = {
        "version": "0",
        "id": "example",
        "detail-type": "Example",
        "source": "my.app",
        "account": "123456789012",
        "time": iso(now),
        "region": settings.AWS_REGION,
        "resources": [],
        "detail": {},
    }
    wanted = source.pattern if source is not None else pattern
    return {**example, **_such_as(wanted)} if isinstance(wanted, dict) else example


def _such_as(pattern: dict[str, Any]) -> dict[str, Any]:
    """An object with the values that a pattern names; `$or` and what may be absent are left out."""
    found: dict[str, Any] = {}
    for name, wanted in pattern.items():
        if isinstance(wanted, dict):
            found[name] = _such_as(wanted)
        elif isinstance(wanted, list) and wanted and name != "$or":
            value = _one_of(wanted)
            found[name] = [value] if name == "resources" else value
    return found


def _one_of(wanted: list[Any]) -> Any:
    plain = [each for each in wanted if not isinstance(each, dict)]
    if plain:
        return plain[0]
    operators = wanted[0]
    text = next((operators[name] for name in ("prefix", "suffix") if name in operators), None)
    if isinstance(text, str):
        return text
    numeric = operators.get("numeric")
    if isinstance(numeric, list) and len(numeric) > 1 and isinstance(numeric[1], int | float):
        return numeric[1] + {">": 1, "<": -1}.get(numeric[0], 0)
    return ANYTHING
