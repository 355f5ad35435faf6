"""Deduplicates events whose sender signs the body and no id, as GitHub does.

GitHub sends each event with the id of its delivery, and signs the body alone. Two events may have
the same body, as two runs of one workflow by hand, and a redelivery has the id of the first. But
whoever got hold of a message can send it again under any id: for a short time, which its source
says, the body alone is what an event is known by.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from events.envelope import IncomingEvent
from events.models import EventSource, ReceivedEvent


def with_deduplication_key(
    source: EventSource, sent: IncomingEvent, signature: str, now: datetime
) -> IncomingEvent:
    """The event with the key by which it is known among others of the same body.

    Args:
        source: the source at whose address it came in.
        sent: the event.
        signature: the digest of its signature.
        now: the present.
    """
    if not sent.unsigned_id:
        return sent
    own = replace(sent, key=_key(sent.key, sent.unsigned_id))
    ids = [source.event_id(sent.key), source.event_id(own.key)]
    first, delivered = map(ReceivedEvent.objects.in_bulk(ids).get, ids)
    if delivered is not None:
        return own
    if first is not None and _delivery(first) == sent.unsigned_id:
        return sent
    if not source.replay_seconds:
        return own
    since = now - timedelta(seconds=source.replay_seconds)
    if first is None or first.received_at > since:
        # The first of its body has the body's key: of several at the same moment, one is put on
        # record.
        return sent
    latest = _latest(source, signature, since)
    return own if latest is None else replace(sent, key=_key(sent.key, _delivery(latest)))


def _key(body: str, delivery: str) -> str:
    return f"{body} {delivery}"


def _delivery(event: ReceivedEvent) -> str:
    return str(event.contents.get("id", ""))


def _latest(source: EventSource, signature: str, since: datetime) -> ReceivedEvent | None:
    """The latest event that came in with a signature since a moment."""
    rows = ReceivedEvent.objects.of_source(source.pk)
    found: ReceivedEvent | None = rows.filter(received_at__gt=since, signature=signature).first()
    return found
