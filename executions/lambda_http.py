"""Answer HTTP requests of API Gateway by the web application, through apig-wsgi.

Zappa deploys the function, but its own handler is never loaded, because an event can make that
handler run commands and code (https://github.com/zappa/Zappa, `zappa/handler.py`).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.apps import apps

CLIENT_ADDRESS = "X-Forwarded-For"


def serves_pages() -> bool:
    """Whether this function's settings include the pages and the API."""
    return apps.is_installed("rest_framework")


def request_of(event: Any) -> dict[str, Any] | None:
    """The request in an event, with all the parts that apig-wsgi reads.

    Args:
        event: of a REST API (format 1.0), or of an HTTP API or a function URL (format 2.0).
            https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
            https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

    Returns:
        None if the event is no request, or this function serves no pages.
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
    """Answer a request by the web application.

    Args:
        request: what `request_of()` returned.
        context: Lambda's context object.

    Returns:
        The answer, in the format of the request.
    """
    return _application()(request, context)


def load() -> None:
    """Load the web application before the first request, while Lambda grants more CPU."""
    _application()


@cache
def _application() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    from apig_wsgi import make_lambda_handler  # 0.01 s of the handler, which serves no pages

    from moca.wsgi import application  # 0.5 s of the handler, which serves no pages

    def over_https(environ: dict[str, Any], start_response: Any) -> Any:
        # API Gateway takes HTTPS alone, and its events need not say so.
        environ["wsgi.url_scheme"] = "https"
        return application(environ, start_response)

    return make_lambda_handler(over_https, binary_support=True)


def _rest_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    identity = context.get("identity")
    source = identity.get("sourceIp") if isinstance(identity, Mapping) else None
    # A header that came once is in both maps.
    headers = {name: [value] for name, value in _headers(event.get("headers"), str).items()}
    headers |= _headers(event.get("multiValueHeaders"), list)
    if isinstance(source, str):
        headers[CLIENT_ADDRESS] = [source]
    return {
        "version": "1.0",
        "httpMethod": event["httpMethod"],
        "path": event["path"],
        "multiValueQueryStringParameters": event.get("multiValueQueryStringParameters")
        or event.get("queryStringParameters"),
        "multiValueHeaders": headers,
        **_body(event),
    }


def _http_request(
    event: Mapping[str, Any], context: Mapping[str, Any], http: Mapping[str, Any]
) -> dict[str, Any]:
    headers = _headers(event.get("headers"), str)
    source = http.get("sourceIp")
    if isinstance(source, str):
        headers[CLIENT_ADDRESS] = source
    path = event["rawPath"]
    # An HTTP API has its stage's name in the path, a REST API has not.
    prefix = f"/{context.get('stage')}"
    if path == prefix or path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix) or "/"
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": event.get("rawQueryString") or "",
        "cookies": event.get("cookies") or [],
        "headers": headers,
        "requestContext": {
            "http": {
                "method": http["method"],
                "protocol": http.get("protocol", "HTTP/1.1"),
                "sourceIp": source or "",
            }
        },
        **_body(event),
    }


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"body": event.get("body"), "isBase64Encoded": event.get("isBase64Encoded", False)}


def _headers(headers: Any, kind: type) -> dict[str, Any]:
    """The well-formed headers, without the address that the client claims to have."""
    if not isinstance(headers, Mapping):
        return {}
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, kind) and name.lower() != CLIENT_ADDRESS.lower()
    }
