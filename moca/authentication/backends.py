"""Django's authentication backend: operators sign in by username and password."""

import logging
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from moca.authentication import limits
from moca.authentication.models import Operator

logger = logging.getLogger(__name__)


class OperatorBackend(BaseBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> Operator | None:
        """The active operator with this name and password, else None.

        After too many wrong passwords (`moca.authentication.limits`), all are refused for 5
        minutes.
        """
        if username is None or password is None:
            return None
        try:
            attempt = limits.start_attempt(request, username)
        except limits.TooManyFailuresError:
            logger.warning("A sign-in was refused after too many wrong passwords")
            return None
        operator = self._checked(username, password)
        if operator is not None:
            attempt.forgive()
        return operator

    def _checked(self, username: str, password: str) -> Operator | None:
        operator = Operator.objects.filter(username=username).first()
        if operator is None:
            # Hash anyway: the duration must not reveal which names exist.
            Operator().set_password(password)
            return None
        is_right = operator.check_password(password)
        return operator if is_right and operator.is_active and not operator.is_service else None

    def get_user(self, user_id: str) -> Operator | None:
        operator = Operator.objects.filter(pk=user_id, is_active=True).first()
        # Somebody may have been signed in when the account became a service account.
        return None if operator is None or operator.is_service else operator
