"""The pages of API keys and fire tokens, and what pages say of agents' triggers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Operator, Role
from tests.integration.api.conftest import API
from tests.integration.api_keys.conftest import api_with, make_key
from triggers import fire_tokens
from triggers.models import Trigger

SECRET = re.compile(r"moca(?:fire)?_\w{22}_\w{49}")
SENT = {"name": "Build", "scopes": ["read"], "days": "90"}


def signed_in(name: str, role: Role) -> Client:
    client = Client()
    client.force_login(Operator.objects.create_operator(name, role=role, subject=name))
    return client


@pytest.fixture
def editor(db: None) -> Client:
    return signed_in("alice", Role.EDITOR)


def secret_in(response: Any) -> str:
    found = SECRET.search(response.content.decode())
    assert found, response.content.decode()[-3000:]
    return found[0]


def test_a_key_made_on_the_page_works(editor: Client) -> None:
    text = secret_in(editor.post("/console/api-keys/new", SENT))
    assert api_with(text).get("/triggers").json()["metadata"]["userId"] == "alice"


def test_the_list_shows_no_secret(editor: Client) -> None:
    text = secret_in(editor.post("/console/api-keys/new", SENT))
    page = editor.get("/console/api-keys").content.decode()
    assert "Build" in page
    assert text[-49:] not in page


def test_the_list_says_when_a_key_was_used(editor: Client) -> None:
    api_with(secret_in(editor.post("/console/api-keys/new", SENT))).get("/triggers")
    page = editor.get("/console/api-keys")
    assert (page.status_code, b"Never" in page.content) == (200, False)


def test_a_wrong_field_is_named(editor: Client) -> None:
    page = editor.post("/console/api-keys/new", {**SENT, "scopes": ["admin"]})
    assert "does not allow admin" in page.content.decode()


def test_no_scope_is_an_error(editor: Client) -> None:
    page = editor.post("/console/api-keys/new", {"name": "Build", "days": "90"})
    assert "Choose one or more." in page.content.decode()


def test_a_trigger_is_given_by_its_name(editor: Client) -> None:
    trigger = API("alice").create(name="Morning report")["id"]
    editor.post("/console/api-keys/new", {**SENT, "trigger_ids": "Morning report\r\n"})
    assert APIKey.objects.get().trigger_ids == [trigger]


@pytest.mark.parametrize(
    ("entered", "error"),
    [("Payroll", "has no trigger Payroll"), ("Twin", "has several triggers Twin")],
)
def test_a_key_for_no_one_trigger_is_not_made(editor: Client, entered: str, error: str) -> None:
    for user, name in [("alice", "Twin"), ("alice", "Twin"), ("bob", "Payroll")]:
        API(user).create(name=name)
    page = editor.post("/console/api-keys/new", {**SENT, "trigger_ids": entered})
    assert (error in page.content.decode(), APIKey.objects.count()) == (True, 0)


def test_a_viewer_makes_a_key_to_read(db: None) -> None:
    page = signed_in("vera", Role.VIEWER).post("/console/api-keys/new", SENT)
    assert api_with(secret_in(page)).get("/triggers").status_code == 200


def test_the_page_revokes(editor: Client) -> None:
    text = secret_in(editor.post("/console/api-keys/new", SENT))
    editor.post(f"/console/api-keys/{APIKey.objects.get().pk}/revoke")
    assert api_with(text).get("/triggers").status_code == 401


def test_operators_see_and_revoke_no_keys_of_others(editor: Client) -> None:
    key, _text = make_key("bob", name="Bobs")
    page = editor.get("/console/api-keys").content.decode()
    revoked = editor.post(f"/console/api-keys/{key.pk}/revoke")
    assert ("Bobs" in page, revoked.status_code) == (False, 404)


def test_admins_see_and_revoke_all(db: None) -> None:
    key, _text = make_key("bob", name="Bobs")
    admin = signed_in("root", Role.ADMIN)
    page = admin.get("/console/api-keys").content.decode()
    admin.post(f"/console/api-keys/{key.pk}/revoke")
    assert ("Bobs" in page, APIKey.objects.count()) == (True, 0)


def test_admins_make_keys_of_service_accounts(robot: Operator) -> None:
    admin = signed_in("root", Role.ADMIN)
    page = admin.post("/console/api-keys/new", {**SENT, "owner": "robot"})
    assert api_with(secret_in(page)).get("/triggers").json()["metadata"]["userId"] == "robot"


def test_editors_make_no_keys_of_service_accounts(editor: Client, robot: Operator) -> None:
    editor.post("/console/api-keys/new", {**SENT, "owner": "robot"})
    assert [key.user_id for key in APIKey.objects.all()] == ["alice"]


def test_the_admin_revokes(db: None) -> None:
    key, _text = make_key("bob")
    data = {"action": "revoke", "_selected_action": [key.pk]}
    signed_in("root", Role.ADMIN).post("/admin/authentication/apikey/", data)
    assert not APIKey.objects.exists()


def test_the_page_of_a_trigger_makes_a_fire_token(editor: Client) -> None:
    trigger = API("alice").create()["id"]
    text = secret_in(editor.post(f"/console/triggers/{trigger}/fire-token"))
    assert API().post(f"/fire/{text}").status_code == 202


def test_the_page_of_a_trigger_ends_its_fire_token(editor: Client) -> None:
    trigger = Trigger.objects.find("alice", API("alice").create()["id"])
    editor.post(f"/console/triggers/{trigger.pk}/fire-token")
    editor.post(f"/console/triggers/{trigger.pk}/fire-token/end")
    assert fire_tokens.token_of(trigger) is None


def test_viewers_make_no_fire_token(db: None) -> None:
    trigger = API("alice").create()["id"]
    response = signed_in("vera", Role.VIEWER).post(f"/console/triggers/{trigger}/fire-token")
    assert response.status_code == 403


@pytest.fixture
def waiting(with_key: Callable[..., API]) -> Trigger:
    made = with_key(name="Helper", is_agent=True).create(name="Agents report")
    found: Trigger = Trigger.objects.get(pk=made["id"])
    return found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/console/triggers/{}", "An agent created it with the API key Helper."),
        ("/console/triggers?state=waiting", "Agents report"),
        ("/console/triggers?state=by-agent", "Agents report"),
        ("/console/", "Triggers that agents wrote, and that wait for a person"),
    ],
)
def test_pages_say_what_waits_for_a_person(
    waiting: Trigger, editor: Client, path: str, said: str
) -> None:
    assert said in editor.get(path.format(waiting.pk)).content.decode()


def test_a_person_enables_it_on_the_page(waiting: Trigger, editor: Client) -> None:
    editor.post("/console/triggers/act", {"action": f"enable:{waiting.pk}", "next": "/console/"})
    found = Trigger.objects.get(pk=waiting.pk)
    assert (found.enabled, found.waits_for_person) == (True, False)


def test_the_form_of_a_person_enables_it(waiting: Trigger, editor: Client) -> None:
    path = f"/console/triggers/{waiting.pk}/edit"
    form = editor.get(path).context["form"]
    data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    data["enabled"] = "on"
    editor.post(path, {name: value for name, value in data.items() if value is not False})
    found = Trigger.objects.get(pk=waiting.pk)
    assert (found.enabled, found.waits_for_person) == (True, False)


def test_changes_name_the_key(waiting: Trigger, editor: Client) -> None:
    assert "by API key Helper" in editor.get(f"/console/triggers/{waiting.pk}").content.decode()


def test_the_page_for_assistants_leads_to_a_key_that_they_can_use(editor: Client) -> None:
    page = editor.get("/console/connect").content.decode()
    assert 'href="/console/api-keys/new?for=agent"' in page
    form = editor.get("/console/api-keys/new?for=agent").context["form"]
    assert (form["scopes"].value(), form["is_agent"].value()) == (["read", "run", "write"], True)
