"""How many requests a user may make."""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class UserThrottle(SimpleRateThrottle):
    """At most API_RATE_LIMIT requests a user, counted in this process."""

    def get_rate(self) -> str | None:
        return settings.API_RATE_LIMIT or None

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        caller: Any = request.user
        if caller is None:
            return None
        return f"moca.throttle.{hashlib.sha256(caller.user_id.encode()).hexdigest()}"
