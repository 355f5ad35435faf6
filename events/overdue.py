"""Events that are on record and could not go on when they came in."""

import logging
from collections import defaultdict
from datetime import datetime, timedelta

from events import sources
from events.buses import BusError, get_bus
from events.models import EventSource, ReceivedEvent

logger = logging.getLogger(__name__)

# Younger events may be on their way just now.
AGE = timedelta(minutes=1)
# Events that are sent in one pass.
MOST = 1000


def publish_overdue(now: datetime) -> int:
    """Put events on their bus that their senders were not able to; many senders try only once.

    Returns:
        How many went on.
    """
    bus = get_bus()
    if bus.is_transactional:
        # They are rows that the local scheduler looks for.
        return 0
    waiting: dict[str, list[ReceivedEvent]] = defaultdict(list)
    for row in ReceivedEvent.objects.queued().filter(received_at__lt=now - AGE)[:MOST]:
        waiting[row.source_id].append(row)
    published = 0
    for source_id, rows in waiting.items():
        source = sources.find(source_id) or EventSource(id=source_id)
        try:
            bus.publish(source, rows)
        except BusError as error:
            logger.error("Events of %s could not go on: %s", source_id, error)
        else:
            published += len(rows)
    return published
