"""Tokens: fetched once, kept, renewed in time, and clear errors where none can be had."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from agents import (
    AgentClient,
    AgentError,
    CachedTokens,
    ClientCredentials,
    FixedToken,
    UserLogin,
)
from agents import tokens as module
from agents.demo import DemoAgent
from agents.errors import TOKEN_ENDPOINT, TOKEN_MISSING
from agents.tokens import Grant, token_url
from tests.integration.agent.conftest import answering, credentials, invocation, raw_server


def failure(tokens: CachedTokens, timeout: float = 5) -> AgentError:
    with pytest.raises(AgentError) as caught:
        tokens.token(timeout=timeout)
    return caught.value


def test_wrong_secret_is_permanent_and_says_what_to_check(agent: DemoAgent) -> None:
    error = failure(credentials(agent, "wrong"))
    assert error.message == (
        "the token endpoint refused the client's credentials (invalid_client): "
        "check COGNITO_CLIENT_ID and COGNITO_CLIENT_SECRET"
    )
    assert agent.token_requests == 1


def test_endpoint_that_recovers_is_asked_again() -> None:
    with DemoAgent(token_failures=2) as agent:
        assert credentials(agent).token(timeout=10)
        assert agent.token_requests == 3


def test_endpoint_that_is_down_fails_within_the_time() -> None:
    with DemoAgent(token_failures=1000) as agent:
        began = time.monotonic()
        error = failure(credentials(agent), timeout=1)
        assert time.monotonic() - began < 1.5
    assert (error.status, error.reached) == (503, False)


def test_endpoint_that_hangs_costs_the_run_its_limit_only() -> None:
    with (
        DemoAgent(token_delay=5) as agent,
        AgentClient(agent.url, credentials(agent)) as client,
    ):
        began = time.monotonic()
        with pytest.raises(AgentError, match=r"^timed out after 0\.4 s$") as caught:
            client.invoke(invocation(), time_limit=0.4, max_retries=3)
        assert time.monotonic() - began < 0.9
    assert (caught.value.kind, caught.value.reached) == ("timeout", False)


def test_twenty_runs_share_one_fetch() -> None:
    with DemoAgent(pause=0, token_delay=0.2) as agent:
        with (
            AgentClient(agent.url, credentials(agent)) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            runs = [
                pool.submit(client.invoke, invocation(), time_limit=5, max_retries=0)
                for _ in range(20)
            ]
            for run in runs:
                run.result()
        assert (agent.token_requests, len(agent.requests)) == (1, 20)


def test_wrong_secret_is_told_to_all_who_wait_by_one_fetch() -> None:
    with DemoAgent(token_delay=0.3) as agent, ThreadPoolExecutor(10) as pool:
        tokens = credentials(agent, "wrong")
        for error in pool.map(lambda _: failure(tokens), range(10)):
            assert "invalid_client" in error.message
        assert agent.token_requests == 1


def test_failure_is_not_kept(agent: DemoAgent) -> None:
    answers = iter(
        [AgentError(TOKEN_MISSING(who=TOKEN_ENDPOINT), kind="token"), Grant("good", 3600)]
    )

    def fetch(_deadline: object) -> Grant:
        answer = next(answers)
        if isinstance(answer, AgentError):
            raise answer
        return answer

    tokens = CachedTokens(fetch)
    failure(tokens)
    assert tokens.token(timeout=1) == "good"


def test_token_is_renewed_60_seconds_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    grants = iter([Grant("first", 300), Grant("second", 300)])
    tokens = CachedTokens(lambda _deadline: next(grants))
    first = tokens.token(timeout=1)
    now = 1239.0
    kept = tokens.token(timeout=1)
    now = 1241.0
    assert (first, kept, tokens.token(timeout=1)) == ("first", "first", "second")


def test_short_lived_token_is_used_once() -> None:
    grants = iter([Grant("first", 30), Grant("second", 30)])
    tokens = CachedTokens(lambda _deadline: next(grants))
    assert [tokens.token(timeout=1), tokens.token(timeout=1)] == ["first", "second"]


def test_discarding_an_old_token_keeps_the_new_one() -> None:
    grants = iter([Grant("first", 300), Grant("second", 300)])
    tokens = CachedTokens(lambda _deadline: next(grants))
    tokens.discard(tokens.token(timeout=1))
    tokens.token(timeout=1)
    tokens.discard("first")
    assert tokens.token(timeout=1) == "second"


def test_waiting_for_another_fetch_is_bounded() -> None:
    begun, release = threading.Event(), threading.Event()

    def fetch(_deadline: object) -> Grant:
        begun.set()
        release.wait(5)
        return Grant("late", 300)

    tokens = CachedTokens(fetch)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(tokens.token, timeout=5)
        begun.wait(5)
        assert failure(tokens, timeout=0.1).kind == "timeout"
        release.set()
        assert run.result() == "late"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "no JSON object"),
        (b"[1]", "no JSON object"),
        (b"{}", "without an access token"),
        (b'{"access_token": 5}', "without an access token"),
        (b'{"access_token": "a\\nb"}', "without an access token"),
    ],
)
def test_malformed_answer(body: bytes, message: str) -> None:
    with raw_server(answering(body)) as url:
        assert message in failure(CachedTokens(ClientCredentials(url, "a", "b"))).message


@pytest.mark.parametrize("lifetime", ["null", '"soon"', "[]", "NaN", "-5", "1e999"])
def test_lifetime_that_is_no_number_is_short(lifetime: str) -> None:
    body = b'{"access_token": "t", "expires_in": %b}' % lifetime.encode()
    with raw_server(answering(body), answering(b"")) as url:
        tokens = CachedTokens(ClientCredentials(url, "a", "b"))
        assert [tokens.token(timeout=1), tokens.token(timeout=1)] == ["t", "t"]


def test_redirect_of_the_endpoint_is_not_followed(agent: DemoAgent) -> None:
    head = f"HTTP/1.1 307 Moved\r\nLocation: {agent.url}\r\nContent-Length: 0\r\n\r\n".encode()
    with raw_server(lambda peer: peer.sendall(head)) as url:
        assert "redirect" in failure(CachedTokens(ClientCredentials(url, "a", "b"))).message
    assert agent.token_requests == 0


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("x.example.com", "https://x.example.com/oauth2/token"),
        ("https://x.example.com/", "https://x.example.com/oauth2/token"),
        ("http://127.0.0.1:81", "http://127.0.0.1:81/oauth2/token"),
    ],
)
def test_forms_of_a_domain(domain: str, url: str) -> None:
    assert token_url(domain) == url


def test_missing_domain_is_named() -> None:
    error = failure(CachedTokens(ClientCredentials("", "a", "b")))
    assert (error.kind, "COGNITO_DOMAIN" in error.message) == ("configuration", True)


def test_request_is_as_rfc_6749_says() -> None:
    seen: list[bytes] = []

    def answer(peer: Any) -> None:
        answering(b'{"access_token": "t", "expires_in": 300}')(peer)

    with raw_recorder(seen, answer) as url:
        CachedTokens(ClientCredentials(url, "me", "pw", "a/b c")).token(timeout=5)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /oauth2/token HTTP/1.1\r\n")
    assert b"Authorization: Basic " + base64.b64encode(b"me:pw") in head
    assert body == b"grant_type=client_credentials&scope=a%2Fb+c"


def raw_recorder(seen: list[bytes], answer: Any) -> Any:
    @contextmanager
    def serve() -> Iterator[str]:
        server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)

        def once() -> None:
            peer, _ = server.socket.accept()
            with peer:
                seen.append(_whole_request(peer))
                answer(peer)

        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        thread.join(5)
        server.server_close()

    return serve()


def _whole_request(peer: Any) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or not data.partition(b"\r\n\r\n")[2]:
        data += peer.recv(65536)
    return data


@pytest.fixture
def pool() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A Cognito user pool whose only user is robot, password pw."""
    calls: list[dict[str, Any]] = []

    class Pool(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            calls.append({"operation": operation, **body})
            given = body.get("AuthParameters", {}) | body.get("ChallengeResponses", {})
            status, answer = 200, {}
            if operation == "InitiateAuth" and body["AuthFlow"] == "CUSTOM_AUTH":
                answer = {"ChallengeName": "CUSTOM_CHALLENGE", "Session": "s"}
            elif "pw" not in (given.get("PASSWORD"), given.get("ANSWER")):
                status, answer = 400, {"__type": "NotAuthorizedException", "message": "no"}
            else:
                answer = {"AuthenticationResult": {"AccessToken": "access", "ExpiresIn": 300}}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Pool)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", calls
    server.shutdown()
    thread.join()
    server.server_close()


def test_user_signs_in_with_a_password(pool: Any) -> None:
    url, calls = pool
    assert CachedTokens(UserLogin(url, "app", "robot", "pw")).token(timeout=5) == "access"
    parameters = {"USERNAME": "robot", "PASSWORD": "pw"}
    assert calls == [
        {
            "operation": "InitiateAuth",
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": "app",
            "AuthParameters": parameters,
        }
    ]


def test_user_answers_the_custom_challenge_with_a_secret_hash(pool: Any) -> None:
    url, calls = pool
    login = UserLogin(url, "app", "robot", "pw", "shh", "CUSTOM_AUTH")
    assert CachedTokens(login).token(timeout=5) == "access"
    # HMAC-SHA256 of "robotapp" with the key "shh", as computed by openssl.
    assert calls[1]["ChallengeResponses"] == {
        "USERNAME": "robot",
        "ANSWER": "pw",
        "SECRET_HASH": SECRET_HASH,
    }
    assert calls[1]["Session"] == "s"


SECRET_HASH = "v7N2pTJDsOsNYdPuxEMu06zA8vD5xzUDxgfDqkblN0Y="


def test_user_that_is_refused(pool: Any) -> None:
    url, calls = pool
    message = failure(CachedTokens(UserLogin(url, "app", "robot", "no"))).message
    assert "refused the machine user (NotAuthorizedException)" in message
    assert len(calls) == 1


def test_fixed_token_hides_in_repr() -> None:
    assert "secret" not in repr(FixedToken("secret")) + repr(ClientCredentials("d", "i", "secret"))
