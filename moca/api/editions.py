"""Tells which edition of the frontend sends a request, and answers each as it expects.

Two editions of the TypeScript service's frontend call this API. If one answer suits both, both
get it. The differences are in this module, and docs/api.md lists them under "Two frontends".
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request

from moca.api import parameters
from moca.api.errors import QUOTA, TOO_FREQUENT, APIError, Detail

# The frontend of 2026 sends the user's ID token in it with every request.
ID_TOKEN_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token"  # noqa: S105  (no secret)

OLDEST_FIRST, NEWEST_FIRST = "asc", "desc"
# The sign and the digits that JavaScript's parseInt reads, up to the most that a limit may need.
_LEADING_NUMBER = re.compile(r"\s*([+-]?)0*([0-9]{1,9})")


class Edition:
    """How the API answers its own clients and the frontend's earlier edition.

    Attributes:
        order: the order of triggers, if the request names none.
        deletes_twice: whether deleting a trigger that does not exist is a success.
        indents_payloads: whether events of executions are shown as indented JSON.
    """

    order: ClassVar[str] = NEWEST_FIRST
    deletes_twice: ClassVar[bool] = False
    indents_payloads: ClassVar[bool] = False

    def page_size(self, query: QueryDict, *, default: int, most: int) -> int:
        """Read `limit`.

        Raises:
            InvalidParameterError: it is no whole number from 1 to `most`.
        """
        return parameters.whole_number(query, "limit", default=default, least=1, most=most)

    def status(self, error: APIError) -> int:
        """The status of the answer to an error."""
        return error.status

    def title(self, error: APIError) -> str:
        """The `error` of the answer to an error."""
        return error.error

    def code(self, error: APIError) -> str:
        """The `code` of the answer to an error."""
        return error.code

    def details(self, error: APIError) -> Any:
        """The `details` of the answer to an error; empty if it has none."""
        return error.details


class Edition2026(Edition):
    """How the API answers the frontend of 2026, which sends an ID token beside the access token."""

    order = OLDEST_FIRST
    deletes_twice = True
    indents_payloads = True

    # The most rows on a page that the request asks for.
    most: ClassVar[int] = 100

    def page_size(self, query: QueryDict, *, default: int, most: int) -> int:
        """Read `limit` as its own backend does: a larger one counts as 100.

        Anything that is no number above 0 counts as left out.
        """
        found = _LEADING_NUMBER.match(query.get("limit", ""))
        number = int(found[2]) if found and found[1] != "-" else 0
        return min(number, most, self.most) or default

    def status(self, error: APIError) -> int:
        return 409 if _has(error, QUOTA) else error.status

    def title(self, error: APIError) -> str:
        return "Conflict" if _has(error, QUOTA) else error.error

    def code(self, error: APIError) -> str:
        return "CONFLICT" if _has(error, QUOTA) else error.code

    def details(self, error: APIError) -> Any:
        """An object: the fields by `fieldViolations`, the quota by `limit`."""
        if _has(error, QUOTA):
            return {"limit": settings.MAX_TRIGGERS_PER_USER}
        if not error.details:
            return {}
        found: dict[str, Any] = {"fieldViolations": _violations(error.details)}
        if _has(error, TOO_FREQUENT):
            found["scheduleErrorCode"] = "INVALID_SCHEDULE_INTERVAL"
        return found


OURS, OF_2026 = Edition(), Edition2026()


def edition_of(request: HttpRequest | Request) -> Edition:
    """The edition that sends a request: that of 2026 sends an ID token in a header of its own."""
    return OF_2026 if request.headers.get(ID_TOKEN_HEADER) else OURS


def is_oldest_first(request: Request, *, usual: str) -> bool:
    """Read `order` of a list: `asc` or `desc`; `usual` if it is left out.

    Raises:
        InvalidParameterError: it is neither.
    """
    named = parameters.choice(request.query_params, "order", [OLDEST_FIRST, NEWEST_FIRST])
    return (named or usual) == OLDEST_FIRST


def error_body(request: HttpRequest | Request, error: APIError) -> tuple[int, dict[str, Any]]:
    """The status and the body of the answer to an error, as the request's edition reads them."""
    edition = edition_of(request)
    body = error.body(getattr(request, "request_id", ""))
    body |= {"error": edition.title(error), "code": edition.code(error)}
    if details := edition.details(error):
        body["details"] = details
    return edition.status(error), body


def _has(error: APIError, code: str) -> bool:
    """Whether one of the error's details has a code."""
    return any(each["code"] == code for each in error.details)


def _violations(details: Sequence[Detail]) -> list[Detail]:
    """The faults of fields; `(root)` stands for the whole body."""
    return [
        {**each, "field": each["field"] or "(root)", "description": each["message"]}
        for each in details
    ]
