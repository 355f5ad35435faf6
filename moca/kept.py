"""A value that a process reads from the database, and then uses for some seconds."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps what `read` returned for so many seconds. A change elsewhere takes as long to be seen.

    Args:
        read: reads the value.
        seconds: for how long it is used.
    """

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._kept: tuple[float, T] | None = None
        self._lock = threading.Lock()

    def get(self) -> T:
        """The value, read again if it is too old."""
        kept = self._kept
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        value = self._read()
        self.put(value)
        return value

    def put(self, value: T) -> None:
        """Use a value from now on, as if it had been read."""
        with self._lock:
            self._kept = time.monotonic() + self._seconds, value

    def forget(self) -> None:
        """Have the value read again."""
        with self._lock:
            self._kept = None
