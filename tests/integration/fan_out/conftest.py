"""Event sources whose events are sent by HTTP, and triggers that listen to them."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.models import EventSource
from executions.models import TriggerExecution
from moca.ids import new_id
from tests.signing import SECRET, signed
from triggers.models import Trigger

Send = Callable[..., Any]
Listen = Callable[..., Trigger]


def runs(**fields: Any) -> list[TriggerExecution]:
    """The runs on record, in the order in which they were made."""
    return list(TriggerExecution.objects.filter(**fields).order_by("started_at", "id"))


def post_signed(body: Any, source_id: str = "shop", key: str = "") -> Any:
    """Send an event that is signed with SECRET."""
    data = json.dumps(body, ensure_ascii=False).encode()
    headers = signed("webhook", SECRET, data, key or new_id(), int(time.time()))
    path = f"/events?source={source_id}"
    return Client().generic("POST", path, data, "application/json", headers=headers)


@pytest.fixture
def source(transactional_db: None) -> Callable[..., EventSource]:
    """Make an event source; keyword arguments are its fields."""

    def make(source_id: str = "shop", **fields: Any) -> EventSource:
        kept = signing_keys.seal(SECRET, timezone.now())
        made = EventSource(id=source_id, name=source_id, secrets=kept, **fields)
        made.save()
        return made

    return make


@pytest.fixture
def send(source: Any) -> Send:
    """Send a signed event to a source's address."""
    return post_signed


@pytest.fixture
def listen(transactional_db: None) -> Listen:
    """Make an event trigger; `config` is its `eventConfig`, other arguments its fields."""

    def make(config: dict[str, Any] | None = None, **fields: Any) -> Trigger:
        values: dict[str, Any] = {
            "user_id": "alice",
            "name": "Orders",
            "type": "event",
            "agent_id": "clerk",
            "prompt": "Look at the order.",
            "overlap_policy": "allow",
            "event_config": {"eventSourceId": "shop", **(config or {})},
        }
        trigger = Trigger(**{**values, **fields})
        trigger.full_clean(validate_unique=False)
        trigger.save()
        return trigger

    return make
