"""An id for each request, in its answer and in each of its log lines."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from moca.logs import bind


class RequestIdMiddleware:
    """Set `request.request_id`, bind it to the log context and send it as `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        with bind(requestId=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response
