"""A real browser: Debian's chromium, driven by playwright."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from moca.authentication.models import Operator, Role

CHROMIUM = shutil.which("chromium") or ""
# Chromium must not ask outside hosts for updates. In containers it runs as root, and without a GPU
# it would start a process that emulates one.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu"),
    *("--disable-background-networking", "--disable-component-update"),
]
PASSWORD = "correct horse battery"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run on SQLite only, because most tests are about the page, not about the database."""
    if not item.get_closest_marker("each_database"):
        item.add_marker(pytest.mark.sqlite)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM and not os.environ.get("CI"):
        pytest.skip("chromium is not installed: apt-get install chromium")
    # Playwright runs an event loop in this thread, so Django takes the whole test for async.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page in a new browser context. An error in its console fails the test."""
    errors: list[str] = []
    context = browser.new_context(base_url=live_server.url)
    made = context.new_page()
    made.set_default_timeout(10_000)
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    yield made
    context.close()
    assert errors == []


@pytest.fixture
def sign_in(page: Page, transactional_db: None) -> Callable[[Role], Page]:
    def enter(role: Role) -> Page:
        Operator.objects.create_operator("olga", password=PASSWORD, role=role)
        page.goto("/")
        page.get_by_label("Username").fill("olga")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        return page

    return enter
