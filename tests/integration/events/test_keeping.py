"""How long received events are kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import EventState, ReceivedEvent
from executions.maintenance import tidy
from tests.integration.events.conftest import ORDER, MakeSource, Send, statements, stored

# DynamoDB removes rows by itself.
pytestmark = pytest.mark.sqlite


@pytest.fixture
def received(make_source: MakeSource, send: Send) -> None:
    make_source()
    send(ORDER)


@pytest.mark.parametrize(
    ("state", "days", "left"),
    [
        (EventState.DONE, 6.9, 1),
        (EventState.DONE, 7.1, 0),
        (EventState.FAILED, 7.1, 0),
        # Nobody has looked at it yet.
        (EventState.QUEUED, 30, 1),
    ],
)
def test_handled_events_go_after_seven_days(
    received: None, state: str, days: float, left: int
) -> None:
    ReceivedEvent.objects.filter(pk=ReceivedEvent.objects.of_source("shop")[0].pk).update(
        state=state
    )
    tidy(timezone.now() + timedelta(days=days))
    assert len(stored()) == left


def test_many_go_five_hundred_at_a_time(received: None) -> None:
    row = ReceivedEvent.objects.of_source("shop")[0]
    row.state = EventState.DONE
    copies = [ReceivedEvent(**{**values(row), "id": str(each)}) for each in range(1200)]
    ReceivedEvent.objects.bulk_create(copies)
    with statements() as made:
        tidy(timezone.now() + timedelta(days=8))
    assert (made.count("DELETE"), len(stored())) == (3, 1)


def values(row: ReceivedEvent) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
