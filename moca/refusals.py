"""Answers to requests that fail outside of the views: foreign hosts, CSRF, size, outages.

Each names the cause and the remedy, as a page or in the API's shape.
"""

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse
from django.middleware import csrf
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from moca.api.errors import APIError
from moca.api.middleware import error_response, wants_json
from moca.logs import LineLimit
from moca.outages import is_away

logger = logging.getLogger(__name__)

HEALTH = "/health"
# Seconds between two log lines about foreign hosts, which scanners send all the time.
QUIET_SECONDS = 60.0
MAX_HOST = 100


class HostMiddleware:
    """Refuses hosts that are not in ALLOWED_HOSTS, before anything else reads the host.

    `/health` accepts every host, since load balancers request it by IP address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._limit = LineLimit()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.removesuffix("/") == HEALTH:
            # No code behind `/health` builds URLs from the host.
            request.META["HTTP_HOST"] = _any_allowed_host()
            return self.get_response(request)
        try:
            request.get_host()
        except DisallowedHost:
            host = request.META.get("HTTP_HOST", "")[:MAX_HOST]
            self._log(host)
            return _refuse_host(request, host)
        return self.get_response(request)

    def _log(self, host: str) -> None:
        unlogged = self._limit.next(1, QUIET_SECONDS)
        if unlogged is None:
            return
        before = f" ({unlogged} more before)" if unlogged else ""
        logger.warning(
            "A request for the host %r was refused%s: add it to ALLOWED_HOSTS if it is this "
            "installation's",
            host,
            before,
        )


class DatabaseAwayMiddleware(MiddlewareMixin):
    """Answers 503 with a page during an outage of the database, and logs one line, no traceback."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_away(error):
            return None
        logger.error("The database failed: %s", error)
        # Render it without the request: its context would read the user from the database.
        page = render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": "5"})


def _any_allowed_host() -> str:
    named = (host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*")
    return next(named, "localhost")


def _refuse_host(request: HttpRequest, host: str) -> HttpResponse:
    message = "The Host header names no host that this server answers for."
    if settings.DEBUG:
        message = f"{message} Add {host!r} to ALLOWED_HOSTS if it is this installation's."
    return _refuse(request, 400, message, title="Bad Request")


def _refuse(request: HttpRequest, status: int, message: str, title: str = "") -> HttpResponse:
    if wants_json(request):
        return error_response(request, APIError(status, message, error=title))
    return render(request, "refused.html", {"reason": message}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: refuse a form, with the remedy for readers or operators."""
    return _refuse(request, 403, _csrf_reason(request, reason))


def _csrf_reason(request: HttpRequest, reason: str) -> str:
    origin = request.headers.get("Origin", "")
    if reason.startswith(csrf.REASON_BAD_ORIGIN.partition("%s")[0]):
        found = _origin_reason(request, origin)
        logger.warning("A form from %r was refused. %s", origin[:MAX_HOST], found)
        return found
    if reason == csrf.REASON_NO_CSRF_COOKIE:
        if settings.CSRF_COOKIE_SECURE and not request.is_secure():
            found = _over_http(request)
            logger.warning("A form was refused. %s", found)
            return found
        return _(
            "Your browser sent no cookie. Allow cookies for this site, load the page anew "
            "and try again."
        )
    if reason in (csrf.REASON_NO_REFERER, csrf.REASON_MALFORMED_REFERER):
        return _(
            "Your browser does not say which page the form is on. Allow it to send the "
            "Referer header to this site, and try again."
        )
    if reason.startswith(csrf.REASON_BAD_REFERER.partition("%s")[0]) or (
        reason == csrf.REASON_INSECURE_REFERER
    ):
        return _("The form is on a page of another site. Open the page here and try again.")
    return _("The page was opened before you signed in or out. Load it anew and try again.")


def _origin_reason(request: HttpRequest, origin: str) -> str:
    if origin == "null":
        return _(
            "Your browser hides from which page the form comes. Open the page in a window of "
            "its own, without a setting or a proxy that hides it, and try again."
        )
    seen, host = urlsplit(origin), request.get_host()
    parts = {"origin": origin, "host": host}
    if seen.netloc != host:
        return (
            _(
                "Your browser sent the form from %(origin)s, and the server was asked for "
                "%(host)s. Whoever runs this installation should let the proxy pass on the Host "
                "header, or set CSRF_TRUSTED_ORIGINS=%(origin)s."
            )
            % parts
        )
    return _over_http(request, origin)


def _over_http(request: HttpRequest, origin: str = "") -> str:
    """The remedy if the browser and the server do not agree whether this is HTTPS."""
    if origin.startswith("http:"):
        return _(
            "The page was opened over HTTP, and the server takes the connection for HTTPS. "
            "Open it over HTTPS."
        )
    if not settings.TRUST_PROXY_HEADERS:
        return _(
            "The server takes the connection for HTTP. If a proxy in front of it speaks HTTPS and "
            "sets X-Forwarded-Proto, whoever runs this installation should set "
            "TRUST_PROXY_HEADERS=true; without HTTPS, COOKIES_SECURE=false."
        )
    return _(
        "The server takes the connection for HTTP, because the proxy in front of it does not send "
        "X-Forwarded-Proto: https. Whoever runs this installation should let the proxy send it."
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: refuse a request with the cause and the remedy."""
    return _refuse(request, *_bad_reason(exception))


def _bad_reason(exception: Exception) -> tuple[int, str]:
    match exception:
        case RequestDataTooBig():
            most = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) // 1024
            return 413, _("The form may have %(most)s KB: send less.") % {"most": most}
        case TooManyFieldsSent():
            most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
            return 400, _("The form may have %(most)s fields: tick fewer rows.") % {"most": most}
        case TooManyFilesSent():
            return 400, _("The form has too many files: send none.")
    return 400, _("The request is malformed: load the page anew and try again.")
