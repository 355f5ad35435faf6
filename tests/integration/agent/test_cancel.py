"""Calls that another thread cancels, and how their agents are told."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pytest_django import Settings

from agents import AgentClient, AgentError, Cancellation, FixedToken
from agents.client import stop_url
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions.agent_client import client_from_settings
from tests.conftest import wait_for
from tests.integration.agent.conftest import SESSION, credentials, invocation, raw_server

pytestmark = pytest.mark.usefixtures("driver")

ARN = "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/reporter-a1b2"
CODED = ARN.replace(":", "%3A").replace("/", "%2F")


class Call:
    """A call in a thread of its own, whose error `cancel()` returns."""

    def __init__(self, client: AgentClient, prompt: str, **options: Any) -> None:
        self.cancellation = Cancellation()
        self.error: AgentError | None = None
        self.sent = invocation(prompt)
        self.options = {"time_limit": 60, "max_retries": 0, **options}
        self.client = client
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.client.invoke(self.sent, cancellation=self.cancellation, **self.options)
        except AgentError as error:
            self.error = error

    def cancel(self) -> AgentError:
        self.cancellation.cancel()
        self.thread.join(1)
        assert not self.thread.is_alive()
        assert self.error is not None
        return self.error


PROMPTS = {
    "silent before the first byte": "x\ndemo: first-byte 60",
    "silent midway": "x\ndemo: stall",
    "slow": "x\ndemo: drip 0.1",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_call_ends_at_once(agent: DemoAgent, client: AgentClient, name: str) -> None:
    call = Call(client, PROMPTS[name])
    wait_for(lambda: agent.requests)
    time.sleep(0.2)
    error = call.cancel()
    assert (error.kind, error.reached) == ("cancelled", True)


def test_what_was_said_is_kept(agent: DemoAgent, client: AgentClient) -> None:
    said = threading.Event()
    call = Call(client, "Count.\ndemo: stall", on_output=lambda _: said.set())
    said.wait(10)
    error = call.cancel()
    assert error.reply is not None
    assert error.reply.output.text.startswith("Hello")


def test_pause_before_a_retry_ends_at_once(agent: DemoAgent, client: AgentClient) -> None:
    call = Call(client, "x\ndemo: status 503 retry-after 30", max_retries=3)
    wait_for(lambda: agent.requests)
    time.sleep(0.2)
    error = call.cancel()
    assert (error.kind, error.reached, len(agent.requests)) == ("cancelled", False, 1)


def test_call_that_begins_later_sends_nothing(agent: DemoAgent, client: AgentClient) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(AgentError, match="the run was cancelled"):
        client.invoke(invocation(), time_limit=9, max_retries=3, cancellation=cancellation)
    assert not agent.requests


def test_call_that_has_ended_is_not_cancelled(client: AgentClient) -> None:
    cancellation = Cancellation()
    reply = client.invoke(invocation(), time_limit=9, max_retries=0, cancellation=cancellation)
    cancellation.cancel()
    assert reply.output.text


class TestTelling:
    def cancelled(self, agent: DemoAgent, client: AgentClient, prompt: str) -> bool:
        said = threading.Event()
        call = Call(client, prompt, on_output=lambda _: said.set())
        said.wait(10)
        return client.cancel(call.sent, call.cancel().reply)

    @pytest.fixture
    def speaking(self, agent: DemoAgent) -> Callable[..., AgentClient]:
        def make(protocol: str, path: str = "") -> AgentClient:
            url = agent.url + path
            return AgentClient(url, credentials(agent), protocol=PROTOCOLS[protocol])

        return make

    def test_task_of_a2a_is_cancelled(
        self, agent: DemoAgent, speaking: Callable[..., AgentClient]
    ) -> None:
        with speaking("a2a") as client:
            self.cancelled(agent, client, "Count.\ndemo: stall")
        asked = agent.requests[-1]
        assert (asked.body["method"], asked.body["params"]["id"][:5]) == ("CancelTask", "task-")

    def test_session_of_a_runtime_is_stopped(
        self, agent: DemoAgent, speaking: Callable[..., AgentClient]
    ) -> None:
        with speaking("agentcore", f"/runtimes/{ARN}/invocations?qualifier=prod") as client:
            self.cancelled(agent, client, "Count.\ndemo: stall")
        asked = agent.requests[-1]
        assert (
            asked.path,
            asked.headers["x-amzn-bedrock-agentcore-runtime-session-id"],
            asked.headers["authorization"][:7],
        ) == (f"/runtimes/{CODED}/stopruntimesession?qualifier=prod", SESSION, "Bearer ")

    def test_silent_task_on_a_runtime_has_its_session_stopped(
        self, agent: DemoAgent, speaking: Callable[..., AgentClient]
    ) -> None:
        with speaking("a2a", f"/runtimes/{ARN}/invocations") as client:
            client.cancel(invocation(), None)
        assert agent.requests[-1].path == f"/runtimes/{CODED}/stopruntimesession"

    def test_request_is_another_one_than_the_run(
        self, agent: DemoAgent, speaking: Callable[..., AgentClient]
    ) -> None:
        with speaking("a2a") as client:
            self.cancelled(agent, client, "Count.\ndemo: stall")
        first, second = (each.headers["idempotency-key"] for each in agent.requests)
        assert second == f"{first}-cancel"

    @pytest.mark.parametrize("protocol", ["invocations", "agentcore", "ag-ui", "openai"])
    def test_other_agents_are_sent_nothing(
        self, agent: DemoAgent, speaking: Callable[..., AgentClient], protocol: str
    ) -> None:
        with speaking(protocol) as client:
            assert not client.cancel(invocation(), None)

    def test_refusal_is_an_error(self) -> None:
        refused = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            b'{"jsonrpc": "2.0", "error": {"code": -32002, "message": "Task cannot be canceled"}}'
        )
        with (
            raw_server(lambda connection: connection.sendall(refused)) as url,
            AgentClient(f"{url}/runtimes/{ARN}/invocations", FixedToken("t")) as client,
            pytest.raises(AgentError, match="cannot be canceled"),
        ):
            client.cancel(invocation(), None)

    def test_request_is_signed(
        self, agent: DemoAgent, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        agent.options.check_tokens = False
        keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "session-token")
        monkeypatch.setattr("moca.aws.signing.credentials", keys.get_frozen_credentials)
        settings.AGENT_API_URL = f"{agent.url}/runtimes/{ARN}/invocations?qualifier=DEFAULT"
        settings.AGENT_AUTH, settings.AWS_REGION = "sigv4", "us-west-2"
        sent = invocation()
        with client_from_settings() as client:
            client.cancel(sent, None)
        asked = agent.requests[-1]
        given = asked.headers["authorization"]
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        signed = {name: asked.headers[name] for name in names}
        body = b'{"clientToken": "%s"}' % sent.execution_id.encode()
        request = AWSRequest("POST", agent.url + asked.path, headers=signed, data=body)
        request.context["timestamp"] = asked.headers["x-amz-date"]
        signer = SigV4Auth(keys, "bedrock-agentcore", "us-west-2")
        expected = signer.signature(
            signer.string_to_sign(request, signer.canonical_request(request)), request
        )
        assert given.endswith(f"Signature={expected}")


def test_only_runtimes_have_sessions_to_stop() -> None:
    assert stop_url("https://agent.example.com/invocations") is None


def test_request_has_the_form_of_the_service() -> None:
    """Compare with what botocore sends for StopRuntimeSession."""
    from botocore.session import get_session

    made: list[Any] = []
    service = get_session().create_client(
        "bedrock-agentcore",
        region_name="us-west-2",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )

    def catch(request: Any, **_: Any) -> Any:
        made.append(request)
        raise InterruptedError

    service.meta.events.register("before-send.bedrock-agentcore.StopRuntimeSession", catch)
    with pytest.raises(InterruptedError):
        service.stop_runtime_session(
            agentRuntimeArn=ARN, runtimeSessionId=SESSION, qualifier="DEFAULT"
        )
    url = f"https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/{CODED}/invocations"
    assert made[0].url == stop_url(f"{url}?qualifier=DEFAULT")
