"""Chains where a Lambda function runs triggers: ends of runs on EventBridge's bus."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from django.utils import timezone

from agents.demo import DemoAgent
from events.buses import get_bus
from events.models import EventState, ReceivedEvent
from events.outbox import publish_overdue
from executions.lambda_handler import handler
from moca.aws import clients as aws
from moca.times import iso
from tests.integration.chains.conftest import Make, after, runs_of
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_handler import Context, agent, event_of
from triggers.models import Trigger
from triggers.schedulers.rules import rule_of

__all__ = ["agent", "function"]


class Bus:
    """Stands in for EventBridge: keeps what is put on the bus."""

    def __init__(self) -> None:
        self.is_away = False
        self.entries: list[dict[str, Any]] = []

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"].decode()
        body = b"{}"
        if target.endswith("PutEvents"):
            entries = json.loads(request.body)["Entries"]
            if not self.is_away:
                self.entries += entries
            answers = [{"ErrorCode": "Away"} if self.is_away else {"EventId": "e"} for _ in entries]
            body = json.dumps({"Entries": answers}).encode()
        raw = type("Raw", (), {"stream": lambda self, **_: iter([body])})()
        return AWSResponse(request.url, 200, {}, raw)

    def delivered(self, trigger: Trigger) -> list[dict[str, Any]]:
        """What the rule of a trigger sends to the handler."""
        return [
            {
                "_trigger": {"userId": trigger.user_id, "triggerId": trigger.pk},
                "event": {
                    "id": f"bus-{place}",
                    "source": entry["Source"],
                    "detail-type": entry["DetailType"],
                    "detail": json.loads(entry["Detail"]),
                    "resources": entry["Resources"],
                    "account": "123456789012",
                    "time": iso(timezone.now().replace(microsecond=0)),
                },
            }
            for place, entry in enumerate(self.entries)
        ]


@pytest.fixture
def bus(settings: Any, function: Function) -> Iterator[Bus]:
    made = Bus()
    settings.EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
    events = aws.client("events").meta.events
    events.register_first("before-send.eventbridge", made.answer)
    yield made
    get_bus.cache_clear()


@pytest.fixture
def pair(transactional_db: None, make_trigger: Make, settings: Any) -> tuple[Trigger, Trigger]:
    """A trigger and one that starts after it."""
    first = make_trigger(name="First")
    return first, make_trigger(name="Second", **after(first))


def test_the_end_is_on_the_bus(pair: tuple[Trigger, Trigger], bus: Bus, agent: DemoAgent) -> None:
    handler(event_of(pair[0]), Context())
    assert [(each["Source"], each["DetailType"]) for each in bus.entries] == [
        ("moca.triggers", "Execution Completed")
    ]


def test_a_delivery_starts_the_run_once(
    pair: tuple[Trigger, Trigger], bus: Bus, function: Function, agent: DemoAgent
) -> None:
    first, second = pair
    handler(event_of(first), Context())
    for delivered in bus.delivered(second) * 2:
        handler(delivered, Context())
    assert (len(runs_of(second)), len(function.requests) >= 1) == (1, True)


def test_not_for_another_user(
    pair: tuple[Trigger, Trigger],
    make_trigger: Make,
    agent: DemoAgent,
    request: pytest.FixtureRequest,
) -> None:
    spy = make_trigger(name="Spy", user_id="bob", **after(triggerName=["First"]))
    bus: Bus = request.getfixturevalue("bus")
    handler(event_of(pair[0]), Context())
    for delivered in bus.delivered(spy):
        handler(delivered, Context())
    assert runs_of(spy) == []


def test_the_rule_asks_for_the_user_alone(pair: tuple[Trigger, Trigger]) -> None:
    rule: Any = rule_of(pair[1])
    assert rule.pattern["detail"] == {
        "triggerId": [pair[0].pk],
        "userId": ["alice"],
    }


def test_published_later_if_the_bus_is_away(
    pair: tuple[Trigger, Trigger], bus: Bus, agent: DemoAgent
) -> None:
    bus.is_away = True
    handler(event_of(pair[0]), Context())
    bus.is_away = False
    publish_overdue(timezone.now() + timedelta(minutes=2))
    states = [row.state for row in ReceivedEvent.objects.filter(source_id="moca.triggers")]
    assert (len(bus.entries), states) == (1, [EventState.DONE])
