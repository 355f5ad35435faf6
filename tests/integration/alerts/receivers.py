"""Receivers of alerts: a mail server and a receiver of signed webhooks, both real."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgd2hpY2ggaXMgbG9uZw=="


class MailServer:
    """A mail server on a free port, which keeps what it takes.

    Attributes:
        taken: the messages.
        answer: returns the server's answer to a recipient; `250 OK` accepts.
    """

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.recipients: list[str] = []
        self.answer: Callable[[str], str] = lambda _: "250 OK"
        # The controller connects to the port that it was given, so it cannot choose a free one.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._port}"

    async def handle_RCPT(  # noqa: N802  (the name that aiosmtpd looks for)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answer(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  (as above)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.recipients += envelope.rcpt_tos
        self.taken.append(message_from_bytes(content, policy=default))
        return "250 Taken"


class Receiver:
    """A receiver of webhooks on a free port, which verifies by the library of Standard Webhooks.

    Attributes:
        taken: the verified bodies that it answered with success.
        ids: the ids of all requests, by `webhook-id`.
        answer: returns the status of the next answer; None closes the connection.
        delay: seconds before each answer.
    """

    def __init__(self, secret: str = SECRET) -> None:
        self.taken: list[Any] = []
        self.bodies: list[bytes] = []
        self.ids: list[str] = []
        self.answer: Callable[[], int | None] = lambda: 204
        self.delay = 0.0
        self._webhook = Webhook(secret)
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    def receive(self, body: bytes, headers: dict[str, str]) -> int | None:
        data = self._webhook.verify(body, headers)
        self.ids.append(headers["webhook-id"])
        self.bodies.append(body)
        time.sleep(self.delay)
        status = self.answer()
        if status is not None and 200 <= status < 300:
            self.taken.append(data)
        return status


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.receiver.receive(body, headers)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


class Chat:
    """A chat service on a free port: answers each message with a status, or leads elsewhere."""

    def __init__(self, status: int, location: str = "") -> None:
        bodies: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if location:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Log nothing."""

        self.bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def dripping() -> Iterator[str]:
    """A receiver that answers one byte at a time, and never to the end; yields its host."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def drip(peer: socket.socket) -> None:
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.05):
                try:
                    peer.sendall(b"a")
                except OSError:
                    return

    def accept() -> None:
        while not over.is_set():
            try:
                peer, _ = server.accept()
            except TimeoutError:
                continue
            threading.Thread(target=drip, args=[peer], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    over.set()
    thread.join()
    server.close()
