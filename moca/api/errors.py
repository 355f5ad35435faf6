"""The one shape in which every error leaves the API."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

Detail = dict[str, Any]

# Callers choose the names of keys, so answers could grow with them.
MAX_FIELD = 200

TITLES = {
    400: "Validation Error",
    401: "Authentication Error",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Scheduler Error",
    503: "Service Unavailable",
}


class APIError(Exception):
    """An error that the caller is told about.

    Args:
        status: the HTTP status.
        message: a sentence that says what to do about it.
        error: the title, where it is not the usual one of the status.
        details: what is wrong with which field.
        headers: headers of the answer.
        extra: further keys of the body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error: str = "",
        details: Iterable[Detail] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error or TITLES.get(status, "Error")
        self.details = list(details)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        body = {"error": self.error, "message": self.message, "requestId": request_id, **self.extra}
        if self.details:
            body["details"] = self.details
        return body


class InvalidFieldsError(APIError):
    """Fields of the body that are wrong; the message names the first."""

    def __init__(self, details: Iterable[Detail]) -> None:
        details = list(details)
        first = details[0]
        where = f"{first['field']}: " if first["field"] else ""
        super().__init__(400, f"{where}{first['message']}", details=details)


class InvalidParameterError(APIError):
    """A part of the query or a header that is wrong."""

    def __init__(self, name: str, message: str) -> None:
        details = [detail(name, message)]
        super().__init__(400, f"{name}: {message}", error="Invalid Parameter", details=details)


class NotFoundError(APIError):
    """The thing does not exist, or belongs to somebody else."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"There is no such {what}.")


def detail(
    field: str,
    message: str,
    code: str = "invalid",
    suggestion: str | None = None,
    suggestions: Sequence[Mapping[str, Any]] = (),
) -> Detail:
    """What is wrong with a field, named as in the contract (`scheduleConfig.expression`).

    Args:
        field: its name.
        message: what is wrong, and the remedy.
        code: the kind of fault.
        suggestion: the value that was probably meant.
        suggestions: all that may be meant: expressions, each with its `description` and perhaps
            with `notes`, or timezones.
    """
    found: Detail = {"field": field[:MAX_FIELD], "message": message, "code": code}
    if not suggestion:
        return found
    if len(suggestions) > 1 and all("description" in each for each in suggestions):
        found["message"] += f" Did you mean {' or '.join(map(offer_words, suggestions))}?"
    elif suggestion not in message:
        found["message"] += f" Did you mean {suggestion}?"
    if len(suggestions) == 1:
        found["message"] = " ".join([found["message"], *suggestions[0].get("notes", ())])
    found["suggestion"] = suggestion
    if suggestions:
        found["suggestions"] = list(suggestions)
    return found


def offer_words(offer: Mapping[str, Any]) -> str:
    """An expression with what it does and what it leaves out, on one line."""
    said = ". ".join([offer["description"], *(note.rstrip(".") for note in offer.get("notes", ()))])
    return f"{offer['expression']} ({said})"


def details_of(error: ValidationError) -> Iterator[Detail]:
    """The details of a model's validation, its fields named as in the contract."""
    by_field = getattr(error, "error_dict", None) or {NON_FIELD_ERRORS: error.error_list}
    for name, errors in by_field.items():
        for one in errors:
            params = one.params or {}
            yield detail(
                ".".join(filter(None, (contract_name(name), params.get("part")))),
                " ".join(map(str, one.messages)),
                one.code or "invalid",
                params.get("suggestion"),
                params.get("suggestions") or (),
            )


# There are as many names as fields of models.
@cache
def contract_name(field: str) -> str:
    """A model field's name in the contract: `schedule_config` is `scheduleConfig`."""
    if field == NON_FIELD_ERRORS:
        return ""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), field)
