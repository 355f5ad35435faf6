"""Receives signed webhooks at a source's address: stores each event once, then publishes it.

An event is stored before it is published to the local scheduler's queue or to an event bus. If
publishing fails, the sender gets an error and retries, and `events.outbox` retries too.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from events import deliveries, provenance, senders, signatures, signing_keys, storing, webhooks
from events.buses import get_bus
from events.kinds import SourceKind
from events.models import KEPT, EventSource, ReceivedEvent
from events.schemes.base import Message, SignatureError
from events.schemes.public_key import PublicKeyScheme, key_of_nobody
from events.signatures import Signature
from events.webhooks import EnvelopeError
from moca import sealing, tracing
from moca.ids import new_id

# The most events that are stored in one transaction.
GROUP = 50


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a sender about one event.

    Attributes:
        id: the event's id here.
        is_duplicate: whether it was received before; it is not published again.
    """

    id: str
    is_duplicate: bool


def authenticate(source: EventSource, message: Message, now: datetime) -> Signature:
    """Verify that a message is signed with a secret of the source.

    Args:
        source: the source at whose address the message arrived.
        message: the message.
        now: the present.

    Raises:
        SignatureError: the signature is invalid, or the message is too old and not all of its
            events are stored.
        UnavailableError: the signature cannot be checked at present.
        UnreadableError: the source's secrets cannot be read.
    """
    scheme = source.sender.scheme
    if scheme is None:
        raise SignatureError("no-sender", "This source has no senders that sign.")
    return signatures.verify(
        scheme,
        message,
        partial(source.active_secrets, now),
        now,
        is_stored=partial(_is_stored, source, message, now),
    )


def decoy_source(headers: Mapping[str, str], now: datetime) -> EventSource:
    """A source with a random secret, of the kind that a message seems to be for.

    A message to an address without a source is verified against it. Neither the answer nor its
    timing then reveals that there is no source.
    """
    kind = senders.kind_of(headers) or SourceKind.WEBHOOK
    scheme = senders.sender_of(kind).scheme
    secret = (
        key_of_nobody(scheme.algorithm)
        if isinstance(scheme, PublicKeyScheme)
        else sealing.new_signing_secret()
    )
    return EventSource(kind=kind, secrets=signing_keys.seal(secret, now))


def receive(
    source: EventSource, signature: Signature, message: Message, now: datetime
) -> list[Receipt]:
    """Store and publish all events of a message, or none.

    Only of a large batch of SendGrid's, a part may be stored if publishing fails. SendGrid sends
    the batch again, and what is stored is known by its id.

    Args:
        source: the source at whose address the message arrived.
        signature: the result of `authenticate()`.
        message: the message.
        now: the present.

    Raises:
        SignatureError: the message is too old, and one of its events is no longer stored.
        EnvelopeError: the message is no event.
        BusError: publishing failed; the sender should retry.
    """
    found = [
        deliveries.with_deduplication_key(source, sent, signature.digest, now)
        for sent in webhooks.parse(source.sender, source.pk, message, now)
    ]
    return [
        receipt
        for some in _in_groups(source, found)
        for receipt in _store_and_publish(source, some, signature, now)
    ]


def _in_groups(
    source: EventSource, found: list[webhooks.IncomingEvent]
) -> Iterable[Sequence[webhooks.IncomingEvent]]:
    """The events of a message, in groups that fit in a transaction.

    SendGrid alone sends more, and with envelopes more than a bus takes at once.
    """
    if source.kind != SourceKind.SENDGRID:
        return [found]
    return [found[start : start + GROUP] for start in range(0, len(found), GROUP)]


def receive_test(source: EventSource, body: bytes, now: datetime, *, name: str, by: str) -> Receipt:
    """Receive a test event of an operator; like any other event it runs triggers.

    Args:
        source: the source whose event it is.
        body: the body that the sender would send.
        now: the present.
        name: the event's name, for senders that put it in a header (GitHub).
        by: the operator's name, for the event's tag.

    Raises:
        EnvelopeError: the body is no event.
        BusError: publishing failed.
    """
    key = new_id()
    message = webhooks.sample(source.sender, key, name, body)
    (sent, *_) = webhooks.parse(source.sender, source.pk, message, now)
    provenance.tag_test(sent.envelope, by)
    signature = Signature(hashlib.sha256(key.encode()).hexdigest(), is_fresh=True)
    # It has a key of its own, because an earlier event may have the same body.
    (receipt,) = _store_and_publish(
        source, [webhooks.IncomingEvent(key, sent.envelope)], signature, now
    )
    return receipt


def _store_and_publish(
    source: EventSource,
    found: Sequence[webhooks.IncomingEvent],
    signature: Signature,
    now: datetime,
) -> list[Receipt]:
    sent = [_row(source, one, signature, now, place) for place, one in enumerate(found)]
    if sum(len(row.going_on.encode()) for row in sent) > settings.MAX_EVENT_BYTES:
        raise webhooks.SizeError(
            "",
            f"With their envelopes, events may have {settings.MAX_EVENT_BYTES // 1024} KB "
            f"together, which is what {get_bus().what} takes.",
        )
    rows: dict[str, ReceivedEvent] = {}
    for row in sent:
        # A message may have the same event twice.
        rows.setdefault(row.pk, row)
    known = (storing.store if signature.is_fresh else _stored)(list(rows.values()))
    bus = get_bus()
    gone = {pk for pk, row in known.items() if bus.has(row)}
    # A stored row may hold only a part of a large event; the row from the message has all of it.
    going = [row if row.whole else known.get(pk, row) for pk, row in rows.items() if pk not in gone]
    bus.publish(source, going)
    return [Receipt(row.pk, row.pk in gone or rows[row.pk] is not row) for row in sent]


def _row(
    source: EventSource,
    sent: webhooks.IncomingEvent,
    signature: Signature,
    now: datetime,
    place: int,
) -> ReceivedEvent:
    event_id = source.event_id(sent.key)
    provenance.tag_event(sent.envelope, event_id)
    row = ReceivedEvent(
        id=event_id,
        source_id=source.pk,
        signature=signature.digest,
        # The scheduler handles events by this time: keep the order within a message.
        received_at=now + timedelta(microseconds=place),
        trace_context=tracing.current().context,
        ttl=int((now + KEPT).timestamp()),
    )
    row.set_envelope(sent.envelope)
    return row


def _is_stored(source: EventSource, message: Message, now: datetime) -> bool:
    """Whether all events of a message are stored.

    If the answer is lost, a proxy or a client repeats the message unchanged, with the old time.
    """
    try:
        found = webhooks.parse(source.sender, source.pk, message, now)
    except EnvelopeError:
        return False
    ids = {source.event_id(sent.key) for sent in found}
    return bool(ids) and len(ReceivedEvent.objects.in_bulk(ids)) == len(ids)


def _stored(rows: Sequence[ReceivedEvent]) -> dict[str, ReceivedEvent]:
    """The stored rows of events, by id; SignatureError if one is not stored."""
    known: dict[str, ReceivedEvent] = ReceivedEvent.objects.in_bulk([row.pk for row in rows])
    if len(known) < len(rows):
        raise SignatureError("stale", signatures.STALE)
    return known
