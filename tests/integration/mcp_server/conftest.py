"""An MCP client that sends raw JSON-RPC by HTTP, as alice, bob and nobody."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from agents.output import Output
from executions.models import Source, TriggerExecution, expiry
from mcp_server.protocol import CAPABILITIES_KEY, CLIENT_KEY, NAMED_BY, VERSION_KEY
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey
from moca.authentication.tokens import issue
from triggers.models import RunStatus

STARTED = datetime(2027, 1, 4, 9, tzinfo=UTC)
STATELESS, BEFORE = "2026-07-28", "2025-11-25"
CREATE: dict[str, Any] = {
    "name": "Report",
    "type": "schedule",
    "agentId": "reporter",
    "prompt": "Report.",
    "scheduleConfig": {"expression": "cron(0 9 * * ? *)"},
}


class MCP:
    """The MCP server as one user's client sees it; without a user id, without a token."""

    def __init__(self, user_id: str = "", token: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        if user_id:
            token = issue(user_id, lasting=timedelta(hours=1), now=datetime.now(UTC))
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def raw(self, body: bytes, kind: str = "application/json", **headers: str) -> Any:
        """Send this very body; header names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/mcp", body, content_type=kind, headers={**self.headers, **named})

    def send(self, method: str, version: str = STATELESS, **params: Any) -> Any:
        """Send a request of a revision, with all that the revision asks for."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"MCP_Protocol_Version": version}
        if version == STATELESS:
            info = {"name": "Tester", "version": "1.0"}
            params["_meta"] = {VERSION_KEY: version, CAPABILITIES_KEY: {}, CLIENT_KEY: info}
            headers["Mcp_Method"] = method
            if name := params.get(NAMED_BY.get(method, "")):
                headers["Mcp_Name"] = str(name)
        return self.raw(json.dumps(body).encode(), **headers)

    def result(self, method: str, version: str = STATELESS, **params: Any) -> Any:
        response = self.send(method, version, **params)
        answer = response.json()
        assert "result" in answer, (response.status_code, answer)
        return answer["result"]

    def error(self, method: str, version: str = STATELESS, **params: Any) -> tuple[int, int]:
        """The HTTP status and JSON-RPC's code of an error."""
        response = self.send(method, version, **params)
        return response.status_code, response.json()["error"]["code"]

    def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool returns."""
        result = self.result("tools/call", name=tool, arguments=arguments)
        assert not result["isError"], result["content"]
        return result["structuredContent"]

    def refusal(self, tool: str, **arguments: Any) -> str:
        """What a tool says to the agent if it fails."""
        result = self.result("tools/call", name=tool, arguments=arguments)
        assert result["isError"], result
        text: str = result["content"][0]["text"]
        return text

    def create(self, **fields: Any) -> Any:
        return self.call("create_trigger", **{**CREATE, **fields})["trigger"]


@pytest.fixture
def alice(db: None) -> MCP:
    return MCP("alice")


@pytest.fixture
def bob(db: None) -> MCP:
    return MCP("bob")


def key_of(user_id: str, **fields: Any) -> str:
    """A new API key of a user, for an agent that nobody has to watch."""
    trusted = {"is_agent": True, "may_enable": True, "min_interval_minutes": 0, "max_triggers": 50}
    values = {"name": "Robot", "scopes": ["read", "run", "write"], **trusted, **fields}
    return services.make(APIKey(user_id=user_id, **values), by=user_id)


@pytest.fixture
def trusted(db: None) -> MCP:
    """A client with a key of alice, whose triggers wait for nobody."""
    return MCP(token=key_of("alice"))


@pytest.fixture
def nobody(db: None) -> MCP:
    return MCP()


@pytest.fixture
def make_run(db: None) -> Callable[..., TriggerExecution]:
    """Put a run of a trigger on record in which an agent said a text."""
    numbers = iter(range(1, 1000))

    def make(trigger_id: str, text: str = "All is well.", **fields: Any) -> TriggerExecution:
        said = Output()
        said.append(text)
        run = TriggerExecution(
            id=f"run-{next(numbers):03}",
            trigger_id=trigger_id,
            **{
                "user_id": "alice",
                "status": RunStatus.COMPLETED,
                "source": Source.SCHEDULE,
                "attempt": 1,
                "started_at": STARTED,
                "ttl": expiry(STARTED),
                **fields,
            },
        )
        run.set_output(said)
        run.save()
        return run

    return make
