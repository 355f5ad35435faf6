"""Cancels a call of an agent from another thread, for the runner."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Cancellation:
    """Cancels one call of an agent, from any thread and at any time.

    A call that begins after `cancel()` ends at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.is_requested = False

    def cancel(self) -> None:
        """End the call: its connection is shut down, and nothing is sent any more."""
        with self._lock:
            self.is_requested = True
            if self._end is not None:
                self._end()

    def attach(self, end: Callable[[], None]) -> None:
        """Have `cancel()` call `end`, at once if the call has been cancelled already."""
        with self._lock:
            self._end = end
            if self.is_requested:
                end()

    def detach(self) -> None:
        """Have `cancel()` call nothing, because the call is over."""
        with self._lock:
            self._end = None
