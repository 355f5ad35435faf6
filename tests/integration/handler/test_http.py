"""Requests as API Gateway sends them to the function of the pages and the API."""

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from executions import lambda_http
from executions.lambda_handler import handler
from moca.authentication.tokens import issue

# Django closes old connections at the end of a request, and looks at the database for that.
pytestmark = pytest.mark.django_db(transaction=True)

CLIENT = "203.0.113.7"


@pytest.fixture(scope="module", autouse=True)
def application() -> None:
    """Load the web application as a start does: within a test it would take its log away."""
    lambda_http.load()


class Context:
    aws_request_id = "11111111-2222-3333-4444-555555555555"


def rest(path: str, **parts: Any) -> dict[str, Any]:
    """A request of a REST API."""
    return {
        "path": path,
        "httpMethod": "GET",
        "headers": {"Host": "testserver"},
        "multiValueHeaders": {"Host": ["testserver"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "web", "identity": {"sourceIp": CLIENT}},
        "body": None,
        "isBase64Encoded": False,
        **parts,
    }


def http(path: str, stage: str = "$default", **parts: Any) -> dict[str, Any]:
    """A request of an HTTP API, or of a function's URL."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "testserver"},
        "requestContext": {"stage": stage, "http": {"method": "GET", "sourceIp": CLIENT}},
        **parts,
    }


def answer(event: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = handler(event, Context())
    return result


@pytest.mark.parametrize(
    "event",
    [rest("/health"), http("/health"), http("/web/health", stage="web")],
    ids=["REST API", "function URL", "stage of an HTTP API"],
)
def test_both_formats_are_answered(event: dict[str, Any]) -> None:
    assert json.loads(answer(event)["body"])["status"] == "ok"


def signed_in() -> dict[str, str]:
    """Headers of a user's request."""
    token = issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
    return {"host": "testserver", "authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("form", "query"),
    [
        (rest, {"multiValueQueryStringParameters": {"a b&店": ["1", "2"]}}),
        (rest, {"queryStringParameters": {"a b&店": "1"}}),
        (http, {"rawQueryString": "a%20b%26%E5%BA%97=1"}),
    ],
    ids=["REST API", "REST API, names once", "HTTP API"],
)
def test_query_and_headers_arrive(
    transactional_db: None, form: Callable[..., dict[str, Any]], query: dict[str, Any]
) -> None:
    event = form("/triggers", headers=signed_in(), **query)
    event.pop("multiValueHeaders", None)
    assert "a b&店" in json.loads(answer(event)["body"])["message"]


@pytest.mark.parametrize("form", [rest, http])
@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-for"])
def test_a_client_cannot_choose_its_address(
    transactional_db: None,
    form: Callable[..., dict[str, Any]],
    header: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(11):
        event = form(
            "/admin/login/",
            body="username=nobody&password=wrong",
            headers={
                "Host": "testserver",
                "Content-Type": "application/x-www-form-urlencoded",
                "Referer": "https://testserver/admin/login/",
                "Cookie": "csrftoken=" + "a" * 32,
                "X-CSRFToken": "a" * 32,
                header: f"198.51.100.{number}",
            },
        )
        if form is http:
            event["requestContext"]["http"]["method"] = "POST"
        answer(event | {"httpMethod": "POST"} if form is rest else event)
    assert "too many wrong passwords" in caplog.text


@pytest.mark.parametrize("form", [rest, http])
def test_what_is_no_text_is_encoded(form: Callable[..., dict[str, Any]]) -> None:
    result = answer(form("/static/moca/icon.svg"))
    assert base64.b64decode(result["body"]).startswith(b"<svg")


@pytest.mark.parametrize("form", [rest, http])
def test_a_cookie_is_set_once(transactional_db: None, form: Callable[..., dict[str, Any]]) -> None:
    result = answer(form("/admin/login/"))
    cookies = result.get("cookies") or result["multiValueHeaders"]["Set-Cookie"]
    assert [cookie.strip().partition("=")[0] for cookie in cookies] == ["csrftoken"]


def test_nothing_of_an_event_but_its_request_is_read(
    transactional_db: None, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    answer(rest("/health", raw_command=f"open({str(made)!r}, 'w')", command="os.getcwd"))
    assert (made.exists(), "zappa.handler" in sys.modules) == (False, False)


@pytest.mark.parametrize("form", [rest, http])
def test_request_counts_as_https_without_a_header_that_says_so(
    transactional_db: None, form: Callable[..., dict[str, Any]]
) -> None:
    # Django asks for a Referer where a form comes by HTTPS, and refuses it without one.
    headers = {
        "host": "testserver",
        "content-type": "application/x-www-form-urlencoded",
        "cookie": "csrftoken=" + "a" * 32,
        "x-csrftoken": "a" * 32,
    }
    event = form("/admin/login/", body="username=x", headers=headers)
    event.pop("multiValueHeaders", None)
    if form is rest:
        event["httpMethod"] = "POST"
    else:
        event["requestContext"]["http"]["method"] = "POST"
    assert answer(event)["statusCode"] == 403
