"""Runs of an agent made with a2a-sdk, whose rest a second process reads."""

import time
import uuid
from collections.abc import Callable

import pytest

from agents import AgentClient, AgentError, Cancellation, FixedToken, Invocation, resumption
from agents.errors import TASK_UNREADABLE
from agents.protocols import PROTOCOLS

TASK = "a2a_task.py"


@pytest.fixture
def client(url_of: Callable[..., str]) -> AgentClient:
    return AgentClient(url_of(TASK), FixedToken(None), protocol=PROTOCOLS["a2a"])


def invocation(prompt: str, task_id: str | None = None, session_id: str = "") -> Invocation:
    return Invocation(
        prompt=prompt,
        target_user_id="alice",
        session_id=session_id or uuid.uuid4().hex + "x",
        execution_id=str(uuid.uuid4()),
        task_id=task_id,
    )


def left(client: AgentClient, prompt: str) -> Invocation:
    """Send a prompt and leave before the answer has ended, as a function does at its end."""
    sent = invocation(prompt)
    with pytest.raises(AgentError) as caught:
        client.invoke(sent, time_limit=1, max_retries=0)
    reply = caught.value.reply
    assert reply is not None
    assert reply.task_id is not None
    return invocation(prompt, reply.task_id, sent.session_id)


def follow(client: AgentClient, sent: Invocation, seconds: float = 30) -> resumption.Reply:
    return resumption.follow(client, sent, time_limit=seconds, allowed=3600)


def test_answer_is_whole(client: AgentClient) -> None:
    with client:
        assert follow(client, left(client, "in a moment")).output.text == "Hello world."


def test_failure_is_the_agents(client: AgentClient) -> None:
    with client, pytest.raises(AgentError) as caught:
        follow(client, left(client, "fail in a moment"))
    assert caught.value.message == "No money left."


def test_question_is_read(client: AgentClient) -> None:
    with client:
        reply = follow(client, left(client, "ask in a moment"))
    assert (reply.outcome, reply.questions[0].text) == ("interrupted", "Delete it?")


def test_task_that_is_not_known_has_no_known_end(client: AgentClient) -> None:
    with client, pytest.raises(AgentError) as caught:
        follow(client, invocation("x", "no-such-task"))
    assert caught.value.reason.code is TASK_UNREADABLE


def test_time_out_says_what_the_whole_run_may_take(client: AgentClient) -> None:
    with client, pytest.raises(AgentError) as caught:
        follow(client, left(client, "slow"), seconds=2)
    assert caught.value.message == "timed out after 3600 s"


def test_cancel_ends_it_at_once(client: AgentClient) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    sent = left(client, "slow")
    began = time.monotonic()
    with client, pytest.raises(AgentError) as caught:
        resumption.follow(client, sent, time_limit=30, allowed=30, cancellation=cancellation)
    assert (caught.value.kind, time.monotonic() - began < 5) == ("cancelled", True)
