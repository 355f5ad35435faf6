"""One connection to the demo agent: its requests, and answers that may misbehave on the way."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
import logging
import re
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from agents.demo.answers import Answer, Script, answer_text, resumed_text
from agents.demo.callback import CallBack
from agents.demo.memory import Memory, Received, Task
from agents.demo.protocols import (
    A2AWriter,
    Writer,
    agent_card,
    answer_to_call,
    is_cancel,
    is_known,
    recognize,
    writer_of,
)

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 64 * 1024

_SESSION_ID = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_RESULT_URL = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Result-Url"
_RESULT_TOKEN = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Result-Token"  # noqa: S105  (no token)
_STATUS = re.compile(r"([3-5]\d\d)(?: (once|\d+))?(?: retry-after (\S.*))?")


class Conversation(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def __init__(self, agent: Memory, *arguments: Any) -> None:
        self.agent = agent
        # The base answers all requests of the connection before it returns.
        super().__init__(*arguments)

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
        elif self.path == "/.well-known/agent-card.json":
            self._json(200, agent_card(f"http://{self.headers.get('Host', '')}"))
        else:
            self._json(404, {"error": f"there is nothing at {self.path}"})

    def do_POST(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        if body is None:
            return
        if path == "/oauth2/token":
            self._token(body)
        elif path.endswith("/stopruntimesession"):
            self._stop_session(body)
        elif is_known(path):
            self._run(path, body)
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
        """Refuse a request without reading its body, and end the connection."""
        self.close_connection = True
        self._json(status, {"error": reason})

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        headers = {"Content-Type": "application/json", **(headers or {})}
        self._respond(status, json.dumps(document).encode(), headers)

    def _respond(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
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

    def _run(self, path: str, body: bytes) -> None:
        request = _object(body)
        if request is None:
            self._json(400, {"error": "the body is no JSON object"})
            return
        if "jsonrpc" in request:
            version = self.headers.get("A2A-Version", "")
            if (told := answer_to_call(request, version, self.agent.tasks)) is not None:
                if is_cancel(request):
                    self._record(request)
                    logger.info("The run was cancelled: CancelTask")
                self._json(200, told)
                return
        protocol = recognize(path, self.headers.get("Accept", ""), request)
        prompt = protocol.prompt(request)
        if prompt is None:
            self._json(400, {"error": f"the body is no JSON object with {protocol.asks_for}"})
        elif self._is_authorized(request):
            self._follow(Script.read(prompt), protocol, prompt, request)

    def _stop_session(self, body: bytes) -> None:
        """Stop a session, as an AgentCore runtime does."""
        session = self.headers.get(_SESSION_ID, "")
        if not session:
            self._json(400, {"message": f"the header {_SESSION_ID} is missing"})
        elif self._is_authorized(_object(body) or {}):
            logger.info("The run was cancelled: StopRuntimeSession")
            self._json(200, {}, {_SESSION_ID: session})

    def _is_authorized(self, request: dict[str, Any]) -> bool:
        """Record the request, and refuse it if its token is not valid."""
        self._record(request)
        if self.agent.accepts(self.headers.get("Authorization", "")):
            return True
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        self._json(401, {"error": "the token is not known, or has expired"}, challenge)
        return False

    def _record(self, request: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.agent.requests.append(Received(headers, request, self.path))

    def _follow(
        self, script: Script, protocol: type[Writer], prompt: str, request: dict[str, Any]
    ) -> None:
        """Answer a prompt as its script says."""
        self.agent.stopping.wait(script.seconds("first-byte"))
        quoted = self._quotation(request) if "quote" in script else ""
        if quoted and "fail" in script:
            script.steps["fail"] = [quoted]
        if "status" in script and self._status(" ".join(script.steps["status"]), quoted):
            return
        answered = protocol.answered(request)
        text = answer_text(prompt) if answered is None else resumed_text(answered)
        answer = Answer(
            quoted or text,
            script,
            session_id=self.headers.get(_SESSION_ID, ""),
            run_id=str(request.get("runId") or request.get("id") or ""),
        )
        if "call-back" in script:
            self._call_back(script, answer.text)
        self._answer(writer_of(protocol, answer), script)

    def _call_back(self, script: Script, text: str) -> None:
        """Send the answer as the run's result after some seconds, if the request says where."""
        url, token = self.headers.get(_RESULT_URL, ""), self.headers.get(_RESULT_TOKEN, "")
        if not (url and token):
            logger.info("There is no address to call back: set PUBLIC_URL")
            return
        seconds = script.seconds("call-back", 1)
        CallBack(url, token, seconds, text, self.agent.stopping).start()

    def _quotation(self, request: dict[str, Any]) -> str:
        """Repeat the request with its token, as a careless agent does."""
        return f"I was sent {self.headers.get('Authorization', '')} {json.dumps(request)}"

    def _status(self, arguments: str, reason: str) -> bool:
        """Answer by `CODE [TIMES|once] [retry-after WHEN]`. False after TIMES answers."""
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

    def _answer(self, writer: Writer, script: Script) -> None:
        if "break-before" in script:
            self._break()
        elif "empty-500" in script:
            self._respond(500, b"")
        elif "fail-before" in script:
            message = script.words("fail-before", "the prompt asks the demo agent to fail")
            status, told = writer.refusal(message)
            if told is None:
                self._respond(status, b"")
            else:
                self._json(status, told)
        elif "json" in script and (document := writer.document()) is not None:
            self._json(200, document)
        else:
            self._start_stream(writer, script)

    def _start_stream(self, writer: Writer, script: Script) -> None:
        self.send_response(200)
        self.send_header("Content-Type", writer.media_type)
        self.send_header("Transfer-Encoding", "chunked")
        if "gzip" in script:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self._stream(list(writer.pieces()), script, writer)

    def _stream(self, lines: list[bytes], script: Script, writer: Writer) -> None:
        middle = len(lines) // 2
        size = script.size("bytes")
        if "gzip" in script:
            self._chunk(gzip.compress(b"".join(lines)))
        elif "drip" in script:
            self._send_slowly(_single_bytes(lines), script.seconds("drip", 0.1))
        elif "split-utf8" in script:
            self._send_slowly(_single_bytes(lines), 0)
        else:
            pause = script.seconds("slow", self.agent.options.pause) / len(lines)
            self._send_slowly(lines[:middle], pause)
            self._send_block(size, writer)
            if "background" in script and self._is_left(writer, script.seconds("background", 5)):
                return
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

    def _send_block(self, size: int, writer: Writer) -> None:
        """Send `size` bytes of text, all from one piece that is made once."""
        event = writer.text("All work and no play makes an agent a dull one. ")
        block = event * max(_BLOCK_BYTES // len(event), 1)
        framed = b"%x\r\n%b\r\n" % (len(block), block)
        for _ in range(size // len(block)):
            self.connection.sendall(framed)
        rest = event * (size % len(block) // len(event))
        if rest:
            self._chunk(rest)

    def _break(self) -> None:
        """Reset the connection, as a crash does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _is_left(self, writer: Writer, seconds: float) -> bool:
        """Work for some seconds without a word; whether the client left meanwhile.

        In A2A the task goes on all the same.
        """
        end = time.monotonic() + seconds
        if isinstance(writer, A2AWriter):
            so_far, whole = writer.task_so_far(), writer.document()["result"]["task"]
            self.agent.tasks[whole["id"]] = Task(so_far, whole, end)
        while time.monotonic() < end and not self.agent.stopping.is_set():
            if select.select([self.connection], [], [], 0.05)[0]:
                self.close_connection = True
                return True
        return False

    def _stall(self) -> None:
        """Send nothing more until the client leaves."""
        self.close_connection = True
        while not self.agent.stopping.is_set():
            if select.select([self.connection], [], [], 0.1)[0]:
                return


def _object(body: bytes) -> dict[str, Any] | None:
    """Parse a body. None if it is no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _single_bytes(lines: list[bytes]) -> list[bytes]:
    return [bytes([byte]) for byte in b"".join(lines)]
