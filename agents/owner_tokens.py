"""Keeps a token of each trigger's owner while it holds, and spreads the calls for new ones."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from agents.errors import AgentError
from agents.tokens import CachedTokens, Grant
from agents.transport import Deadline
from moca.retry import retry

# The most owners whose tokens are kept; the least recently used go first.
MOST_OWNERS = 10_000
# A token is renewed this many seconds before it expires, since an agent uses it for a while.
EARLY = 120.0
# Calls a second of one process. The quota of AWS is 25 for an account and region.
CALLS_A_SECOND = 20.0
# How often a call is tried that fails for another reason than the quota.
TRIES = 4
# Ceilings of the pauses between tries, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 20.0
# The HTTP status of an error that means that the quota is used up.
TOO_MANY_REQUESTS = 429


class OwnerTokens:
    """Obtains tokens of owners. Safe to share between threads.

    `fetch` asks for a token of an owner, by one call, and raises AgentError if that fails: with the
    status 429 if the quota is used up. Calls that are throttled are tried again, after pauses that
    grow and vary at random, for as long as the caller has time. If several threads need a token of
    the same owner, one fetches it and the others wait.
    """

    def __init__(
        self, fetch: Callable[[str], Grant], *, calls_a_second: float = CALLS_A_SECOND
    ) -> None:
        self._fetch = fetch
        self._turns = Turns(calls_a_second)
        self._owners: OrderedDict[str, CachedTokens] = OrderedDict()
        self._lock = threading.Lock()

    def token(self, owner: str, *, timeout: float) -> str:
        """Return a kept token of the owner, or a new one within `timeout` seconds.

        Raises AgentError if there is none to be had.
        """
        return self._of(owner).token(timeout=timeout)

    def _of(self, owner: str) -> CachedTokens:
        with self._lock:
            if owner not in self._owners:
                self._owners[owner] = CachedTokens(partial(self._obtain, owner), early=EARLY)
            self._owners.move_to_end(owner)
            if len(self._owners) > MOST_OWNERS:
                self._owners.popitem(last=False)
            return self._owners[owner]

    def _obtain(self, owner: str, deadline: Deadline) -> Grant:
        begun = time.monotonic()
        failures = 0

        def once() -> Grant:
            self._turns.wait(deadline)
            asked = time.monotonic()
            grant = self._fetch(owner)
            # CachedTokens counts the lifetime from the begin, and most of the wait may be over.
            return Grant(grant.token, grant.lifetime + asked - begun)

        def give_up(error: AgentError) -> float:
            nonlocal failures
            failures += error.status != TOO_MANY_REQUESTS
            if not error.transient or failures >= TRIES:
                raise error
            return 0.0

        return retry(
            once,
            on=AgentError,
            tries=None,
            first=FIRST_PAUSE,
            longest=LONGEST_PAUSE,
            left=lambda: deadline.left,
            wait=give_up,
        )


class Turns:
    """Lets calls begin one after the other, at most so many a second.

    The pause between two calls counts from when the first really began. Threads that were held up
    therefore do not catch up in a burst.
    """

    def __init__(self, calls_a_second: float) -> None:
        self._pause = 1 / calls_a_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, deadline: Deadline) -> None:
        """Wait for a turn; raise AgentError if none comes before the deadline."""
        deadline.check()
        if not self._lock.acquire(timeout=min(deadline.left, threading.TIMEOUT_MAX)):
            raise deadline.error(reached=False)
        try:
            pause = self._next - time.monotonic()
            if pause >= deadline.left:
                raise deadline.error(reached=False)
            time.sleep(max(pause, 0.0))
            self._next = time.monotonic() + self._pause
        finally:
            self._lock.release()
