"""Triggers that start when the runs of others end, and their runs on one machine."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from events.models import ReceivedEvent
from executions import runner
from executions.fan_out import distribute
from executions.models import QueuedRun, TriggerExecution
from executions.runner.manual import run_now
from triggers.models import Trigger

Make = Callable[..., Trigger]
RunIt = Callable[..., TriggerExecution]


def pattern(*triggers: Trigger, kinds: list[str] | None = None, **detail: Any) -> dict[str, Any]:
    """The pattern of the ends of triggers' runs."""
    wanted: dict[str, Any] = {"source": ["moca.triggers"]}
    if kinds:
        wanted["detail-type"] = kinds
    if triggers:
        detail["triggerId"] = [each.pk for each in triggers]
    return {**wanted, **({"detail": detail} if detail else {})}


def after(*triggers: Trigger, **wanted: Any) -> dict[str, Any]:
    """The fields of a trigger that starts after the runs of others."""
    config = {"eventPattern": pattern(*triggers, **wanted)}
    return {
        "type": "event",
        "event_config": config,
        "schedule_config": None,
        "overlap_policy": "allow",
    }


def ends() -> list[dict[str, Any]]:
    """The ends of runs that were published, in their order."""
    rows = ReceivedEvent.objects.filter(source_id="moca.triggers").order_by("received_at")
    return [json.loads(row.envelope) for row in rows]


def runs_of(trigger: Trigger) -> list[TriggerExecution]:
    return list(TriggerExecution.objects.of_trigger(trigger).order_by("-pk"))


@pytest.fixture
def trigger(transactional_db: None, make_trigger: Make) -> Make:
    """Make a trigger whose prompt is sent without a section about the event."""

    def make(name: str = "First", **fields: Any) -> Trigger:
        values = {"name": name, "prompt": "Count.", "include_context": False}
        return make_trigger(**{**values, **fields})

    return make


@pytest.fixture
def client(demo_agent: DemoAgent) -> Iterator[AgentClient]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        yield client


@pytest.fixture
def settle(client: AgentClient) -> Callable[[], None]:
    """Do what the scheduler process does with events and queued runs, until all is done."""

    def work() -> None:
        while True:
            received = list(ReceivedEvent.objects.queued()[:100])
            distribute(received)
            queued = list(QueuedRun.objects.all())
            for one in queued:
                QueuedRun.objects.filter(pk=one.pk).delete()
                if run := runner.resume(one.trigger_id, one.pk):
                    runner.execute(run, client)
            if not (received or queued):
                return

    return work


@pytest.fixture
def run_it(settle: Callable[[], None]) -> RunIt:
    """Run a trigger now, with all that its end starts; returns its run."""

    def run(trigger: Trigger, **options: Any) -> TriggerExecution:
        made = run_now(trigger, by="ann", **options)
        settle()
        return TriggerExecution.objects.keyed(made.trigger_id, made.pk).get()

    return run
