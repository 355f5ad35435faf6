"""A person answers an agent's questions in the browser."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from moca.authentication.models import Role
from tests.browser.test_console import NO_PRELOAD
from tests.integration.answers.conftest import APPROVAL, Ask, ask, clients
from tests.integration.answers.test_pages import ORDER, given, page

__all__ = ["ask", "clients"]

SignIn = Callable[[Role], Page]
pytestmark = pytest.mark.browser


def test_question_on_the_dashboard_is_approved(sign_in: SignIn, ask: Ask) -> None:
    asked = ask(schema=APPROVAL)
    tab = sign_in(Role.EDITOR)
    tab.get_by_role("link", name="Shall I pay?").click()
    tab.get_by_label("reason (optional)").fill("It is cheap.")
    tab.get_by_role("button", name="Approve").click()
    expect(tab.get_by_role("heading", name="Answers of a person")).to_be_visible()
    assert given(asked) == {"approved": True, "reason": "It is cheap."}


def test_answer_without_scripts(browser: Browser, sign_in: SignIn, ask: Ask) -> None:
    asked = ask(schema=ORDER)
    signed_in = sign_in(Role.EDITOR)
    address = signed_in.url.rstrip("/").removesuffix("/console") + page(asked)
    context = browser.new_context(
        java_script_enabled=False, storage_state=signed_in.context.storage_state()
    )
    tab = context.new_page()
    tab.goto(address)
    tab.get_by_label("size").select_option("large")
    tab.get_by_label("number").fill("2")
    tab.get_by_label("Yes").check()
    tab.get_by_role("button", name="Answer", exact=True).click()
    expect(tab.get_by_role("heading", name="Answers of a person")).to_be_visible()
    context.close()
    assert given(asked) == {"size": "large", "number": 2, "gift": True}


@pytest.mark.parametrize("schema", [APPROVAL, ORDER, ""])
def test_form_fits_a_telephone(sign_in: SignIn, ask: Ask, schema: str) -> None:
    asked = ask(schema=schema)
    tab = sign_in(Role.EDITOR)
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto(page(asked))
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_form_is_accessible(sign_in: SignIn, ask: Ask) -> None:
    asked = ask(schema=ORDER)
    tab = sign_in(Role.EDITOR)
    tab.goto(page(asked))
    tab.get_by_role("button", name="Answer", exact=True).click()
    assert Axe().run(tab, options=NO_PRELOAD).response["violations"] == []
