"""HTTP requests of API Gateway, answered by the web application through Zappa.

Zappa's handler does much more than HTTP: an event may have it run a command or any text as code
(https://github.com/zappa/Zappa, `zappa/handler.py`). It therefore never sees an event, but a new
one of the known parts of a request.
"""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.apps import apps

# The parts of a request in each of API Gateway's two formats.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
REST_PARTS = (
    "httpMethod",
    "path",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "body",
    "isBase64Encoded",
)
HTTP_PARTS = ("version", "rawPath", "rawQueryString", "cookies", "body", "isBase64Encoded")
CLIENT_ADDRESS = "X-Forwarded-For"


def serves_pages() -> bool:
    """Whether this function's settings have the pages and the API."""
    return apps.is_installed("rest_framework")


def request_of(event: Any) -> dict[str, Any] | None:
    """The request in an event: a new event that Zappa's handler takes for HTTP and nothing else.

    Args:
        event: of a REST API (format 1.0), or of an HTTP API or a function's URL (format 2.0).

    Returns:
        None where the event is no request, or this function serves no pages.
    """
    if not serves_pages() or not isinstance(event, Mapping):
        return None
    context = event.get("requestContext")
    if not isinstance(context, Mapping):
        return None
    if isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str):
        return _rest_request(event, context)
    http = context.get("http")
    if (
        event.get("version") == "2.0"
        and isinstance(event.get("rawPath"), str)
        and isinstance(http, Mapping)
        and isinstance(http.get("method"), str)
    ):
        return _http_request(event, context, http)
    return None


def answer(request: dict[str, Any], context: Any) -> dict[str, Any]:
    """Have the web application answer a request.

    Args:
        request: what `request_of` gave.
        context: Lambda's context object.

    Returns:
        The answer in the request's format.
    """
    result: dict[str, Any] = _application().handler(request, context)
    # Zappa gives each cookie once for each casing of its header's name.
    if "cookies" in result:
        result["cookies"] = list(dict.fromkeys(result["cookies"]))
    if cookies := result.get("multiValueHeaders", {}).pop("set-cookie", None):
        result["multiValueHeaders"]["Set-Cookie"] = list(dict.fromkeys(cookies))
        result["headers"] = {
            name: value for name, value in result["headers"].items() if name.lower() != "set-cookie"
        }
    return result


def load() -> None:
    """Load the web application before the first request, when Lambda gives most of a processor."""
    _application()


@cache
def _application() -> Any:
    from zappa.handler import LambdaHandler  # 0.5 s of the handler, which serves no pages

    # It sets the level of its own settings, which are not where operators set it.
    root = logging.getLogger()
    level = root.level
    application = LambdaHandler()
    root.setLevel(level)
    return application


def _rest_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    identity = context.get("identity")
    source = identity.get("sourceIp") if isinstance(identity, Mapping) else None
    headers = _headers(event.get("headers"), str)
    # A header that came once is in both.
    multiple = {
        name: [value for value in values if isinstance(value, str)]
        for name, values in _headers(event.get("multiValueHeaders"), list).items()
    }
    if isinstance(source, str):
        headers[CLIENT_ADDRESS] = source
        multiple[CLIENT_ADDRESS] = [source]
    return {
        **{name: event[name] for name in REST_PARTS if name in event},
        "headers": headers,
        "multiValueHeaders": multiple,
        "requestContext": {},
    }


def _http_request(
    event: Mapping[str, Any], context: Mapping[str, Any], http: Mapping[str, Any]
) -> dict[str, Any]:
    headers = _headers(event.get("headers"), str)
    if isinstance(http.get("sourceIp"), str):
        headers[CLIENT_ADDRESS] = http["sourceIp"]
    return {
        **{name: event[name] for name in HTTP_PARTS if name in event},
        "headers": headers,
        "requestContext": {
            "http": {"method": http["method"]},
            "stage": context.get("stage"),
        },
    }


def _headers(headers: Any, kind: type) -> dict[str, Any]:
    """Headers of well-formed values, without the client's address as the client tells it.

    Zappa believes what the client wrote in `X-Forwarded-For`; API Gateway itself knows better.
    """
    if not isinstance(headers, Mapping):
        return {}
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, kind) and name.lower() != CLIENT_ADDRESS.lower()
    }
