"""Serving below a path: which path that is, and what has to know it besides Django's `reverse`."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.urls import get_script_prefix

HEADER = "HTTP_X_FORWARDED_PREFIX"
# Letters that need no escapes, in whole segments; never `//host`.
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+){1,8}")
# First segments of this application's own paths. A proxy that serves it below one of these has to
# remove the prefix itself, because `/admin/` could then mean either.
OWN = {"admin", "console", "docs", "events", "health", "schedules", "sign-in", "static", "triggers"}


def find_prefix(environ: dict[str, Any]) -> None:
    """Put the prefix into SCRIPT_NAME, and take it from PATH_INFO if a proxy has left it there.

    FORCE_SCRIPT_NAME comes first, then X-Forwarded-Prefix if TRUST_PROXY_HEADERS is set, then the
    server's own SCRIPT_NAME.
    """
    prefix = settings.FORCE_SCRIPT_NAME or _forwarded(environ) or environ.get("SCRIPT_NAME", "")
    if not prefix:
        return
    environ["SCRIPT_NAME"] = prefix
    path = environ.get("PATH_INFO", "")
    if path != prefix and not path.startswith(f"{prefix}/"):
        return
    if prefix.split("/")[1] not in OWN:
        environ["PATH_INFO"] = path.removeprefix(prefix) or "/"


def _forwarded(environ: dict[str, Any]) -> str:
    if not settings.TRUST_PROXY_HEADERS:
        return ""
    # Each proxy of a chain adds its own; the first is the one that the browser sees.
    text = environ.get(HEADER, "").partition(",")[0].strip().rstrip("/")
    return text if PREFIX.fullmatch(text) else ""


class StaticStorage(StaticFilesStorage):
    """Static files below the path of the request, which may be another for each proxy."""

    @property
    def base_url(self) -> str:
        return f"{get_script_prefix()}static/"


class CookiePathMiddleware:
    """Keep this application's cookies below its path, and apart from those of its neighbours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        prefix = get_script_prefix().rstrip("/")
        if not prefix:
            return self.get_response(request)
        # A browser sends the cookie of the longest path first (RFC 6265, 5.4), and Django would
        # take the last of two with one name: that of an application at the root of this host.
        sent = request.META.get("HTTP_COOKIE", "").split(";")
        request.COOKIES = parse_cookie(";".join(reversed(sent)))
        response = self.get_response(request)
        for cookie in response.cookies.values():
            if cookie["path"] == "/":
                cookie["path"] = prefix
        return response
