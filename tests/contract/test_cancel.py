"""Runs of agents made with SDKs, which a person cancels."""

import json
import os
import threading
import uuid

import httpx
import pytest

from agents import AgentClient, AgentError, Cancellation, FixedToken, Invocation
from agents.protocols import PROTOCOLS
from agents.replies import Reply
from tests.contract.conftest import MissingError, Servers

TASK = "a2a_task.py"


@pytest.fixture
def client(servers: Servers) -> AgentClient:
    try:
        url = servers.url(TASK)
    except MissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return AgentClient(url, FixedToken(None), protocol=PROTOCOLS["a2a"])


def invocation() -> Invocation:
    return Invocation(
        prompt="slow",
        target_user_id="alice",
        session_id=uuid.uuid4().hex + "x",
        execution_id=str(uuid.uuid4()),
    )


def cancelled(client: AgentClient, sent: Invocation) -> Reply:
    """Cancel a run of the agent after its first words, and return what it said."""
    cancellation = Cancellation()
    with pytest.raises(AgentError) as caught:
        client.invoke(
            sent,
            time_limit=30,
            max_retries=0,
            # Another thread, because the call's own cannot wait for itself.
            on_output=lambda _: threading.Timer(0.2, cancellation.cancel).start(),
            cancellation=cancellation,
        )
    assert caught.value.reply is not None
    return caught.value.reply


def test_task_of_a2a_is_cancelled(client: AgentClient) -> None:
    sent = invocation()
    with client:
        assert client.cancel(sent, cancelled(client, sent))


def test_state_of_the_task_says_so(client: AgentClient) -> None:
    sent = invocation()
    with client:
        reply = cancelled(client, sent)
        client.cancel(sent, reply)
        call = {"jsonrpc": "2.0", "id": "1", "method": "GetTask", "params": {"id": reply.task_id}}
        answer = httpx.post(
            client.url,
            content=json.dumps(call),
            headers={"A2A-Version": "1.0", "Content-Type": "application/json"},
        )
    assert answer.json()["result"]["status"]["state"] == "TASK_STATE_CANCELED"


def test_task_that_was_cancelled_before_is_an_error_for_the_log(client: AgentClient) -> None:
    sent = invocation()
    with client:
        reply = cancelled(client, sent)
        client.cancel(sent, reply)
        with pytest.raises(AgentError) as caught:
            client.cancel(sent, reply)
    assert caught.value.kind == "agent"
