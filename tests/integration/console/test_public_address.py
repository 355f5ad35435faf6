"""Pages name one address of the installation: PUBLIC_URL, else the host of the request."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from triggers.models import Trigger

HOST, PUBLIC = "http://localhost", "https://triggers.example.com/web"
Show = Callable[[], str]


@pytest.fixture
def shown(
    editor: Client, make_trigger: Callable[..., Trigger], request: pytest.FixtureRequest
) -> Show:
    """The page that the test's parameter names, as text."""

    def fire_token() -> str:
        page = reverse("console:fire-token", args=[make_trigger().pk])
        return editor.post(page).content.decode()

    def new_source() -> str:
        return editor.get(reverse("console:event-source-new")).content.decode()

    def curl() -> str:
        page = reverse("console:trigger", args=[make_trigger().pk])
        return editor.get(page).content.decode()

    pages = {"fire": fire_token, "events": new_source, "triggers": curl}
    return pages[request.param]


@pytest.mark.parametrize(
    ("shown", "path"),
    [("fire", "/fire/"), ("events", "/events?source="), ("triggers", "/triggers \\")],
    indirect=["shown"],
)
class TestAddress:
    def test_public_url(self, shown: Show, path: str, settings: Any) -> None:
        settings.PUBLIC_URL = PUBLIC
        assert f"{PUBLIC}{path}" in shown()

    def test_host(self, shown: Show, path: str) -> None:
        assert f"{HOST}{path}" in shown()
