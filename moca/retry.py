"""Retries: calls something again after an error that may pass, a bounded number of times.

The module is our own: a library for this (stamina, with tenacity) adds 70 ms to the cold start of
the Lambda functions, and logs the arguments of what it calls, which may be prompts.
"""

import random
from collections.abc import Callable
from itertools import count
from time import sleep
from typing import Any, TypeVar

T = TypeVar("T")

TRIES = 8
# Ceilings of the pauses between tries, in seconds: for writes that others came before.
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
) -> T:
    """Call until it succeeds; the pauses between the calls double and have full jitter.

    Args:
        call: reads anew what it relies on, each time.
        on: the errors after which it is called again.
        tries: how often it is called at most; None if `left` alone limits that.
        first: the longest that the first pause can be, in seconds.
        longest: the longest that any pause can be.
        left: the seconds until a deadline. No pause begins that would pass it.
        wait: the seconds to wait at least after an error; it raises the error to give up.

    Raises:
        Exception: the last error, if the tries or the time are used up.
    """
    for tried in count(1):
        try:
            return call()
        except on as error:
            if tried == tries:
                raise
            # Exponents are bounded, since a float is.
            ceiling = min(longest, first * 2 ** min(tried - 1, 60))
            pause = random.uniform(0, ceiling)  # noqa: S311  (it spreads load)
            pause = max(pause, wait(error) if wait else 0.0)
            if left is not None and pause >= left():
                raise
        sleep(pause)
    raise AssertionError("unreachable")
