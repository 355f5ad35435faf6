"""What an event that a rule brings asks of DynamoDB."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.demo import DemoAgent
from executions.agent_records.lookup import record_of
from executions.lambda_handler import handler
from tests.integration.aws.conftest import moto
from tests.integration.dynamodb.conftest import Counting
from tests.integration.events.conftest import ORDER, MakeSource, Send, make_source, send
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_events import listen, of_source
from tests.integration.handler.test_handler import Context, agent
from triggers.models import Trigger

__all__ = ["agent", "function", "listen", "make_source", "moto", "send"]

ONE = {"eventSourceId": "orders"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "PutItem"),
        ({"overlap_policy": "skip"}, "TransactWriteItems"),
        ({"config": {**ONE, "maxRunsPerHour": 9}}, "TransactWriteItems"),
    ],
)
def test_event_for_a_trigger(
    listen: Callable[..., Any],
    function: Function,
    requests_made: Counting,
    fields: dict[str, Any],
    expected: str,
) -> None:
    listen(**fields)
    with requests_made() as made:
        handler(of_source(), Context())
    # Who listens, and all of them at once; then each by itself.
    assert made == ["Query", "GetItem", "GetItem", expected]


def test_its_run(
    listen: Callable[..., Any], function: Function, agent: DemoAgent, requests_made: Counting
) -> None:
    listen()
    handler(of_source(), Context())
    (sent,) = [json.loads(request.body) for request in function.requests]
    # A process looks the record of an agent up once a minute. Here it has just done so.
    record_of(Trigger.objects.get().agent_id)
    with requests_made() as made:
        handler(sent, Context())
    beginning, end = ["GetItem", "GetItem", "UpdateItem"], ["UpdateItem", "UpdateItem"]
    assert made == beginning + end


def test_event_that_goes_on_to_a_bus(
    moto: None, make_source: MakeSource, send: Send, settings: Any, requests_made: Counting
) -> None:
    make_source()
    settings.EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
    with requests_made() as made:
        send(ORDER)
    assert made == ["GetItem", "PutItem", "UpdateItem"]
