"""The API's authentication and permission: API keys, bearer tokens, sessions, roles and scopes."""

from dataclasses import dataclass
from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from moca.api.editions import ID_TOKEN_HEADER
from moca.api.errors import APIError, AuthenticationError
from moca.api.throttling import FailureLimit
from moca.authentication.access import role_of_token
from moca.authentication.api_keys import scopes
from moca.authentication.api_keys.access import PREFIX, RefusedKeyError, verify
from moca.authentication.api_keys.grant import Grant, KeyUser
from moca.authentication.keys import KeysUnavailableError
from moca.authentication.limits import client_address
from moca.authentication.models import Operator, Role
from moca.authentication.tokens import (
    MachineUserError,
    OtherUserError,
    TokenError,
    TokenUser,
    check_id_token,
    user_of,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request: the user whose data it concerns, the role, and the API key.

    With a key, `user_id` is a `KeyUser`.
    """

    user_id: str
    role: Role = Role.EDITOR
    key: Grant | None = None


KEY_HEADER = "X-API-Key"
_wrong_keys = FailureLimit("key")


class KeyAuthentication(BaseAuthentication):
    """Authenticates by an API key in `Authorization: Bearer` or in `X-API-Key`.

    If a request has both headers, `Authorization` counts: API Gateway has keys of its own.
    """

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        header = request.headers.get("Authorization")
        if header is None:
            text = request.headers.get(KEY_HEADER, "").strip()
        else:
            scheme, _, text = header.partition(" ")
            text = text.strip()
            if scheme.lower() != "bearer" or not text.startswith(f"{PREFIX}_"):
                return None
        if not text:
            return None
        address = client_address(request._request)
        _wrong_keys.check(address)
        try:
            grant, role = verify(text)
        except RefusedKeyError as error:
            _wrong_keys.count(address)
            raise AuthenticationError("INVALID_API_KEY", str(error)) from error
        user = TokenUser(grant.user_id)
        try:
            _check_id_token(request.headers.get(ID_TOKEN_HEADER, ""), user)
        except KeysUnavailableError as error:
            wait = error.retry_after
            raise AuthenticationError("KEYS_UNAVAILABLE", retry_after=wait) from error
        return Caller(KeyUser(grant), role, grant), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class JWTAuthentication(BaseAuthentication):
    """Authenticates by `Authorization: Bearer <token>`.

    If the request has an ID token too, it has to be valid and of the same user.
    """

    def authenticate(self, request: Request) -> tuple[Caller, TokenUser] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or " " in token:
            raise AuthenticationError("INVALID_AUTHORIZATION_FORMAT")
        try:
            user = user_of(token)
            role = role_of_token(user)
            _check_id_token(request.headers.get(ID_TOKEN_HEADER, ""), user)
            return Caller(user.user_id, role), user
        except TokenError as error:
            raise AuthenticationError("INVALID_JWT", str(error)) from error
        except MachineUserError as error:
            raise AuthenticationError("MACHINE_USER") from error
        except KeysUnavailableError as error:
            wait = error.retry_after
            raise AuthenticationError("KEYS_UNAVAILABLE", retry_after=wait) from error

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _check_id_token(token: str, user: TokenUser) -> None:
    """Raise AuthenticationError if there is an ID token that is invalid or of another user."""
    if not token:
        return
    try:
        check_id_token(token.strip(), user)
    except TokenError as error:
        # `INVALID_JWT` would not say which of the two tokens is meant.
        raise AuthenticationError("INVALID_ID_TOKEN", f"ID token: {error}") from error
    except OtherUserError as error:
        raise AuthenticationError("TOKEN_SUBJECT_MISMATCH") from error


class OperatorSessionAuthentication(SessionAuthentication):
    """Authenticates by an operator's session; unsafe methods need a CSRF token."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        found = super().authenticate(request)
        operator: Any = found[0] if found else None
        if not isinstance(operator, Operator):
            return None
        return Caller(operator.subject, Role(operator.role)), None


class RolePermission(BasePermission):
    """Requires authentication, the scope of an API key, and for unsafe methods the role editor.

    A view with `for_viewers` leaves its unsafe methods to viewers, too.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        caller: Any = request.user
        if caller is None:
            raise AuthenticationError("MISSING_AUTHORIZATION")
        method = "GET" if request.method == "HEAD" else str(request.method)
        if caller.key is not None and method in view.allowed_methods:
            route: Any = request.resolver_match
            scopes.require(caller.key, route.url_name, method, route.kwargs.get("trigger_id"))
        if request.method in SAFE_METHODS or caller.role.rank >= Role.EDITOR.rank:
            return True
        if getattr(view, "for_viewers", False):
            return True
        raise APIError(403, "Viewers may look but not change: ask an admin for the editor role.")
