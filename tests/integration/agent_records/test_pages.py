"""The operators' pages and the admin pages of agents."""

from html import unescape
from typing import Any

import pytest
from django.test import Client

from executions.agent_records.model import Agent
from moca.authentication.models import AuditEntry
from tests.integration.agent_records.conftest import VARIABLE, MakeAgent, MakeTrigger

AGENTS = "/console/agents"
ENTERED = {
    "name": "Reporter",
    "id": "reporter",
    "address": "https://reporter.example.com",
    "protocol": "ag-ui",
    "auth": "static",
    "secret_ref": VARIABLE,
}


def text_of(client: Client, page: str) -> str:
    return client.get(page).content.decode()


def test_agent_is_made_in_the_console(administrator: Client) -> None:
    administrator.post(f"{AGENTS}/new", ENTERED)
    agent = Agent.objects.get(pk="reporter")
    assert (agent.protocol, agent.secret_ref, agent.key_header) == ("ag-ui", VARIABLE, "X-Api-Key")


def test_agent_is_made_in_the_admin(administrator: Client) -> None:
    administrator.post("/admin/executions/agent/add/", ENTERED)
    assert Agent.objects.get().address == "https://reporter.example.com"


def test_change_has_an_audit_entry(administrator: Client, make_agent: MakeAgent) -> None:
    make_agent()
    shown = administrator.get(f"{AGENTS}/edit/reporter").context["form"]["opened_version"].value()
    administrator.post(f"{AGENTS}/edit/reporter", {**ENTERED, "opened_version": shown})
    entry = AuditEntry.objects.get(object_id="reporter")
    assert entry.changes["protocol"] == ["invocations", "ag-ui"]


def test_page_shows_the_changes(administrator: Client) -> None:
    administrator.post(f"{AGENTS}/new", ENTERED)
    administrator.post(
        f"{AGENTS}/edit/reporter", {**ENTERED, "protocol": "a2a", "opened_version": "1"}
    )
    page = text_of(administrator, f"{AGENTS}/show/reporter")
    assert all(text in page for text in ("<del>ag-ui</del>", "<ins>a2a</ins>"))


def test_change_in_between_is_not_overwritten(administrator: Client, make_agent: MakeAgent) -> None:
    make_agent()
    administrator.post(f"{AGENTS}/edit/reporter", {**ENTERED, "opened_version": "7"})
    assert Agent.objects.get().protocol == "invocations"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret_ref": "SECRET_KEY"}, "begins with AGENT_"),
        ({"secret_ref": ""}, "Name where the secret is"),
        ({"auth": "none"}, "Leave it empty"),
        ({"auth": "cognito"}, "Enter the id of the app client"),
        ({"auth": "api-key", "key_header": "Idempotency-Key"}, "Give another header"),
        ({"address": "reporter"}, "Give an http or https URL"),
        ({"id": "a//b"}, "Give a name such as reporter"),
    ],
)
def test_mistake_is_told_at_its_field(
    administrator: Client, wrong: dict[str, str], said: str
) -> None:
    page = administrator.post(f"{AGENTS}/new", {**ENTERED, **wrong}).content.decode()
    assert (said in page, Agent.objects.count()) == (True, 0)


def test_id_of_the_settings_is_taken(administrator: Client, settings: Any) -> None:
    settings.AGENTS_CONFIG = "[{id: reporter, name: Listed, address: 'https://a.example'}]"
    page = administrator.post(f"{AGENTS}/new", ENTERED).content.decode()
    assert "The settings have an agent of this id." in page


def test_agent_of_the_settings_is_shown_and_cannot_be_changed(
    administrator: Client, settings: Any
) -> None:
    settings.AGENTS_CONFIG = "[{id: reporter, name: Listed, address: 'https://a.example'}]"
    shown = "Listed" in text_of(administrator, AGENTS)
    assert (shown, administrator.get(f"{AGENTS}/edit/reporter").status_code) == (True, 403)


def test_list_counts_triggers(
    viewer: Client, make_agent: MakeAgent, make_trigger: MakeTrigger
) -> None:
    make_agent()
    make_trigger()
    make_trigger(agent_id="other")
    context = viewer.get(AGENTS).context
    assert ([row.triggers for row in context["rows"]], context["others"]) == ([1], 1)


def test_list_shows_the_default_agent_alone(viewer: Client) -> None:
    assert "AGENT_API_URL" in text_of(viewer, AGENTS)


@pytest.mark.parametrize("agent_id", ["reporter", "team/reporter", "50% & more?#", "Агент"])
def test_page_has_any_id(viewer: Client, make_agent: MakeAgent, agent_id: str) -> None:
    make_agent(id=agent_id)
    page = viewer.get(AGENTS).content.decode()
    address = page.partition('<a href="/console/agents/show/')[2].partition('"')[0]
    assert viewer.get(f"{AGENTS}/show/{unescape(address)}").context["agent"].pk == agent_id


def test_deletion_asks_and_counts_the_triggers(
    administrator: Client, make_agent: MakeAgent, make_trigger: MakeTrigger
) -> None:
    make_agent()
    make_trigger(name="Morning")
    make_trigger(name="Evening")
    page = text_of(administrator, f"{AGENTS}/delete/reporter")
    assert ("2 triggers name it" in page, "Morning" in page, Agent.objects.count()) == (
        True,
        True,
        1,
    )


def test_agent_is_deleted(administrator: Client, make_agent: MakeAgent) -> None:
    make_agent()
    administrator.post(f"{AGENTS}/delete/reporter")
    assert (Agent.objects.count(), AuditEntry.objects.get().action) == (0, "deleted")


def test_admin_asks_and_counts_the_triggers(
    administrator: Client, make_agent: MakeAgent, make_trigger: MakeTrigger
) -> None:
    make_agent()
    make_trigger()
    page = text_of(administrator, "/admin/executions/agent/reporter/delete/")
    assert "Triggers that name reporter: 1." in page


WRITING = [
    f"{AGENTS}/new",
    f"{AGENTS}/edit/reporter",
    f"{AGENTS}/delete/reporter",
    f"{AGENTS}/protocol/reporter",
    "/admin/executions/agent/add/",
    "/admin/executions/agent/reporter/delete/",
]


@pytest.mark.parametrize("page", WRITING)
def test_editors_write_no_records(editor: Client, make_agent: MakeAgent, page: str) -> None:
    make_agent()
    answer = editor.post(page, {**ENTERED, "post": "yes", "opened_version": "1"})
    assert (answer.status_code, Agent.objects.get().protocol) == (403, "invocations")


def test_editors_change_no_record_in_the_admin(editor: Client, make_agent: MakeAgent) -> None:
    make_agent()
    sent = {**ENTERED, "opened_version": "1"}
    editor.post("/admin/executions/agent/reporter/change/", sent)
    assert Agent.objects.get().protocol == "invocations"


def test_editors_delete_no_records_of_a_list(editor: Client, make_agent: MakeAgent) -> None:
    make_agent()
    sent = {"action": "delete_selected", "_selected_action": "reporter", "post": "yes"}
    editor.post("/admin/executions/agent/", sent)
    assert Agent.objects.count() == 1


@pytest.mark.parametrize("page", WRITING)
def test_viewers_write_no_records(viewer: Client, make_agent: MakeAgent, page: str) -> None:
    make_agent()
    answer = viewer.post(page, {**ENTERED, "post": "yes", "opened_version": "1"})
    assert (answer.status_code, Agent.objects.get().protocol) == (403, "invocations")


@pytest.mark.parametrize("page", ["", "/show/reporter"])
def test_pages_offer_editors_no_change(editor: Client, make_agent: MakeAgent, page: str) -> None:
    make_agent()
    shown = text_of(editor, AGENTS + page)
    offered = [part for part in ("agents/new", "/edit/", "/delete/") if part in shown]
    assert ("/console/agents/try" in shown, offered) == (True, [])


@pytest.mark.parametrize("page", ["", "/new", "/show/reporter", "/edit/reporter"])
def test_strangers_are_asked_to_sign_in(client: Client, make_agent: MakeAgent, page: str) -> None:
    make_agent()
    assert client.get(f"{AGENTS}{page}").status_code == 302


def test_no_page_shows_the_secret(
    administrator: Client, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_agent()
    monkeypatch.setenv(VARIABLE, "sk-4711")
    pages = [AGENTS, f"{AGENTS}/show/reporter", f"{AGENTS}/edit/reporter"]
    assert not any("sk-4711" in text_of(administrator, page) for page in pages)


def test_form_of_a_trigger_offers_agents(editor: Client, make_agent: MakeAgent) -> None:
    make_agent()
    page = text_of(editor, "/console/triggers/new")
    assert '<option value="reporter">Reporter</option>' in page


def test_form_of_a_trigger_takes_other_agents(editor: Client, make_trigger: MakeTrigger) -> None:
    make_trigger(agent_id="of-the-table")
    page = text_of(editor, "/console/triggers/new")
    assert '<option value="of-the-table">' in page
