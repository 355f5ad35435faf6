"""Describes the routes of agents in the API's OpenAPI document."""

from typing import Any

from executions.agent_records.serializers import AgentNameSerializer, AgentSerializer
from executions.api.agents import FOR_ADMINS, LISTED, TAKEN, AgentsView, AgentView
from moca.api.errors import APIError
from moca.api.json_schema import Schema, answer, boolean, each, number, text
from moca.api.openapi import TAGS, TIMESTAMP, Body, Fault, describe, in_path, invalid, metadata
from moca.api.operators import FOR_OPERATORS

AGENTS = "Agents"
TAGS.append({"name": AGENTS, "description": "Whom triggers may ask, and how they are called."})

_DETAILS = AgentSerializer.answer_shape()
_ONE = answer("AgentAnswer", "An agent.", {"agent": _DETAILS})
_LIST = answer(
    "AgentList",
    "All agents besides the default one.",
    {"agents": each(AgentNameSerializer.answer_shape())},
    metadata={"count": number("How many there are.")},
)
_DELETED = answer(
    "DeletedAgent",
    "The agent is gone.",
    {"success": boolean(), "message": text()},
    metadata={"agentId": text()},
)
_NEW = AgentSerializer.request_shape("NewAgent", "A new agent.", is_new=True)
_CHANGE = AgentSerializer.request_shape("AgentUpdate", "What is to change.", is_new=False)

_NAME = {"id": "reporter", "name": "Reporter", "description": "Knows the shop's figures."}
_SENT: dict[str, Any] = {
    **_NAME,
    "address": "https://reporter.example.com",
    "protocol": "ag-ui",
    "auth": "static",
    "secret": "AGENT_REPORTER_TOKEN",
}
_SHOWN = {**_SENT, "keyHeader": "X-Api-Key", "createdAt": TIMESTAMP, "updatedAt": TIMESTAMP}

_AGENT_ID = in_path("agent_id", "The agent's `id`.", text())
_NO_OPERATOR = Fault("The caller is no operator.", APIError(403, FOR_OPERATORS))
_NO_ADMIN = Fault("The caller is no admin.", APIError(403, FOR_ADMINS))
_NO_AGENT = Fault("There is no such agent.", APIError(404, "There is no such agent."))
_IN_SETTINGS = Fault("The settings list it, or others keep changing it.", APIError(409, LISTED))
_WRONG = invalid(
    "address", "Give an http or https URL without a user name and password.", "address"
)


def _one(status: int = 200, **changes: Any) -> Body:
    return Body(_ONE, {"agent": {**_SHOWN, **changes}, "metadata": metadata()}, status)


def _describe_change(method: str, operation_id: str, sent: Schema) -> None:
    describe(
        AgentView,
        method,
        operation_id,
        "For admins. PUT and PATCH are the same, and a whole agent may be sent back, changed in "
        "places. Running processes use the change within a minute.",
        tag=AGENTS,
        parameters=[_AGENT_ID],
        takes=Body(_CHANGE, sent),
        answers=_one(protocol="a2a"),
        faults=[_WRONG, _NO_ADMIN, _NO_AGENT, _IN_SETTINGS],
    )


describe(
    AgentsView,
    "GET",
    "listAgents",
    "Those that the settings list, and those that admins have added. A trigger that names none "
    "of them calls the default agent.",
    tag=AGENTS,
    answers=Body(_LIST, {"agents": [_NAME], "metadata": metadata(count=1)}),
)
describe(
    AgentsView,
    "POST",
    "createAgent",
    "For admins. No secret is sent, but only where it is.",
    tag=AGENTS,
    takes=Body(_NEW, _SENT),
    answers=_one(201),
    faults=[_WRONG, _NO_ADMIN, Fault("The id is taken.", APIError(409, TAKEN))],
)
describe(
    AgentView,
    "GET",
    "getAgent",
    "For operators.",
    tag=AGENTS,
    parameters=[_AGENT_ID],
    answers=_one(),
    faults=[_NO_OPERATOR, _NO_AGENT],
)
_describe_change("PUT", "replaceAgent", {**_SENT, "protocol": "a2a"})
_describe_change("PATCH", "updateAgent", {"protocol": "a2a"})
describe(
    AgentView,
    "DELETE",
    "deleteAgent",
    "For admins. Triggers that name it call the default agent from then on.",
    tag=AGENTS,
    parameters=[_AGENT_ID],
    answers=Body(
        _DELETED,
        {
            "success": True,
            "message": "The agent was deleted.",
            "metadata": metadata(agentId="reporter"),
        },
    ),
    faults=[_NO_ADMIN, _NO_AGENT, _IN_SETTINGS],
)
