"""Deduplicates events whose sender signs the body but not the id, as GitHub and others do.

GitHub sends a delivery id with each event and signs the body alone. Two events can have the same
body, such as two manual runs of a workflow, and a redelivery has the id of the first delivery. An
attacker who has a signed message can replay it under any id. Within the source's `replay_seconds`
(REPLAY_SECONDS in `events.models` unless it is set), events with the same body therefore count as
one, whatever their ids. Events without any id get one here, so that the window alone decides.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from events.models import EventSource, ReceivedEvent
from events.webhooks import IncomingEvent


def with_deduplication_key(
    source: EventSource, sent: IncomingEvent, signature: str, now: datetime
) -> IncomingEvent:
    """The event with a key that tells it from other events with the same body.

    Args:
        source: the source that received it.
        sent: the event, whose key stands for its body.
        signature: the digest of its signature.
        now: the present.
    """
    if not sent.unsigned_id:
        return sent
    own = replace(sent, key=_delivery_key(sent.key, sent.unsigned_id))
    ids = [source.event_id(sent.key), source.event_id(own.key)]
    first, delivered = map(ReceivedEvent.objects.in_bulk(ids).get, ids)
    if delivered is not None:
        return own
    if first is not None and _delivery(first) == sent.unsigned_id:
        return sent
    if not source.replay_seconds:
        return own
    since = now - timedelta(seconds=_window(source))
    if first is None or first.received_at > since:
        # The first event keeps the body's key: of several simultaneous ones, one is stored.
        return sent
    latest = _latest(source, signature, since)
    return own if latest is None else replace(sent, key=_delivery_key(sent.key, _delivery(latest)))


def _window(source: EventSource) -> int:
    """The replay window. If the time is signed, a replay is accepted for as long as it is fresh."""
    sender = source.sender
    if sender.scheme is None or not sender.signs_time:
        return source.replay_seconds
    # The sender's clock may be ahead of ours by the tolerance, or behind it.
    return max(source.replay_seconds, 2 * sender.scheme.tolerance)


def _delivery_key(body: str, delivery: str) -> str:
    return f"{body} {delivery}"


def _delivery(event: ReceivedEvent) -> str:
    return str(event.contents.get("id", ""))


def _latest(source: EventSource, signature: str, since: datetime) -> ReceivedEvent | None:
    """The latest event with a signature that was received after `since`, or None."""
    rows = ReceivedEvent.objects.of_source(source.pk)
    found: ReceivedEvent | None = rows.filter(received_at__gt=since, signature=signature).first()
    return found
