"""The form of a new trigger in a browser with a time zone, and the choice of all that match."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from moca.authentication.models import Operator, Role
from tests.browser.conftest import PASSWORD
from tests.conftest import make_many
from triggers.models import Trigger

pytestmark = pytest.mark.browser

NEW = "/console/triggers/new"


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, transactional_db: None) -> Iterator[Page]:
    """An editor's page in New York."""
    Operator.objects.create_operator("olga", password=PASSWORD, role=Role.EDITOR)
    context = browser.new_context(base_url=live_server.url, timezone_id="America/New_York")
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


def test_new_form_has_the_zone_of_the_browser(page: Page) -> None:
    page.goto(NEW)
    expect(page.get_by_label("Time zone")).to_have_value("America/New_York")


def test_zone_that_was_emptied_stays_empty(page: Page) -> None:
    page.goto(NEW)
    page.get_by_label("Time zone").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
    expect(page.get_by_label("Time zone")).to_have_value("")


def test_trigger_without_a_zone_keeps_none(page: Page) -> None:
    make_many(1, agent_id="shepherd", prompt="Count.")
    page.goto(f"/console/triggers/{Trigger.objects.get().pk}/edit")
    expect(page.get_by_label("Time zone")).to_have_value("")


def test_all_that_match_are_deleted(page: Page) -> None:
    make_many(45)
    page.goto("/console/triggers")
    page.locator("tbody .tick input").first.check()
    page.get_by_label("All 45 that match").check()
    expect(page.locator("tbody input:checked")).to_have_count(40)
    page.locator(".bulk").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Delete these 45 triggers?")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("45 deleted.")).to_be_visible()


def test_a_row_that_is_not_ticked_ends_the_choice_of_all(page: Page) -> None:
    make_many(45)
    page.goto("/console/triggers")
    page.get_by_label("Select all on this page").check()
    page.get_by_label("All 45 that match").check()
    page.locator("tbody .tick input").first.uncheck()
    expect(page.get_by_label("All 45 that match")).not_to_be_checked()
