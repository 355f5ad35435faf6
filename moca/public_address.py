"""The addresses under which others reach this installation."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_script_prefix, reverse


def public_address(request: HttpRequest, name: str) -> str:
    """The whole URL of a route, below PUBLIC_URL, or below the request's host if that is not set.

    PUBLIC_URL has the path below which everything is served.
    """
    path = reverse(name)
    if not settings.PUBLIC_URL:
        return request.build_absolute_uri(path)
    return f"{settings.PUBLIC_URL}{path.removeprefix(get_script_prefix().rstrip('/'))}"
