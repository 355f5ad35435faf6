"""What holds for every request of the API, and leaves the pages alone."""

from collections.abc import Callable
from io import BytesIO

from corsheaders import middleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.module_loading import import_string

from moca.api.errors import APIError
from moca.api.paths import SIGNED, is_api, is_route

GetResponse = Callable[[HttpRequest], HttpResponse]

MESSAGES = {
    400: "The request is malformed.",
    403: "You may not do this.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    500: "Something went wrong on our side. Give the requestId when you report it.",
}


def error_response(request: HttpRequest, error: APIError) -> HttpResponse:
    """An error's answer from outside of a view."""
    body = error.body(getattr(request, "request_id", ""))
    return JsonResponse(body, status=error.status, headers=error.headers)


class CorsMiddleware(middleware.CorsMiddleware):
    """Let pages of the origins in CORS_ALLOWED_ORIGINS call the API.

    Addresses that have no view count as the API's, so that a frontend with a wrong address can
    read the error.
    """

    def is_enabled(self, request: HttpRequest) -> bool:
        path = request.path_info
        if is_api(path):
            return True
        return not is_route(path) and not path.startswith(settings.WHITENOISE_STATIC_PREFIX)

    def add_response_headers(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # The package writes it in lower case, which the API never did.
        if self.is_enabled(request):
            patch_vary_headers(response, ["Origin"])
        return super().add_response_headers(request, response)


def cors_headers(origin: str) -> dict[str, str]:
    """The CORS headers of an answer to a page of this origin, for answers from outside of Django.

    Args:
        origin: the request's Origin header; empty if it has none.
    """
    request, response = HttpRequest(), HttpResponse()
    request.path_info = "/openapi.json"
    if origin:
        request.META["HTTP_ORIGIN"] = origin
    del response.headers["Content-Type"]
    CorsMiddleware(lambda _: response)(request)
    return dict(response.headers)


def _is_unserved(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether this error is told because no view has the request's address."""
    return response.status_code >= 400 and request.resolver_match is None


def wants_json(request: HttpRequest) -> bool:
    """Whether whoever sent a request is to get its error in the API's form."""
    if is_api(request.path_info):
        return True
    accepted = request.headers.get("Accept", "")
    return bool(accepted) and "text/html" not in accepted


class JSONErrorsMiddleware:
    """Give errors that no view has answered the shape of all others."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if status < 400 or is_json:
            return response
        if is_api(request.path_info):
            return error_response(request, APIError(status, MESSAGES.get(status, MESSAGES[500])))
        if not _is_unserved(request, response):
            return response
        if wants_json(request):
            error = APIError(status, MESSAGES.get(status, MESSAGES[500]))
            response = error_response(request, error)
        patch_vary_headers(response, ["Accept"])
        return response


class TrailingSlashMiddleware:
    """Serve an API path with a trailing slash as the one without: a redirect would lose bodies."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_api(request.path_info):
            request.path_info = request.path_info.removesuffix("/")
        return self.get_response(request)


class BodyLimitMiddleware:
    """Read a request's body, and refuse one that is too large before it is held in memory."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request.path_info):
            return self.get_response(request)
        if not _has_credentials(request):
            # The answer will be 401 whatever the body says, so nobody waits for it.
            request._body = b""
            request._stream = BytesIO()
            return self.get_response(request)
        limit = body_limit(request.path_info)
        try:
            body = _read(request, limit + 1)
        except Exception:  # noqa: BLE001  (a server raises errors of its own for malformed chunks)
            return error_response(request, APIError(400, "The body is malformed or ended early."))
        if len(body) < min(int(request.META.get("CONTENT_LENGTH") or 0), limit):
            return error_response(request, APIError(400, "The body ended early."))
        if len(body) > limit:
            message = f"The body may have {limit // 1024} KB: send less."
            return error_response(request, APIError(413, message))
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._body = body
        request._stream = BytesIO(body)
        return self.get_response(request)


def body_limit(path: str) -> int:
    """Bytes that a body may have at a path of the API."""
    if path.removesuffix("/") in SIGNED:
        return int(settings.MAX_EVENT_BYTES)
    return int(import_string(settings.API_BODY_LIMIT))


def _has_credentials(request: HttpRequest) -> bool:
    return (
        "Authorization" in request.headers
        or settings.SESSION_COOKIE_NAME in request.COOKIES
        or _is_signed(request)
    )


def _is_signed(request: HttpRequest) -> bool:
    return request.path_info.removesuffix("/") in SIGNED


def _read(request: HttpRequest, most: int) -> bytes:
    # Django takes a request without Content-Length for one without a body; a server that marks the
    # end of its stream (gunicorn does) lets a chunked one be read.
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):
        return bytes(request.META["wsgi.input"].read(most))
    return request.read(most)
