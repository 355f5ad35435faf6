"""The demo agent's HTTP server: `/invocations`, `/oauth2/token` and `/ping`."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
import logging
import re
import secrets
import select
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs

from agents.demo.answers import (
    Script,
    answer_text,
    events,
    line,
    single_bytes,
    text_delta,
)

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
_KEPT_REQUESTS = 1000
_BLOCK_BYTES = 64 * 1024

_STATUS = re.compile(r"([3-5]\d\d)(?: (once|\d+))?(?: retry-after (\S.*))?")


@dataclass(frozen=True, slots=True)
class Received:
    """One request to `/invocations`: header names in lower case, and the body's JSON."""

    headers: dict[str, str]
    body: dict[str, Any]
    path: str


@dataclass(slots=True)
class Options:
    """How a demo agent behaves apart from what prompts say. Times are in seconds.

    `pause` is the length of a whole answer. With `check_tokens` only tokens that it has issued
    itself, and that have not expired, are taken. `token_failures` is how many requests for a
    token get `token_status` first.
    """

    pause: float = 1.5
    client_id: str = "demo"
    client_secret: str = "demo"  # noqa: S105  (opens nothing but this agent)
    check_tokens: bool = True
    token_lifetime: float = 3600
    token_delay: float = 0
    token_status: int = 503
    token_failures: int = 0


class DemoAgent:
    """A demo agent that serves in threads of its own, as a context manager or by `start`.

    `port` 0 takes a free one. `requests` holds the last 1000 requests to `/invocations`, and
    `token_requests` counts those for a token. Raises OSError where the port is in use.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1", **options: Any) -> None:
        self.options = Options(**options)
        self.requests: deque[Received] = deque(maxlen=_KEPT_REQUESTS)
        self.token_requests = 0
        self.stopping = threading.Event()
        self._attempts: dict[tuple[str, str], int] = {}
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        """The address to set as AGENT_API_URL and COGNITO_DOMAIN."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, whatever is being answered."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Block until `stop` or a signal's exception."""
        self.stopping.wait()

    def issue_token(self) -> str:
        """A new token, which `accepts` will take until it expires."""
        token = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._lock:
            self._tokens = {t: end for t, end in self._tokens.items() if end > now}
            self._tokens[token] = now + self.options.token_lifetime
        return token

    def accepts(self, authorization: str) -> bool:
        """Tell whether an Authorization header holds a token that is good."""
        if not self.options.check_tokens:
            return True
        token = authorization.removeprefix("Bearer ")
        return self._tokens.get(token, 0) > time.monotonic()

    def count_token_request(self) -> int:
        """Count one more, and return how many came."""
        with self._lock:
            self.token_requests += 1
            return self.token_requests

    def attempt(self, key: str, what: str) -> int:
        """How often the request `key` has come to `what`, this time included."""
        with self._lock:
            if len(self._attempts) > 10 * _KEPT_REQUESTS:
                self._attempts.clear()
            count = self._attempts[key, what] = self._attempts.get((key, what), 0) + 1
            return count


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], agent: DemoAgent) -> None:
        self.agent = agent
        super().__init__(address, _Conversation)

    def server_bind(self) -> None:
        # HTTPServer would look the host's name up, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.error("the demo agent failed to answer", exc_info=sys.exc_info())


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    @property
    def agent(self) -> DemoAgent:
        return cast(_Server, self.server).agent

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's)
        logger.info("%s %s", self.address_string(), format % args)

    def handle(self) -> None:
        """Answer one request after another until the client leaves."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def finish(self) -> None:
        with suppress(ConnectionError, ValueError):
            super().finish()

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._json(200, {"status": "Healthy", "time_of_last_update": int(time.time())})
        else:
            self._json(404, {"error": f"there is nothing at {self.path}"})

    def do_POST(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        if body is None:
            return
        if path == "/oauth2/token":
            self._token(body)
        elif path.endswith("/invocations"):
            self._invocation(body)
        else:
            self._json(404, {"error": f"there is nothing at {path}"})

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(411, "a Content-Length is needed")
        elif int(length) > MAX_BODY_BYTES:
            self._refuse(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: int, reason: str) -> None:
        """Refuse a request whose body is left unread, which ends the connection."""
        self.close_connection = True
        self._json(status, {"error": reason})

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _token(self, body: bytes) -> None:
        options, count = self.agent.options, self.agent.count_token_request()
        self.agent.stopping.wait(options.token_delay)
        if count <= options.token_failures:
            self._json(options.token_status, {"message": "the token endpoint is set to fail"})
            return
        pair = f"{options.client_id}:{options.client_secret}".encode()
        expected = b"Basic " + base64.b64encode(pair)
        given = self.headers.get("Authorization", "").encode()
        grants = parse_qs(body.decode("utf-8", "replace")).get("grant_type")
        if not hmac.compare_digest(given, expected):
            challenge = {"WWW-Authenticate": 'Basic realm="demo"'}
            self._json(401, {"error": "invalid_client"}, challenge)
        elif grants != ["client_credentials"]:
            self._json(400, {"error": "unsupported_grant_type"})
        else:
            token = self.agent.issue_token()
            lifetime = int(options.token_lifetime)
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
            self._json(200, answer, {"Cache-Control": "no-store"})

    def _invocation(self, body: bytes) -> None:
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("prompt"), str):
            self._json(400, {"error": "the body is no JSON object with a prompt"})
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.agent.requests.append(Received(headers, request, self.path))
        if not self.agent.accepts(headers.get("authorization", "")):
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            self._json(401, {"error": "the token is not known, or has expired"}, challenge)
            return
        script = Script.read(request["prompt"])
        self.agent.stopping.wait(script.seconds("first-byte"))
        quoted = self._quotation(request) if "quote" in script else ""
        if "status" not in script or not self._status(" ".join(script.steps["status"]), quoted):
            self._answer(script, request, quoted)

    def _quotation(self, request: dict[str, Any]) -> str:
        """What was sent, as an agent repeats it that is careless with it."""
        return f"I was sent {self.headers.get('Authorization', '')} {json.dumps(request)}"

    def _status(self, arguments: str, reason: str) -> bool:
        """Answer `CODE [TIMES|once] [retry-after WHEN]`, or tell that it was answered enough."""
        match = _STATUS.fullmatch(arguments)
        if match is None:
            self._json(400, {"error": "demo: status takes CODE [TIMES|once] [retry-after WHEN]"})
            return True
        code, times, retry_after = match.groups()
        attempt = self.agent.attempt(self.headers.get("Idempotency-Key", ""), arguments)
        if times and attempt > (1 if times == "once" else int(times)):
            return False
        headers = {"Retry-After": retry_after} if retry_after else {}
        self._json(int(code), {"error": reason or f"the prompt asks for status {code}"}, headers)
        return True

    def _answer(self, script: Script, request: dict[str, Any], quoted: str) -> None:
        session_id = self.headers.get("X-Amzn-Bedrock-AgentCore-Runtime-Session-Id", "")
        text = quoted or answer_text(request["prompt"])
        if quoted and "fail" in script:
            script.steps["fail"] = [quoted]
        if "json" in script:
            self._json(200, {"output": text})
            return
        sse = "sse" in script
        self.send_response(200)
        media_type = "text/event-stream" if sse else "text/plain; charset=utf-8"
        self.send_header("Content-Type", media_type)
        self.send_header("Transfer-Encoding", "chunked")
        if "gzip" in script:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        lines = [line(event, sse=sse) for event in events(text, script, session_id)]
        self._stream(lines, script)

    def _stream(self, lines: list[bytes], script: Script) -> None:
        middle = len(lines) // 2
        size = script.size("bytes")
        if "gzip" in script:
            self._chunk(gzip.compress(b"".join(lines)))
        elif "drip" in script:
            self._send_slowly(single_bytes(lines), script.seconds("drip", 0.1))
        elif "split-utf8" in script:
            self._send_slowly(single_bytes(lines), 0)
        else:
            pause = script.seconds("slow", self.agent.options.pause) / len(lines)
            self._send_slowly(lines[:middle], pause)
            self._send_block(size, sse="sse" in script)
            if "break" in script:
                self._break()
                return
            if "stall" in script:
                self._stall()
                return
            self._send_slowly(lines[middle:], pause)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _send_slowly(self, pieces: Iterable[bytes], pause: float) -> None:
        if not pause:
            whole = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
            self.wfile.write(b"".join(whole))
            return
        for piece in pieces:
            self._chunk(piece)
            if self.agent.stopping.wait(pause):
                return

    def _send_block(self, size: int, *, sse: bool) -> None:
        """Send `size` bytes of deltas, from one piece that is made once."""
        event = line(text_delta("All work and no play makes an agent a dull one. "), sse=sse)
        block = event * max(_BLOCK_BYTES // len(event), 1)
        framed = b"%x\r\n%b\r\n" % (len(block), block)
        for _ in range(size // len(block)):
            self.connection.sendall(framed)
        rest = event * (size % len(block) // len(event))
        if rest:
            self._chunk(rest)

    def _break(self) -> None:
        """Cut the connection as a crash would, with a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _stall(self) -> None:
        """Send nothing more until the client leaves."""
        self.close_connection = True
        while not self.agent.stopping.is_set():
            if select.select([self.connection], [], [], 0.1)[0]:
                return
