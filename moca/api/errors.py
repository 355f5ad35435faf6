"""The API's errors: one shape for every error that a caller receives."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone

from moca.times import iso

Detail = dict[str, Any]

# Characters of a field's name in an answer. Callers choose the names of keys.
MAX_FIELD = 200
# Codes of details that `moca.api.editions` looks for: the user may have no further trigger, and the
# schedule fires more often than MIN_INTERVAL_MINUTES allows.
QUOTA, TOO_FREQUENT = "quota", "interval"

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

# Codes of errors without one of their own, by status; see `code_of()`.
CODES = {
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    500: "INTERNAL_ERROR",
}

# Messages of errors without one of their own, by status.
MESSAGES = {
    400: "The request is malformed.",
    403: "You may not do this.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    415: "Send the body as Content-Type: application/json.",
    500: "Something went wrong on our side. Give the requestId when you report it.",
    503: "The database is busy or away: try again in a moment.",
}

# Status and message of each code of failed authentication.
AUTHENTICATION = {
    "MISSING_AUTHORIZATION": (401, "Send Authorization: Bearer <token>."),
    "INVALID_AUTHORIZATION_FORMAT": (401, "Send Authorization: Bearer <token>."),
    "INVALID_JWT": (401, "The token has expired."),
    "INVALID_API_KEY": (
        401,
        "The API key is unknown, was revoked, or has ended: use another one.",
    ),
    "INVALID_ID_TOKEN": (401, "The ID token has expired: sign in again."),
    "TOKEN_SUBJECT_MISMATCH": (
        401,
        "The access token and the ID token are of different users: sign in again.",
    ),
    "MACHINE_USER": (
        400,
        "This token is a program's and has no user: sign in as the user instead.",
    ),
    "KEYS_UNAVAILABLE": (503, "Tokens cannot be checked now: try again in a moment."),
}


class APIError(Exception):
    """An error that the API answers with.

    Args:
        status: the HTTP status.
        message: a sentence that names the cause and the remedy; empty for the status's own.
        error: the title; empty for the usual title of the status.
        details: the faults, one per field; see `detail()`.
        code: the kind of error for programs; empty for the usual one, see `code_of()`.
        headers: extra headers of the answer.
        extra: extra keys of the body.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        error: str = "",
        details: Iterable[Detail] = (),
        code: str = "",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or MESSAGES.get(status, MESSAGES[500])
        super().__init__(self.message)
        self.status = status
        self.error = error or TITLES.get(status, "Error")
        self.details = list(details)
        self.code = code or code_of(status, self.error, has_details=bool(self.details))
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self, request_id: str, timestamp: str = "") -> dict[str, Any]:
        """The answer's body: `error`, `message`, `code`, ..., the extra keys and `details`.

        Args:
            request_id: the id of the request.
            timestamp: the time of the answer; empty for the present.
        """
        body = {
            "error": self.error,
            "message": self.message,
            "code": self.code,
            "timestamp": timestamp or iso(timezone.now()),
            "requestId": request_id,
            **self.extra,
        }
        if self.details:
            body["details"] = self.details
        return body


class InvalidFieldsError(APIError):
    """400: fields of the body are invalid. The message names the first, `details` all of them."""

    def __init__(self, details: Iterable[Detail]) -> None:
        details = list(details)
        first = details[0]
        where = f"{first['field']}: " if first["field"] else ""
        super().__init__(400, f"{where}{first['message']}", details=details)


class InvalidParameterError(APIError):
    """400: a query parameter or a header is invalid."""

    def __init__(self, name: str, message: str) -> None:
        details = [detail(name, message)]
        super().__init__(400, f"{name}: {message}", error="Invalid Parameter", details=details)


class AuthenticationError(APIError):
    """The caller could not be authenticated.

    Args:
        code: a key of AUTHENTICATION.
        message: the cause and the remedy; empty for the code's own message.
        retry_after: seconds after which a retry makes sense; None if no retry helps.
    """

    def __init__(self, code: str, message: str = "", *, retry_after: int | None = None) -> None:
        status, usual = AUTHENTICATION[code]
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        title = "Authentication Error"
        super().__init__(status, message or usual, error=title, code=code, headers=headers)


class NotFoundError(APIError):
    """404: the object does not exist, or belongs to another user."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"There is no such {what}.")


def code_of(status: int, title: str, *, has_details: bool) -> str:
    """The usual code of an error.

    A 400 is VALIDATION_ERROR if it names fields or parameters, else INVALID_ARGUMENT. For a status
    without a code in CODES, the code is the title, such as PRECONDITION_FAILED.
    """
    if status == 400:
        return "VALIDATION_ERROR" if has_details else "INVALID_ARGUMENT"
    return CODES.get(status) or title.upper().replace(" ", "_")


def detail(
    field: str,
    message: str,
    code: str = "invalid",
    suggestion: str | None = None,
    suggestions: Sequence[Mapping[str, Any]] = (),
) -> Detail:
    """Describe the fault of one field, as `details` of an answer has it.

    Args:
        field: the field's name in the API, such as `scheduleConfig.expression`.
        message: the cause and the remedy. Suggestions are added to it.
        code: the kind of fault.
        suggestion: the most likely correct value.
        suggestions: all likely values: expressions, each with `description` and optional `notes`,
            or timezones.
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
    """A suggested expression on one line, with its description and notes in parentheses."""
    said = ". ".join([offer["description"], *(note.rstrip(".") for note in offer.get("notes", ()))])
    return f"{offer['expression']} ({said})"


def details_of(error: ValidationError) -> Iterator[Detail]:
    """Convert a model's ValidationError into details, with the API's names of fields."""
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
    """The API's name of a model field: `scheduleConfig` for `schedule_config`."""
    if field == NON_FIELD_ERRORS:
        return ""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), field)
