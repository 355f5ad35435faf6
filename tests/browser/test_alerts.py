"""The form of a rule in a real browser: it offers the triggers by name."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from alerts.models import Channel, ChannelKind, Rule
from moca.authentication.models import Role
from tests.conftest import make_many
from triggers.models import Trigger

SignIn = Callable[[Role], Page]


@pytest.fixture
def form(sign_in: SignIn) -> Page:
    page = sign_in(Role.ADMIN)
    Channel.objects.create(name="Team", kind=ChannelKind.EMAIL, recipients="a@example.com")
    make_many(3)
    page.goto("/console/alerts/rules/new")
    page.get_by_label("Name").fill("Reports")
    return page


def choose(page: Page, typed: str) -> None:
    field = page.get_by_label("Only this trigger")
    with page.expect_response("**/alerts/rules/offers"):
        field.focus()
    page.locator("#rule-triggers").wait_for(state="attached")
    field.press_sequentially(typed)
    page.keyboard.press("Tab")


def test_a_trigger_is_chosen_by_its_name(form: Page) -> None:
    choose(form, "t0001")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("saved.")).to_be_visible()
    assert Rule.objects.get().trigger_id == Trigger.objects.get(name="T0001").pk


def test_the_chosen_trigger_is_named(form: Page) -> None:
    choose(form, "T0002")
    expect(form.locator("output[for=id_trigger_id]")).to_have_text("T0002")


def test_a_name_of_several_triggers_chooses_none(form: Page) -> None:
    make_many(1)
    choose(form, "T0000")
    expect(form.get_by_label("Only this trigger")).to_have_value("T0000")


def test_a_name_may_be_longer_than_an_id(form: Page) -> None:
    name = "What the night shift has to know in the morning"
    trigger = Trigger.objects.get(name="T0001")
    trigger.name = name
    trigger.save()
    choose(form, name)
    expect(form.get_by_label("Only this trigger")).to_have_value(trigger.pk)
