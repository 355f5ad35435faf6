"""Builds the OpenAPI 3.1 document of the API, for `/openapi.json` and `/docs`.

Each app describes its views in a module `api.schema` by calls of `describe()`. The first request
for the document loads these modules and drf-spectacular, so the API starts without them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import autodiscover_modules, import_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.views import APIView

from moca.api.errors import (
    TITLES,
    APIError,
    AuthenticationError,
    InvalidFieldsError,
    InvalidParameterError,
    code_of,
    detail,
)
from moca.api.json_schema import (
    COMPONENTS,
    ERROR,
    NOT_SIGNED_IN,
    Schema,
    enum,
    number,
    text,
    uuid,
)

# The document's tags in order; apps add theirs.
TAGS: list[Schema] = []
# What this installation sends to others, by name; apps add theirs.
WEBHOOKS: dict[str, Schema] = {}
BEARER = "bearerAuth"
SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access or ID token of the installation's Cognito user pool, or one that the "
    "installation issued.",
}
# Names of the failures that most operations share, by status.
SHARED = {
    str(status): TITLES[status].replace(" ", "")
    for status in (401, 403, 404, 413, 415, 429, 500, 502, 503)
}

SUCCESSES = {200: "Done.", 201: "Created.", 202: "Accepted: it runs soon."}
REQUEST_ID = "3f0f5f5e-8f3d-4a0e-9a43-6a1b1f6f1d55"
TIMESTAMP = "2027-01-29T12:00:00.000Z"
ABOUT = """\
Keys are camelCase, times ISO 8601 in UTC with milliseconds, ids lower-case UUIDs. What is not set \
is left out of an answer, never null. Keys that a body should not have are passed over, so that \
what was answered may be sent back.

Sign in with `Authorization: Bearer` and a token; operators who are signed in to the pages may use \
their session cookie instead, with the CSRF token in `X-CSRFToken` for everything but GET.

Each answer, errors too, has its request's id in the header `X-Request-Id`, and each error has one \
shape. A path takes a trailing slash as well; another method than those below is a 405.

A request with the header `X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token` is answered as the \
frontend that sends it expects. The order of triggers, `limit` and the `details` of errors then \
differ from those below."""


# Failures


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which a request fails: when it does, the example error, and the error's schema."""

    when: str
    error: APIError
    schema: Schema = field(default_factory=lambda: ERROR)


def _sign_in(when: str, code: str, schema: Schema = ERROR) -> Fault:
    return Fault(when, AuthenticationError(code), schema)


INTERNAL = Fault("Our fault; the log has the details under the `requestId`.", APIError(500))
FOR_EVERYBODY = [
    _sign_in("The token is a program's.", "MACHINE_USER"),
    _sign_in("There is no token.", "MISSING_AUTHORIZATION", NOT_SIGNED_IN),
    _sign_in("It is not sent as `Bearer`.", "INVALID_AUTHORIZATION_FORMAT", NOT_SIGNED_IN),
    _sign_in("It is expired, or not of this installation.", "INVALID_JWT", NOT_SIGNED_IN),
    _sign_in("There is an ID token too, which is not good.", "INVALID_ID_TOKEN", NOT_SIGNED_IN),
    _sign_in("The ID token is another user's.", "TOKEN_SUBJECT_MISMATCH", NOT_SIGNED_IN),
    Fault(
        "More requests than a user may make; `Retry-After` says when to go on.",
        APIError(429, "Too many requests: try again in 12 s."),
    ),
    INTERNAL,
    Fault("The database is busy; `Retry-After` says when to try again.", APIError(503)),
    _sign_in("The keys that check tokens are out of reach.", "KEYS_UNAVAILABLE"),
]
FOR_CHANGES = [
    Fault(
        "A viewer's session, or one without its CSRF token.",
        APIError(403, "Viewers may look but not change: ask an admin for the editor role."),
    )
]


def _for_bodies(limit: int) -> list[Fault]:
    size = f"{limit // 1024} KB"
    return [
        Fault(f"The body is over {size}.", APIError(413, f"The body may have {size}: send less.")),
        Fault("The body is not JSON by its `Content-Type`.", APIError(415)),
    ]


def invalid(name: str, message: str, code: str = "invalid", suggestion: str = "") -> Fault:
    """The failure of an invalid body; the arguments are the example, see `detail()`."""
    wrong = [detail(name, message, code, suggestion)]
    return Fault("The body is wrong; `details` names each field.", InvalidFieldsError(wrong))


def invalid_parameter(name: str, message: str) -> Fault:
    """The failure of an invalid query parameter or header."""
    return Fault("A parameter is wrong.", InvalidParameterError(name, message))


UNKNOWN = invalid_parameter("page", "This is no parameter. There are none here.")


# Parameters and headers


def in_path(name: str, description: str, schema: Schema | None = None) -> OpenApiParameter:
    """A parameter of the path; a UUID if no schema is given."""
    return OpenApiParameter(name, schema or uuid(), OpenApiParameter.PATH, description=description)


def in_query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description)


def in_header(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


ORDER = in_query(
    "order",
    enum("ListOrder", ["asc", "desc"], "The oldest first, or the newest."),
    "The oldest first (`asc`), or the newest (`desc`); `desc` without.",
)
NEXT_TOKEN = in_query("nextToken", text(), "The `nextToken` of the page before.")
FOLLOWING = text("Where more follow: what to send as `nextToken`, with the same filters.")


def _response_header(
    name: str, schema: Schema, description: str, statuses: Iterable[int]
) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        schema,
        OpenApiParameter.HEADER,
        required=True,
        description=description,
        response=[str(status) for status in statuses],
    )


def _headers(statuses: Iterable[int], *, is_open: bool) -> list[OpenApiParameter]:
    headers = [_response_header("X-Request-Id", uuid(), "The request's id.", statuses)]
    if not is_open:
        again = "Seconds after which to try again."
        headers += [
            _response_header("Retry-After", number(minimum=1), again, [429, 503]),
            _response_header("WWW-Authenticate", text(), "How to sign in: `Bearer`.", [401]),
        ]
    return headers


# Operations


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request, or of a success answer with its status."""

    schema: Schema
    example: Any
    status: int = 200
    # Its media types; empty for JSON. Others have one example for each.
    media: tuple[str, ...] = ()

    @property
    def examples(self) -> list[OpenApiExample]:
        kinds = self.media or ("application/json",)
        return [OpenApiExample("Example", self.example, media_type=kind) for kind in kinds]


def describe(
    view: type[APIView],
    method: str,
    operation_id: str,
    description: str,
    *,
    tag: str,
    answers: Body,
    takes: Body | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    faults: Iterable[Fault] = (),
    is_open: bool = False,
) -> None:
    """Describe a method of a view. The method's docstring is the summary.

    Args:
        view: the view.
        method: the HTTP method.
        operation_id: the name that generated clients use.
        description: details beyond the summary.
        tag: the name of its tag.
        answers: the body of a success.
        takes: the request's body; None if it has none.
        parameters: parameters of the path, the query and the headers.
        faults: its failures, beside those that all authenticated operations share.
        is_open: whether it needs no sign-in.
    """
    function = getattr(view, method.lower())
    found = [*faults]
    if not is_open and not any(fault.error.error == "Invalid Parameter" for fault in found):
        found.insert(0, UNKNOWN)
    if takes:
        # Operations without a sign-in receive signed events.
        limit = settings.MAX_EVENT_BYTES if is_open else import_string(settings.API_BODY_LIMIT)
        found += _for_bodies(limit)
    if not is_open:
        found += [*FOR_EVERYBODY, *(FOR_CHANGES if method != "GET" else [])]
    success = OpenApiResponse(answers.schema, SUCCESSES[answers.status], answers.examples)
    failures = _failures(found)
    keys: list[Any] = [(answers.status, kind) for kind in answers.media] or [answers.status]
    responses: dict[Any, OpenApiResponse] = {**dict.fromkeys(keys, success), **failures}
    body = OpenApiRequest(takes.schema, examples=takes.examples) if takes else None
    decorate = extend_schema(
        operation_id=operation_id,
        summary=(function.__doc__ or "").strip().rstrip("."),
        description=description,
        tags=[tag],
        auth=[] if is_open else [{BEARER: []}],  # type: ignore[list-item]
        parameters=[*parameters, *_headers([answers.status, *failures], is_open=is_open)],
        request={"application/json": body} if body else None,
        responses=responses,
        methods=[method],
    )
    decorate(function)


def _failures(faults: Iterable[Fault]) -> dict[int, OpenApiResponse]:
    by_status: dict[int, list[Fault]] = {}
    for fault in faults:
        by_status.setdefault(fault.error.status, []).append(fault)
    return {
        status: OpenApiResponse(
            same[0].schema,
            " ".join(fault.when for fault in same),
            [_failure_example(fault) for fault in same],
        )
        for status, same in sorted(by_status.items())
    }


def _failure_example(fault: Fault) -> OpenApiExample:
    error = fault.error
    usual = code_of(error.status, error.error, has_details=bool(error.details))
    name = error.error if error.code == usual else error.code
    body = error.body(REQUEST_ID, TIMESTAMP)
    return OpenApiExample(name.replace("_", " ").title(), body, summary=fault.when)


def metadata(**more: Any) -> dict[str, Any]:
    """The `metadata` of an example answer."""
    return {"requestId": REQUEST_ID, "timestamp": TIMESTAMP, "userId": "alice", **more}


@cache
def document() -> Schema:
    """Build the document from the routes and the apps' modules `api.schema`."""
    autodiscover_modules("api.schema")
    made: Schema = SchemaGenerator().get_schema(public=True)
    found = [operation for path in made["paths"].values() for operation in path.values()]
    for operation in found:
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
    made["info"]["description"] = ABOUT
    made["tags"] = TAGS
    made["webhooks"] = WEBHOOKS
    made["components"] = {
        "schemas": dict(sorted(COMPONENTS.items())),
        "responses": _shared_failures(found),
        "securitySchemes": {BEARER: SCHEME},
    }
    return made


def _shared_failures(operations: Iterable[Schema]) -> dict[str, Schema]:
    """Move failures that operations share into components, and refer to them by `$ref`."""
    shared: dict[str, Schema] = {}
    for operation in operations:
        responses = operation["responses"]
        for status in responses.keys() & SHARED.keys():
            name = SHARED[status]
            if shared.setdefault(name, responses[status]) == responses[status]:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))
