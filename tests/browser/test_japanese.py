"""The form in a browser that asks for Japanese."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from moca.authentication.models import Operator, Role
from tests.browser.conftest import PASSWORD

pytestmark = pytest.mark.browser

BEYOND = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture
def form(browser: Browser, live_server: LiveServer, transactional_db: None) -> Iterator[Page]:
    """The form of a new trigger, as somebody in New York sees it who reads Japanese."""
    Operator.objects.create_operator("olga", password=PASSWORD, role=Role.EDITOR)
    context = browser.new_context(
        base_url=live_server.url, locale="ja-JP", timezone_id="America/New_York"
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/console/triggers/new")
    page.get_by_label("ユーザー名").fill("olga")
    page.get_by_label("パスワード").fill(PASSWORD)
    page.get_by_role("button", name="ログイン").click()
    yield page
    context.close()


def enter(page: Page, expression: str) -> None:
    page.get_by_label("タイムゾーン").fill("Asia/Tokyo")
    page.locator("[name=expression]").fill(expression)


def test_warning(form: Page) -> None:
    enter(form, "cron(0 9 31 * ? *)")
    expect(form.get_by_text("31日のない月には実行されません。")).to_be_visible()


def test_correction(form: Page) -> None:
    enter(form, "cron(0 9 * * MON *)")
    form.get_by_role("button", name="cron(0 9 ? * MON *) を使う").click()
    expect(form.get_by_text("毎週月曜日 09:00 (Asia/Tokyo)")).to_be_visible()


def test_own_clock(form: Page) -> None:
    enter(form, "cron(0 9 1 1 ? *)")
    expect(form.locator("time[data-viewer]").first).to_contain_text("2026/12/31 (木) 19:00")


def test_error(form: Page) -> None:
    form.get_by_role("button", name="保存").click()
    expect(form.locator(".field-name .errors")).to_have_text("この項目は必須です。")


def test_fits_a_telephone(form: Page) -> None:
    form.set_viewport_size({"width": 390, "height": 844})
    enter(form, "cron(0 9 * * MON *)")
    expect(form.get_by_role("button", name="を使う")).to_be_visible()
    assert not form.evaluate(BEYOND)
