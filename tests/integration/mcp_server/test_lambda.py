"""The MCP server as a Lambda function behind API Gateway, below the stage /web."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.urls import clear_script_prefix

from executions import lambda_http
from moca.authentication.tokens import issue
from tests.integration.api.test_auth import POOL
from tests.integration.mcp_server.conftest import BEFORE, CREATE

# A request closes the connection at its end.
pytestmark = pytest.mark.django_db(transaction=True)
STAGE = override_settings(
    FORCE_SCRIPT_NAME="/web", ALLOWED_HOSTS=["id.execute-api.eu-west-1.amazonaws.com"]
)


@pytest.fixture(autouse=True)
def _prefix_is_forgotten() -> Iterator[None]:
    """A request below a path leaves its prefix in the thread."""
    yield
    clear_script_prefix()


def post(body: dict[str, Any], token: str = "") -> Any:
    """The function's answer to an event of a REST API."""
    headers = {
        "Host": "id.execute-api.eu-west-1.amazonaws.com",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": BEFORE,
    }
    if token:
        headers["Authorization"] = f"Bearer {token}"
    event = {
        "httpMethod": "POST",
        "path": "/mcp",
        "headers": headers,
        "requestContext": {"stage": "web", "identity": {"sourceIp": "192.0.2.1"}},
        "body": json.dumps({"jsonrpc": "2.0", "id": 1, **body}),
        "isBase64Encoded": False,
    }
    request = lambda_http.request_of(event)
    assert request is not None
    answer = lambda_http.answer(request, None)
    if answer.get("isBase64Encoded"):
        answer["body"] = base64.b64decode(answer["body"]).decode()
    return answer


@STAGE
def test_tool() -> None:
    token = issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
    params = {"name": "create_trigger", "arguments": CREATE}
    answer = json.loads(post({"method": "tools/call", "params": params}, token)["body"])
    assert answer["result"]["structuredContent"]["trigger"]["name"] == "Report"


@STAGE
@override_settings(COGNITO_USER_POOL_ID=POOL)
def test_challenge_names_the_stage() -> None:
    answer = post({"method": "tools/list"})
    headers = {name.lower(): value for name, value in answer["multiValueHeaders"].items()}
    host = "https://id.execute-api.eu-west-1.amazonaws.com"
    metadata = f"{host}/web/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{metadata}"' in headers["www-authenticate"][0]
