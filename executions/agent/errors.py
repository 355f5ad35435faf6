"""The one error of the agent package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from executions.agent.stream import Reply

Kind = Literal["configuration", "token", "connection", "refused", "timeout", "protocol", "agent"]


class AgentError(Exception):
    """A run that did not succeed.

    `message` is a sentence for an operator: what happened and, where there is something to do,
    what. It never holds a credential. `kind` groups errors for metrics: "agent" is a failure that
    the agent itself reported. `reached` tells whether the agent may have begun the work, so that
    sending the run again could double it. `transient` tells whether the same request may succeed
    later, `retry_after` how many seconds the other side asked to wait. `status` is the HTTP status
    where there was one, `request_id` the agent's name for the request, and `reply` what the agent
    had said and used when the stream failed.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Kind,
        reached: bool = False,
        transient: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.reached = reached
        self.transient = transient
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.reply = reply

    def add(self, more: str) -> None:
        """Say more in the message."""
        self.message = f"{self.message}; {more}"
        self.args = (self.message,)

    def hide(self, secrets: Iterable[str]) -> None:
        """Take secrets that the other side has quoted out of the message."""
        for secret in secrets:
            self.message = self.message.replace(secret, "***")
        self.args = (self.message,)
