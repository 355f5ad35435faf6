"""The one error of the agent package."""

from __future__ import annotations

from typing import Literal

from agents.masking import Mask
from agents.replies import Outcome, Reply

Kind = Literal["configuration", "token", "connection", "refused", "timeout", "protocol", "agent"]

# How much of what the other side said stands in a message, in bytes of UTF-8.
QUOTED_BYTES = 2048
# How much more is kept of it, so that a secret is masked as a whole before the rest is cut off.
KEPT_CHARACTERS = 16 * 1024


class AgentError(Exception):
    """A run that did not succeed.

    `message` is a sentence for an operator: what happened and, where there is something to do,
    what. Our own words come first, then up to `limit` bytes of `quoted`, the other side's words,
    which may hold anything until `hide()` has masked the secrets in them: log `kind` and `status`
    instead of the message. `kind` groups errors for metrics: "agent" is a failure that the agent
    itself reported. `reached` tells whether the agent may have begun the work, so that sending the
    run again could double it. `transient` tells whether the same request may succeed later,
    `retry_after` how many seconds the other side asked to wait. `status` is the HTTP status where
    there was one, `request_id` the agent's name for the request, and `reply` what the agent had
    said and used when the stream failed. `outcome` is set where an answer came to an end that is
    none of success.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Kind,
        quoted: str = "",
        limit: int = QUOTED_BYTES,
        reached: bool = False,
        transient: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        reply: Reply | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        self._own = message
        self._quoted = quoted[:KEPT_CHARACTERS]
        self._limit = limit
        self._more = ""
        self.kind = kind
        self.reached = reached
        self.transient = transient
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.reply = reply
        self.outcome = outcome
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """What happened, in a sentence for an operator."""
        quoted = cut(self._quoted, self._limit)
        return ": ".join(filter(None, [self._own, quoted])) + self._more

    def add(self, more: str) -> None:
        """Say more in the message."""
        self._more += f"; {more}"
        self.args = (self.message,)

    def hide(self, mask: Mask) -> None:
        """Mask the secrets that the other side has quoted."""
        self._own, self._quoted = mask.text(self._own), mask.text(self._quoted)
        self.request_id = self.request_id and mask.text(self.request_id)
        self.args = (self.message,)


def cut(text: str, limit: int) -> str:
    """The text, or its first `limit` bytes of UTF-8 and a sign that there was more."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[:limit].decode("utf-8", "ignore") + " [...]"
