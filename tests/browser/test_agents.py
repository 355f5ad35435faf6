"""The pages of agents in a browser."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from agents.demo import DemoAgent
from executions.agent_records.model import Agent
from moca.authentication.models import Role
from tests.browser.test_console import NO_PRELOAD, SignIn

pytestmark = pytest.mark.browser


def test_form_shows_only_the_fields_of_the_authorization(sign_in: SignIn) -> None:
    page = sign_in(Role.ADMIN)
    page.goto("/console/agents/new")
    expect(page.get_by_label("Secret")).to_be_hidden()
    page.get_by_label("Authorization").select_option("api-key")
    expect(page.get_by_label("Secret")).to_be_visible()
    expect(page.get_by_label("Header of the key")).to_be_visible()
    expect(page.get_by_label("Client id")).to_be_hidden()


def test_agent_is_tried_and_gets_the_protocol_that_it_speaks(
    sign_in: SignIn, demo_agent: DemoAgent, settings: Any
) -> None:
    settings.AGENT_AUTH, settings.AGENT_TOKEN = "static", demo_agent.issue_token()
    Agent(id="reporter", name="Reporter", address=demo_agent.url).save()
    page = sign_in(Role.ADMIN)
    page.goto("/console/agents")
    page.get_by_role("link", name="Reporter").click()
    page.get_by_role("link", name="Try").click()
    page.get_by_label("Protocol").select_option("ag-ui")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Set the protocol to ag-ui").click()
    expect(page.get_by_text("Reporter: the protocol is ag-ui now.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    sign_in: SignIn, demo_agent: DemoAgent, scheme: Any
) -> None:
    long = {"id": "team/" + "x" * 190, "name": "A name that is long " * 9}
    Agent(**long, address=f"{demo_agent.url}/{'path/' * 40}").save()
    Agent(id="reporter", name="Reporter", address=demo_agent.url, auth="none").save()
    page = sign_in(Role.ADMIN)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    found: dict[str, Any] = {}
    for address in ["", "/new", f"/show/{long['id']}", "/edit/reporter", "/try", "/try/reporter"]:
        page.goto(f"/console/agents{address}")
        if address == "/try/reporter":
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_text("What came back")).to_be_visible()
        violations = Axe().run(page, options=NO_PRELOAD).response["violations"]
        width = page.evaluate("document.documentElement.scrollWidth")
        found[address] = ([(each["id"], each["nodes"][0]["target"]) for each in violations], width)
    assert {address: wrong for address, wrong in found.items() if wrong != ([], 390)} == {}
