"""JSON Schema for the OpenAPI 3.1 document: builders, and the components that all apps share.

Schemas of rows come from their serializers; see `moca.api.serializers`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

# The document's `components.schemas`, by name.
COMPONENTS: dict[str, Schema] = {}


def component(name: str, schema: Schema) -> Schema:
    """Register a named schema, and return a `$ref` to it."""
    COMPONENTS[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def record(
    description: str, needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None
) -> Schema:
    """An object with required and optional keys."""
    schema = {
        "type": "object",
        "description": description,
        "properties": {**needed, **(optional or {})},
    }
    return {**schema, "required": list(needed)} if needed else schema


def text(description: str = "", **rules: Any) -> Schema:
    """A string; `rules` are further keywords of JSON Schema, such as maxLength."""
    return described({"type": "string", **rules}, description)


def number(description: str = "", **rules: Any) -> Schema:
    """An integer."""
    return described({"type": "integer", **rules}, description)


def boolean(description: str = "", **rules: Any) -> Schema:
    """True or false."""
    return described({"type": "boolean", **rules}, description)


def moment(description: str = "") -> Schema:
    """A date and time; in answers it is in UTC with milliseconds."""
    return text(description, format="date-time")


def uuid(description: str = "") -> Schema:
    """A UUID."""
    return text(description, format="uuid")


def each(items: Schema, description: str = "", **rules: Any) -> Schema:
    """An array of `items`."""
    return described({"type": "array", "items": items, **rules}, description)


def enum(name: str, choices: Iterable[str], description: str) -> Schema:
    """Register a named component for a string that is one of `choices`."""
    return component(name, text(description, enum=list(choices)))


def or_null(schema: Schema) -> Schema:
    """The same schema, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def answer(
    name: str,
    description: str,
    needed: Mapping[str, Schema],
    optional: Mapping[str, Schema] | None = None,
    *,
    metadata: Mapping[str, Schema] | None = None,
) -> Schema:
    """Register a component for a success answer: the given keys and `metadata`.

    Args:
        name: the component's name.
        description: the text that describes it.
        needed: the keys that it always has.
        optional: the keys that it may have.
        metadata: keys of `metadata` beside those that every answer has.
    """
    shared = METADATA
    if metadata is not None:
        about = f"About the request, and the answer: {', '.join(metadata)}."
        shared = component(f"{name}Metadata", record(about, {**_METADATA, **metadata}))
    return component(name, record(description, {**needed, "metadata": shared}, optional))


def described(schema: Schema, description: str) -> Schema:
    """The same schema with a description, unless that is empty."""
    return {**schema, "description": description} if description else schema


_METADATA = {
    "requestId": uuid("The request's id, which stands in each log line of it."),
    "timestamp": moment("When it was answered."),
    "userId": text("Whose data it is about."),
}
METADATA = component("Metadata", record("About the request.", _METADATA))
DETAIL = component(
    "ErrorDetail",
    record(
        "What is wrong with one field.",
        {
            "field": text("The field, such as `scheduleConfig.timezone`; empty for the whole."),
            "message": text("What is wrong, and what to give instead."),
            "code": text("The kind of fault."),
        },
        {
            "suggestion": text("What was probably meant."),
            "suggestions": each(
                record(
                    "An expression or a timezone that may be meant.",
                    {},
                    {
                        "expression": text("The corrected expression."),
                        "description": text("When it runs, in words."),
                        "timezone": text("The timezone, or the one to set with the expression."),
                        "parts": {
                            "type": "object",
                            "description": "Other parts of `scheduleConfig` to set with it.",
                        },
                        "notes": each(text(), "What it leaves out or takes for granted."),
                    },
                ),
                "All that may be meant, the likeliest first.",
            ),
        },
    ),
)
_ERROR = {
    "error": text("The kind of error."),
    "message": text("What went wrong, and what to do about it."),
    "code": text("Which error it is, such as `NOT_FOUND`."),
    "timestamp": moment("When it was answered."),
    "requestId": uuid("The request's id: give it when you report the error."),
}
ERROR = component(
    "Error", record("Any error.", _ERROR, {"details": each(DETAIL, "All faults, by field.")})
)
NOT_SIGNED_IN = component(
    "AuthenticationError",
    record(
        "There is no good token.",
        {
            **_ERROR,
            "code": enum(
                "AuthenticationErrorCode",
                [
                    "MISSING_AUTHORIZATION",
                    "INVALID_AUTHORIZATION_FORMAT",
                    "INVALID_JWT",
                    "INVALID_API_KEY",
                    "INVALID_ID_TOKEN",
                    "TOKEN_SUBJECT_MISMATCH",
                ],
                "What is wrong with the headers.",
            ),
        },
    ),
)
