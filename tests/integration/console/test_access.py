"""Access to the operators' pages, and their security headers."""

import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from moca.authentication.models import Operator
from tests.conftest import make_many
from tests.integration.console.conftest import ACT, TRIGGERS, MakeTrigger, ticked
from triggers.models import Trigger

PAGES = ["/console/", TRIGGERS, f"{TRIGGERS}/new", "/console/runs"]


@pytest.mark.parametrize("page", PAGES)
def test_strangers_are_asked_to_sign_in(client: Client, page: str) -> None:
    assert client.get(page)["Location"] == f"/admin/login/?next={page}"


@pytest.mark.parametrize("page", PAGES)
def test_parts_of_pages_lead_strangers_to_the_sign_in(client: Client, page: str) -> None:
    answer = client.get(page, headers={"hx-request": "true"})
    assert (answer.headers.get("HX-Refresh"), answer.content) == ("true", b"")


@pytest.mark.parametrize("page", ["/console/", TRIGGERS, "/console/runs"])
def test_viewers_see(viewer: Client, page: str) -> None:
    assert viewer.get(page).status_code == 200


def test_viewers_are_offered_no_change(viewer: Client, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert "<button name=" not in viewer.get(TRIGGERS).content.decode()


@pytest.mark.parametrize("action", ["enable", "disable", "run", "delete", "synchronize"])
def test_viewers_cannot_act(viewer: Client, make_trigger: MakeTrigger, action: str) -> None:
    data = {"action": action, "id": [ticked(make_trigger())], "sure": "yes"}
    assert viewer.post(ACT, data).status_code == 403


def test_viewers_cannot_make_triggers(viewer: Client) -> None:
    assert viewer.get(f"{TRIGGERS}/new").status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        ACT,
        f"{TRIGGERS}/new",
        f"{TRIGGERS}/some-id/edit",
        f"{TRIGGERS}/some-id/runs/some-id/replay",
        "/console/schedule-preview",
        "/console/language",
        "/admin/logout/",
    ],
)
def test_forms_of_other_sites_do_nothing(editor: Client, page: str) -> None:
    editor.handler.enforce_csrf_checks = True
    assert editor.post(page, {"action": "delete"}).status_code == 403


def test_inactive_operators_are_out(viewer: Client) -> None:
    Operator.objects.update(is_active=False)
    assert viewer.get(TRIGGERS).status_code == 302


@pytest.mark.parametrize("page", [*PAGES, "/admin/", "/health", "/nowhere"])
def test_scripts_and_styles_come_from_here_alone(editor: Client, page: str) -> None:
    policy = editor.get(page)["Content-Security-Policy"]
    wanted = {"default-src 'none'", "script-src 'self'", "style-src 'self'"}
    assert wanted <= {part.strip() for part in policy.split(";")}


@pytest.mark.parametrize("page", [*PAGES, "/admin/triggers/trigger/"])
def test_pages_hold_no_script_or_style(editor: Client, page: str) -> None:
    html = editor.get(page).content.decode()
    assert not any(text in html for text in ("<script>", "<style", " style=", " onclick="))


@pytest.mark.parametrize("page", [*PAGES, "/docs", "/admin/login/", "/console/nowhere"])
def test_no_cache_keeps_a_page_of_somebody(editor: Client, page: str) -> None:
    answer = editor.get(page)
    assert "csrftoken" not in answer.cookies or "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("page", PAGES)
def test_head_is_answered_as_get(editor: Client, page: str) -> None:
    answer = editor.head(page)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_trigger_that_is_gone(editor: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(pk=trigger.pk).delete()
    assert editor.get(f"{TRIGGERS}/{trigger.pk}").status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_page_and_all_it_loads_are_light(editor: Client, page: str) -> None:
    make_many(50)
    packed = {"accept-encoding": "gzip"}
    html = editor.get(page).content.decode()
    loaded = {page, *re.findall(r'(?:href|src)="(/static/[^"]+)"', html)}
    answers = [editor.get(address, headers=packed) for address in sorted(loaded)]
    assert sum(len(b"".join(answer)) for answer in answers) < 150 * 1024


@pytest.mark.django_db
def test_wrong_password_is_told(client: Client) -> None:
    page = client.post("/admin/login/", {"username": "nobody", "password": "x"}).content.decode()
    assert "Wrong username or password." in page


def test_page_says_that_the_database_is_away(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("console.trigger_list.read_page", fail)
    page = viewer.get("/console/triggers")
    assert (page.status_code, "The database cannot be reached" in page.content.decode()) == (
        503,
        True,
    )
