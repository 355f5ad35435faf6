"""Runs of a real scheduler process that another process cancels."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from agents.demo import DemoAgent
from executions.models import CancelRequest, TriggerExecution
from executions.runner import cancel_run
from tests.conftest import wait_for
from triggers.models import Outcome, Process, RunStatus, Trigger

from .conftest import SchedulerCommand, ended, executions, make_due

Start = Callable[..., SchedulerCommand]
MakeTrigger = Callable[..., Trigger]

# Five seconds until the process has noticed, and one for a busy machine.
SOON = timedelta(seconds=6)


def cancelled(demo_agent: DemoAgent) -> TriggerExecution:
    """Cancel the run that is under way, and wait for its end."""
    wait_for(lambda: demo_agent.requests)
    time.sleep(2.5)
    cancel_run(executions(status=RunStatus.RUNNING)[0], by="olga")
    found: list[TriggerExecution] = wait_for(ended, seconds=10)
    return found[0]


def waited(execution: TriggerExecution) -> timedelta:
    assert execution.completed_at is not None
    assert execution.cancel_requested_at is not None
    return execution.completed_at - execution.cancel_requested_at


@pytest.mark.parametrize("instruction", ["first-byte 60", "stall", "slow 60"])
def test_run_ends_within_five_seconds(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent, instruction: str
) -> None:
    make_due(trigger(prompt=f"Count.\ndemo: {instruction}"))
    runscheduler()
    run = cancelled(demo_agent)
    assert (run.outcome, waited(run) < SOON) == (Outcome.CANCELLED, True)


def test_what_was_said_is_kept(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall"))
    runscheduler(AGENT_PROTOCOL="ag-ui")
    run = cancelled(demo_agent)
    assert (run.output[:5], len(run.tools), CancelRequest.objects.count()) == ("Hello", 1, 0)


def test_task_of_a2a_is_cancelled(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall"))
    runscheduler(AGENT_PROTOCOL="a2a")
    run = cancelled(demo_agent)
    wait_for(lambda: len(demo_agent.requests) > 1)
    assert demo_agent.requests[-1].body["params"] == {"id": run.task_id}


def test_run_of_a_killed_process_ends_as_cancelled(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall"))
    command = runscheduler()
    wait_for(lambda: demo_agent.requests)
    cancel_run(executions(status=RunStatus.RUNNING)[0], by="olga")
    command.signal(signal.SIGKILL)
    # End its lease now, so that nobody has to wait for it.
    Process.objects.update(lease_until=executions()[0].started_at)
    runscheduler()
    assert wait_for(ended)[0].outcome == Outcome.CANCELLED


def test_process_that_stops_before_it_notices_ends_the_run_as_cancelled(
    trigger: MakeTrigger, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    make_due(trigger(prompt="Count.\ndemo: stall"))
    command = runscheduler(SCHEDULER_GRACE_SECONDS="0")
    wait_for(lambda: demo_agent.requests)
    cancel_run(executions(status=RunStatus.RUNNING)[0], by="olga")
    command.signal(signal.SIGTERM)
    assert ended()[0].outcome == Outcome.CANCELLED
