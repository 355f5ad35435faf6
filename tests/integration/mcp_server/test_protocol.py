"""The messages of both eras of the protocol, by HTTP."""

import base64
import json
from typing import Any

import pytest
from django.test import override_settings

from mcp_server.protocol import CAPABILITIES_KEY, SERVER_KEY, VERSION_KEY, VERSIONS
from tests.integration.mcp_server.conftest import BEFORE, MCP, STATELESS
from triggers.api.body_limit import LARGEST_BODY

HEADERS = {"MCP_Protocol_Version": STATELESS, "Mcp_Method": "tools/list"}
META = {VERSION_KEY: STATELESS, CAPABILITIES_KEY: {}}


def listing(**changes: Any) -> bytes:
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": META}}
    return json.dumps({**body, **changes}).encode()


def initialize(version: str) -> bytes:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x"}}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    return json.dumps(body).encode()


def code(response: Any) -> tuple[int, int]:
    return response.status_code, response.json()["error"]["code"]


class TestStateless:
    def test_discover(self, alice: MCP) -> None:
        assert alice.result("server/discover")["supportedVersions"] == list(VERSIONS)

    def test_results_say_that_they_are_complete(self, alice: MCP) -> None:
        assert alice.result("tools/list")["resultType"] == "complete"

    def test_results_name_the_server(self, alice: MCP) -> None:
        meta = alice.result("tools/list")["_meta"]
        assert meta[SERVER_KEY]["name"] == "moca-triggers"

    @pytest.mark.parametrize("method", ["tools/list", "resources/list", "server/discover"])
    def test_what_may_be_cached_is_the_callers_own(self, alice: MCP, method: str) -> None:
        assert alice.result(method)["cacheScope"] == "private"

    @pytest.mark.parametrize("method", ["initialize", "ping", "subscriptions/listen", "x"])
    def test_methods_that_there_are_not(self, alice: MCP, method: str) -> None:
        assert alice.error(method) == (404, -32601)

    def test_unknown_version(self, alice: MCP) -> None:
        meta = {**META, VERSION_KEY: "2099-01-01"}
        headers = {**HEADERS, "MCP_Protocol_Version": "2099-01-01"}
        answer = alice.raw(listing(params={"_meta": meta}), **headers)
        assert answer.json()["error"]["data"]["supported"] == list(VERSIONS)

    def test_unknown_version_in_the_header_alone(self, alice: MCP) -> None:
        headers = {**HEADERS, "MCP_Protocol_Version": "2099-01-01"}
        assert code(alice.raw(listing(params={}), **headers)) == (400, -32022)

    @pytest.mark.parametrize("key", [CAPABILITIES_KEY, VERSION_KEY])
    def test_missing_metadata(self, alice: MCP, key: str) -> None:
        meta = {name: value for name, value in META.items() if name != key}
        assert code(alice.raw(listing(params={"_meta": meta}), **HEADERS)) == (400, -32602)

    @pytest.mark.parametrize(
        ("header", "value"),
        [("MCP_Protocol_Version", BEFORE), ("Mcp_Method", "tools/call"), ("Mcp_Method", "")],
    )
    def test_header_that_is_not_the_body(self, alice: MCP, header: str, value: str) -> None:
        assert code(alice.raw(listing(), **{**HEADERS, header: value})) == (400, -32020)

    def test_missing_header(self, alice: MCP) -> None:
        assert code(alice.raw(listing(), Mcp_Method="tools/list")) == (400, -32020)

    @pytest.mark.parametrize("name", ["x", "=?base64?!?=", ""])
    def test_name_that_is_not_the_body(self, alice: MCP, name: str) -> None:
        body = listing(method="tools/call", params={"name": "list_agents", "_meta": META})
        headers = {**HEADERS, "Mcp_Method": "tools/call", "Mcp_Name": name}
        assert code(alice.raw(body, **headers)) == (400, -32020)

    def test_encoded_name(self, alice: MCP) -> None:
        body = listing(method="tools/call", params={"name": "list_agents", "_meta": META})
        name = f"=?base64?{base64.b64encode(b'list_agents').decode()}?="
        headers = {**HEADERS, "Mcp_Method": "tools/call", "Mcp_Name": name}
        assert alice.raw(body, **headers).status_code == 200

    def test_no_such_resource(self, alice: MCP) -> None:
        assert alice.error("resources/read", uri="moca://triggers/x") == (400, -32602)


class TestHandshake:
    @pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26"])
    def test_version_is_agreed_on(self, alice: MCP, version: str) -> None:
        assert alice.raw(initialize(version)).json()["result"]["protocolVersion"] == version

    @pytest.mark.parametrize("version", ["2024-11-05", "2099-01-01"])
    def test_another_version_is_proposed(self, alice: MCP, version: str) -> None:
        assert alice.raw(initialize(version)).json()["result"]["protocolVersion"] == BEFORE

    def test_no_session(self, alice: MCP) -> None:
        assert "Mcp-Session-Id" not in alice.raw(initialize(BEFORE))

    def test_notification(self, alice: MCP) -> None:
        body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
        answer = alice.raw(body, MCP_Protocol_Version=BEFORE)
        assert (answer.status_code, answer.content) == (202, b"")

    def test_answer_of_the_client(self, alice: MCP) -> None:
        answer = alice.raw(b'{"jsonrpc":"2.0","id":1,"result":{}}', MCP_Protocol_Version=BEFORE)
        assert answer.status_code == 202

    def test_ping(self, alice: MCP) -> None:
        assert alice.result("ping", BEFORE) == {}

    def test_results_have_nothing_of_the_later_revision(self, alice: MCP) -> None:
        assert set(alice.result("tools/list", BEFORE)) == {"tools"}

    def test_without_the_header(self, alice: MCP) -> None:
        assert "tools" in alice.raw(listing(params={})).json()["result"]

    @pytest.mark.parametrize("method", ["server/discover", "logging/setLevel"])
    def test_methods_that_there_are_not(self, alice: MCP, method: str) -> None:
        assert alice.error(method, BEFORE) == (200, -32601)

    def test_no_such_resource(self, alice: MCP) -> None:
        assert alice.error("resources/read", BEFORE, uri="moca://triggers/x") == (200, -32002)


class TestTransport:
    @pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
    def test_other_methods(self, alice: MCP, method: str) -> None:
        answer = alice.client.generic(method, "/mcp", headers=alice.headers)
        assert answer.status_code == 405

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil"])
    def test_pages_of_other_sites(self, alice: MCP, origin: str) -> None:
        assert alice.raw(listing(), Origin=origin, **HEADERS).status_code == 403

    def test_pages_of_this_site(self, alice: MCP) -> None:
        assert alice.raw(listing(), Origin="http://testserver", **HEADERS).status_code == 200

    @override_settings(CORS_ALLOWED_ORIGINS=["https://app.example"])
    def test_pages_of_an_allowed_site(self, alice: MCP) -> None:
        assert alice.raw(listing(), Origin="https://app.example", **HEADERS).status_code == 200

    def test_a_list_of_messages(self, alice: MCP) -> None:
        assert code(alice.raw(b"[" + listing() + b"]", **HEADERS)) == (400, -32600)

    @pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000])
    def test_what_is_no_json(self, alice: MCP, body: bytes) -> None:
        assert code(alice.raw(body)) == (400, -32700)

    @pytest.mark.parametrize("request_id", [None, 1.5, True, [], {}, "x" * 1000])
    def test_what_is_no_id(self, alice: MCP, request_id: Any) -> None:
        assert code(alice.raw(listing(id=request_id), **HEADERS)) == (400, -32600)

    def test_errors_have_the_requests_id(self, alice: MCP) -> None:
        assert alice.raw(listing(method="x"), MCP_Protocol_Version=BEFORE).json()["id"] == 7

    def test_another_content_type(self, alice: MCP) -> None:
        assert alice.raw(listing(), "text/plain", **HEADERS).status_code == 415

    def test_a_huge_body(self, alice: MCP) -> None:
        huge = listing(params={"_meta": META, "x": "x" * LARGEST_BODY})
        assert alice.raw(huge, **HEADERS).status_code == 413

    def test_a_trailing_slash(self, alice: MCP) -> None:
        answer = alice.client.post(
            "/mcp/", initialize(BEFORE), content_type="application/json", headers=alice.headers
        )
        assert answer.status_code == 200

    @override_settings(API_RATE_LIMIT="2/min")
    def test_requests_are_counted_once(self, alice: MCP) -> None:
        statuses = [
            alice.send("tools/call", name="list_triggers", arguments={}).status_code
            for _ in range(3)
        ]
        assert statuses == [200, 200, 429]
