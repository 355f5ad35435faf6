"""Agents in the API: names for everybody, records for operators, changes for admins."""

from typing import Any

import pytest

from executions.agent_records.model import Agent
from moca.authentication.models import AuditEntry, Operator
from tests.integration.agent_records.conftest import VARIABLE, MakeAgent
from tests.integration.api.conftest import API

NEW: dict[str, Any] = {
    "id": "reporter",
    "name": "Reporter",
    "address": "https://reporter.example.com",
    "auth": "static",
    "secret": VARIABLE,
}


@pytest.fixture
def alice(db: None) -> API:
    """A user who is no operator."""
    return API("alice")


@pytest.fixture
def ann(db: None) -> API:
    """An admin."""
    return API(Operator.objects.create_operator("ann", role="admin").subject)


def test_everybody_lists_names_and_nothing_else(alice: API, make_agent: MakeAgent) -> None:
    make_agent(description="Figures.")
    assert alice.get("/agents").json()["agents"] == [
        {"id": "reporter", "name": "Reporter", "description": "Figures."}
    ]


def test_list_has_those_of_the_settings(alice: API, settings: Any) -> None:
    settings.AGENTS_CONFIG = "[{id: listed, name: Listed, address: 'https://a.example'}]"
    assert [agent["id"] for agent in alice.get("/agents").json()["agents"]] == ["listed"]


def test_strangers_see_nothing(db: None, make_agent: MakeAgent) -> None:
    make_agent()
    assert API().get("/agents").status_code == 401


def test_admins_create_agents(ann: API) -> None:
    answer = ann.post("/agents", NEW)
    assert (answer.status_code, Agent.objects.get().secret_ref) == (201, VARIABLE)


def test_creation_is_audited(ann: API) -> None:
    ann.post("/agents", NEW)
    assert AuditEntry.objects.get(object_id="reporter").actor == ann.user_id


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/agents", NEW),
        ("GET", "/agents/reporter", None),
        ("PUT", "/agents/reporter", {"name": "X"}),
        ("PATCH", "/agents/reporter", {"name": "X"}),
        ("DELETE", "/agents/reporter", None),
    ],
)
def test_others_are_refused(
    alice: API, make_agent: MakeAgent, method: str, path: str, body: Any
) -> None:
    make_agent()
    assert alice(method, path, body).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_other_operators_see_records(db: None, make_agent: MakeAgent, role: str) -> None:
    make_agent()
    eve = API(Operator.objects.create_operator("eve", role=role).subject)
    assert eve.get("/agents/reporter").json()["agent"]["secret"] == VARIABLE


@pytest.mark.parametrize("role", ["viewer", "editor"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/agents", {**NEW, "id": "mine"}),
        ("PUT", "/agents/reporter", {"address": "https://mine.example.com"}),
        ("PATCH", "/agents/reporter", {"address": "https://mine.example.com"}),
        ("DELETE", "/agents/reporter", None),
    ],
)
def test_other_operators_change_nothing(
    db: None, make_agent: MakeAgent, role: str, method: str, path: str, body: Any
) -> None:
    address = make_agent().address
    eve = API(Operator.objects.create_operator("eve", role=role).subject)
    status = eve(method, path, body).status_code
    assert (status, [agent.address for agent in Agent.objects.all()]) == (403, [address])


@pytest.mark.parametrize("agent_id", ["reporter", "team/reporter"])
def test_agent_may_be_sent_back_changed(ann: API, make_agent: MakeAgent, agent_id: str) -> None:
    make_agent(id=agent_id)
    shown = ann.get(f"/agents/{agent_id}").json()["agent"]
    answer = ann("PUT", f"/agents/{agent_id}", {**shown, "protocol": "a2a"}).json()["agent"]
    assert (answer["id"], answer["protocol"]) == (agent_id, "a2a")


def test_id_stays(ann: API, make_agent: MakeAgent) -> None:
    make_agent()
    ann.patch("/agents/reporter", {"id": "other"})
    assert [agent.pk for agent in Agent.objects.all()] == ["reporter"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"secret": "SECRET_KEY"}, "secret"),
        ({"address": "ftp://a"}, "address"),
        ({"protocol": "soap"}, "protocol"),
        ({"auth": "magic"}, "auth"),
        ({"idleSeconds": "5"}, "idleSeconds"),
        ({"auth": "api-key", "keyHeader": "user-agent"}, "keyHeader"),
        ({"auth": "api-key", "keyHeader": "Host"}, "keyHeader"),
        ({"auth": "api-key", "keyHeader": "Transfer-Encoding"}, "keyHeader"),
        ({"adress": "https://a"}, "adress"),
    ],
)
def test_mistake_names_its_field(ann: API, wrong: dict[str, Any], field: str) -> None:
    sent = {**NEW, **wrong}
    if field == "adress":
        del sent["address"]
        field = "address"
    details = ann.post("/agents", sent).json()["details"]
    assert field in [one["field"] for one in details]


@pytest.mark.parametrize("field", ["address", "tokenDomain"])
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0251.254.0xa9.254",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ],
)
def test_services_of_the_machine_are_no_agents_in_any_notation(
    ann: API, host: str, field: str
) -> None:
    sent = {**NEW, "auth": "cognito", "clientId": "demo", field: f"http://{host}/latest"}
    answer = ann.post("/agents", sent)
    details = [one["field"] for one in answer.json().get("details", [])]
    assert (answer.status_code, details) == (400, [field])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8100", "10.0.0.7", "[fd12::1]", "a9fea9fe", "localhost"]
)
def test_other_hosts_are_agents(ann: API, host: str) -> None:
    assert ann.post("/agents", {**NEW, "address": f"http://{host}"}).status_code == 201


def test_unknown_field_is_refused(ann: API) -> None:
    answer = ann.post("/agents", {**NEW, "authType": "none"})
    details = [one["field"] for one in answer.json().get("details", [])]
    assert (answer.status_code, details) == (400, ["authType"])


def test_taken_id_is_a_conflict(ann: API, make_agent: MakeAgent) -> None:
    make_agent()
    assert ann.post("/agents", NEW).status_code == 409


def test_agent_of_the_settings_is_not_changed(ann: API, settings: Any) -> None:
    settings.AGENTS_CONFIG = "[{id: reporter, name: Listed, address: 'https://a.example'}]"
    assert ann.patch("/agents/reporter", {"name": "X"}).status_code == 409


def test_agent_is_deleted(ann: API, make_agent: MakeAgent) -> None:
    make_agent()
    assert (ann("DELETE", "/agents/reporter").status_code, Agent.objects.count()) == (200, 0)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_agent_that_is_not_there(ann: API, method: str) -> None:
    body = {"name": "X"} if method == "PATCH" else None
    assert ann(method, "/agents/nobody", body).status_code == 404
