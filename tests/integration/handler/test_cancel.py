"""Runs of the Lambda function that another process cancels."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import lambda_handler
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from executions.runner import cancel_run
from tests.conftest import wait_for
from tests.integration.handler.test_handler import Context, event_of, runs_of
from triggers.models import Outcome, RunStatus, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

ARN = "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/reporter-a1b2"
# Five seconds until the function has noticed, and one for a busy machine.
SOON = timedelta(seconds=6)

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def agent(demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoAgent]:
    """The demo agent as an AgentCore runtime."""
    url = f"{demo_agent.url}/runtimes/{ARN}/invocations?qualifier=DEFAULT"
    tokens = FixedToken(demo_agent.issue_token())
    with AgentClient(url, tokens, protocol=PROTOCOLS["agentcore"]) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        yield demo_agent


def invoke_and_cancel(trigger: Trigger, begun: Callable[[], Any]) -> dict[str, Any]:
    """Invoke the function, and cancel its run from another thread once it has begun."""

    def ask() -> None:
        try:
            wait_for(begun)
            cancel_run(runs_of(trigger)[0], by="alice")
        finally:
            connections.close_all()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        return handler(event_of(trigger), Context())
    finally:
        thread.join(30)


@pytest.mark.parametrize("instruction", ["first-byte 60", "stall", "slow 60"])
def test_run_ends_within_five_seconds(
    agent: DemoAgent, make_trigger: MakeTrigger, instruction: str
) -> None:
    trigger = make_trigger(prompt=f"Count.\ndemo: {instruction}")
    invoke_and_cancel(trigger, lambda: agent.requests)
    (run,) = runs_of(trigger)
    assert run.completed_at is not None
    assert run.cancel_requested_at is not None
    assert (run.outcome, run.completed_at - run.cancel_requested_at < SOON) == (
        Outcome.CANCELLED,
        True,
    )


def test_session_of_the_runtime_is_stopped(agent: DemoAgent, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall")
    invoke_and_cancel(trigger, lambda: agent.requests)
    run, stop = (
        (each.path.rpartition("/")[2], each.headers["x-amzn-bedrock-agentcore-runtime-session-id"])
        for each in agent.requests
    )
    assert (stop[0], stop[1]) == ("stopruntimesession?qualifier=DEFAULT", run[1])


def test_run_that_never_reached_the_agent_is_not_retried(
    monkeypatch: pytest.MonkeyPatch, demo_agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        trigger = make_trigger(prompt="x\ndemo: status 503 retry-after 60", max_retries=3)
        first = invoke_and_cancel(trigger, lambda: demo_agent.requests)
        again = handler(event_of(trigger), Context("another"))
    assert (first["status"], again["status"], len(demo_agent.requests)) == ("failed", "skipped", 1)


def test_thread_that_polls_ends_with_the_invocation(
    agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    handler(event_of(make_trigger()), Context())
    assert "cancel-watch" not in {thread.name for thread in threading.enumerate()}


def test_run_that_completes_first_has_completed(
    agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: first-byte 0.5")
    invoke_and_cancel(trigger, lambda: agent.requests)
    run = TriggerExecution.objects.get(pk=runs_of(trigger)[0].pk)
    assert (run.status, run.cancel_requested_at is not None) == (RunStatus.COMPLETED, True)
