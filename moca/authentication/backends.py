"""Sign-in of operators by name and password."""

import hashlib
import logging
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.core.cache import cache
from django.http import HttpRequest

from moca.authentication.models import Operator

logger = logging.getLogger(__name__)


# Wrong passwords for one name from one address, after which none is looked at for a while.
MOST_FAILURES = 10
FORGIVEN_AFTER_SECONDS = 300


class OperatorBackend(BaseBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> Operator | None:
        """Return the active operator of this name and password, else None.

        After ten wrong passwords for a name from one address the next are refused for 5 minutes.
        """
        if username is None or password is None:
            return None
        address = request.META.get("REMOTE_ADDR", "") if request else ""
        digest = hashlib.sha256(f"{address} {username}".encode("utf-8", "replace")).hexdigest()
        failures = f"sign-in-failures-{digest}"
        if cache.get(failures, 0) >= MOST_FAILURES:
            logger.warning("A sign-in was refused after too many wrong passwords")
            return None
        operator = self._checked(username, password)
        if operator is None:
            cache.add(failures, 0, FORGIVEN_AFTER_SECONDS)
            cache.incr(failures)
        else:
            cache.delete(failures)
        return operator

    def _checked(self, username: str, password: str) -> Operator | None:
        operator = Operator.objects.filter(username=username).first()
        if operator is None:
            # Hash all the same, so that the time taken does not tell which names exist.
            Operator().set_password(password)
            return None
        return operator if operator.check_password(password) and operator.is_active else None

    def get_user(self, user_id: str) -> Operator | None:
        return Operator.objects.filter(pk=user_id, is_active=True).first()
