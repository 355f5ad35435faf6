"""Runs that ask a person, made with the demo agent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from triggers.models import Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
APPROVAL = (
    '{"type":"object","properties":{"approved":{"type":"boolean"},"reason":{"type":"string"}},'
    '"required":["approved"]}'
)

MakeTrigger = Callable[..., Trigger]
Ask = Callable[..., TriggerExecution]
GoOn = Callable[..., TriggerExecution]


@pytest.fixture
def clients(demo_agent: DemoAgent) -> Iterator[Callable[[str], AgentClient]]:
    """Make the client of a protocol."""
    made: list[AgentClient] = []

    def make(protocol: str) -> AgentClient:
        token = FixedToken(demo_agent.issue_token())
        made.append(AgentClient(demo_agent.url, token, protocol=PROTOCOLS[protocol]))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def ask(clients: Callable[[str], AgentClient], make_trigger: MakeTrigger) -> Ask:
    """Run a prompt whose agent asks a person, and read the record back."""

    def asked(protocol: str = "ag-ui", schema: str = "", **fields: Any) -> TriggerExecution:
        prompt = "Pay.\ndemo: ask Shall I pay?" + (f"\ndemo: schema {schema}" if schema else "")
        values = {"prompt": prompt, "include_context": False, "max_retries": 0, **fields}
        trigger = make_trigger(**values)
        started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert started is not None
        runner.execute(started, clients(protocol))
        return TriggerExecution.objects.get(pk=started.execution.pk)

    return asked


@pytest.fixture
def go_on(clients: Callable[[str], AgentClient]) -> GoOn:
    """Run what waits for a process to its end, and read the record back."""

    def ran(execution: TriggerExecution, protocol: str = "ag-ui") -> TriggerExecution:
        run = runner.resume(execution.trigger_id, execution.pk)
        assert run is not None
        runner.execute(run, clients(protocol))
        return TriggerExecution.objects.get(pk=execution.pk)

    return ran


def values_for(execution: TriggerExecution, value: Any) -> dict[str, Any]:
    """The same answer to each question of a run."""
    return {question["id"]: value for question in execution.questions or []}
