"""What the client raises. Each error says what happened and how to mend it."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from moca_triggers.models import ErrorDetail


class MocaTriggersError(Exception):
    """Any failure of the client.

    Attributes:
        message: what happened.
        remedy: what to do about it; empty if the message says so.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class ConfigurationError(MocaTriggersError):
    """The URL or the token is missing or unusable. Nothing was sent."""


class UnreachableError(MocaTriggersError):
    """The server cannot be reached, did not answer in time, or is no Moca Triggers."""


class UnfinishedError(MocaTriggersError):
    """A run has not ended within the time that the caller waits. It goes on."""


class AnswerError(MocaTriggersError):
    """The server answered with an error.

    Attributes:
        status: the HTTP status.
        code: the error's code for programs, such as `VALIDATION_ERROR`.
        details: what is wrong with each field.
        request_id: the id under which the server's log has the request.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], *, remedy: str = "", request_id: str = ""
    ) -> None:
        super().__init__(str(body.get("message") or body.get("error") or f"HTTP {status}"), remedy)
        self.status = status
        self.code = str(body.get("code", ""))
        found = body.get("details")
        self.details = cast("Sequence[ErrorDetail]", found if isinstance(found, list) else [])
        self.request_id = str(body.get("requestId") or request_id)

    @property
    def field(self) -> str:
        """The first field that is wrong, such as `scheduleConfig.timezone`; empty if none is."""
        return self.details[0]["field"] if self.details else ""

    @property
    def suggestion(self) -> str:
        """What to write in the first wrong field instead; empty if the server does not know."""
        return self.details[0].get("suggestion", "") if self.details else ""


class ServerError(AnswerError):
    """The server failed, after all retries. It answered with a status from 500 on."""


class RefusedError(AnswerError):
    """The server refused the request, which must change before it is sent again."""


class NotSignedInError(RefusedError):
    """401: there is no token, or it has expired or is of another installation."""


class ForbiddenError(RefusedError):
    """403: the caller's role does not allow it."""


class NotFoundError(RefusedError):
    """404: it does not exist, or belongs to another user."""


class ConflictError(RefusedError):
    """409: it contradicts the state of the trigger or of the run."""


class ChangedError(RefusedError):
    """412: somebody has changed the trigger since the version that the caller has read."""


REFUSALS: dict[int, type[RefusedError]] = {
    401: NotSignedInError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ChangedError,
}
REMEDIES = {
    401: "Set MOCA_TRIGGERS_TOKEN to a valid token, or run `moca-triggers login`.",
    412: "Read the trigger again, and change what you find then.",
}


def error_of(status: int, body: Mapping[str, Any], request_id: str) -> AnswerError:
    """The error for an answer of the server."""
    kind = ServerError if status >= 500 else REFUSALS.get(status, RefusedError)
    return kind(status, body, remedy=REMEDIES.get(status, ""), request_id=request_id)
