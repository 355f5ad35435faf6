"""Makes example events for the pages on which operators test sources, triggers and patterns."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from events import sender_examples, webhooks
from events.kinds import SourceKind
from events.models import EventSource
from events.schemes.base import HEADER
from events.senders import Sender
from moca.times import iso

# The value of a field that a pattern describes without naming a value.
ANYTHING = "example"
# The names of events that these senders put in a header.
EXAMPLE_NAMES = {
    SourceKind.GITHUB: "pull_request",
    "bitbucket": "pullrequest:created",
    "gitea": "pull_request",
    "gitlab": "Merge Request Hook",
    "gitlab-signed": "Merge Request Hook",
    "sentry": "issue",
    "shopify": "orders/paid",
}


def example_name(sender: Sender) -> str:
    """The name of an event that a sender puts in a header, or "" if it puts it in the body."""
    return EXAMPLE_NAMES.get(sender.kind, "example") if names_in_header(sender) else ""


def names_in_header(sender: Sender) -> bool:
    """Whether a sender names the event in a header."""
    return bool(sender.type_from) and sender.type_from[0].startswith(HEADER)


def example_body(kind: str, now: datetime) -> Any:
    """A body that a sender of a kind sends, with fields from the sender's documentation."""
    body = sender_examples.bodies(now).get(kind)
    return {"type": "order.paid", "order": {"id": 4711, "total": 12.5}} if body is None else body


def example_envelope(source: EventSource | None, pattern: Any, now: datetime) -> dict[str, Any]:
    """An event that a source would receive, or that a pattern would probably match.

    Args:
        source: the source, or None if there is only a pattern.
        pattern: the pattern; it does not count if the source has an address.
        now: the present.
    """
    if source is not None and source.has_address:
        text = json.dumps(example_body(source.kind, now)).encode()
        message = webhooks.sample(source.sender, "example", example_name(source.sender), text)
        (sent, *_) = webhooks.parse(source.sender, source.pk, message, now)
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
