"""What a run comes to when the agent, or the way to it, is at fault."""

import gzip
import logging
import socket
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agents import AgentClient, AgentError, FixedToken
from agents.demo import DemoAgent
from tests.integration.agent.conftest import (
    answering,
    credentials,
    invocation,
    raw_client,
    raw_server,
)

pytestmark = pytest.mark.usefixtures("driver")


def failure(
    client: AgentClient, prompt: str = "Go", limit: float = 5, retries: int = 2
) -> AgentError:
    with pytest.raises(AgentError) as caught:
        client.invoke(invocation(prompt), time_limit=limit, max_retries=retries)
    return caught.value


def test_refusal_is_quoted_and_final(agent: DemoAgent, client: AgentClient) -> None:
    error = failure(client, "demo: status 403")
    assert error.message.startswith("the agent answered 403 Forbidden: {")
    assert (len(agent.requests), error.reached) == (1, False)


def test_long_error_body_is_cut() -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100000000\r\n\r\n"
    with raw_client(lambda peer: peer.sendall(head + b"x" * 10**6)) as client:
        assert len(failure(client).message) < 2200


def test_401_renews_the_token_once(agent: DemoAgent, client: AgentClient) -> None:
    client.invoke(invocation("demo: status 401 once"), time_limit=5, max_retries=0)
    first, second = (request.headers["authorization"] for request in agent.requests)
    assert first != second


def test_401_for_ever_fails_after_the_second(agent: DemoAgent, client: AgentClient) -> None:
    assert failure(client, "demo: status 401").status == 401
    assert (len(agent.requests), agent.token_requests) == (2, 2)


def test_fixed_token_that_is_refused_is_not_sent_again(agent: DemoAgent) -> None:
    with AgentClient(agent.url, FixedToken("stale")) as client:
        assert failure(client).status == 401
    assert len(agent.requests) == 1


def test_retry_after_seconds_are_waited(client: AgentClient) -> None:
    began = time.monotonic()
    client.invoke(invocation("demo: status 429 1 retry-after 1"), time_limit=5, max_retries=1)
    assert 1 <= time.monotonic() - began < 2


def test_retry_after_date_is_waited(client: AgentClient) -> None:
    began = time.monotonic()
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    prompt = f"demo: status 503 1 retry-after {when}"
    client.invoke(invocation(prompt), time_limit=5, max_retries=1)
    assert 0.8 <= time.monotonic() - began < 3


def test_retry_after_past_the_limit_fails_at_once(client: AgentClient) -> None:
    began = time.monotonic()
    error = failure(client, "demo: status 429 1 retry-after 60", limit=3)
    assert "asks to wait 60 s, longer than the time limit leaves" in error.message
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("status", [402, 429, 503])
def test_busy_agent_is_asked_again(agent: DemoAgent, client: AgentClient, status: int) -> None:
    client.invoke(invocation(f"demo: status {status} 2"), time_limit=10, max_retries=2)
    assert len(agent.requests) == 3


def test_busy_for_ever_is_bounded(agent: DemoAgent, client: AgentClient) -> None:
    assert failure(client, "demo: status 503").status == 503
    assert len(agent.requests) == 3


@pytest.mark.parametrize("status", [408, 409, 424, 499, 500, 502, 504, 599])
def test_agent_that_may_have_begun_is_not_asked_again(
    agent: DemoAgent, client: AgentClient, status: int
) -> None:
    reached = failure(client, f"demo: status {status} once").reached
    assert (reached, len(agent.requests)) == (True, 1)


RETRYABLE = b'{"__type": "RetryableConflictException", "message": "busy"}'


@pytest.mark.parametrize(
    ("header", "body"),
    [(b"", RETRYABLE), (b"x-amzn-ErrorType: RetryableConflictException\r\n", b"{}")],
)
def test_retryable_conflict_is_sent_again(header: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 409 Conflict\r\n%bContent-Length: %d\r\n\r\n" % (header, len(body))
    completion = b'{"type": "serverCompletionEvent", "metadata": {"requestId": "r"}}\n'
    with raw_client(lambda peer: peer.sendall(head + body), answering(completion)) as client:
        assert client.invoke(invocation(), time_limit=5, max_retries=1).request_id == "r"


def test_redirect_is_not_followed(client: AgentClient) -> None:
    assert "a redirect, which is not followed" in failure(client, "demo: status 307").message


def test_refused_connection_is_tried_again_then_fails(unused_url: str) -> None:
    with AgentClient(unused_url, FixedToken(None)) as client:
        error = failure(client, retries=1)
    assert "cannot be reached" in error.message
    assert not error.reached


def test_agent_that_comes_up_is_reached(unused_url: str) -> None:
    with AgentClient(unused_url, FixedToken(None)) as client:
        port = int(unused_url.rpartition(":")[2])
        with DemoAgent(port, pause=0, check_tokens=False):
            reply = client.invoke(invocation(), time_limit=5, max_retries=0)
    assert reply.request_id


def test_unknown_host_is_named() -> None:
    with AgentClient("http://agent.invalid", FixedToken(None)) as client:
        assert "host name of the agent cannot be resolved" in failure(client, retries=0).message


@pytest.fixture
def unused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_no_answer_is_not_sent_again(agent: DemoAgent, client: AgentClient) -> None:
    error = failure(client, "demo: first-byte 5", limit=0.3)
    assert (error.message, error.reached) == ("timed out after 0.3 s", True)
    assert len(agent.requests) == 1


def test_silence_before_the_first_byte_is_no_silence(agent: DemoAgent) -> None:
    with AgentClient(agent.url, credentials(agent), idle_timeout=0.2) as client:
        prompt = "demo: first-byte 0.7"
        assert client.invoke(invocation(prompt), time_limit=5, max_retries=0).request_id


def test_silence_before_the_first_byte_of_the_body_is_none_either() -> None:
    def answer(peer: socket.socket) -> None:
        answering(b"")(peer)
        time.sleep(0.7)
        peer.sendall(b'{"type": "serverCompletionEvent", "metadata": {"requestId": "r"}}\n')

    with raw_client(answer, idle_timeout=0.2) as client:
        assert client.invoke(invocation(), time_limit=5, max_retries=0).request_id == "r"


def test_time_that_we_take_is_no_silence(agent: DemoAgent) -> None:
    pauses = iter([0.8])

    def write_slowly(_output: object) -> None:
        time.sleep(next(pauses, 0))

    with AgentClient(agent.url, credentials(agent), idle_timeout=0.3) as client:
        reply = client.invoke(invocation(), time_limit=20, max_retries=0, on_output=write_slowly)
    assert (reply.request_id is not None, next(pauses, None)) == (True, None)


def test_without_a_limit_silence_is_borne(agent: DemoAgent) -> None:
    with AgentClient(agent.url, credentials(agent)) as client:
        error = failure(client, "demo: stall", limit=1.5)
    assert error.message == "timed out after 1.5 s"


def test_disconnect_before_an_answer_is_not_sent_again() -> None:
    with raw_client(lambda peer: None, answering(b"")) as client:
        error = failure(client)
    assert (error.kind, error.reached) == ("connection", True)


@pytest.mark.parametrize(
    "prompt", ["demo: first-byte 9", "demo: stall", "demo: drip 0.05", "demo: slow 9"]
)
def test_limit_holds(agent: DemoAgent, client: AgentClient, prompt: str) -> None:
    began = time.monotonic()
    error = failure(client, prompt, limit=0.7)
    assert error.message == "timed out after 0.7 s"
    assert 0.7 <= time.monotonic() - began < 1.2


def test_limit_holds_while_headers_drip() -> None:
    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            peer.sendall(b"x")
            time.sleep(0.02)

    began = time.monotonic()
    with raw_client(drip) as client:
        assert failure(client, limit=0.5).message == "timed out after 0.5 s"
        assert time.monotonic() - began < 1


def test_limit_is_not_taken_for_the_end_of_an_answer() -> None:
    def begin(peer: socket.socket) -> None:
        answering(b'{"output": "half of it"}', "application/json")(peer)
        time.sleep(1)

    with raw_client(begin) as client:
        assert failure(client, limit=0.4).kind == "timeout"


def test_limit_in_the_past_sends_nothing(agent: DemoAgent, client: AgentClient) -> None:
    assert failure(client, limit=0).kind == "timeout"
    assert (len(agent.requests), agent.token_requests) == (0, 0)


def test_silence_midway_ends_the_run(agent: DemoAgent) -> None:
    with AgentClient(agent.url, credentials(agent), idle_timeout=0.3) as client:
        error = failure(client, "demo: stall")
    assert error.message == "the agent sent nothing for 0.3 s"
    assert error.reply is not None
    assert error.reply.output.text.startswith("Hello!")


def test_break_midway(agent: DemoAgent, client: AgentClient) -> None:
    error = failure(client, "demo: break")
    assert error.message == "the agent's stream ended early: the connection broke"
    assert (error.reached, len(agent.requests)) == (True, 1)


def test_no_completion(client: AgentClient) -> None:
    assert failure(client, "demo: no-completion").message == "the agent's stream ended early"


def test_error_event(client: AgentClient) -> None:
    error = failure(client, "demo: fail the disk is full")
    assert (error.message, error.kind, error.reached) == ("the disk is full", "agent", True)
    assert error.request_id


def test_line_that_is_no_json(client: AgentClient) -> None:
    message = failure(client, "demo: bad-json").message
    assert message == 'the agent sent a line that is no JSON: {"type": "modelContentBlockDelta'


def test_web_page_is_no_answer() -> None:
    with raw_client(answering(b"<html>Sign in</html>", "text/html")) as client:
        assert "check the agent's address: <html>Sign in" in failure(client).message


def test_broken_compression() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    with raw_client(lambda peer: peer.sendall(head + b"no gzip at all")) as client:
        assert failure(client).message == "the agent's answer cannot be decompressed"


def test_agent_that_stays_after_completion_is_left() -> None:
    def linger(peer: socket.socket) -> None:
        answering(b'{"type": "serverCompletionEvent", "metadata": {"requestId": "r"}}\n')(peer)
        time.sleep(3)

    with raw_client(linger) as client:
        began = time.monotonic()
        reply = client.invoke(invocation(), time_limit=5, max_retries=0)
        assert reply.request_id == "r"
        assert time.monotonic() - began < 1.5


def test_what_on_output_raises_passes_through(client: AgentClient) -> None:
    def full(_output: object) -> None:
        raise OSError("the record cannot be written")

    with pytest.raises(OSError, match="the record cannot be written"):
        client.invoke(invocation(), time_limit=5, max_retries=2, on_output=full)


def test_secrets_are_in_no_message_or_log(
    agent: DemoAgent, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    prompt = "the plan is secret"

    def echo(peer: socket.socket) -> None:
        body = b"you sent Bearer s3cr3t-token"
        peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with raw_client(echo) as client:
        client.tokens = FixedToken("s3cr3t-token")
        error = failure(client, prompt)
    assert error.message == "the agent answered 403 Forbidden: you sent Bearer ***"
    with AgentClient(agent.url, credentials(agent, "wr0ng-secret")) as client:
        told = failure(client, prompt).message
    own = [record for record in caplog.records if record.name.startswith("agents")]
    logged = caplog.text + "".join(record.getMessage() for record in own) + told
    for secret in ("s3cr3t-token", "wr0ng-secret", prompt):
        assert secret not in logged


def test_gzip_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(b"\n" * 100_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    tracemalloc.start()
    with raw_client(lambda peer: peer.sendall(head + bomb)) as client:
        failure(client)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_answer_packed_twice_is_refused() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nConnection: close\r\n\r\n"
    with raw_client(lambda peer: peer.sendall(head + b"x")) as client:
        assert "encoded as gzip, gzip" in failure(client).message


def test_token_that_the_agent_quotes_is_hidden() -> None:
    def quoting(peer: socket.socket) -> None:
        event = b'{"type":"serverErrorEvent","error":{"message":"sent Bearer SECRET-TOKEN"}}\n'
        peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + event)

    with raw_server(quoting) as url, AgentClient(url, FixedToken("SECRET-TOKEN")) as client:
        assert failure(client).message == "sent Bearer ***"


def test_half_a_character_in_the_request_id_is_replaced() -> None:
    event = rb'{"type":"serverCompletionEvent","metadata":{"requestId":"a\ud800b"}}'
    with raw_client(answering(event + b"\n")) as client:
        assert client.invoke(invocation(), time_limit=5, max_retries=0).request_id == "a?b"


def test_control_characters_in_an_error_are_dropped() -> None:
    event = rb'{"type":"serverErrorEvent","error":{"message":"\u001b[2Joops\u0000"}}'
    with raw_client(answering(event + b"\n")) as client:
        assert failure(client).message == "[2Joops"
