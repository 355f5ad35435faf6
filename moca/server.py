"""The web server of `serve` and `make run`: waitress with this project's limits.

Waitress reads a whole request in its own loop before it gives it to a thread, and sends answers
from there too. A client that sends or reads slowly therefore holds a socket, and never a thread.
"""

import json
import signal
import socket
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask

from moca.api.middleware import cors_headers

THREADS = 8
# Seconds in which a request has to arrive as a whole, and after which an idle connection is closed.
REQUEST_SECONDS = 20
# How often connections are looked at for that.
CLEANUP_SECONDS = 2
# Connections at once. Systems often let a process have 1,024 files open.
CONNECTIONS = 800
MAX_HEAD_BYTES = 32 * 1024
# What one body may have at this door. Beyond it nothing is read; below it the application answers.
MAX_BODY_BYTES = 4 * 1024 * 1024
# Bytes of a body, or of an answer, that are kept in memory; the rest waits in a temporary file.
IN_MEMORY_BYTES = 256 * 1024
# Bytes of an answer above which a thread would wait for its client: more than any answer has, which
# waits in a file instead.
ANSWER_BYTES = 256 * 1024 * 1024
# Seconds that requests under way get to end when the process is stopped.
GRACE_SECONDS = 5.0

REASONS = {
    413: f"The body may have {MAX_BODY_BYTES // 1024} KB: send less.",
    431: f"The request's head may have {MAX_HEAD_BYTES // 1024} KB: send fewer or shorter headers.",
    501: "Send the body with a Content-Length, or with Transfer-Encoding: chunked alone.",
}


class Parser(HTTPRequestParser):
    """A request on a connection that takes one at a time.

    A client that sends a hundred requests at once and reads nothing would have a hundred answers
    made for it. The first is answered; then the connection closes, and the client has to repeat the
    others, as RFC 9112, 9.3.2 has it.
    """

    def received(self, data: bytes) -> int:
        """Take a part of the request; returns how many bytes were taken."""
        taken: int = super().received(data)
        if not self.completed or self.empty or taken >= len(data):
            return taken
        self.headers["CONNECTION"] = "close"
        return len(data)


class ErrorAnswer(ErrorTask):
    """The answer to a request that never reaches the application, in the API's form."""

    def execute(self) -> None:
        status = HTTPStatus(self.request.error.code)
        # Waitress says what is wrong with a malformed request, and adds nothing of ours to it.
        message = REASONS.get(status, f"The request is malformed: {self.request.error.body}")
        body = {
            "error": "Payload Too Large" if status == 413 else status.phrase,
            "message": message,
            "requestId": str(uuid.uuid4()),
        }
        data = json.dumps(body).encode()
        origin = self.request.headers.get("ORIGIN", "")
        self.status = f"{status.value} {status.phrase}"
        self.response_headers += [
            ("Content-Type", "application/json"),
            ("X-Request-Id", body["requestId"]),
            *cors_headers(origin).items(),
        ]
        self.set_close_on_finish()
        self.channel.lingers = True
        self.content_length = len(data)
        self.write(data)


class Channel(HTTPChannel):
    """A connection on which each request has to arrive within REQUEST_SECONDS.

    Waitress alone gives a client so much time after each byte.
    """

    error_task_class = ErrorAnswer
    parser_class = Parser
    last_activity: float
    # When the request that is arriving began.
    began: float | None = None
    # Whether the client may be sending still when the connection is to be closed. If it were closed
    # then, the system would drop the answer that is on its way.
    lingers = False
    _has_shut = False
    _was_blank = False

    def handle_read(self) -> None:
        if self._has_shut:
            self.recv(self.adj.recv_bytes)
            return
        before = self.last_activity
        super().handle_read()
        if self._was_blank:
            # No request begins by it, and no time is given for it.
            self.last_activity = before
            return
        if self.request is None or self.requests:
            self.began = None
            return
        if self.began is None:
            self.began = self.last_activity
        self.last_activity = self.began

    def received(self, data: bytes) -> Any:
        self._was_blank = self.request is None and not data.strip(b"\r\n")
        return False if self._was_blank else super().received(data)

    def handle_close(self) -> None:
        if not self.lingers or self._has_shut or not self.connected:
            super().handle_close()
            return
        self._has_shut, self.will_close = True, False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()


class WebServer:
    """A server on a socket that it has bound; raises OSError if the address is in use.

    Args:
        application: the WSGI application.
        host: an address or a name of this machine.
        port: 0 for a free one.
    """

    def __init__(self, application: Callable[..., Any], host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._map: dict[int, Any] = {}
        self._server: Any = create_server(
            application,
            map=self._map,
            sockets=[self._socket],
            threads=THREADS,
            channel_timeout=REQUEST_SECONDS,
            cleanup_interval=CLEANUP_SECONDS,
            connection_limit=CONNECTIONS,
            max_request_header_size=MAX_HEAD_BYTES,
            max_request_body_size=MAX_BODY_BYTES,
            inbuf_overflow=IN_MEMORY_BYTES,
            outbuf_overflow=IN_MEMORY_BYTES,
            outbuf_high_watermark=ANSWER_BYTES,
            asyncore_use_poll=True,
            # The application decides by a setting which headers of a proxy it believes.
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
            ident=None,
        )
        self._server.channel_class = Channel
        self._is_stopping = False

    def run(self) -> None:
        """Serve until `stop`; then let requests under way end."""
        while not self._is_stopping:
            self._turn(1)
        self._server.accepting = False
        end = time.monotonic() + GRACE_SECONDS
        while self._is_busy() and time.monotonic() < end:
            self._turn(0.1)
        self._server.task_dispatcher.shutdown(timeout=0.5)
        wasyncore.close_all(self._map)

    def stop(self, *_: Any) -> None:
        """Make `run` return soon; may be called from a signal's handler and from any thread."""
        self._is_stopping = True
        self._server.pull_trigger()

    def stop_on_signals(self) -> None:
        """Make SIGTERM, SIGINT and SIGHUP stop it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)
