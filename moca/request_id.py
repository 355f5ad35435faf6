"""Gives each request an id, for logs and for the answer's header."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from moca.logs import bind


class RequestIdMiddleware:
    """Sets `request.request_id`, binds it to the log lines, and sends it as `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        with bind(requestId=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response
