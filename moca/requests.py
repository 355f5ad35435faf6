"""What all requests share: an id, the content security policy, and the answer in an outage."""

import logging
import uuid
from collections.abc import Callable

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from moca.logs import bind
from moca.outages import is_away

logger = logging.getLogger(__name__)


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


class PolicyMiddleware:
    """Send CONTENT_SECURITY_POLICY, which the middleware of django-csp makes for each answer anew.

    No view has a policy or a nonce of its own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Django's own pages about errors have their styles and scripts within them.
        if not (settings.DEBUG and response.status_code in (404, 500)):
            response.headers.setdefault(HEADER, self.policy)
        return response


class DatabaseAwayMiddleware:
    """Answer 503 with a page of its own, and a log line instead of a traceback, in an outage."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_away(error):
            return None
        logger.error("The database failed: %s", error)
        return _page()


def _page() -> HttpResponse:
    # No context of the request's: who is signed in stands in the database.
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": "5"})
