"""Event sources, and messages to their addresses, signed as each sender signs its own.

Each answer is held against the API's description.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import signing_keys, sources
from events.api import views
from events.models import EventSource, ReceivedEvent
from tests.integration.admin.conftest import editor
from tests.integration.api.conftest import API, alice, nobody
from tests.integration.aws.conftest import moto
from tests.signing import KEY, OTHER, SECRET, digest, signed

__all__ = ["KEY", "OTHER", "SECRET", "alice", "digest", "editor", "moto", "nobody", "signed"]

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
Later = Callable[..., None]


@pytest.fixture(autouse=True)
def _sources_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no source read again because the machine is busy: tests count statements."""
    monkeypatch.setattr(sources, "KEPT_SECONDS", 600.0)


@pytest.fixture
def make_source(db: None) -> MakeSource:
    """Add a source as operators do; its id is `shop`."""

    def make(kind: str = "webhook", **fields: Any) -> EventSource:
        sealed = [] if kind == "bus" else signing_keys.seal(SECRET, timezone.now())
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


@pytest.fixture
def clock_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the clock show a time in Unix seconds now, and go on from there.

    Messages that a module signs when it is loaded would be too old in a long run of tests.
    """

    def start(seconds: int) -> None:
        now, ahead = timezone.now, timedelta(seconds=time.time() - seconds)
        monkeypatch.setattr(views.timezone, "now", lambda: now() - ahead)

    return start


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Have the address take messages so much later than they come."""

    def wait(**spans: float) -> None:
        moment = timezone.now() + timedelta(**spans)
        monkeypatch.setattr(views.timezone, "now", lambda: moment)

    return wait


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
