"""Calls the API's own routes in this process, so that tools obey the same rules as the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlencode

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.urls import get_script_prefix, resolve, reverse
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from moca.authentication.api import Caller

# What of the outer request the API's answers depend on.
_KEPT = ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "HTTP_HOST", "wsgi.url_scheme")


@dataclass(frozen=True, slots=True)
class Session:
    """Who calls a method of this server, as an agent, and in which HTTP request."""

    request: HttpRequest
    caller: Caller


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API.

    Attributes:
        route: the name of its route, such as `api-trigger`.
        method: the HTTP method.
        path: the parameters of the path.
        query: the query parameters; None leaves one out.
        body: the JSON object; None for none.
        headers: further headers.
    """

    route: str
    method: str = "GET"
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str | None] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class CallError(Exception):
    """The API refused a call.

    Args:
        status: the HTTP status of its answer.
        answer: the answer, as docs/api.md describes errors.
    """

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("message", "")))
        self.status = status
        self.answer = answer


class _Known(BaseAuthentication):
    """Names the caller, whom the outer request has authenticated."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        session: Session = request._request.session_of_mcp  # type: ignore[attr-defined]
        return session.caller, None


def send(session: Session, call: Call) -> dict[str, Any]:
    """Send a request to the API in the caller's name, and return the answer's JSON object.

    Raises:
        CallError: the API answers with an error.
    """
    request = _request(session, call)
    match = request.resolver_match
    # The outer request was counted against the caller's rate limit.
    view = match.func.cls.as_view(authentication_classes=[_Known], throttle_classes=[])
    response = view(request, **match.kwargs)
    data: dict[str, Any] = response.data if isinstance(response, Response) else {}
    if response.status_code >= 400:
        raise CallError(response.status_code, data)
    return {name: value for name, value in data.items() if name != "metadata"}


def _request(session: Session, call: Call) -> Any:
    path = unquote(reverse(call.route, kwargs=dict(call.path)))
    path = f"/{path.removeprefix(get_script_prefix())}"
    body = b"" if call.body is None else json.dumps(call.body).encode()
    query = {name: value for name, value in call.query.items() if value is not None}
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()
    }
    environ = {
        **{name: session.request.META[name] for name in _KEPT if name in session.request.META},
        **headers,
        "REQUEST_METHOD": call.method,
        # WSGI has bytes as characters of Latin-1.
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": urlencode(query),
        "CONTENT_TYPE": "application/json" if body else "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    request: Any = WSGIRequest(environ)
    request.request_id = getattr(session.request, "request_id", "")
    request.session_of_mcp = session
    request.resolver_match = resolve(path)
    return request
