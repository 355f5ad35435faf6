"""Traces that go on in another process: by events, by buses, and by runs that are handed over."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from events.buses import eventbridge
from events.models import ReceivedEvent
from executions.fan_out import distribute
from executions.models import RunWorker, TriggerExecution
from tests.conftest import wait_for
from tests.integration.chains.conftest import after
from tests.integration.events.conftest import make_source
from tests.integration.handover.conftest import (
    Worker,
    clients,
    invoke,
    read,
    work,
)
from tests.integration.handover.test_handover import long_run
from tests.signing import SECRET, signed
from triggers.models import RunStatus, Trigger

from .conftest import Collector
from .test_traces import PARENT, TRACE, TRACEPARENT

__all__ = ["clients", "long_run", "make_source", "work"]

pytestmark = pytest.mark.sqlite


@pytest.fixture
def received(
    sending: Collector, make_source: Callable[..., Any], settings: Any, transactional_db: None
) -> ReceivedEvent:
    """A webhook that came with a trace, in a request to the address of its source."""
    make_source()
    trigger = Trigger(
        user_id="alice",
        name="On orders",
        type="event",
        agent_id="a",
        prompt="Look.",
        event_config={"eventSourceId": "shop"},
    )
    trigger.save()
    body = json.dumps({"type": "order", "data": {}}).encode()
    headers = signed("webhook", SECRET, body, "msg_1", int(timezone.now().timestamp()))
    middleware = ["moca.request_trace.RequestTraceMiddleware", *settings.MIDDLEWARE]
    with override_settings(MIDDLEWARE=middleware):
        answer = Client().generic(
            "POST",
            "/events?source=shop",
            body,
            "application/json",
            headers={**headers, "traceparent": TRACEPARENT},
        )
    assert answer.status_code < 300, answer.content
    return ReceivedEvent.objects.get()


def test_webhook_is_kept_with_its_trace(received: ReceivedEvent) -> None:
    assert received.trace_context.startswith(f"00-{TRACE}-")


def test_run_of_a_webhook_goes_on_with_the_trace(received: ReceivedEvent) -> None:
    distribute([received])
    assert TriggerExecution.objects.get().trace_context == received.trace_context


def test_event_on_a_bus_has_the_trace(received: ReceivedEvent) -> None:
    entry = eventbridge._entry("default", received)
    parent = received.trace_context.split("-")[2]
    assert entry["TraceHeader"] == f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={parent};Sampled=1"


def test_event_on_a_bus_has_none_without_a_trace(received: ReceivedEvent) -> None:
    received.trace_context = ""
    assert "TraceHeader" not in eventbridge._entry("default", received)


@pytest.fixture
def xray(monkeypatch: pytest.MonkeyPatch) -> None:
    header = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)


def test_worker_goes_on_with_the_trace_of_a_run(
    sending: Collector, work: Worker, long_run: Callable[..., Trigger], xray: None
) -> None:
    with work():
        wait_for(RunWorker.objects.exists)
        execution = invoke(long_run())
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
        roots = wait_for(lambda: len(found := sending.named("run schedule")) >= 2 and found)
    first = next(root for root in roots if root.parent_id == PARENT)
    others = [root.parent_id for root in roots if root is not first]
    assert ({root.trace_id for root in roots}, {*others}) == ({TRACE}, {first.id})


def test_run_that_another_starts_is_of_its_trace(
    sending: Collector, scheduler: Callable, due: Callable[..., Trigger]
) -> None:
    first = due(include_context=False)
    Trigger(user_id="alice", name="Next", agent_id="a", prompt="Go on.", **after(first)).save()
    with scheduler():
        (following,) = wait_for(lambda: sending.named("run event"))
    (root,) = sending.named("run schedule")
    assert (following.trace_id, following.parent_id) == (root.trace_id, root.id)
