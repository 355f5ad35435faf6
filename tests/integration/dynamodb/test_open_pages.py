"""What an open page costs while nothing changes: requests and read units of each look."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from moca.ids import uuid7
from tests.integration.console.conftest import viewer
from tests.integration.console.test_events import MakeEvent
from tests.integration.console.test_open_pages import (
    OpenPage,
    addresses,
    make_event,
    make_listener,
    make_source,
)
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import Trigger

__all__ = ["addresses", "make_event", "make_listener", "make_source", "viewer"]

# The operator is one unit, a query of an index half of one, a small row one; in two turns.
LOOKS: dict[str, tuple[list[list[str]], list[float]]] = {
    "dashboard": ([["Query"] * 3, ["Query"] * 4], [2.5, 3.0]),
    "triggers": ([["Query"] * 2, ["Query"] * 4], [2.0, 3.0]),
    "runs": ([["Query"] * 2, ["Query"] * 4], [2.0, 3.0]),
    "trigger": ([["GetItem"], ["Query"] * 2], [2.0, 2.0]),
    "events": ([["Query"] * 2, ["Query"]], [2.0, 1.5]),
    "source": ([["Query"] * 2, ["Query"] * 2], [2.0, 2.0]),
    "event": ([["Query"] * 2, ["Query"] * 4], [2.0, 3.0]),
}


@pytest.fixture
def history(addresses: dict[str, str], make_event: MakeEvent) -> None:
    """More of everything than a look compares."""
    now, owner = timezone.now(), Trigger.objects.events().get()
    ids = [uuid7(1_780_000_000_000 + number, bytes(10)) for number in range(200)]
    run = partial(
        TriggerExecution,
        trigger_id=owner.pk,
        user_id=owner.user_id,
        source="event",
        started_at=now,
        output="x" * 20_000,
        ttl=4_000_000_000,
    )
    runs = [run(id=each, status="completed") for each in ids[:150]]
    lease = now + timedelta(minutes=1)
    runs += [run(id=each, status="running", lease_until=lease) for each in ids[150:]]
    entry = partial(AuditEntry, actor="olga", action="run", object_type="triggers.trigger")
    entries = [entry(id=each, object_id=owner.pk, object_name="T") for each in ids[:50]]
    for start in range(0, 200, 50):
        TriggerExecution.objects.bulk_create(runs[start : start + 50])
    AuditEntry.objects.bulk_create(entries)
    for _number in range(30):
        make_event()
        make_event(state="queued")


@pytest.mark.parametrize("page", LOOKS)
def test_requests_of_a_look(
    viewer: Any, addresses: dict[str, str], requests_made: Counting, page: str
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    made = []
    for _turn in range(2):
        with requests_made() as requests:
            open_page.look()
        made.append(requests[1:])
    # The first one reads the operator.
    assert made == LOOKS[page][0]


@pytest.mark.parametrize("page", LOOKS)
def test_read_units_of_a_look(
    viewer: Any, addresses: dict[str, str], history: None, units_read: Measuring, page: str
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    read = []
    for _turn in range(2):
        with units_read() as units:
            open_page.look()
        read.append(sum(units))
    assert read == LOOKS[page][1]
