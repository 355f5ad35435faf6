"""The official Python client drives a trigger's whole life, in each era of the protocol."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from pytest_django.live_server_helper import LiveServer

from moca.authentication.models import AuditEntry
from moca.authentication.tokens import issue
from tests.integration.mcp_server.conftest import BEFORE, CREATE, STATELESS
from triggers.models import Trigger

pytestmark = [
    pytest.mark.each_database,
    pytest.mark.django_db(transaction=True),
    # What the client leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MODES = {STATELESS: "auto", BEFORE: "legacy"}

FIELDS = {
    "name": "Report",
    "agent_id": "reporter",
    "prompt": "Report.",
    "schedule_config": {"expression": "cron(0 9 * * ? *)"},
}

Drive = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def token(transactional_db: None) -> str:
    return issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))


@pytest.fixture(params=MODES)
def drive(request: Any, live_server: LiveServer, token: str) -> Callable[..., Any]:
    """Run a function with a client that is connected as alice, in one era."""

    async def connect(use: Drive) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{live_server.url}/mcp", http_client=http)
            async with Client(transport, mode=MODES[request.param]) as client:
                assert client.protocol_version == request.param
                return await use(client)

    def run(use: Drive) -> Any:
        # Tests in the browser leave a running loop in the main thread.
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(lambda: asyncio.run(connect(use))).result()

    return run


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


def test_life_of_a_trigger(
    drive: Callable[..., Any], scheduler: Callable[..., Any], live_server: LiveServer, token: str
) -> None:
    async def enable(trigger_id: str) -> None:
        """Enable a trigger by the API, as a person does."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers) as http:
            answer = await http.post(f"{live_server.url}/triggers/{trigger_id}/enable")
            answer.raise_for_status()

    async def live(client: Client) -> list[Any]:
        await client.list_tools()
        schedule = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
        preview = await call(client, "preview_schedule", **schedule)
        made = await call(client, "create_trigger", **{**CREATE, "scheduleConfig": schedule})
        named = {"triggerId": made["trigger"]["id"]}
        changed = await call(client, "update_trigger", **named, prompt="Say hello.")
        refused = [
            (await client.call_tool(name, named)).is_error
            for name in ("enable_trigger", "run_trigger")
        ]
        await enable(made["trigger"]["id"])
        disabled = await call(client, "disable_trigger", **named)
        run = await call(client, "run_trigger", **named, waitSeconds=20)
        both = {**named, "executionId": run["execution"]["executionId"]}
        output = await call(client, "read_run_output", **both)
        listed = await client.list_resources()
        content = await client.read_resource(str(listed.resources[0].uri))
        gone = await call(client, "delete_trigger", **named)
        return [
            preview["description"],
            changed["trigger"]["prompt"],
            refused,
            disabled["trigger"]["enabled"],
            run["execution"]["outcome"],
            output["done"],
            bool(output["text"]) and content.contents[0].text == output["text"],
            gone["deleted"],
        ]

    with scheduler():
        lived = drive(live)
    assert lived == [
        "At 09:00 every day, Tokyo time",
        "Say hello.",
        [True, True],
        False,
        "success",
        True,
        True,
        True,
    ]


def test_a_run_is_cancelled(drive: Callable[..., Any]) -> None:
    trigger = Trigger(user_id="alice", **FIELDS)
    trigger.save()

    async def cancel(client: Client) -> str:
        named = {"triggerId": trigger.pk}
        run = await call(client, "run_trigger", **named)
        both = {**named, "executionId": run["execution"]["executionId"]}
        ended = await call(client, "cancel_run", **both)
        return str(ended["execution"]["outcome"])

    assert drive(cancel) == "cancelled"


def test_errors_are_for_the_agent(drive: Callable[..., Any]) -> None:
    async def mistake(client: Client) -> str:
        result = await client.call_tool("create_trigger", {**CREATE, "type": "other"})
        return str(result.content[0].text)

    assert drive(mistake).startswith("type: ")


def test_prompts(drive: Callable[..., Any]) -> None:
    async def write(client: Client) -> str:
        named = [prompt.name for prompt in (await client.list_prompts()).prompts]
        found = await client.get_prompt(named[0], {"goal": "Water the plants."})
        return str(found.messages[0].content.text)

    assert "Water the plants." in drive(write)


def test_no_such_resource(drive: Callable[..., Any]) -> None:
    async def read(client: Client) -> str:
        with pytest.raises(MCPError) as raised:
            await client.read_resource("moca://triggers/none")
        return str(raised.value)

    assert "There is no such resource" in drive(read)


def test_audit_entries_name_the_user(drive: Callable[..., Any]) -> None:
    drive(lambda client: call(client, "create_trigger", **CREATE))
    [entry] = AuditEntry.objects.all()
    assert (entry.actor, entry.api_key.endswith("(mcp)")) == ("alice", True)
