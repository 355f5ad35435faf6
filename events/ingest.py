"""Taking in events at a source's address: each signed, each once, none lost.

An event is on record before it goes on, to the queue of the local scheduler or to an event bus. One
that could not go on is refused to the sender, who sends it again, and goes on then.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction

from events import deliveries, envelope, provenance, signatures, signing_keys
from events.buses import BusError, get_bus
from events.envelope import EnvelopeError
from events.models import KEPT, EventSource, ReceivedEvent, SourceKind
from events.signatures import Signature, SignatureError
from moca.ids import new_id

# Messages with the same events, which come at the same moment, wait for each other so often.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told about an event.

    Attributes:
        id: the id of the event here.
        is_duplicate: whether it had come before, so that nothing was done.
    """

    id: str
    is_duplicate: bool


def authenticate(
    source: EventSource, content_type: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Signature:
    """Check who signed a message.

    Args:
        source: the source at whose address it came in.
        content_type: the message's Content-Type.
        headers: its headers, their names in lower case.
        body: its body, byte for byte.
        now: the present.

    Raises:
        SignatureError: it is not signed with a secret of the source, or it is too old and its
            events are not all on record.
        UnreadableError: the secrets of the source cannot be read.
    """
    return signatures.verify(
        source.kind,
        headers,
        body,
        partial(source.active_secrets, now),
        now,
        is_on_record=partial(_is_on_record, source, content_type, headers, body, now),
    )


def decoy_source(headers: Mapping[str, str], now: datetime) -> EventSource:
    """A source that nobody can sign for, of the kind that a message looks to be for.

    A message to an address without a source is checked against it, so that neither the answer nor
    the time that it takes says that there is none.
    """
    kind = signatures.kind_of(headers) or SourceKind.WEBHOOK
    return EventSource(kind=kind, secrets=signing_keys.seal(signing_keys.new_secret(), now))


def receive(
    source: EventSource,
    signature: Signature,
    content_type: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> list[Receipt]:
    """Take in a message's events: all of them, or none.

    Args:
        source: the source at whose address it came in.
        signature: what `authenticate()` found.
        content_type: the message's Content-Type.
        headers: its headers, their names in lower case.
        body: its body, byte for byte.
        now: the present.

    Raises:
        SignatureError: it is too old, and an event of it is not on record any more.
        EnvelopeError: it is no event.
        BusError: it could not go on; the sender is to send it again.
    """
    found = envelope.parse(source.kind, source.pk, content_type, headers, body, now)
    told_apart = [
        deliveries.with_deduplication_key(source, sent, signature.digest, now) for sent in found
    ]
    return _take_in(source, told_apart, signature, now)


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
    (sent,) = envelope.parse(source.kind, source.pk, envelope.JSON_TYPE, headers, body, now)
    provenance.tag_test(sent.envelope, by)
    signature = Signature(hashlib.sha256(key.encode()).hexdigest(), is_fresh=True)
    # Of its own key, since the body may be that of an event that came before.
    (receipt,) = _take_in(source, [envelope.IncomingEvent(key, sent.envelope)], signature, now)
    return receipt


def _take_in(
    source: EventSource,
    found: Sequence[envelope.IncomingEvent],
    signature: Signature,
    now: datetime,
) -> list[Receipt]:
    sent = [_row(source, one, signature, now, place) for place, one in enumerate(found)]
    if sum(len(row.going_on.encode()) for row in sent) > settings.MAX_EVENT_BYTES:
        raise envelope.SizeError(
            "",
            f"With their envelopes, events may have {settings.MAX_EVENT_BYTES // 1024} KB "
            f"together, which is what {get_bus().what} takes.",
        )
    rows: dict[str, ReceivedEvent] = {}
    for row in sent:
        # The same event may stand in a message twice.
        rows.setdefault(row.pk, row)
    known = (_keep if signature.is_fresh else _on_record)(list(rows.values()))
    bus = get_bus()
    gone = {pk for pk, row in known.items() if bus.has(row)}
    # If a row does not hold its whole event, the event goes on from the message.
    going = [row if row.whole else known.get(pk, row) for pk, row in rows.items() if pk not in gone]
    bus.publish(source, going)
    return [Receipt(row.pk, row.pk in gone or rows[row.pk] is not row) for row in sent]


def _row(
    source: EventSource,
    sent: envelope.IncomingEvent,
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
        # Events of one message are handled in their order.
        received_at=now + timedelta(microseconds=place),
        ttl=int((now + KEPT).timestamp()),
    )
    row.set_envelope(sent.envelope)
    return row


def _is_on_record(
    source: EventSource, content_type: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> bool:
    """Whether all events of a message came in before, whoever sent it this time.

    A proxy or a client repeats a message byte for byte, time and all, if the answer got lost.
    """
    try:
        found = envelope.parse(source.kind, source.pk, content_type, headers, body, now)
    except EnvelopeError:
        return False
    ids = {source.event_id(sent.key) for sent in found}
    return bool(ids) and len(ReceivedEvent.objects.in_bulk(ids)) == len(ids)


def _on_record(rows: Sequence[ReceivedEvent]) -> dict[str, ReceivedEvent]:
    """The rows of events that are all on record; SignatureError else."""
    known: dict[str, ReceivedEvent] = ReceivedEvent.objects.in_bulk([row.pk for row in rows])
    if len(known) < len(rows):
        raise SignatureError("stale", signatures.STALE)
    return known


def _keep(rows: Sequence[ReceivedEvent]) -> dict[str, ReceivedEvent]:
    """Put events on record at once; returns the rows of those that are on record already."""
    known: dict[str, ReceivedEvent] = {}
    for _ in range(TRIES):
        new = [row for row in rows if row.pk not in known]
        if not new:
            return known
        try:
            with transaction.atomic():
                ReceivedEvent.objects.bulk_create(new)
        except IntegrityError:
            known = ReceivedEvent.objects.in_bulk([row.pk for row in rows])
        else:
            return known
    raise BusError("The same events are being received at this moment.")
