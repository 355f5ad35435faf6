"""Whatever JSON comes in: the server answers with a result or an error, never with a 500."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_server import tools
from tests.examples import examples
from tests.integration.mcp_server.conftest import BEFORE, MCP, STATELESS

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
METHODS = st.sampled_from(
    [
        *("initialize", "tools/list", "tools/call", "resources/list", "resources/read"),
        *("prompts/list", "prompts/get", "server/discover", "ping", "x"),
    ]
)
NAMES = sorted({name for tool in tools.ALL.values() for name in tool.takes()[0]})
FUZZ = settings(
    deadline=None,
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(tool=st.sampled_from(list(tools.ALL)), some=st.data())
def test_arguments_of_any_type(alice: MCP, tool: str, some: st.DataObject) -> None:
    known = sorted(tools.ALL[tool].takes()[0]) or NAMES
    arguments = some.draw(st.dictionaries(st.sampled_from(known), VALUES, max_size=6))
    arguments.pop("waitSeconds", None)
    response = alice.send("tools/call", name=tool, arguments=arguments)
    assert response.status_code in (200, 400)


@FUZZ
@given(method=METHODS, params=VALUES, version=st.sampled_from([STATELESS, BEFORE, ""]))
def test_parameters_of_any_type(alice: MCP, method: str, params: Any, version: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"MCP_Protocol_Version": version} if version else {}
    assert alice.raw(body, Mcp_Method=method, **headers).status_code < 500


@FUZZ
@given(value=VALUES)
def test_messages_of_any_type(alice: MCP, value: Any) -> None:
    assert alice.raw(json.dumps(value).encode()).status_code in (400, 202)


@pytest.mark.parametrize("name", ["name", "uri", "arguments", "cursor", "protocolVersion"])
@FUZZ
@given(method=METHODS, value=VALUES)
def test_a_parameter_of_any_type(alice: MCP, name: str, method: str, value: Any) -> None:
    assert alice.send(method, BEFORE, **{name: value}).status_code < 500
