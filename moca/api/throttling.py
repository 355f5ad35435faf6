"""Rate limiting of the API: per user, and per address where callers have no user."""

import hashlib
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from moca.api.errors import APIError

# How many wrong tokens an address may send, within how many seconds.
MOST_FAILURES, FAILURE_SECONDS = 30, 60


class UserThrottle(SimpleRateThrottle):
    """Allows each user API_RATE_LIMIT requests, counted in this process alone."""

    def get_rate(self) -> str | None:
        return settings.API_RATE_LIMIT or None

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        caller: Any = request.user
        if caller is None:
            return None
        return f"moca.throttle.{hashlib.sha256(caller.user_id.encode()).hexdigest()}"


class FailureLimit:
    """Refuses an address that has sent too many wrong tokens, counted in this process alone.

    Right tokens are not counted, because many agents may share an address.

    Args:
        name: what is limited.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self, address: str) -> None:
        """Raise APIError 429 if the address has reached the limit."""
        if cache.get(self._key(address), 0) >= MOST_FAILURES:
            message = f"Too many wrong tokens: try again in {FAILURE_SECONDS} s."
            raise APIError(429, message, headers={"Retry-After": str(FAILURE_SECONDS)})

    def count(self, address: str) -> None:
        """Count a wrong token."""
        key = self._key(address)
        if not cache.add(key, 1, FAILURE_SECONDS):
            # If it has expired just now, the next failure begins anew.
            with suppress(ValueError):
                cache.incr(key)

    def _key(self, address: str) -> str:
        return f"moca.failures.{self._name}.{hashlib.sha256(address.encode()).hexdigest()}"
