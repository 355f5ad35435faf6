"""A demo agent, a client that gets its token there, and servers that misbehave on raw sockets."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from agents import AgentClient, CachedTokens, ClientCredentials, FixedToken, Invocation, Reply
from agents.demo import DemoAgent
from agents.loop import AgentLoop, run
from agents.replies import Transcript

SESSION = "abcdefghijklmnopqrstuvwxyz0123456"
_numbers = itertools.count()


@pytest.fixture
def agent() -> Iterator[DemoAgent]:
    with DemoAgent(pause=0) as agent:
        yield agent


@pytest.fixture
def client(agent: DemoAgent) -> Iterator[AgentClient]:
    with AgentClient(agent.url, credentials(agent), idle_timeout=5) as client:
        yield client


def credentials(agent: DemoAgent, secret: str = "demo") -> CachedTokens:
    return CachedTokens(ClientCredentials(agent.url, "demo", secret))


def invocation(prompt: str = "Say hello", **fields: object) -> Invocation:
    fields = {
        "target_user_id": "alice",
        "session_id": SESSION,
        "execution_id": f"execution-{next(_numbers)}",
        **fields,
    }
    return Invocation(prompt=prompt, **fields)  # type: ignore[arg-type]


@contextmanager
def raw_server(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection per answer, after its request has been read; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(10)
                    read_request(connection)
                    answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def read_request(connection: socket.socket) -> None:
    """Read a request to its end: closing on what is unread would reset the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


@contextmanager
def raw_client(
    *answers: Callable[[socket.socket], None], idle_timeout: float = 5
) -> Iterator[AgentClient]:
    """A client of a raw server, without tokens."""
    with (
        raw_server(*answers) as url,
        AgentClient(url, FixedToken(None), idle_timeout=idle_timeout) as client,
    ):
        yield client


def answering(body: bytes, content_type: str = "text/plain") -> Callable[[socket.socket], None]:
    """An answer of status 200 that ends with the connection."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def invoke_on_loop(client: AgentClient, asked: Invocation, **options: Any) -> Reply:
    """Call the agent on an event loop, with the arguments of `AgentClient.invoke()`."""
    on_output, on_transcript = options.pop("on_output", None), options.pop("on_transcript", None)
    sizes = [0]

    def report(transcript: Transcript) -> None:
        if on_transcript:
            on_transcript(transcript)
        if on_output and transcript.output.total_bytes > sizes[-1]:
            sizes.append(transcript.output.total_bytes)
            on_output(transcript.output)

    async def call() -> Reply:
        with ThreadPoolExecutor(2) as threads:
            async with AgentLoop(threads) as agents:
                return await agents.invoke(client, asked, on_transcript=report, **options)

    return run(call())


@pytest.fixture(params=["threads", "loop"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test twice: with the client of the functions on AWS, and with that of the scheduler."""
    if request.param == "loop":
        monkeypatch.setattr(AgentClient, "invoke", invoke_on_loop)
    return str(request.param)
