"""The web server as `make run` starts it, with clients that send or read slowly."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from moca.server import WebServer
from tests.conftest import database_url, wait_for
from tests.integration.run.test_run import MANAGE, free_port

CLIENTS = 50
HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
POST = (
    b"POST /triggers HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n"
    b"Content-Type: application/json\r\n"
)
BODY = POST + b'Content-Length: 1000\r\n\r\n{"name"'
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"
MANY = b"GET /static/vendor/htmx-2.0.11.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 40
LARGE = b"GET /static/admin/js/vendor/xregexp/xregexp.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100


class Served:
    """`manage.py serve` in a process of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.clients: list[socket.socket] = []
        self.process = subprocess.Popen(
            [*MANAGE, "serve", f"--port={self.port}"],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "moca.settings",
                "MOCA_DATA_DIR": str(directory),
                "DATABASE_URL": database_url(),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(self.is_up, seconds=60)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").is_success
        except httpx.TransportError:
            return False

    def connect(self, data: bytes, *, reads: bool = True) -> socket.socket:
        made = socket.socket()
        self.clients.append(made)
        if not reads:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.settimeout(5)
        made.connect(("127.0.0.1", self.port))
        made.sendall(data)
        return made

    def seconds_for_health(self) -> float:
        begun = time.monotonic()
        httpx.get(f"{self.url}/health", timeout=20).raise_for_status()
        return time.monotonic() - begun

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@pytest.fixture
def served(tmp_path: Path, transactional_db: None) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    for client in made.clients:
        client.close()
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize(
    "sent", [HEAD, BODY, CHUNKED, MANY, LARGE], ids=["head", "body", "chunk", "read", "pipelined"]
)
def test_slow_clients_delay_nobody(served: Served, sent: bytes) -> None:
    for _ in range(CLIENTS):
        served.connect(sent, reads=sent not in (MANY, LARGE))
    # As long as it takes to make more of the large answers than memory is to hold.
    time.sleep(5 if sent == LARGE else 0.3)
    slowest = max(served.seconds_for_health() for _ in range(3))
    assert slowest < 1


@pytest.mark.parametrize("sent", [HEAD, BODY], ids=["head", "body"])
def test_request_that_trickles_in_is_cut_off(served: Served, sent: bytes) -> None:
    client = served.connect(sent)
    client.settimeout(0.5)

    def is_cut_off() -> bool:
        try:
            client.send(b"x")
            return client.recv(100) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    wait_for(is_cut_off, seconds=30)


def test_first_of_several_requests_at_once_is_answered(served: Served) -> None:
    client = served.connect(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3)
    answer = b""
    while block := client.recv(65_536):
        answer += block
    assert (answer.count(b"HTTP/1.1 200 OK"), b"Connection: close" in answer) == (1, True)


def test_connection_is_kept_for_the_next_request(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connections = set()
    for _ in range(3):
        connection.request("GET", "/health")
        connection.getresponse().read()
        connections.add(connection.sock)
    connection.close()
    assert (len(connections), None in connections) == (1, False)


def test_blank_lines_keep_no_connection_open(served: Served) -> None:
    client = served.connect(b"\r\n")
    client.settimeout(0.5)

    def is_cut_off() -> bool:
        try:
            client.send(b"\r\n")
            return client.recv(100) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    wait_for(is_cut_off, seconds=30)


@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        (POST + b"Content-Length: 9000000\r\n\r\n", 413, "Payload Too Large"),
        (HEAD + b"x" * 40_000, 431, "Request Header Fields Too Large"),
        (POST + b"Content-Length: nonsense\r\n\r\n", 400, "Bad Request"),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "Not Implemented"),
    ],
)
def test_what_the_server_itself_refuses_is_told_as_json(
    served: Served, data: bytes, status: int, error: str
) -> None:
    client = served.connect(data)
    answer = b""
    while block := client.recv(65_536):
        answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (int(head.split()[1]), error in body.decode(), b"requestId" in body) == (
        status,
        True,
        True,
    )


def test_what_the_server_itself_refuses_has_a_code_and_a_time(served: Served) -> None:
    client = served.connect(POST + b"Content-Length: 9000000\r\n\r\n")
    answer = b""
    while block := client.recv(65_536):
        answer += block
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (body["code"], body["timestamp"][-1]) == ("PAYLOAD_TOO_LARGE", "Z")


def test_sigterm_ends_it_without_an_error(served: Served) -> None:
    assert (served.stop(), served.is_up()) == (0, False)


def test_a_request_under_way_is_answered_before_the_end() -> None:
    begun = threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        begun.set()
        time.sleep(0.5)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    server = WebServer(application, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    threading.Thread(target=lambda: (begun.wait(), server.stop())).start()
    answer = httpx.get(f"http://127.0.0.1:{server.port}/", timeout=10)
    thread.join(10)
    assert (answer.text, thread.is_alive()) == ("done", False)
