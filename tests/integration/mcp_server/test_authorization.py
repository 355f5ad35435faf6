"""Tokens: which are accepted, what they may do, and how clients find where to get one."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings

from moca.authentication.models import Operator, Role
from tests.integration.api.test_auth import ISSUER, POOL, KeyServer, pool_token
from tests.integration.mcp_server.conftest import CREATE, MCP

HOST = "http://testserver"
SERVER = "https://triggers.example"


@pytest.fixture
def pool(settings: Any) -> Iterator[KeyServer]:
    """The application with a Cognito pool."""
    server = KeyServer()
    settings.COGNITO_JWKS_URL = server.url
    settings.COGNITO_USER_POOL_ID = POOL
    yield server
    server.close()


def challenge(response: Any) -> dict[str, str]:
    """The parameters of WWW-Authenticate."""
    return dict(re.findall(r'(\w+)="([^"]*)"', response["WWW-Authenticate"]))


class TestToken:
    def test_missing(self, nobody: MCP) -> None:
        assert nobody.send("tools/list").status_code == 401

    def test_without_a_pool_there_is_no_authorization_server(self, nobody: MCP) -> None:
        assert nobody.send("tools/list")["WWW-Authenticate"] == "Bearer"

    def test_forged(self, db: None) -> None:
        assert challenge(MCP(token="a.b.c").send("tools/list"))["error"] == "invalid_token"

    def test_a_session_is_none(self, db: None) -> None:
        nobody = MCP()
        nobody.client.force_login(Operator.objects.create_operator("olga", role=Role.ADMIN))
        assert nobody.send("tools/list").status_code == 401

    def test_in_the_address(self, alice: MCP) -> None:
        token = alice.headers["Authorization"].partition(" ")[2]
        answer = Client().post(f"/mcp?access_token={token}", b"{}", "application/json")
        assert answer.status_code == 401


class TestPool:
    def test_challenge_leads_to_the_metadata(self, pool: KeyServer, nobody: MCP) -> None:
        found = challenge(nobody.send("tools/list"))
        metadata = Client().get(found["resource_metadata"].removeprefix(HOST)).json()
        assert metadata["authorization_servers"] == [ISSUER]

    @pytest.mark.parametrize("suffix", ["", "/mcp"])
    def test_metadata(self, pool: KeyServer, suffix: str) -> None:
        found = Client().get(f"/.well-known/oauth-protected-resource{suffix}").json()
        assert found["resource"] == f"{HOST}/mcp"

    def test_metadata_without_a_pool(self) -> None:
        assert Client().get("/.well-known/oauth-protected-resource").status_code == 404

    @override_settings(FORCE_SCRIPT_NAME="/web", PUBLIC_URL="https://x.example/web")
    def test_public_address(self, pool: KeyServer) -> None:
        found = Client().get("/.well-known/oauth-protected-resource/mcp").json()
        assert found["resource"] == "https://x.example/web/mcp"

    def test_token_without_a_resource(self, pool: KeyServer, db: None) -> None:
        assert MCP(token=pool_token()).call("list_triggers")["triggers"] == []

    def test_token_for_this_resource(self, pool: KeyServer, db: None) -> None:
        token = pool_token(aud=f"{HOST}/mcp")
        assert MCP(token=token).call("list_triggers")["triggers"] == []

    @pytest.mark.parametrize("audience", ["https://other.example", ["https://other.example"]])
    def test_token_for_another_resource(self, pool: KeyServer, db: None, audience: Any) -> None:
        assert MCP(token=pool_token(aud=audience)).send("tools/list").status_code == 401


class TestScopes:
    """Scopes of a resource server in the pool."""

    @pytest.fixture
    def reader(self, pool: KeyServer, settings: Any, db: None) -> MCP:
        settings.MCP_RESOURCE_SERVER = SERVER
        return MCP(token=pool_token(scope=f"openid {SERVER}/read"))

    def test_tools_are_those_that_the_token_may_call(self, reader: MCP) -> None:
        named = {tool["name"] for tool in reader.result("tools/list")["tools"]}
        assert ("list_triggers" in named, "create_trigger" in named) == (True, False)

    def test_other_tools_are_refused(self, reader: MCP) -> None:
        answer = reader.send("tools/call", name="create_trigger", arguments=CREATE)
        assert answer.status_code == 403

    def test_refusal_names_the_scope(self, reader: MCP) -> None:
        answer = reader.send("tools/call", name="run_trigger", arguments={"triggerId": "x"})
        found = challenge(answer)
        assert (found["error"], found["scope"]) == ("insufficient_scope", f"{SERVER}/run")

    def test_all_scopes(self, reader: MCP) -> None:
        scopes = " ".join(f"{SERVER}/{name}" for name in ("read", "run", "write"))
        assert MCP(token=pool_token(scope=scopes)).create()["name"] == "Report"

    def test_metadata_has_them(self, reader: MCP) -> None:
        found = Client().get("/.well-known/oauth-protected-resource").json()
        assert found["scopes_supported"] == [f"{SERVER}/{s}" for s in ("read", "run", "write")]

    def test_token_without_scopes_reads_no_resource(self, reader: MCP) -> None:
        answer = MCP(token=pool_token(scope="openid")).send("resources/list")
        assert answer.status_code == 403


class TestRoles:
    @pytest.fixture
    def viewer(self, db: None) -> MCP:
        operator = Operator.objects.create_operator("vera", role=Role.VIEWER)
        return MCP(operator.subject)

    def test_viewers_read(self, viewer: MCP) -> None:
        assert viewer.call("list_triggers")["triggers"] == []

    def test_viewers_preview(self, viewer: MCP) -> None:
        found = viewer.call("preview_schedule", expression="rate(1 hour)")
        assert found["description"] == "Every hour"

    @pytest.mark.parametrize("tool", ["create_trigger", "run_trigger", "delete_trigger"])
    def test_viewers_change_nothing(self, viewer: MCP, tool: str) -> None:
        assert viewer.send("tools/call", name=tool, arguments={}).status_code == 403
