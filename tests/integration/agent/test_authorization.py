"""How requests to the agent prove who sends them."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pytest_django import Settings

from agents import AgentClient, AgentError, FixedToken, Invocation
from agents.authorization import Authorize, KeyHeader
from agents.client import agent_url
from executions.agent_client import client_from_settings
from moca.aws.signing import signature_headers

pytestmark = pytest.mark.usefixtures("driver")

ARN = "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/reporter-a1b2"


class Agent(BaseHTTPRequestHandler):
    """Answers, and keeps what it was sent."""

    received: list[Any]
    answer = (200, json.dumps({"output": "Done."}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).received.append((self.path, dict(self.headers.items()), body))
        status, answer = self.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def agent() -> Any:
    Agent.received = []
    server = HTTPServer(("127.0.0.1", 0), Agent)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


INVOCATION = Invocation(
    prompt="Report.", target_user_id="alice", session_id="s" * 33, execution_id="e-1"
)


def invoke(client: AgentClient) -> dict[str, str]:
    """Run a prompt, and return the headers that the agent got."""
    with client:
        client.invoke(INVOCATION, time_limit=10, max_retries=0)
    headers: dict[str, str] = Agent.received[-1][1]
    return headers


def sent(url: str, authorize: Authorize, token: str | None = None) -> dict[str, str]:
    return invoke(AgentClient(url, FixedToken(token), authorize=authorize))


def test_key_goes_into_its_header_and_no_other(agent: str) -> None:
    headers = sent(agent, KeyHeader("X-Api-Key"), "key-1")
    assert (headers["X-Api-Key"], "Authorization" in headers) == ("key-1", False)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "session-token-4711")
    monkeypatch.setattr("moca.aws.signing.credentials", keys.get_frozen_credentials)
    return keys


@pytest.fixture
def signing(agent: str, settings: Settings) -> Settings:
    settings.AGENT_API_URL = f"{agent}/runtimes/{ARN}/invocations?qualifier=DEFAULT"
    settings.AGENT_AUTH, settings.AWS_REGION = "sigv4", "us-west-2"
    return settings


@pytest.mark.usefixtures("signing")
def test_signature_is_the_one_that_aws_computes(agent: str, keys: Credentials) -> None:
    headers = invoke(client_from_settings())
    path, received, body = Agent.received[-1]
    given = received["Authorization"]
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed = {name: value for name, value in received.items() if name.lower() in names}
    request = AWSRequest("POST", agent + path, headers=signed, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(keys, "bedrock-agentcore", "us-west-2")
    expected = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    assert given.endswith(f"Signature={expected}")


@pytest.mark.usefixtures("signing", "keys")
@pytest.mark.parametrize("status", [200, 500])
def test_session_token_of_aws_is_masked_in_what_the_agent_says(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"output": "You sent session-token-4711."}).encode()
    monkeypatch.setattr(Agent, "answer", (status, answer))
    said = ""
    try:
        with client_from_settings() as client:
            said = client.invoke(INVOCATION, time_limit=10, max_retries=0).output.text
    except AgentError as error:
        said = str(error)
    assert ("You sent ***" in said, "4711" in said) == (True, False)


@pytest.mark.usefixtures("keys")
def test_region_of_the_address_is_signed_for() -> None:
    url = agent_url(ARN)
    added = signature_headers("bedrock-agentcore", url, {}, b"{}", region="eu-west-1")
    assert "/us-west-2/bedrock-agentcore/aws4_request" in added["Authorization"]


@pytest.mark.usefixtures("signing")
def test_no_credentials_is_a_failure_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moca.aws.signing.credentials", lambda: None)
    with pytest.raises(AgentError, match=r"no AWS credentials .* set AWS_PROFILE"):
        invoke(client_from_settings())


@pytest.mark.usefixtures("signing")
def test_failure_to_sign_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moca.aws.signing.credentials", lambda: None)
    with pytest.raises(AgentError):
        invoke(client_from_settings())
    assert Agent.received == []


@pytest.mark.parametrize(
    ("given", "called"),
    [
        (
            ARN,
            "https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/arn%3Aaws%3Abedrock-agentcore"
            "%3Aus-west-2%3A123456789012%3Aruntime%2Freporter-a1b2/invocations?qualifier=DEFAULT",
        ),
        (
            f"{ARN}?qualifier=prod".replace("arn:aws:", "arn:aws-cn:").replace(
                "us-west-2", "cn-north-1"
            ),
            "https://bedrock-agentcore.cn-north-1.amazonaws.com.cn/runtimes/arn%3Aaws-cn%3Abedrock-"
            "agentcore%3Acn-north-1%3A123456789012%3Aruntime%2Freporter-a1b2/invocations?qualifier=prod",
        ),
    ],
)
def test_arn_of_a_runtime_is_an_address(given: str, called: str) -> None:
    assert agent_url(given) == called


def test_key_of_the_settings(agent: str, settings: Settings) -> None:
    settings.AGENT_API_URL = agent
    settings.AGENT_AUTH = "api-key"
    settings.AGENT_TOKEN = "key-2"
    settings.AGENT_KEY_HEADER = "X-Key"
    assert invoke(client_from_settings())["X-Key"] == "key-2"


def test_protocol_of_the_settings(agent: str, settings: Settings) -> None:
    settings.AGENT_API_URL = agent
    settings.AGENT_AUTH = "none"
    settings.AGENT_PROTOCOL = "openai"
    with pytest.raises(AgentError):
        invoke(client_from_settings())
    assert Agent.received[-1][0] == "/v1/chat/completions"


def test_unknown_protocol_of_the_settings_is_refused(settings: Settings) -> None:
    settings.AGENT_PROTOCOL = "soap"
    with pytest.raises(AgentError, match="not one of invocations"):
        client_from_settings()
