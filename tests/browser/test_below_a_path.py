"""All pages below a path of a proxy: nothing leaves the path, and nothing is missing there."""

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from executions.models import TriggerExecution
from moca.authentication.models import Operator, Role
from moca.server import WebServer
from moca.wsgi import application
from tests.browser.conftest import PASSWORD
from triggers.models import RunStatus, Trigger

pytestmark = pytest.mark.browser

PREFIX = "/tools/web"


def _strip(environ: dict[str, Any], start_response: Any) -> Any:
    """A proxy that removes the prefix, as nginx does with `proxy_pass http://app/`."""
    environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(PREFIX) or "/"
    return application(environ, start_response)


def _forward(environ: dict[str, Any], start_response: Any) -> Any:
    """A proxy that removes the prefix and names it, as Traefik does."""
    environ["HTTP_X_FORWARDED_PREFIX"] = PREFIX
    return _strip(environ, start_response)


def _script_name(environ: dict[str, Any], start_response: Any) -> Any:
    """A server that knows its prefix, as gunicorn does by SCRIPT_NAME."""
    environ["SCRIPT_NAME"] = PREFIX
    return _strip(environ, start_response)


@pytest.fixture(params=["whole", "stripped", "forwarded", "script-name"])
def origin(request: pytest.FixtureRequest, settings: Any, transactional_db: None) -> Iterator[str]:
    """The application below PREFIX, as one kind of proxy or server says so."""
    kinds = {
        "whole": application,
        "stripped": _strip,
        "forwarded": _forward,
        "script-name": _script_name,
    }
    if request.param in ("whole", "stripped"):
        settings.FORCE_SCRIPT_NAME = PREFIX
    settings.TRUST_PROXY_HEADERS = request.param == "forwarded"
    server = WebServer(kinds[request.param], "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    thread.join(10)


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """A fresh visitor's page; an answer from outside of PREFIX, or an error, fails the test."""
    wrong: list[str] = []

    def look(response: Response) -> None:
        path = urlsplit(response.url).path
        if not path.startswith(f"{PREFIX}/") or response.status >= 400:
            wrong.append(f"{response.status} {path}")

    context = browser.new_context(base_url=origin)
    made = context.new_page()
    made.set_default_timeout(10_000)
    made.on("response", look)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )
    yield made
    context.close()
    assert wrong == []


def _sign_in(page: Page) -> None:
    Operator.objects.create_operator("olga", password=PASSWORD, role=Role.ADMIN)
    page.goto(f"{PREFIX}/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{page.url.partition(PREFIX)[0]}{PREFIX}/console/")


def _addresses(page: Page) -> set[str]:
    """Where links, forms and scripts of the page lead on this host."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("[href], [src], [action], [hx-get], [hx-post], "
            + "[data-live], [data-preview], [data-path]")].flatMap((each) =>
            ["href", "src", "action", "hx-get", "hx-post", "data-live", "data-preview",
             "data-path"].filter((name) => each.hasAttribute(name)).map(
                (name) => new URL(each.getAttribute(name), location.href)).filter(
                (url) => url.origin === location.origin).map((url) => url.pathname))"""
    )
    return set(found)


def test_nothing_leads_out_of_the_path(page: Page, make_trigger: Any) -> None:
    trigger = make_trigger(user_id="olga")
    run = TriggerExecution.objects.create(
        id="e1",
        trigger_id=trigger.pk,
        user_id="olga",
        status=RunStatus.COMPLETED,
        started_at=trigger.created_at,
        attempt=1,
        ttl=2**33,
    )
    _sign_in(page)
    paths = [
        "/console/",
        "/console/triggers",
        "/console/triggers/new",
        f"/console/triggers/{trigger.pk}",
        "/console/runs",
        f"/console/triggers/{trigger.pk}/runs/{run.pk}",
        "/console/events",
        "/console/events/new",
        "/admin/",
        "/admin/triggers/trigger/",
        f"/admin/triggers/trigger/{trigger.pk}/change/",
        "/admin/triggers/trigger/add/",
        "/docs",
    ]
    found = set()
    for path in paths:
        page.goto(PREFIX + path)
        found |= _addresses(page)
    assert {path for path in found if not path.startswith(f"{PREFIX}/")} == set()


def test_what_scripts_and_forms_send_stays_below_it(page: Page) -> None:
    _sign_in(page)
    page.goto(f"{PREFIX}/console/triggers/new")
    page.get_by_label("Name", exact=False).first.fill("Sheep")
    page.get_by_label("Agent *").fill("shepherd")
    page.get_by_label("Prompt *").fill("Count the sheep.")
    page.locator("[name=expression]").fill("rate(1 hour)")
    expect(page.locator("#schedule-preview")).to_contain_text("very hour")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("saved.")).to_be_visible()
    page.get_by_role("button", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.get_by_role("button", name="English").click()
    page.goto(f"{PREFIX}/docs")
    form = page.locator("form.try[data-path$='/triggers'][data-method=GET]")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    form.get_by_role("button").click()
    expect(form.locator("output")).to_contain_text("200")
    servers = page.request.get(f"{PREFIX}/openapi.json").json()["servers"]
    page.goto(f"{PREFIX}/console/")
    page.get_by_role("button", name="Sign out").click()
    paths = {cookie["path"] for cookie in page.context.cookies()}
    assert (servers, paths, Trigger.objects.count()) == ([{"url": PREFIX}], {PREFIX}, 1)


def test_a_neighbours_cookies_are_left_alone(page: Page, origin: str) -> None:
    """An application at the root of the host has a session cookie of the same name."""
    theirs = {"name": "sessionid", "value": "theirs", "url": origin}
    page.context.add_cookies([theirs])
    _sign_in(page)
    values = {cookie["value"] for cookie in page.context.cookies() if cookie["path"] == "/"}
    assert values == {"theirs"}
