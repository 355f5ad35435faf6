"""Events and real scheduler processes that are killed in the middle."""

import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from agents.demo import DemoAgent
from events.models import EventState, ReceivedEvent
from executions.models import TriggerExecution
from tests.conftest import wait_for
from tests.integration.fan_out.conftest import Listen, Send
from tests.integration.scheduler.conftest import SchedulerCommand, runscheduler
from triggers.models import RunStatus

__all__ = ["runscheduler"]

Start = Callable[..., SchedulerCommand]
EVENTS, TRIGGERS, CONCURRENCY = 60, 5, 8


def sent_to(agent: DemoAgent) -> Counter[str]:
    """How often each run was sent to the agent, by the execution's id."""
    return Counter(
        request.headers["idempotency-key"]
        for request in agent.requests
        if request.path == "/invocations"
    )


def test_killed_process_loses_no_event_and_runs_none_twice(
    source: Any, send: Send, listen: Listen, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    source()
    for _ in range(TRIGGERS):
        listen()
    for number in range(EVENTS):
        send({"number": number})
    first = runscheduler(SCHEDULER_CONCURRENCY=str(CONCURRENCY))
    wait_for(lambda: len(sent_to(demo_agent)) > 20)
    first.signal(signal.SIGKILL)
    runscheduler()
    # What the killed process had begun is its own until its lease ends, and is closed as failed.
    wait_for(lambda: waiting() == 0 and running() <= CONCURRENCY)
    found = TriggerExecution.objects.count(), set(sent_to(demo_agent).values())
    assert found == (EVENTS * TRIGGERS, {1})


def waiting() -> int:
    """Events and runs that no process has begun."""
    accepted = TriggerExecution.objects.filter(status=RunStatus.RUNNING, attempt=0)
    return ReceivedEvent.objects.queued().count() + accepted.count()


def done() -> int:
    """Events of which the runs are begun or queued."""
    return ReceivedEvent.objects.filter(source_id="shop", state=EventState.DONE).count()


def running() -> int:
    return TriggerExecution.objects.running().count()


def test_two_processes_share_the_events(
    source: Any, send: Send, listen: Listen, runscheduler: Start, demo_agent: DemoAgent
) -> None:
    source()
    for _ in range(TRIGGERS):
        listen()
    runscheduler()
    runscheduler()
    for number in range(EVENTS):
        send({"number": number})
    wait_for(lambda: len(sent_to(demo_agent)) == EVENTS * TRIGGERS)
    wait_for(lambda: done() == EVENTS)
    assert set(sent_to(demo_agent).values()) == {1}
