"""Serving below a path prefix, such as /web: finds the prefix, and applies it to files and cookies.

Django's `reverse` knows the prefix from SCRIPT_NAME.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.urls import URLPattern, URLResolver, get_resolver, get_script_prefix
from django.utils.deprecation import MiddlewareMixin

HEADER = "HTTP_X_FORWARDED_PREFIX"
# Whole segments of characters that need no escapes; this excludes `//host`.
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+){1,8}")


def find_prefix(environ: dict[str, Any]) -> None:
    """Set SCRIPT_NAME to the prefix, and remove the prefix from PATH_INFO if it is there.

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
    if prefix.split("/")[1] not in _own_segments():
        environ["PATH_INFO"] = path.removeprefix(prefix) or "/"


@cache
def _own_segments() -> frozenset[str]:
    """The first segments of the application's own paths.

    A proxy that uses one of them as the prefix has to remove it itself, since `/admin/` would be
    ambiguous.
    """
    own = settings.STATIC_URL.rstrip("/").rpartition("/")[2]
    return frozenset({own, *_first_segments(get_resolver().url_patterns)})


def _first_segments(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if segment := str(pattern.pattern).partition("/")[0]:
            yield segment
        elif isinstance(pattern, URLResolver):
            yield from _first_segments(pattern.url_patterns)


def _forwarded(environ: dict[str, Any]) -> str:
    if not settings.TRUST_PROXY_HEADERS:
        return ""
    # Each proxy of a chain appends its prefix; the browser sees the first one.
    text = environ.get(HEADER, "").partition(",")[0].strip().rstrip("/")
    return text if PREFIX.fullmatch(text) else ""


class StaticStorage(StaticFilesStorage):
    """Storage of static files whose URLs begin with the request's prefix."""

    @property
    def base_url(self) -> str:
        return f"{get_script_prefix()}static/"


class CookiePathMiddleware(MiddlewareMixin):
    """Limits cookies to the prefix, so applications on the same host do not share them."""

    def process_request(self, request: HttpRequest) -> None:
        if _prefix():
            # Browsers send the cookie with the longest path first (RFC 6265, 5.4). Django takes the
            # last of two with the same name, which belongs to an application at the host's root.
            sent = request.META.get("HTTP_COOKIE", "").split(";")
            request.COOKIES = parse_cookie(";".join(reversed(sent)))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if prefix := _prefix():
            for cookie in response.cookies.values():
                if cookie["path"] == "/":
                    cookie["path"] = prefix
        return response


def _prefix() -> str:
    return get_script_prefix().rstrip("/")
