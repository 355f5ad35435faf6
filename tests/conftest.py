"""What all tests share. Nothing here or below leaves this machine."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import connections

from executions.agent import AgentClient, FixedToken
from executions.demo_agent import DemoAgent
from executions.scheduler import LocalSchedulerProcess
from triggers.models import Trigger


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Return what the condition gives as soon as that is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture
def make_trigger(db: None) -> Callable[..., Trigger]:
    """Make a valid, saved schedule trigger; keyword arguments are its fields."""

    def make(**fields: Any) -> Trigger:
        values: dict[str, Any] = {
            "user_id": "alice",
            "name": "Report",
            "agent_id": "reporter",
            "prompt": "Report.",
            "schedule_config": {"expression": "cron(0 9 * * ? *)"},
        }
        trigger = Trigger(**{**values, **fields})
        trigger.full_clean(validate_unique=False)
        trigger.save()
        return trigger

    return make


@pytest.fixture
def demo_agent() -> Iterator[DemoAgent]:
    """A demo agent on a free port that answers without pauses."""
    with DemoAgent(pause=0) as agent:
        yield agent


@pytest.fixture
def scheduler(
    demo_agent: DemoAgent, transactional_db: None
) -> Callable[[], AbstractContextManager[LocalSchedulerProcess]]:
    """Run a scheduler in a thread of this process, by `with scheduler():`."""

    @contextmanager
    def running() -> Iterator[LocalSchedulerProcess]:
        process = LocalSchedulerProcess(
            AgentClient(f"{demo_agent.url}", FixedToken(demo_agent.issue_token()))
        )

        def run() -> None:
            process.run()
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield process
        finally:
            process.stop()
            thread.join(30)
            process.client.close()

    return running
