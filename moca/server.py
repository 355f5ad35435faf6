"""The web server of `serve` and `make run`: waitress with this project's limits.

Waitress reads requests and sends answers in its own loop; threads get whole requests only. A slow
client therefore occupies a socket, but never a thread.
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

from moca.api.errors import APIError
from moca.api.middleware import cors_headers

THREADS = 8
# Seconds within which a whole request has to arrive; idle connections are closed after this time.
REQUEST_SECONDS = 20
# Seconds between two checks of that time.
CLEANUP_SECONDS = 2
# Open connections at most. Many systems limit a process to 1,024 open files.
CONNECTIONS = 800
MAX_HEAD_BYTES = 32 * 1024
# The server reads no body beyond this size. The application has smaller limits of its own.
MAX_BODY_BYTES = 4 * 1024 * 1024
# Bytes of a body or answer that are buffered in memory; the rest goes to a temporary file.
IN_MEMORY_BYTES = 256 * 1024
# Bytes of an answer above which a thread waits for its client. No answer is as large.
ANSWER_BYTES = 256 * 1024 * 1024
# Seconds for requests in progress to end when the process is stopped.
GRACE_SECONDS = 5.0

REASONS = {
    413: f"The body may have {MAX_BODY_BYTES // 1024} KB: send less.",
    431: f"The request's head may have {MAX_HEAD_BYTES // 1024} KB: send fewer or shorter headers.",
    501: "Send the body with a Content-Length, or with Transfer-Encoding: chunked alone.",
}


class Parser(HTTPRequestParser):
    """A parser that does not support pipelining.

    A client could otherwise send a hundred requests at once and read no answer, and each would cost
    work. The first request is answered; then the connection closes, and the client has to repeat
    the others (RFC 9112, 9.3.2).
    """

    def received(self, data: bytes) -> int:
        """Parse a part of the request; returns the number of bytes that were used."""
        taken: int = super().received(data)
        if not self.completed or self.empty or taken >= len(data):
            return taken
        self.headers["CONNECTION"] = "close"
        return len(data)


class ErrorAnswer(ErrorTask):
    """Waitress's own errors, in the API's shape."""

    def execute(self) -> None:
        status = HTTPStatus(self.request.error.code)
        # The body of waitress's error says what is malformed, and reveals nothing of ours.
        message = REASONS.get(status, f"The request is malformed: {self.request.error.body}")
        title = "" if status == 413 else status.phrase
        body = APIError(status, message, error=title).body(str(uuid.uuid4()))
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
    """A connection on which each whole request has to arrive within REQUEST_SECONDS.

    Without this class, waitress would restart the time limit at each byte.
    """

    error_task_class = ErrorAnswer
    parser_class = Parser
    last_activity: float
    # When the request that is arriving now began; None if there is none.
    began: float | None = None
    # Whether the client may still be sending when the connection closes. An immediate close would
    # drop the answer, so only the sending side is closed first.
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
            # Blank lines begin no request, and extend no time limit.
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
    """A server that listens from its creation on, and serves in `run()`.

    Args:
        application: the WSGI application.
        host: an address or a name of this machine.
        port: the port; 0 for a free one.

    Raises:
        OSError: the address cannot be bound, for example because it is in use.
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
            # The setting TRUST_PROXY_HEADERS decides in the application.
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
            ident=None,
        )
        self._server.channel_class = Channel
        self._is_stopping = False

    def run(self) -> None:
        """Serve until `stop()`, then give requests in progress GRACE_SECONDS to end."""
        while not self._is_stopping:
            self._turn(1)
        self._server.accepting = False
        end = time.monotonic() + GRACE_SECONDS
        while self._is_busy() and time.monotonic() < end:
            self._turn(0.1)
        self._server.task_dispatcher.shutdown(timeout=0.5)
        wasyncore.close_all(self._map)

    def stop(self, *_: Any) -> None:
        """Make `run()` return soon; safe in signal handlers and in any thread."""
        self._is_stopping = True
        self._server.pull_trigger()

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM, SIGINT and SIGHUP."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)
