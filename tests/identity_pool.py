"""A stand-in for Cognito Identity, which issues tokens and refuses calls beyond its quota."""

import json
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

POOL_ID = "eu-central-1:11111111-2222-4333-8444-555555555555"
PROVIDER = "moca.trigger"
# The header of an agent's request that has the token.
HEADER = "x-amzn-bedrock-agentcore-runtime-custom-id-token"
TARGET = "AWSCognitoIdentityService.GetOpenIdTokenForDeveloperIdentity"


class IdentityPool:
    """Answers GetOpenIdTokenForDeveloperIdentity on a port of this machine.

    Attributes:
        quota: the calls that it answers in any second; it refuses the next one.
        error: the code of the error that it answers instead of tokens; empty for tokens.
        calls: the bodies of all calls.
        issued: the number of tokens that each owner was given.
        refused: the number of calls beyond the quota.
    """

    def __init__(self, quota: int = 25, error: str = "") -> None:
        self.quota, self.error = quota, error
        self.calls: list[dict[str, Any]] = []
        self.issued: Counter[str] = Counter()
        self.refused = 0
        self._answered: deque[float] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, target: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the document for a call."""
        with self._lock:
            self.calls.append(body)
            if self.error:
                return 400, {"__type": self.error, "message": "As the test wants it."}
            if target != TARGET or body["IdentityPoolId"] != POOL_ID:
                return 400, {"__type": "ResourceNotFoundException", "message": "No such pool."}
            now = time.monotonic()
            while self._answered and self._answered[0] <= now - 1:
                self._answered.popleft()
            if len(self._answered) >= self.quota:
                self.refused += 1
                return 400, {"__type": "TooManyRequestsException", "message": "Slow down."}
            self._answered.append(now)
            owner = body["Logins"][PROVIDER]
            self.issued[owner] += 1
        return 200, {"IdentityId": POOL_ID, "Token": token_of(owner)}


def token_of(owner: str) -> str:
    """The token that the stand-in gives an owner."""
    return f"open-id-token-of-{owner}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 1000
    daemon_threads = True


def _handler(pool: IdentityPool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, document = pool.answer(self.headers["X-Amz-Target"], body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
