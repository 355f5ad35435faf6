"""The request, to the letter of the protocol, and what a good run gives back."""

import re

import pytest

from agents import AgentClient, AgentError, FixedToken, agent_url, new_session_id
from agents.demo import DemoAgent
from agents.transport import new_http
from tests.integration.agent.conftest import SESSION, invocation

pytestmark = pytest.mark.usefixtures("driver")

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/moca-AbC123"
CODED = "arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fmoca-AbC123"
CORE = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes"


def test_headers(agent: DemoAgent, client: AgentClient) -> None:
    run = invocation(trace_id="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    client.invoke(run, time_limit=5, max_retries=0)
    headers = agent.requests[0].headers
    assert headers.pop("authorization").startswith("Bearer ")
    assert int(headers.pop("content-length")) > 0
    # A connection serves one request, which only the client of the event loop says.
    headers.pop("connection", "")
    assert headers == {
        "host": agent.url.removeprefix("http://"),
        "content-type": "application/json",
        "accept": "application/x-ndjson",
        "accept-encoding": "identity",
        "user-agent": "moca-triggers",
        "x-amzn-bedrock-agentcore-runtime-session-id": SESSION,
        "x-amzn-bedrock-agentcore-runtime-session-type": "event",
        "x-amzn-trace-id": run.trace_id,
        "idempotency-key": run.execution_id,
    }


def test_body_leaves_out_what_is_unset(agent: DemoAgent, client: AgentClient) -> None:
    client.invoke(invocation("Grüße 🎉"), time_limit=5, max_retries=0)
    expected = {"prompt": "Grüße 🎉", "targetUserId": "alice", "sessionId": SESSION}
    assert agent.requests[0].body == expected


def test_body_holds_what_is_set(agent: DemoAgent, client: AgentClient) -> None:
    run = invocation(
        agent_id="a",
        options={"modelId": "m", "storagePath": "/reports"},
        enabled_tools=[],
        system_prompt="Be brief.",
        mcp_config={"servers": {}},
    )
    client.invoke(run, time_limit=5, max_retries=0)
    assert agent.requests[0].body == {
        "prompt": "Say hello",
        "targetUserId": "alice",
        "sessionId": SESSION,
        "agentId": "a",
        "modelId": "m",
        "storagePath": "/reports",
        "enabledTools": [],
        "systemPrompt": "Be brief.",
        "mcpConfig": {"servers": {}},
    }


def test_trace_header_is_made(agent: DemoAgent, client: AgentClient) -> None:
    client.invoke(invocation(), time_limit=5, max_retries=0)
    pattern = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]"
    assert re.fullmatch(pattern, agent.requests[0].headers["x-amzn-trace-id"])


def test_trace_header_of_the_lambda_is_passed_on(
    agent: DemoAgent, client: AgentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
    client.invoke(invocation(), time_limit=5, max_retries=0)
    assert agent.requests[0].headers["x-amzn-trace-id"].startswith("Root=1-5759e988-")


def test_without_tokens_no_authorization_is_sent() -> None:
    with (
        DemoAgent(pause=0, check_tokens=False) as agent,
        AgentClient(agent.url, FixedToken(None)) as client,
    ):
        client.invoke(invocation(), time_limit=5, max_retries=0)
        assert "authorization" not in agent.requests[0].headers


def test_reply(client: AgentClient) -> None:
    prompt = "Count the files\n\n---\n\n| Trigger | Nightly |"
    reply = client.invoke(invocation(prompt), time_limit=5, max_retries=0)
    assert "“Nightly” woke me. You asked me: Count the files" in reply.output.text
    assert (reply.session_id, reply.input_tokens, reply.duration_ms) == (SESSION, 65, 1200)
    assert reply.output_tokens > 12


@pytest.mark.parametrize("way", ["gzip", "sse", "json", "split-utf8", "long-line 2MB"])
def test_other_ways_to_answer(client: AgentClient, way: str) -> None:
    reply = client.invoke(invocation(f"Hi\ndemo: {way}"), time_limit=10, max_retries=0)
    assert reply.output.text.startswith("Hello! You asked me: Hi")
    assert reply.output.text.endswith("\u2014 any that speaks as I do.")


def test_output_grows_while_the_agent_speaks(client: AgentClient) -> None:
    sizes: list[int] = []
    client.invoke(
        invocation("demo: slow 0.5"),
        time_limit=5,
        max_retries=0,
        on_output=lambda output: sizes.append(output.total_bytes),
    )
    assert len(sizes) > 10
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("session_id", ["x" * 32 + "\n", "é" * 33])
def test_session_id_that_no_header_holds(client: AgentClient, session_id: str) -> None:
    with pytest.raises(AgentError, match="Session-Id holds characters"):
        client.invoke(invocation(session_id=session_id), time_limit=5, max_retries=0)


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("https://agent.example.com", "https://agent.example.com/invocations"),
        ("https://agent.example.com/", "https://agent.example.com/invocations"),
        (" http://127.0.0.1:8081\n", "http://127.0.0.1:8081/invocations"),
        ("https://x.example.com/stage?q=1", "https://x.example.com/stage?q=1"),
        ("https://x.example.com?q=1", "https://x.example.com/invocations?q=1"),
        (f"{CORE}/{ARN}/invocations?qualifier=D", f"{CORE}/{CODED}/invocations?qualifier=D"),
        (f"{CORE}/{CODED}/invocations?qualifier=D", f"{CORE}/{CODED}/invocations?qualifier=D"),
        (f"{CORE}/{ARN}", f"{CORE}/{CODED}/invocations"),
        (f"{CORE}/{ARN.replace('/', '%2F')}/invocations", f"{CORE}/{CODED}/invocations"),
    ],
)
def test_agent_url(given: str, called: str) -> None:
    assert agent_url(given) == called


@pytest.mark.parametrize(
    "url", ["", "agent.example.com", "ftp://x/y", "https://me:pw@x.example.com", "http://[::"]
)
def test_agent_url_that_cannot_be_called(url: str) -> None:
    with pytest.raises(AgentError, match="check AGENT_API_URL") as caught:
        agent_url(url)
    assert "pw" not in caught.value.message


def test_coded_arn_arrives_coded() -> None:
    with DemoAgent(pause=0, check_tokens=False) as agent:
        url = f"{agent.url}/runtimes/{ARN}/invocations?qualifier=DEFAULT"
        with AgentClient(url, FixedToken(None)) as client:
            client.invoke(invocation(), time_limit=5, max_retries=0)
        assert agent.requests[0].path == f"/runtimes/{CODED}/invocations?qualifier=DEFAULT"


def test_session_ids_are_33_letters_and_digits() -> None:
    ids = {new_session_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9]{33}", session_id) for session_id in ids)


def test_proxies_are_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    with new_http("http://127.0.0.1:1") as local, new_http("http://agent.example.com") as remote:
        assert (len(local._mounts), len(remote._mounts) > 0) == (0, True)
