"""Rejected messages on the page of an event source: why in words, and what to do about it."""

from dataclasses import dataclass
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from events import rejections
from events.models import EventSource
from events.seen import SeenMessage

# What each reason means, and what operators can do.
WORDS: dict[str, Any] = {
    "header": _(
        "A header that this kind of sender always sends is missing, or is malformed. Check that "
        "the sender signs its messages, and that the source has the right kind."
    ),
    "timestamp": _("The signed time is malformed. Check that the source has the right kind."),
    "signature": _(
        "The signature was made with another secret, or something on the way changed the body. "
        "Enter the same secret at the sender and here, and let no proxy rewrite bodies."
    ),
    "token": _("The token is another one. Enter the same token at the sender and here."),
    "no-secret": _("The source has no secret. Set a new secret, and enter it at the sender."),
    "stale": _(
        "The message was signed too long ago. Check the sender's clock. If it retried an old "
        "message, nothing is wrong."
    ),
    "secrets": _(
        "The source's secrets cannot be read. Add the previous key to SECRET_KEY_FALLBACKS, or set "
        "a new secret."
    ),
    "body": _(
        "The body is no event of this kind. Have the sender send JSON, and check that the source "
        "has the right kind."
    ),
    "content-type": _(
        "The source does not accept this content type. Choose application/json at the sender."
    ),
    "size": _("The message is too large. Have the sender send less in one message."),
    "address": _(
        "The message names an address that does not belong to its sender, so it may be forged."
    ),
    "unavailable": _(
        "What verifies the message could not be fetched. The sender should send it again. If that "
        "does not help, let this machine reach the sender's address."
    ),
    "no-sender": _("The source has no senders that sign. Choose the kind of its sender."),
}
OTHER = _("The message could not be accepted.")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A rejected message as the page shows it."""

    row: SeenMessage

    @property
    def words(self) -> Any:
        """Why it was rejected, and the remedy."""
        return WORDS.get(self.row.code, OTHER)

    @property
    def form(self) -> Any:
        """The size and the content type of the body."""
        size = format_lazy(_("{size} bytes"), size=f"{self.row.size:,}")
        return f"{size}, {self.row.media_type}" if self.row.media_type else size


def rejected_rows(source: EventSource) -> list[RejectedRow]:
    """The last rejected messages of a source, the latest first."""
    return [RejectedRow(row) for row in rejections.recent(source)]
