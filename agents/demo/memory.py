"""What the demo agent remembers: its options, the requests that came, and the tokens it issued."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

_KEPT_REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class Received:
    """One request for an answer, or to cancel it.

    Header names are in lower case, `body` is JSON.
    """

    headers: dict[str, str]
    body: dict[str, Any]
    path: str


@dataclass(slots=True)
class Options:
    """How a demo agent behaves if the prompt says nothing else. Times are in seconds.

    `pause` is how long a whole answer takes. With `check_tokens` the agent accepts only tokens that
    it has issued itself and that have not expired. The first `token_failures` requests for a token
    get the status `token_status`.
    """

    pause: float = 1.5
    client_id: str = "demo"
    client_secret: str = "demo"  # noqa: S105  (opens nothing but this agent)
    check_tokens: bool = True
    token_lifetime: float = 3600
    token_delay: float = 0
    token_status: int = 503
    token_failures: int = 0


@dataclass(slots=True)
class Task:
    """A task of A2A that goes on when its stream is closed.

    `so_far` and `whole` are its documents before and after its end at `ends_at`, a monotonic time.
    """

    so_far: dict[str, Any]
    whole: dict[str, Any]
    ends_at: float
    is_cancelled: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """What the agent tells of it now."""
        if self.is_cancelled:
            return {**self.so_far, "status": {"state": "TASK_STATE_CANCELED"}}
        return self.whole if time.monotonic() >= self.ends_at else self.so_far


class Memory:
    """What all conversations of one demo agent share. Safe to share between threads.

    `requests` holds the last 1000 requests for an answer, or to cancel it. `token_requests` counts
    those for a token. `tasks` has those that go on without a stream, by id.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.requests: deque[Received] = deque(maxlen=_KEPT_REQUESTS)
        self.token_requests = 0
        self.tasks: dict[str, Task] = {}
        self.stopping = threading.Event()
        self._attempts: dict[tuple[str, str], int] = {}
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue_token(self) -> str:
        """Issue a new token, which `accepts` knows until it expires."""
        token = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._lock:
            self._tokens = {t: end for t, end in self._tokens.items() if end > now}
            self._tokens[token] = now + self.options.token_lifetime
        return token

    def accepts(self, authorization: str) -> bool:
        """Whether an Authorization header has a valid token."""
        if not self.options.check_tokens:
            return True
        token = authorization.removeprefix("Bearer ")
        return self._tokens.get(token, 0) > time.monotonic()

    def count_token_request(self) -> int:
        """Count one more request for a token, and return their number."""
        with self._lock:
            self.token_requests += 1
            return self.token_requests

    def attempt(self, key: str, what: str) -> int:
        """Return how often the request `key` has come with the instruction `what`."""
        with self._lock:
            if len(self._attempts) > 10 * _KEPT_REQUESTS:
                self._attempts.clear()
            count = self._attempts[key, what] = self._attempts.get((key, what), 0) + 1
            return count
