"""The form's further times, intervals and days off in a real browser."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_console import NO_PRELOAD, editor, fill_in, save

__all__ = ["editor"]

pytestmark = pytest.mark.browser

# Set it to a folder to get pictures of the pages.
PICTURES = os.environ.get("PICTURES", "")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.fixture
def form(editor: Page) -> Page:
    fill_in(editor)
    editor.locator("[name=expression]").fill("cron(0 9 ? * MON-FRI *)")
    editor.locator("details.calendar > summary").click()
    return editor


def add_day(page: Page, first: str, last: str = "") -> None:
    pickers = page.locator(".chosen-days input")
    pickers.nth(0).fill(first)
    pickers.nth(1).fill(last)
    page.locator(".adder button").click()


def test_a_second_time_has_a_builder(form: Page) -> None:
    form.get_by_role("button", name="Add another time").click()
    row = form.locator(".more-times .schedule-input")
    row.locator("[data-mode]").select_option("weekly")
    row.locator("[data-day=MON]").uncheck()
    row.locator("[data-day=SAT]").check()
    row.locator("[data-part=time]").fill("11:30")
    assert save(form).schedule_config["moreExpressions"] == ["cron(30 11 ? * SAT *)"]


def test_a_second_time_can_be_removed(form: Page) -> None:
    for _time in range(2):
        form.get_by_role("button", name="Add another time").click()
    form.locator(".more-times .schedule-input > input").nth(0).fill("rate(1 hour)")
    form.locator(".more-times").get_by_role("button", name="Remove").nth(1).click()
    assert save(form).schedule_config["moreExpressions"] == ["rate(1 hour)"]


def test_a_further_time_begins_empty(form: Page) -> None:
    form.get_by_role("button", name="Add another time").click()
    assert "moreExpressions" not in save(form).schedule_config


def test_a_further_time_repeats_nothing_of_the_first(form: Page) -> None:
    form.locator("[name=expression]").fill("cron(30 11 ? * SAT *)")
    form.goto(f"/console/triggers/{save(form).pk}/edit")
    form.locator("details.calendar > summary").click()
    form.get_by_role("button", name="Add another time").click()
    form.locator(".more-times [data-mode]").select_option("weekly")
    further = form.locator(".more-times .schedule-input > input")
    expect(further).to_have_value("cron(0 9 ? * MON *)")


@pytest.mark.parametrize("typed", ["Japan", "japan", "jp"])
def test_a_country_is_chosen_by_its_name(form: Page, typed: str) -> None:
    form.get_by_label("Not on public holidays of").press_sequentially(typed)
    form.keyboard.press("Tab")
    assert save(form).schedule_config["daysOff"] == {"holidays": "JP"}


def test_the_chosen_country_is_named(form: Page) -> None:
    form.get_by_label("Not on public holidays of").fill("JP")
    expect(form.locator(".field-holidays output")).to_have_text("Japan")


def test_countries_are_named_in_the_language_of_the_page(form: Page) -> None:
    form.get_by_role("button", name="日本語").click()
    form.goto("/console/triggers/new")
    form.locator("details.calendar > summary").click()
    form.locator("[name=holidays]").press_sequentially("日本")
    form.keyboard.press("Tab")
    expect(form.locator("[name=holidays]")).to_have_value("JP")


def test_days_are_picked(form: Page) -> None:
    add_day(form, "2026-12-31")
    add_day(form, "2027-01-02", "2027-01-05")
    assert save(form).schedule_config["daysOff"] == {
        "dates": ["2026-12-31"],
        "ranges": [{"from": "2027-01-02", "to": "2027-01-05"}],
    }


def test_a_picked_day_can_be_removed(form: Page) -> None:
    add_day(form, "2026-12-31")
    form.get_by_role("button", name="Remove 2026-12-31").click()
    assert "daysOff" not in save(form).schedule_config


def test_an_interval_is_entered(form: Page) -> None:
    form.get_by_label("Only every").fill("2")
    form.get_by_label("Counted from").fill("2026-12-07")
    assert save(form).schedule_config["every"] == {"weeks": 2, "from": "2026-12-07"}


def test_the_preview_strikes_days_off_through(form: Page) -> None:
    form.get_by_label("Not on public holidays of").fill("DE-BY")
    form.locator("[name=expression]").fill("cron(0 9 25 12 ? *)")
    expect(form.locator(".preview s").first).to_contain_text("12-25")


def test_the_preview_says_where_a_run_is_moved_to(form: Page) -> None:
    form.get_by_label("Not on weekends").check()
    form.get_by_label("A run on such a day").select_option("next")
    form.locator("[name=expression]").fill("cron(0 9 1 * ? *)")
    expect(form.locator(".preview .is-off").first).to_contain_text("moved to Mon")


def test_the_saved_parts_are_shown_again(form: Page) -> None:
    form.get_by_role("button", name="Add another time").click()
    form.locator(".more-times [data-mode]").select_option("daily")
    add_day(form, "2026-12-31")
    trigger = save(form)
    form.goto(f"/console/triggers/{trigger.pk}/edit")
    assert save(form).version == trigger.version


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_form_and_page_are_accessible_and_fit(form: Page, width: int, scheme: str) -> None:
    form.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    form.set_viewport_size({"width": width, "height": 900})
    form.get_by_role("button", name="Add another time").click()
    form.locator(".more-times [data-mode]").select_option("weekly")
    add_day(form, "2027-01-02", "2027-01-05")
    form.get_by_label("Not on weekends").check()
    form.get_by_label("Not on public holidays of").fill("DE-BY")
    form.get_by_label("A run on such a day").select_option("next")
    expect(form.locator(".preview .is-off").first).to_be_visible()
    picture(form, f"form-{width}-{scheme}")
    assert Axe().run(form, options=NO_PRELOAD).response["violations"] == []
    trigger = save(form)
    form.goto(f"/console/triggers/{trigger.pk}")
    picture(form, f"page-{width}-{scheme}")
    assert form.evaluate("document.documentElement.scrollWidth") <= width


def test_the_saved_trigger_is_described_on_its_page(form: Page) -> None:
    form.get_by_label("Not on weekends").check()
    save(form)
    expect(form.get_by_text("except on weekends").first).to_be_visible()


def test_the_japanese_form_and_page(form: Page) -> None:
    form.get_by_label("Not on public holidays of").fill("JP")
    form.get_by_label("Not on weekends").check()
    form.locator("[name=expression]").fill("cron(0 9 25 * ? *)")
    form.get_by_label("A run on such a day").select_option("previous")
    trigger = save(form)
    form.get_by_role("button", name="日本語").click()
    form.goto(f"/console/triggers/{trigger.pk}")
    picture(form, "page-ja")
    expect(form.get_by_text("祝日(JP)は前営業日に移動").first).to_be_visible()
    form.goto(f"/console/triggers/{trigger.pk}/edit")
    picture(form, "form-ja")
