"""The API's views of fire tokens: one runs a trigger by its token, the other manages the token."""

import math
from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle

from executions import fire
from executions.dispatchers import DispatchError
from executions.runner import TriggerBusyError
from moca.api.errors import APIError, InvalidParameterError, NotFoundError
from moca.api.paths import FIRE_HEADER
from moca.api.throttling import FailureLimit
from moca.api.views import APIView
from moca.authentication.limits import client_address
from moca.times import iso
from triggers import fire_tokens
from triggers.api.views import MAX_KEY, find
from triggers.models import FireToken, Trigger
from triggers.services import IdempotencyError

REFUSED = "The fire token is unknown or has ended: use the trigger's present one."
_wrong_tokens = FailureLimit("fire")


class FireThrottle(SimpleRateThrottle):
    """Allows each fire token FIRE_RATE_LIMIT runs, counted in this process alone.

    Args:
        token: the verified token.
    """

    def __init__(self, token: FireToken) -> None:
        self._token = token
        super().__init__()

    def get_rate(self) -> str | None:
        return settings.FIRE_RATE_LIMIT or None

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"moca.throttle.fire.{self._token.pk}"


class FireView(APIView):
    """Programs have no token of a user, but one of the trigger."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        """Run a trigger by its fire token."""
        trigger = self._trigger(request)
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > MAX_KEY:
            raise InvalidParameterError("Idempotency-Key", f"Give at most {MAX_KEY} characters.")
        try:
            execution_id = fire.fire(trigger, self.body, key=key)
        except (fire.NotFiringError, TriggerBusyError, IdempotencyError) as error:
            raise APIError(409, str(error)) from error
        except DispatchError as error:
            raise APIError(503, str(error), headers={"Retry-After": "5"}) from error
        return Response({"executionId": execution_id}, status=202)

    def _trigger(self, request: Request) -> Trigger:
        """The trigger of the request's token.

        Raises:
            APIError: 401: the token is wrong; 429: too many requests came.
        """
        address = client_address(request._request)
        _wrong_tokens.check(address)
        token = fire_tokens.verify(_token(request))
        trigger = Trigger.objects.find(token.user_id, token.trigger_id) if token else None
        if token is None or trigger is None:
            _wrong_tokens.count(address)
            raise APIError(401, REFUSED, code="INVALID_FIRE_TOKEN")
        throttle = FireThrottle(token)
        if not throttle.allow_request(request, self):
            seconds = max(1, math.ceil(throttle.wait() or 1))
            message = f"Too many requests with this token: try again in {seconds} s."
            raise APIError(429, message, headers={"Retry-After": str(seconds)})
        fire_tokens.note_use(token)
        return trigger


def _token(request: Request) -> str:
    if token := request.headers.get(FIRE_HEADER, ""):
        return token.strip()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class FireTokenView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """Show when a trigger's fire token was made and used."""
        return Response({"fireToken": _shown(_stored(find(self.user_id, trigger_id)))})

    def post(self, request: Request, trigger_id: str) -> Response:
        """Make or rotate a trigger's fire token."""
        trigger = find(self.user_id, trigger_id)
        text = fire_tokens.make(trigger, by=self.user_id)
        answer = {"fireToken": _shown(_stored(trigger)), "secret": text}
        return Response(answer, status=201)

    def delete(self, request: Request, trigger_id: str) -> Response:
        """End a trigger's fire token."""
        if not fire_tokens.end(find(self.user_id, trigger_id), by=self.user_id):
            raise NotFoundError("fire token")
        said = {"success": True, "message": "The fire token has ended."}
        return Response({**said, "metadata": {"triggerId": trigger_id}})


def _stored(trigger: Trigger) -> FireToken:
    token = fire_tokens.token_of(trigger)
    if token is None:
        raise NotFoundError("fire token")
    return token


def _shown(token: FireToken) -> dict[str, Any]:
    shown = {"createdAt": iso(token.created_at), "createdBy": token.created_by}
    return shown | ({"lastUsedAt": iso(token.last_used_at)} if token.last_used_at else {})
