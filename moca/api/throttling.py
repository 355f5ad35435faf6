"""Rate limiting of the API per user."""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class UserThrottle(SimpleRateThrottle):
    """Allows each user API_RATE_LIMIT requests, counted in this process alone."""

    def get_rate(self) -> str | None:
        return settings.API_RATE_LIMIT or None

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        caller: Any = request.user
        if caller is None:
            return None
        return f"moca.throttle.{hashlib.sha256(caller.user_id.encode()).hexdigest()}"
