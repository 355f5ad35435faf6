"""How many requests each agent gets at the same time, for the local scheduler process.

An agent has a limit if one is set (`maxConcurrency`, AGENT_MAX_CONCURRENCY). One that answers 429
gets fewer requests, and none until its Retry-After is over. Other agents are not affected.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque

from django.conf import settings

from agents import AgentError
from executions.agent_records.lookup import record_of

logger = logging.getLogger(__name__)

TOO_MANY_REQUESTS = 429
# The pause of an agent that refuses a request and does not say for how long, and the longest one.
PAUSE_SECONDS, LONGEST_SECONDS = 1.0, 300.0
# An agent that has not refused a request for so long is not slowed any more.
SLOW_SECONDS = 300.0


class AgentGate:
    """The places of one agent in this process.

    The thread that claims runs calls `room()`, `claimed()` and `ended()`; the event loop the rest.

    Args:
        name: the agent's id, for the log; empty for the default agent.
        limit: the most requests at the same time; None if there is no limit.
    """

    def __init__(self, name: str, limit: int | None) -> None:
        self._name = name
        self.limit = limit
        self._lock = threading.Lock()
        self._claimed = 0
        self._sent = 0
        # The limit that its refusals show, infinite if there were none lately.
        self._slow_limit = math.inf
        self._refused_at = self._paused_until = -math.inf
        self._queue: deque[asyncio.Future[None]] = deque()

    def room(self) -> float:
        """How many more runs of the agent may be claimed now."""
        if time.monotonic() < self._paused_until:
            return 0
        return max(0.0, self._most() - self._claimed)

    def claimed(self) -> None:
        """Note that this process has claimed a run of the agent."""
        with self._lock:
            self._claimed += 1

    def ended(self) -> None:
        """Note that a run of the agent is over."""
        with self._lock:
            self._claimed -= 1

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost if this gate is made anew."""
        return not self._claimed and time.monotonic() - self._refused_at > SLOW_SECONDS

    async def enter(self) -> None:
        """Wait for a place; those who have waited longest go first."""
        if not self._queue and self._is_open():
            self._sent += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._look_again()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back."""
        self._sent -= 1
        if math.isfinite(self._slow_limit):
            # One more place each time that all places have been used.
            self._slow_limit += 1 / max(1.0, self._slow_limit)
        self._admit()

    def refused(self, error: AgentError) -> None:
        """Slow the agent down if it has too many requests."""
        if error.status != TOO_MANY_REQUESTS:
            return
        now = time.monotonic()
        if now - self._refused_at > SLOW_SECONDS:
            logger.warning("The agent %s answers 429: slowed", self._name or "of the settings")
        self._refused_at = now
        self._slow_limit = max(1.0, float(self._sent))
        pause = PAUSE_SECONDS if error.retry_after is None else error.retry_after
        self._paused_until = max(self._paused_until, now + min(pause, LONGEST_SECONDS))

    def _most(self) -> float:
        if time.monotonic() - self._refused_at > SLOW_SECONDS:
            self._slow_limit = math.inf
        limit = math.inf if self.limit is None else self.limit
        slow = self._slow_limit if math.isinf(self._slow_limit) else math.floor(self._slow_limit)
        return min(limit, slow)

    def _is_open(self) -> bool:
        return time.monotonic() >= self._paused_until and self._sent < self._most()

    def _admit(self) -> None:
        while self._queue and self._is_open():
            turn = self._queue.popleft()
            if not turn.done():
                self._sent += 1
                turn.set_result(None)
        self._look_again()

    def _look_again(self) -> None:
        """Have the queue looked at when the pause is over."""
        left = self._paused_until - time.monotonic()
        if self._queue and left > 0:
            asyncio.get_running_loop().call_later(left, self._admit)


class Gates:
    """The gates of all agents of this process, made when they are first needed."""

    def __init__(self) -> None:
        self._gates: dict[str, AgentGate] = {}

    def of(self, agent_id: str) -> AgentGate:
        """The gate of the agent that a trigger names. It may read the agent's record."""
        try:
            record = record_of(agent_id)
        except AgentError:
            # The run says what is wrong.
            record = None
        key = record.pk if record else ""
        limit = record.max_concurrency if record else settings.AGENT_MAX_CONCURRENCY or None
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = AgentGate(key, limit)
        gate.limit = limit
        return gate

    def tidy(self) -> None:
        """Forget the gates that nobody uses."""
        self._gates = {key: gate for key, gate in self._gates.items() if not gate.is_idle}
