"""The page that connects an agent, in a browser."""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from moca.authentication.models import Role
from tests.browser.test_console import NO_PRELOAD, SignIn

pytestmark = pytest.mark.browser


def test_configuration_is_copied(sign_in: SignIn) -> None:
    page = sign_in(Role.VIEWER)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/console/agents")
    page.get_by_role("link", name="Connect an agent").click()
    page.get_by_role("region", name="Cursor").get_by_role("button", name="Copy").click()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    address = page.url.replace("/console/connect", "/mcp")
    assert copied["mcpServers"]["moca-triggers"]["url"] == address


def test_address_is_the_public_one(sign_in: SignIn, settings: Any) -> None:
    settings.PUBLIC_URL = "https://triggers.example/web"
    page = sign_in(Role.VIEWER)
    page.goto("/console/connect")
    expect(page.locator("#address")).to_have_text("https://triggers.example/web/mcp")


def test_leads_to_a_new_key_for_an_agent(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    page.goto("/console/connect")
    page.get_by_role("link", name="Make a key for an agent").click()
    expect(page.get_by_role("heading", name="New API key", exact=True)).to_be_visible()
    expect(page.get_by_label("An agent uses it", exact=True)).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_and_nothing_sticks_out(
    sign_in: SignIn, scheme: Any, width: int, settings: Any
) -> None:
    settings.PUBLIC_URL = f"https://{'x' * 60}.execute-api.eu-west-1.amazonaws.com/web"
    page = sign_in(Role.VIEWER)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/console/connect")
    found = Axe().run(page, options=NO_PRELOAD).response["violations"]
    sticks_out = page.evaluate("document.documentElement.scrollWidth") > width
    assert ([each["id"] for each in found], sticks_out) == ([], False)


def test_the_narrow_menu_is_one_line_and_shows_the_present_section(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/console/api-keys")
    menu = page.locator(".bar nav")
    expect(menu.get_by_role("link", name="API keys")).to_be_in_viewport(ratio=1)
    size = menu.bounding_box()
    assert size is not None
    assert size["height"] < 40
