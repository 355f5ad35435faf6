"""Waits for the end of a run, for a bounded time and in few threads of the web server."""

import threading
import time
from collections.abc import Callable
from typing import Any

# API Gateway ends a request after 29 seconds.
MOST_SECONDS = 20
# Seconds between two looks.
PAUSE = 0.5
# How many requests of a process may wait at once. The web server has eight threads.
MOST_WAITING = 3

_places = threading.BoundedSemaphore(MOST_WAITING)


def wait_for_end(look: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """Look at a run until it has ended or the time is over.

    It looks only once if too many others wait.

    Args:
        look: returns the run as the API shows it.
        seconds: how long to wait at the most.

    Returns:
        The run as it was seen last.
    """
    run = look()
    if not seconds or run["status"] != "running" or not _places.acquire(blocking=False):
        return run
    try:
        end = time.monotonic() + seconds
        while run["status"] == "running" and time.monotonic() < end:
            time.sleep(PAUSE)
            run = look()
        return run
    finally:
        _places.release()
