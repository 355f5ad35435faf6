"""The main job in a real browser: write a trigger down, run it, read what the agent said."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from moca.authentication.models import Role
from tests.conftest import wait_for
from triggers.models import Trigger

pytestmark = pytest.mark.browser

SignIn = Callable[[Role], Page]


def fill_in(page: Page, expression: str) -> None:
    page.goto("/admin/triggers/trigger/add/")
    page.get_by_label("Name:").fill("Sheep")
    page.get_by_label("Agent:").fill("shepherd")
    page.get_by_label("Prompt:", exact=True).fill("Count the sheep.")
    page.get_by_label("Schedule:", exact=True).fill(expression)
    page.get_by_role("button", name="Save", exact=True).click()


@pytest.mark.each_database
def test_trigger_is_created_and_run(sign_in: SignIn, scheduler: Callable) -> None:
    page = sign_in(Role.EDITOR)
    fill_in(page, "cron(0 9 ? * MON-FRI *)")
    expect(page.get_by_text("At 09:00 on weekdays")).to_be_visible()
    page.locator("input.action-select").check()
    page.get_by_label("Action:").select_option("run_now")
    with scheduler():
        page.get_by_role("button", name="Go").click()
        expect(page.locator(".messagelist")).to_be_visible()
        result = page.locator("#result_list").get_by_text("Completed")
        wait_for(lambda: page.reload() and result.count())
    page.goto("/admin/executions/triggerexecution/")
    page.locator("#result_list tbody th a").click()
    expect(page.get_by_text("You asked me: Count the sheep.")).to_be_visible()


def test_actions_are_within_reach_on_a_telephone(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    fill_in(page, "rate(1 hour)")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("input.action-select").check()
    page.get_by_label("Action:").select_option("disable")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("1 disabled.")).to_be_visible()


def test_pages_lead_on(sign_in: SignIn) -> None:
    Trigger.objects.bulk_create(Trigger(name=f"T{number}", user_id="ann") for number in range(51))
    page = sign_in(Role.VIEWER)
    page.goto("/admin/triggers/trigger/")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("1 trigger on this page")).to_be_visible()


def test_wrong_expression_is_corrected(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    fill_in(page, "cron(0 9 * * MON *)")
    expect(page.locator(".field-expression .errorlist")).to_contain_text("cron(0 9 ? * MON *)")


def test_the_preview_names_its_columns_for_screen_readers(sign_in: SignIn) -> None:
    page = sign_in(Role.EDITOR)
    page.goto("/admin/triggers/trigger/add/")
    page.get_by_label("Schedule:", exact=True).fill("cron(0 9 ? * MON-FRI *)")
    expect(page.get_by_role("columnheader", name="In", exact=True)).to_have_count(1)


def test_viewer_cannot_change(sign_in: SignIn) -> None:
    page = sign_in(Role.VIEWER)
    expect(page.get_by_role("link", name="Add trigger")).to_have_count(0)


@pytest.mark.parametrize("path", ["", "triggers/trigger/", "executions/triggerexecution/"])
def test_page_fits_a_telephone(sign_in: SignIn, path: str) -> None:
    page = sign_in(Role.ADMIN)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/admin/{path}")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


@pytest.mark.parametrize("path", ["triggers/trigger/add/", "password_change/"])
def test_fields_end_within_a_telephone(sign_in: SignIn, path: str) -> None:
    page = sign_in(Role.ADMIN)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/admin/{path}")
    ends = page.locator("fieldset input:visible").evaluate_all(
        "(fields) => fields.map((field) => field.getBoundingClientRect().right)"
    )
    assert max(ends) < 390 - 16
