"""Events that are on record and could not go on when they came in."""

import logging
import time
from datetime import datetime, timedelta

from events import sources
from events.buses import BusError, get_bus
from events.models import EventSource, ReceivedEvent

logger = logging.getLogger(__name__)

# Younger events may be on their way just now.
AGE = timedelta(minutes=1)
# Events that are sent in one pass.
MOST = 1000
# How long that may take, lest a bus that does not answer keep the reconciler from all else.
MOST_SECONDS = 120


def publish_overdue(now: datetime) -> int:
    """Put events on their bus that their senders were not able to; many senders try only once.

    Returns:
        How many went on.
    """
    bus = get_bus()
    if bus.is_transactional:
        # They are rows that the local scheduler looks for.
        return 0
    published, end = 0, time.monotonic() + MOST_SECONDS
    for row in ReceivedEvent.objects.queued().filter(received_at__lt=now - AGE)[:MOST]:
        if time.monotonic() > end:
            break
        source = sources.find(row.source_id) or EventSource(id=row.source_id)
        try:
            # One by one: what the bus never takes, or is too much for one call, stops no other.
            bus.publish(source, [row])
        except BusError as error:
            logger.error("An event of %s could not go on: %s", row.source_id, error)
        else:
            published += 1
    return published
