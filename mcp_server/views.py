"""The views of the MCP server: its endpoint, and the metadata that leads clients to a token."""

import json
import logging
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from mcp_server import authorization, methods, protocol, scopes
from mcp_server.calls import Session
from mcp_server.protocol import INVALID_REQUEST, PARSE_ERROR, Message, ProtocolError
from moca.api.errors import APIError, AuthenticationError, InvalidFieldsError, NotFoundError
from moca.api.parsers import read_json
from moca.api.views import APIView
from moca.authentication.api import Caller

logger = logging.getLogger(__name__)


class IsAuthenticated(BasePermission):
    """Requires a token. Each tool requires its scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.user is None:
            raise AuthenticationError("MISSING_AUTHORIZATION")
        if authorization.is_for_another(request._request, request.auth):
            raise AuthenticationError("INVALID_JWT", "The token was issued for another resource.")
        return True


class MCPView(APIView):
    """The endpoint of Streamable HTTP: one message in, one JSON answer out, and no sessions."""

    # The protocol describes itself.
    schema = None
    permission_classes = (IsAuthenticated,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        """All but sessions: a page of another site could make a browser send their cookie."""
        found = super().get_authenticators()
        return [each for each in found if not isinstance(each, SessionAuthentication)]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        _check_origin(request)
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if response.status_code == 401:
            has_token = getattr(exc, "code", "") != "MISSING_AUTHORIZATION"
            response["WWW-Authenticate"] = authorization.challenge(
                self.request._request, error="invalid_token" if has_token else ""
            )
        return response

    def post(self, request: Request) -> HttpResponse:
        """Answer a message of an MCP client."""
        try:
            message = protocol.read(_json(request), request.headers)
        except ProtocolError as error:
            return _respond(error.body(), error.status)
        if message.id is None:
            # A notification, or the answer to a request that this server never sends.
            return HttpResponse(status=202)
        caller = scopes.as_agent(cast(Caller, request.user), request.auth, message.client)
        session = Session(request._request, caller)
        _log(message)
        try:
            return _respond(methods.answer(session, message))
        except ProtocolError as error:
            error.id = message.id
            return _respond(error.body(), message.status_of(error), error.headers)


class ResourceMetadataView(APIView):
    """Protected resource metadata (RFC 9728): who issues tokens for this server."""

    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def get(self, request: Request) -> HttpResponse:
        """Name the authorization server."""
        found = authorization.metadata(request._request)
        if found is None:
            raise NotFoundError("authorization server")
        return _respond(found)


def _json(request: Request) -> Any:
    """The JSON value of the body; ProtocolError if it is none."""
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise APIError(415)
    try:
        return read_json(request._request.body)
    except InvalidFieldsError as error:
        raise ProtocolError(INVALID_REQUEST, error.message) from error
    except APIError as error:
        raise ProtocolError(PARSE_ERROR, error.message) from error


def _check_origin(request: Request) -> None:
    """Refuse pages of other sites, which could reach a server on their reader's machine."""
    origin = request.headers.get("Origin")
    if origin is None or settings.CORS_ALLOW_ALL_ORIGINS:
        return
    if origin in settings.CORS_ALLOWED_ORIGINS:
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        host = ""
    if not host or host != request.get_host():
        message = "Pages of this origin may not call this server: add it to CORS_ALLOWED_ORIGINS."
        raise APIError(403, message)


def _log(message: Message) -> None:
    """Log which client calls which method. Arguments stay out: they have prompts."""
    name = message.params.get("name") if message.method == "tools/call" else ""
    logger.info(
        "MCP client %r calls %s %s", message.client, message.method[:60], str(name or "")[:60]
    )


def _respond(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(data, content_type="application/json", status=status, headers=headers)
