"""Tracks outages of the database for the scheduler process: log lines, and back-off between tries.

An outage logs one line when it begins and one when it ends.
"""

import logging
import random
import threading
import time

from django.db import InterfaceError, OperationalError

from moca.concurrency import ConflictError

logger = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
# An outage that begins within this time after the last one continues its back-off.
SAME_SECONDS = 60.0
MAX_REASON = 200


def is_away(error: BaseException) -> bool:
    """Whether an error means that the database is unavailable for now."""
    is_of_connection = isinstance(error, OperationalError | InterfaceError)
    return is_of_connection and not isinstance(error, ConflictError)


class Outage:
    """The state of the database as this process sees it; all threads report to one object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Monotonic times: the outage's begin, None if there is none; the time from which the
        # back-off grows.
        self._began: float | None = None
        self._grows_from = 0.0
        self._last_failure = self._last_success = float("-inf")

    @property
    def is_on(self) -> bool:
        """Whether there is an outage: the last report was a failure."""
        return self._began is not None

    def failed(self, error: BaseException) -> None:
        """Report that a call failed; the first failure of an outage is logged."""
        now = time.monotonic()
        with self._lock:
            is_new = self._began is None
            if is_new:
                if now - self._last_failure > SAME_SECONDS:
                    self._grows_from = now
                # The call may have hung for long: the outage began after the last success.
                is_known = now - self._last_success < SAME_SECONDS
                self._began = self._last_success if is_known else now
            self._last_failure = now
        if is_new:
            reason = " ".join(str(error).split())[:MAX_REASON]
            logger.warning(
                "The database is away, and is tried again at most every %.0f s: %s",
                LONGEST_PAUSE,
                reason or type(error).__name__,
            )

    def over(self, began: float) -> None:
        """Report that a call succeeded.

        Args:
            began: when the call began (monotonic). Calls that failed since then take precedence.
        """
        now = time.monotonic()
        with self._lock:
            if began < self._last_failure:
                return
            self._last_success = now
            away_since, self._began = self._began, None
        if away_since is not None:
            logger.warning("The database is back after %.1f s", now - away_since)

    def was_on_within(self, seconds: float) -> bool:
        """Whether a call failed within the last `seconds`."""
        return time.monotonic() - self._last_failure < seconds

    def pause(self) -> float:
        """Seconds until the next try: a quarter of the outage so far, bounded, with jitter."""
        grown = (time.monotonic() - self._grows_from) / 4
        longest = min(max(grown, SHORTEST_PAUSE), LONGEST_PAUSE)
        return random.uniform(longest / 2, longest)  # noqa: S311  (jitter)


# The state of this process's database.
database = Outage()
