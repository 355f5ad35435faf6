"""The API reference in a real browser, under the policy that all pages have."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from moca.authentication.tokens import issue
from triggers.models import Trigger

pytestmark = pytest.mark.browser


@pytest.fixture
def reference(page: Page, transactional_db: None) -> Page:
    page.goto("/docs")
    return page


def test_request_is_tried(reference: Page) -> None:
    token = issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
    reference.get_by_label("Token, to try requests on this page").fill(token)
    form = reference.locator("#createTrigger form")
    form.get_by_text("Try it").click()
    form.get_by_role("button", name="Send").click()
    expect(form.locator("output")).to_contain_text("201")
    assert Trigger.objects.get().user_id == "alice"


def test_styles_are_its_own(reference: Page) -> None:
    margin = "getComputedStyle(document.body).marginTop"
    assert reference.evaluate(margin) == "0px"


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_page_is_as_wide_as_the_screen(reference: Page, width: int) -> None:
    reference.set_viewport_size({"width": width, "height": 844})
    assert reference.evaluate("document.documentElement.scrollWidth") == width
