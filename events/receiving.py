"""Taking in events at a source's address: each signed, each once, none lost.

An event is on record before it goes on, to the queue of the local scheduler or to an event bus. One
that could not go on is refused to the sender, who sends it again, and goes on then.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from events import envelopes, marks, signatures
from events.buses import get_bus
from events.models import KEPT, EventSource, ReceivedEvent
from events.signatures import Signature, SignatureError
from moca.ids import new_id

# Events of one message are this far apart, so that they have an order.
STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told about an event.

    Attributes:
        id: the id of the event here.
        is_duplicate: whether it had come before, so that nothing was done.
    """

    id: str
    is_duplicate: bool


def receive(
    source: EventSource, content_type: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> list[Receipt]:
    """Take in a message's events.

    Args:
        source: the source at whose address it came in.
        content_type: the message's Content-Type.
        headers: its headers.
        body: its body, byte for byte.
        now: the present.

    Raises:
        SignatureError: it is not signed with a secret of the source, too old, or a replay.
        EnvelopeError: it is no event.
        BusError: it could not go on; the sender is to send it again.
    """
    signature = verified(source, headers, body, now)
    lowered = {name.lower(): text for name, text in headers.items()}
    found = envelopes.read(source.kind, source.pk, content_type, lowered, body, now)
    return _take_in(source, found, signature, now)


def receive_test(source: EventSource, body: bytes, now: datetime, *, name: str, by: str) -> Receipt:
    """Take in an event that an operator made up; it goes the way of all others, and runs triggers.

    Args:
        source: the source as whose event it goes on.
        body: what the sender would send.
        now: the present.
        name: the event's name, where the sender says it in a header (GitHub).
        by: the operator's name, which the event is marked with.

    Raises:
        EnvelopeError, BusError: as of `receive()`.
    """
    key = new_id()
    headers = {"webhook-id": key, "x-github-event": name, "x-github-delivery": key}
    (sent,) = envelopes.read(source.kind, source.pk, envelopes.JSON_TYPE, headers, body, now)
    marks.set_test(sent.envelope, by)
    signature = Signature(hashlib.sha256(key.encode()).hexdigest(), is_dated=False)
    # Of its own key, since the body may be that of an event that came before.
    (receipt,) = _take_in(source, [envelopes.Sent(key, sent.envelope)], signature, now)
    return receipt


def _take_in(
    source: EventSource, found: Sequence[envelopes.Sent], signature: Signature, now: datetime
) -> list[Receipt]:
    rows = [_row(source, sent, signature, now + place * STEP) for place, sent in enumerate(found)]
    bus = get_bus()
    receipts, waiting = [], []
    for row in rows:
        kept = _keep(row)
        is_known = kept is not row
        if is_known and bus.has(kept) and signature.is_dated and kept.signature == row.signature:
            raise SignatureError(
                "This very message came before: sign it anew to send its event again."
            )
        if not is_known or not bus.has(kept):
            waiting.append(kept)
        receipts.append(Receipt(kept.pk, is_known))
    bus.publish(source, waiting)
    return receipts


def verified(
    source: EventSource, headers: Mapping[str, str], body: bytes, now: datetime
) -> Signature:
    """Check who signed a message; SignatureError as of `receive()`."""
    return signatures.verify(source.kind, headers, body, source.active_secrets(now), now)


def _row(
    source: EventSource, sent: envelopes.Sent, signature: Signature, now: datetime
) -> ReceivedEvent:
    event_id = hashlib.sha256(json.dumps([source.pk, sent.key]).encode()).hexdigest()
    marks.set_id(sent.envelope, event_id)
    return ReceivedEvent(
        id=event_id,
        source_id=source.pk,
        signature=signature.digest,
        received_at=now,
        envelope=json.dumps(sent.envelope, ensure_ascii=False),
        ttl=int((now + KEPT).timestamp()),
    )


def _keep(row: ReceivedEvent) -> ReceivedEvent:
    """Put an event on record; returns the row of the first time for one that is known."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return ReceivedEvent.objects.get(pk=row.pk)
    return row
