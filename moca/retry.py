"""Bounded retries with exponential back-off and jitter, for all apps.

The module is our own: a library for this (stamina, with tenacity) adds 70 ms to the cold start of
the Lambda functions, and logs the arguments of calls, which may be prompts.
"""

import random
from collections.abc import Callable
from itertools import count
from time import sleep
from typing import Any, TypeVar

T = TypeVar("T")

TRIES = 8
# Ceilings of the pauses between tries in seconds, suited to writes that conflict with others. Who
# waits longer, for an agent or for a database that is away, passes its own.
FIRST, LONGEST = 0.01, 0.1


def retry(
    call: Callable[[], T],
    on: type[Exception] | tuple[type[Exception], ...],
    *,
    tries: int | None = TRIES,
    first: float = FIRST,
    longest: float = LONGEST,
    left: Callable[[], float] | None = None,
    wait: Callable[[Any], float] | None = None,
    pause_by: Callable[[float], None] | None = None,
) -> T:
    """Call until it succeeds; the pauses between the calls double and have full jitter.

    Args:
        call: the function; it has to read its data again in each call.
        on: the errors after which to call again.
        tries: the most calls; None if `left` alone limits them.
        first: the ceiling of the first pause, in seconds.
        longest: the ceiling of all pauses, in seconds.
        left: returns the seconds until a deadline. No pause begins that would pass the deadline.
        wait: returns the least pause after an error, in seconds; it may raise the error to give up.
        pause_by: spends a pause, and may return early; None for `time.sleep`.

    Raises:
        Exception: the last error, after the last try or at the deadline.
    """
    for tried in count(1):
        try:
            return call()
        except on as error:
            if tried == tries:
                raise
            pause = max(backoff(tried, first, longest), wait(error) if wait else 0.0)
            if left is not None and pause >= left():
                raise
        (pause_by or sleep)(pause)
    raise AssertionError("unreachable")


def backoff(tried: int, first: float, longest: float) -> float:
    """The pause after so many tries, in seconds: its ceiling doubles, and it has full jitter.

    Args:
        tried: the tries so far, 1 or more.
        first: the ceiling of the first pause, in seconds.
        longest: the ceiling of all pauses, in seconds.
    """
    # Bound the exponent, since floats overflow.
    ceiling = min(longest, first * 2 ** min(tried - 1, 60))
    return random.uniform(0, ceiling)  # noqa: S311  (it spreads load)


def jittered(seconds: float) -> float:
    """A pause of half of the seconds up to all of them, so that many callers spread their load."""
    return random.uniform(seconds / 2, seconds)  # noqa: S311  (it spreads load)
