"""Runs of a local scheduler process, which a worker reads on or a callback ends."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents import AgentClient
from agents.demo import DemoAgent
from executions import runner
from executions.models import TriggerExecution
from tests.conftest import wait_for
from tests.integration.handover.conftest import MakeTrigger, Worker, beat, read
from tests.integration.handover.test_results import GOOD, Agent
from tests.integration.scheduler.conftest import (
    SchedulerCommand,
    make_due,
    runscheduler,  # noqa: F401  (a fixture)
)
from triggers.models import Outcome, OverlapPolicy, Process, RunStatus, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

Clients = Callable[..., AgentClient]
Start = Callable[..., SchedulerCommand]
ADDRESS = "https://triggers.example.com"


def run_of(trigger: Trigger) -> TriggerExecution:
    rows = TriggerExecution.objects.filter(trigger_id=trigger.pk)
    wait_for(rows.exists)
    found: TriggerExecution = rows.get()
    return found


@pytest.fixture
def orphan(
    clients: Clients,
    runscheduler: Start,  # noqa: F811
    make_trigger: MakeTrigger,
) -> TriggerExecution:
    """A run whose scheduler process was killed while its agent was at work."""
    clients("a2a")
    trigger = make_trigger(
        prompt="Count.\ndemo: background 8",
        timeout_seconds=3600,
        overlap_policy=OverlapPolicy.SKIP,
    )
    make_due(trigger)
    command = runscheduler(AGENT_PROTOCOL="a2a")
    wait_for(lambda: run_of(trigger).task_id, 20)
    command.signal(signal.SIGKILL)
    Process.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    # What is known of a process is kept for two seconds.
    time.sleep(2)
    return run_of(trigger)


def test_run_of_a_killed_scheduler_is_read_on(orphan: TriggerExecution, work: Worker) -> None:
    with work():
        beat()
        closed = runner.close_lost(timezone.now())
        wait_for(lambda: read(orphan).status != RunStatus.RUNNING, 30)
    assert (orphan.process_id != "", closed, read(orphan).outcome) == (True, 0, Outcome.SUCCESS)


def test_its_trigger_stays_held_meanwhile(orphan: TriggerExecution) -> None:
    beat()
    runner.close_lost(timezone.now())
    trigger = orphan.find_trigger()
    assert trigger is not None
    assert (trigger.is_held(timezone.now()), read(orphan).is_lost(timezone.now())) == (True, False)


def test_without_a_worker_it_is_closed_as_lost(orphan: TriggerExecution) -> None:
    runner.close_lost(timezone.now())
    assert read(orphan).outcome == Outcome.LOST


def test_result_ends_a_run_on_the_loop(
    clients: Clients,
    make_trigger: MakeTrigger,
    runscheduler: Start,  # noqa: F811
    demo_agent: DemoAgent,
    settings: Any,
) -> None:
    clients("agentcore")
    settings.PUBLIC_URL = ADDRESS
    trigger = make_trigger(prompt="x\ndemo: stall")
    make_due(trigger)
    command = runscheduler(AGENT_PROTOCOL="agentcore", PUBLIC_URL=ADDRESS)
    wait_for(lambda: demo_agent.requests, 20)
    status = Agent(demo_agent).send().status_code
    wait_for(lambda: not Process.objects.get().running, 30)
    command.signal(signal.SIGTERM)
    ended = run_of(trigger)
    assert (status, ended.outcome, ended.output) == (200, Outcome.SUCCESS, GOOD["output"])
    assert "ended elsewhere" in command.close()
