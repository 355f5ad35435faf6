"""Agents with records, and runs of triggers that name them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import runner
from executions.agent_records.model import Agent
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.integration.admin.conftest import administrator, editor, viewer
from tests.integration.aws.conftest import moto
from triggers.models import Trigger

__all__ = ["administrator", "editor", "moto", "viewer"]

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
VARIABLE = "AGENT_REPORTER_TOKEN"

MakeAgent = Callable[..., Agent]
MakeTrigger = Callable[..., Trigger]
Fire = Callable[[Trigger], TriggerExecution]


@pytest.fixture
def token(demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token of the demo agent, which stands in an environment variable."""
    monkeypatch.setenv(VARIABLE, issued := demo_agent.issue_token())
    return issued


@pytest.fixture
def make_agent(db: None, demo_agent: DemoAgent, token: str) -> MakeAgent:
    """Create the record of the demo agent; keyword arguments are its fields."""

    def make(**fields: Any) -> Agent:
        values: dict[str, Any] = {
            "id": "reporter",
            "name": "Reporter",
            "address": demo_agent.url,
            "auth": "static",
            "secret_ref": VARIABLE,
        }
        agent = Agent(**{**values, **fields})
        agent.full_clean()
        agent.save()
        return agent

    return make


@pytest.fixture
def default_agent() -> Iterator[DemoAgent]:
    """Another demo agent, that of AGENT_API_URL."""
    with DemoAgent(pause=0) as agent:
        yield agent


@pytest.fixture
def fire(default_agent: DemoAgent) -> Iterator[Fire]:
    """Run a trigger, at a later time with each call."""
    due = NINE
    with AgentClient(default_agent.url, FixedToken(default_agent.issue_token())) as client:

        def fire(trigger: Trigger) -> TriggerExecution:
            nonlocal due
            due += timedelta(hours=1)
            started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
            assert started is not None
            return runner.execute(started, client)

        yield fire
