"""Serves the OpenAPI document: `/openapi.json` for programs, `/docs` for people.

The page is our own. drf-spectacular brings two others: Redoc does not work under our content
security policy; Swagger UI loads 1.9 MB instead of 0.15 MB, and is empty without JavaScript.
"""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import get_script_prefix
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from moca.api.errors import TITLES
from moca.api.json_schema import Schema

JSON = "application/json"
STATUSES = {title.replace(" ", ""): str(status) for status, title in TITLES.items()}


@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """The document in OpenAPI 3.1. It needs no sign-in, since it has no user's data."""
    return JsonResponse({**_document(), "servers": [{"url": _root() or "/"}]})


@require_safe
@never_cache
def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page. With JavaScript, its forms send requests.

    No cache may store the page, since it holds the reader's CSRF token.
    """
    described = _document()
    parts = described["components"]
    context = {
        "info": described["info"],
        "about": [prose(paragraph) for paragraph in described["info"]["description"].split("\n\n")],
        "sign_in": prose(parts["securitySchemes"]["bearerAuth"]["description"]),
        "root": _root(),
        "groups": list(_groups(described)),
        "failures": [
            _failure(status, parts["responses"][name], name=name)
            for name, status in STATUSES.items()
            if name in parts["responses"]
        ],
        "types": [_type(name, schema) for name, schema in parts["schemas"].items()],
    }
    return render(request, "api_reference.html", context)


def prose(text: str) -> SafeString:
    """HTML of a text, with its parts in backticks as code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in parts),
    )


def type_of(schema: Schema) -> SafeString:
    """A schema's type in words; a link if the type has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return format_html('<a href="#{0}">{0}</a>', name)
    if "anyOf" in schema:
        return format_html_join(" or ", "{}", ((type_of(one),) for one in schema["anyOf"]))
    if "const" in schema:
        return format_html("<code>{}</code>", json.dumps(schema["const"]))
    kinds = schema.get("type", "any value")
    if isinstance(kinds, list):
        named = [type_of({**schema, "type": kind}) for kind in kinds]
        return format_html_join(" or ", "{}", ((one,) for one in named))
    if kinds == "array":
        return format_html("list of {}", type_of(schema["items"]))
    return mark_safe(schema.get("format", kinds) if kinds == "string" else kinds)  # noqa: S308  (words of JSON Schema)


def rules_of(schema: Schema) -> str:
    """A schema's limits and default in words: "1 to 100 characters"."""
    found = [
        _span(schema.get("minimum"), schema.get("maximum"), ""),
        _span(schema.get("minLength"), schema.get("maxLength"), " characters"),
        _span(schema.get("minItems"), schema.get("maxItems"), " items"),
    ]
    if "items" in schema and (rules := rules_of(schema["items"])):
        found.append(f"each {rules}")
    if "default" in schema:
        found.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(filter(None, found))


def _span(least: int | None, most: int | None, unit: str) -> str:
    match least, most:
        case None, None:
            return ""
        case None, _:
            return f"at most {most:,}{unit}"
        case _, None:
            return f"at least {least:,}{unit}"
    return f"{least:,} to {most:,}{unit}"


def _document() -> Schema:
    from moca.api.openapi import document  # 0.15 s of each start, for drf-spectacular

    return document()


def _root() -> str:
    """The path prefix of the application, without a slash at its end."""
    return get_script_prefix().rstrip("/")


def _groups(described: Schema) -> Iterator[dict[str, Any]]:
    operations = [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in described["tags"]:
        own = [
            _operation(*one, responses=described["components"]["responses"])
            for one in operations
            if tag["name"] in one[2]["tags"]
        ]
        yield {**tag, "id": tag["name"].lower().replace(" ", "-"), "operations": own}


def _operation(
    path: str, method: str, operation: Schema, responses: dict[str, Schema]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get(JSON)
    found = operation["responses"]
    success = next(status for status in found if status < "400")
    answer = next(iter(found[success]["content"].values()))
    sent = _example(body) if body else None
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": prose(operation["description"]),
        "is_open": not operation.get("security"),
        "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        "takes": type_of(body["schema"]) if body else "",
        "sent": _pretty(sent) if body else "",
        "curl": _curl(path, method.upper(), operation, sent),
        "status": success,
        "answers": type_of(answer["schema"]),
        "answer": _pretty(_example(answer)),
        "failures": [
            _failure(status, response)
            if "$ref" not in response
            else _shared(status, response["$ref"].rpartition("/")[2], responses)
            for status, response in found.items()
            if status >= "400"
        ],
    }


def _parameter(parameter: Schema) -> dict[str, Any]:
    schema = parameter["schema"]
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "needed": parameter.get("required", False),
        "type": type_of(schema),
        "rules": rules_of(schema),
        "description": prose(parameter.get("description", "")),
    }


def _failure(status: str, response: Schema, name: str = "") -> dict[str, Any]:
    content = response["content"][JSON]
    return {
        **_head(status, response),
        "name": name,
        "type": type_of(content["schema"]),
        "headers": [header for header in response["headers"] if header != "X-Request-Id"],
        "examples": [
            {"when": prose(one["summary"]), "text": _pretty(one["value"])}
            for one in content["examples"].values()
        ],
    }


def _shared(status: str, name: str, responses: dict[str, Schema]) -> dict[str, Any]:
    """A link to a failure that many operations share, which the page shows once."""
    return {**_head(status, responses[name]), "link": name}


def _head(status: str, response: Schema) -> dict[str, Any]:
    title = "Bad Request" if status == "400" else TITLES[int(status)]
    return {"status": status, "title": title, "description": prose(response["description"])}


def _type(name: str, schema: Schema) -> dict[str, Any]:
    needed = schema.get("required", [])
    return {
        "name": name,
        "description": prose(schema["description"]),
        "words": schema.get("enum", []),
        "fields": [
            {
                "name": field,
                "type": type_of(one),
                "rules": rules_of(one),
                "needed": field in needed,
                "description": prose(one.get("description", "")),
            }
            for field, one in schema.get("properties", {}).items()
        ],
    }


def _example(content: Schema) -> Any:
    return next(iter(content["examples"].values()))["value"]


def _pretty(value: Any) -> str:
    # A text is of an answer that is no JSON.
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _curl(path: str, method: str, operation: Schema, sent: Any) -> str:
    """The request as a curl command; ids are the shell's variables."""
    filled = re.sub(r"\{(\w+)Id\}", lambda found: f"${found[1].upper()}", path)
    lines = [f'curl {"" if method == "GET" else f"-X {method} "}"$API{filled}"']
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if sent is not None:
        lines.append(f"-H 'Content-Type: {JSON}'")
        lines.append(f"-d {shlex.quote(_pretty(sent))}")
    return " \\\n  ".join(lines)
