"""Retries to publish stored events that could not be published when they were received."""

import logging
import time
from datetime import datetime, timedelta

from events import sources
from events.buses import BusError, get_bus
from events.models import EventSource, ReceivedEvent

logger = logging.getLogger(__name__)

# The request that received a younger event may still be publishing it.
AGE = timedelta(minutes=1)
# Events in one pass.
MOST = 1000
# Limits a pass, because a bus that does not answer would block the reconciler's other work.
MOST_SECONDS = 120


def publish_overdue(now: datetime) -> int:
    """Publish stored events that are still queued; many senders do not retry.

    Returns:
        How many were published.
    """
    bus = get_bus()
    if bus.is_transactional:
        # The local scheduler reads the rows itself.
        return 0
    published, end = 0, time.monotonic() + MOST_SECONDS
    for row in ReceivedEvent.objects.queued().filter(received_at__lt=now - AGE)[:MOST]:
        if time.monotonic() > end:
            break
        source = sources.find(row.source_id) or EventSource(id=row.source_id)
        try:
            # One by one: an event that the bus rejects does not stop the others.
            bus.publish(source, [row])
        except BusError as error:
            logger.error("An event of %s could not be published: %s", row.source_id, error)
        else:
            published += 1
    return published
