"""Listen mode: for some minutes, messages to a source's address are looked at, and start no runs.

It is for operators who do not know how a sender signs. The messages are not verified, so anybody
can send them: few are stored, encrypted, and they go within the hour.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from events import seen
from events.models import EventSource
from events.proposals import Proposal
from events.schemes.base import Message
from events.seen import Purpose, SeenMessage
from moca import sealing
from moca.logs import LineLimit

# How long a source listens, and how long its messages are kept after that.
LASTS, KEPT = timedelta(minutes=10), timedelta(minutes=30)
# Messages that are kept of a source, and how many a process stores in some seconds.
MOST, AT_ONCE, PERIOD_SECONDS = 20, 20, 10.0
# The largest body that is kept whole, so that a secret can be tried with it.
MAX_BODY = 64 * 1024
# Characters of a body that the page shows.
MAX_START = 500
PURPOSE = "heard messages"
# How long the choice of an operator is valid.
CHOICE_SECONDS = 3600


def is_listening(source: EventSource, now: datetime) -> bool:
    """Whether messages to the source's address are looked at only."""
    return source.listening_until is not None and now < source.listening_until


@lru_cache(maxsize=256)
def _limit(_source_id: str) -> LineLimit:
    return LineLimit()


def hear(source: EventSource, message: Message, now: datetime) -> None:
    """Keep a message that came while the source listens, unless too many come.

    Raises:
        DatabaseError: it could not be stored.
    """
    if _limit(source.pk).next(AT_ONCE, PERIOD_SECONDS) is None:
        return
    row = SeenMessage(
        source_id=source.pk,
        purpose=Purpose.HEARD,
        seen_at=now,
        headers=seen.shown_headers(message.headers),
        media_type=seen.printable(message.content_type, seen.MAX_TYPE - 1),
        size=len(message.body),
        digest=hashlib.sha256(message.body).hexdigest(),
        start=seen.printable(message.body[: 4 * MAX_START].decode(errors="replace"), MAX_START),
        sealed=_sealed(message) if len(message.body) <= MAX_BODY else "",
        ttl=int((now + LASTS + KEPT).timestamp()),
    )
    seen.keep(row, MOST)


def heard(source: EventSource) -> list[SeenMessage]:
    """The messages that came while the source listened, the latest first."""
    return list(SeenMessage.objects.of(source.pk, Purpose.HEARD)[:MOST])


def forget(source: EventSource) -> None:
    """Remove the messages that came while the source listened."""
    for row in heard(source):
        SeenMessage.objects.filter(pk=row.pk).delete()


def _sealed(message: Message) -> str:
    whole = {
        "headers": {name: text[:4096] for name, text in message.headers.items()},
        "body": base64.b64encode(message.body).decode(),
        "type": message.content_type,
        "urls": list(message.urls),
    }
    return sealing.seal(PURPOSE, whole)


def opened(row: SeenMessage) -> Message | None:
    """The whole message, or None if it is too large or cannot be read."""
    whole = sealing.unseal(PURPOSE, row.sealed)
    if whole is None:
        return None
    return Message(
        whole["headers"], base64.b64decode(whole["body"]), whole["type"], tuple(whole["urls"])
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings that an operator can give a source by one click."""

    kind: str
    options: Mapping[str, Any]
    secret: str = ""


def sealed_choice(source: EventSource, proposal: Proposal, secret: str = "") -> str:
    """A proposal and its secret for a form, encrypted, because no page shows a secret again."""
    whole = {"source": source.pk, "kind": proposal.kind, "options": dict(proposal.options)}
    return sealing.seal(PURPOSE, {**whole, "secret": secret})


def choice_of(source: EventSource, text: str) -> Choice | None:
    """What `sealed_choice()` encrypted; None if it is of another source, too old, or no such."""
    whole = sealing.unseal(PURPOSE, text, CHOICE_SECONDS)
    if whole is None or whole.get("source") != source.pk:
        return None
    return Choice(whole["kind"], whole["options"], whole["secret"])
