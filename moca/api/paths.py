"""Tells the API's paths from those of the pages, for middleware; and the URL converter of ids."""

from django.urls import Resolver404, resolve
from django.urls.converters import StringConverter

ROOTS = {
    *("triggers", "executions", "agents", "schedules", "events", "health", "openapi.json"),
    *("alert-rules", "budgets", "channels", "installation", "keys", "fire"),
    # The MCP server, and where its clients get tokens.
    *("mcp", ".well-known"),
}
# Paths whose requests are authenticated by a signature, in headers that differ by sender.
SIGNED = {"/events"}
# Where programs send fire tokens, and the header in which the view gets them.
FIRE, FIRE_HEADER = "/fire", "X-Fire-Token"


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, even if no view has it."""
    return path.removeprefix("/").partition("/")[0] in ROOTS


def is_route(path: str) -> bool:
    """Whether some view has this path."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


class IdConverter(StringConverter):
    """An id in a path: 1 to 128 characters without slashes and control characters."""

    regex = r"[^/\x00-\x1f\x7f]{1,128}"
