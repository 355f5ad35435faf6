"""Requests below a prefix that a proxy may remove, or may leave in the path."""

from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from moca.prefixes import find_prefix

TOP = ("admin", "agents", "executions", "fire", "keys", "mcp", "static", "triggers")


def path_of(prefix: str, path: str, settings: Any) -> str:
    """The path that the application reads, of a request whose path begins with the prefix."""
    settings.FORCE_SCRIPT_NAME = prefix
    environ = RequestFactory().get(path).environ
    find_prefix(environ)
    return WSGIRequest(environ).path_info


def test_a_prefix_in_the_path_is_removed(settings: Any) -> None:
    assert path_of("/web", "/web/triggers", settings) == "/triggers"


@pytest.mark.parametrize("name", TOP)
def test_a_path_of_the_application_is_no_prefix(name: str, settings: Any) -> None:
    """The proxy has removed the prefix, which is the same word."""
    assert path_of(f"/{name}", f"/{name}/x", settings) == f"/{name}/x"
