"""Event sources, and messages to their addresses, signed as each sender signs its own.

Each answer is held against the API's description.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import secrets
from events.models import EventSource, ReceivedEvent
from tests.integration.api.conftest import API, alice, nobody
from tests.integration.aws.conftest import moto

__all__ = ["alice", "moto", "nobody"]

KEY = b"an example of a key of 32 bytes."
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(KEY[::-1]).decode()

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
ORDER = {"type": "order.paid", "order": {"id": 4711}}
CLOUD = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/shop",
    "type": "order.paid",
    "time": "2027-01-31T09:00:00Z",
    "data": {"order": 4711},
}
BUSES = {"orders", "s", "s1", "s3", "uploads"}

MakeSource = Callable[..., EventSource]
Send = Callable[..., Any]


def digest(key: bytes, text: str, body: bytes) -> bytes:
    return hmac.digest(key, text.encode() + body, "sha256")


def signed(kind: str, secret: str, body: bytes, key: str, at: int) -> dict[str, str]:
    """The headers with which a sender signs a message."""
    raw = secret.encode()
    if kind == "github":
        return {"X-Hub-Signature-256": f"sha256={digest(raw, '', body).hex()}"}
    if kind == "slack":
        signature = digest(raw, f"v0:{at}:", body).hex()
        return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={signature}"}
    if kind == "stripe":
        return {"Stripe-Signature": f"t={at},v1={digest(raw, f'{at}.', body).hex()}"}
    if secret.startswith("whsec_"):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(digest(raw, f"{key}.{at}.", body)).decode()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }


@pytest.fixture
def make_source(db: None) -> MakeSource:
    """Add a source as operators do; its id is `shop`."""

    def make(kind: str = "webhook", **fields: Any) -> EventSource:
        sealed = [] if kind == "bus" else secrets.only(SECRET, timezone.now())
        values: dict[str, Any] = {"id": "shop", "name": "Shop", "kind": kind, "secrets": sealed}
        source = EventSource(**{**values, **fields})
        source.full_clean(validate_unique=False)
        source.save()
        return source

    return make


@pytest.fixture
def send(db: None) -> Send:
    """Send a body, signed, to a source's address."""
    api = API()

    def send(
        body: Any,
        kind: str = "webhook",
        *,
        source: str = "shop",
        secret: str = SECRET,
        key: str = "msg_1",
        ago: int = 0,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        own = signed(kind, secret, data, key, int(time.time()) - ago)
        given = {name: text for name, text in {**own, **(headers or {})}.items() if text}
        return api.raw("POST", f"/events?source={source}", data, content_type, **given)

    return send


def stored(source: str = "shop") -> list[dict[str, Any]]:
    """The envelopes of what a source has received, in the order in which it came."""
    rows = list(ReceivedEvent.objects.of_source(source))
    return [json.loads(row.envelope) for row in reversed(rows)]


def event_id(key: str, source: str = "shop") -> str:
    """The id under which an event of this key is known."""
    return hashlib.sha256(json.dumps([source, key]).encode()).hexdigest()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the first words of statements, but for those of the tests' own transactions."""
    words: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield words
    found = [query["sql"].partition(" ")[0] for query in captured.captured_queries]
    words += [word for word in found if word not in ("SAVEPOINT", "RELEASE", "ROLLBACK")]
