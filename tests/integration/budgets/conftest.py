"""Runs of triggers with budgets, and the doors to what operators enter."""

from collections.abc import Callable
from datetime import datetime
from unittest.mock import patch

import pytest

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import runner
from executions.models import Source, TriggerExecution
from executions.runner import Occurrence, Run
from moca.ids import new_id
from tests.integration.admin.conftest import administrator, editor, viewer
from tests.integration.alerts.conftest import make_rule
from tests.integration.api.conftest import alice, bob
from triggers.models import RunStatus, Trigger

__all__ = ["administrator", "alice", "bob", "editor", "make_rule", "viewer"]


def ask(trigger: Trigger, agent: DemoAgent, protocol: str = "invocations") -> TriggerExecution:
    """Run a trigger now by the demo agent."""
    run = begin(trigger)
    agent_client = AgentClient(
        agent.url, FixedToken(agent.issue_token()), protocol=PROTOCOLS[protocol]
    )
    with agent_client as client:
        runner.execute(run, client)
    found: TriggerExecution = TriggerExecution.objects.get(pk=run.execution.pk)
    return found


def begin(trigger: Trigger) -> Run:
    key = new_id()
    run = runner.start(Occurrence(key, trigger.user_id, trigger.pk, Source.MANUAL))
    assert run is not None
    return run


def spend(trigger: Trigger, tokens: int, at: datetime | None = None) -> TriggerExecution:
    """Have a run of a trigger end, whose agent has read so many tokens."""
    if at is not None:
        with patch("django.utils.timezone.now", lambda: at):
            return spend(trigger, tokens)
    run = begin(trigger)
    run.execution.usage = {"inputTokens": tokens, "outputTokens": 0}
    runner.close(run.execution, RunStatus.COMPLETED)
    return run.execution


@pytest.fixture
def stored() -> Callable[[Trigger], Trigger]:
    def read(row: Trigger) -> Trigger:
        found: Trigger = Trigger.objects.get(pk=row.pk)
        return found

    return read
