"""Makes example events for the pages on which operators test sources, triggers and patterns."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from events import webhooks
from events.kinds import SourceKind
from events.models import EventSource
from moca.times import iso

# The value of a field that a pattern describes without naming a value.
ANYTHING = "example"
# GitHub sends the event's name in a header.
GITHUB_EVENT = "pull_request"


def example_body(kind: str, now: datetime) -> dict[str, Any]:
    """A body that a sender of a kind sends, with fields from the sender's documentation."""
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
    """An event that a source would receive, or that a pattern would probably match.

    Args:
        source: the source, or None if there is only a pattern.
        pattern: the pattern; it does not count if the source has an address.
        now: the present.
    """
    if source is not None and source.has_address:
        headers = {"webhook-id": "example", "x-github-event": GITHUB_EVENT}
        text = json.dumps(example_body(source.kind, now)).encode()
        content = webhooks.JSON
        (sent,) = webhooks.parse(source.kind, source.pk, content, headers, text, now)
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
    return {**example, **_example_for(wanted)} if isinstance(wanted, dict) else example


def _example_for(pattern: dict[str, Any]) -> dict[str, Any]:
    """An object with the values that a pattern names; it ignores `$or`."""
    found: dict[str, Any] = {}
    for name, wanted in pattern.items():
        if isinstance(wanted, dict):
            found[name] = _example_for(wanted)
        elif isinstance(wanted, list) and wanted and name != "$or":
            value = _one_of(wanted)
            found[name] = [value] if name == "resources" else value
    return found


def _one_of(wanted: list[Any]) -> Any:
    """A value that meets one of the conditions, if that is easy to find."""
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
