"""Middleware of the API: CORS, JSON errors, trailing slashes and limits of bodies."""

from io import BytesIO

from corsheaders import middleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from moca.api.editions import error_body
from moca.api.errors import APIError
from moca.api.paths import FIRE, FIRE_HEADER, SIGNED, is_api, is_route


def error_response(request: HttpRequest, error: APIError) -> HttpResponse:
    """Answer with an error from outside of a view."""
    status, body = error_body(request, error)
    return JsonResponse(body, status=status, headers=error.headers)


class CorsMiddleware(middleware.CorsMiddleware):
    """Lets pages of the origins in CORS_ALLOWED_ORIGINS call the API.

    Paths without a view get the headers too: a frontend that calls a wrong path can read the error.
    """

    def is_enabled(self, request: HttpRequest) -> bool:
        path = request.path_info
        if is_api(path):
            return True
        return not is_route(path) and not path.startswith(settings.WHITENOISE_STATIC_PREFIX)

    def add_response_headers(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # The package alone would write `origin` in lower case; keep the API's spelling.
        if self.is_enabled(request):
            patch_vary_headers(response, ["Origin"])
        return super().add_response_headers(request, response)


def cors_headers(origin: str) -> dict[str, str]:
    """The CORS headers of an answer that the web server makes without Django.

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


def wants_json(request: HttpRequest) -> bool:
    """Whether to answer an error as JSON: on the API's paths, or if Accept excludes HTML."""
    if is_api(request.path_info):
        return True
    accepted = request.headers.get("Accept", "")
    return bool(accepted) and "text/html" not in accepted


class JSONErrorsMiddleware(MiddlewareMixin):
    """Puts errors that come from no view of the API into the API's shape."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        status = response.status_code
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if status < 400 or is_json:
            return response
        of_api = is_api(request.path_info)
        if not of_api and request.resolver_match is not None:
            # A page answered its own error.
            return response
        if wants_json(request):
            response = error_response(request, APIError(status))
        if not of_api:
            patch_vary_headers(response, ["Accept"])
        return response


class FireTokenMiddleware(MiddlewareMixin):
    """Moves the token of `/fire/TOKEN` into a header, before anything can log the path.

    Django logs the paths of refused requests, and shows them on error pages. A client whose base
    address ends with a slash sends `//fire/TOKEN`, which is served too.
    """

    def process_request(self, request: HttpRequest) -> None:
        path, token = request.path_info, ""
        plain = f"/{path.lstrip('/')}"
        if plain.startswith(f"{FIRE}/"):
            token = plain.removeprefix(f"{FIRE}/").strip("/")
            before = request.path.removesuffix(path)
            request.path_info, request.path = FIRE, f"{before}{FIRE}"
            request.META["PATH_INFO"] = FIRE
            for name in ("RAW_URI", "REQUEST_URI", "RAW_PATH"):
                request.META.pop(name, None)
        if token:
            name = f"HTTP_{FIRE_HEADER.upper().replace('-', '_')}"
            request.META[name] = token
            request.__dict__.pop("headers", None)


class TrailingSlashMiddleware(MiddlewareMixin):
    """Serves API paths with a trailing slash too; a redirect would drop the request's body."""

    def process_request(self, request: HttpRequest) -> None:
        if is_api(request.path_info):
            request.path_info = request.path_info.removesuffix("/")


class BodyLimitMiddleware(MiddlewareMixin):
    """Reads bodies of API requests, and answers 413 before a larger one is held in memory."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not is_api(request.path_info):
            return None
        if not _has_credentials(request):
            # The answer is 401 anyway, so do not wait for the body.
            _set_body(request, b"")
            return None
        limit = _body_limit(request)
        try:
            body = _read_body(request, limit + 1)
        except Exception:  # noqa: BLE001  (a server raises errors of its own for malformed chunks)
            return error_response(request, APIError(400, "The body is malformed or ended early."))
        if len(body) < min(int(request.META.get("CONTENT_LENGTH") or 0), limit):
            return error_response(request, APIError(400, "The body ended early."))
        if len(body) > limit:
            message = f"The body may have {limit // 1024} KB: send less."
            return error_response(request, APIError(413, message))
        request.META["CONTENT_LENGTH"] = str(len(body))
        _set_body(request, body)
        return None


def _set_body(request: HttpRequest, body: bytes) -> None:
    request._body = body
    request._stream = BytesIO(body)


def _body_limit(request: HttpRequest) -> int:
    """The most bytes that the request's body may have."""
    if _is_signed(request):
        return int(settings.MAX_EVENT_BYTES)
    if request.path_info.removesuffix("/") == FIRE:
        return int(settings.MAX_FIRE_BYTES)
    return int(import_string(settings.API_BODY_LIMIT))


def _has_credentials(request: HttpRequest) -> bool:
    return (
        "Authorization" in request.headers
        or "X-API-Key" in request.headers
        or FIRE_HEADER in request.headers
        or settings.SESSION_COOKIE_NAME in request.COOKIES
        or _is_signed(request)
    )


def _is_signed(request: HttpRequest) -> bool:
    return request.path_info.removesuffix("/") in SIGNED


def _read_body(request: HttpRequest, most: int) -> bytes:
    # Django reads no body without a Content-Length. Servers such as gunicorn mark the end of a
    # chunked body, which can then be read.
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):
        return bytes(request.META["wsgi.input"].read(most))
    return request.read(most)
