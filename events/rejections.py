"""Messages that an event source refused: lines in the log, and the last few on the source's page.

Anybody may send anything to an address, so both are bounded: a flood costs a process so many lines
a minute and one write in some seconds. Neither has a body or a secret in it.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction

from events.models import EventSource
from moca.logs import LineLimit
from moca.times import iso, parse_iso

logger = logging.getLogger(__name__)

# Lines in the log for a source, in a process and a period of so many seconds.
LINES, PERIOD_SECONDS = 20, 60.0
# A source's refusals are written at most once in this time.
WRITE_SECONDS = 5.0
# How many refusals of a source are kept.
MOST = 5
# Sources of which a process knows what it has logged and written.
MOST_SOURCES = 1000
MAX_REASON = 300


@dataclass(slots=True)
class _Tally:
    """What this process has logged and written of a source's refusals."""

    log: LineLimit = field(default_factory=LineLimit)
    written: float = float("-inf")
    unwritten: int = 0
    last: list[dict[str, Any]] = field(default_factory=list)

    def writes(self, clock: float) -> bool:
        """Whether the database may be written to again."""
        if clock - self.written < WRITE_SECONDS:
            return False
        self.written = clock
        return True


_tallies: dict[str, _Tally] = {}
_lock = threading.Lock()


def record(
    source: EventSource | None, asked: str, code: str, reason: str, request_id: str, now: datetime
) -> bool:
    """Note that a message was refused; returns whether the log has a line about it.

    Args:
        source: the source; None if there is none at the address.
        asked: the id that the address names.
        code: the reason in a word.
        reason: the reason in a sentence.
        request_id: the id of the request.
        now: the present.
    """
    clock = time.monotonic()
    with _lock:
        tally = _tally(source)
        tally.unwritten += 1
        more = tally.log.next(LINES, PERIOD_SECONDS)
        is_written = source is not None and tally.writes(clock)
        times = tally.unwritten
        if is_written:
            tally.unwritten = 0
    if more is not None:
        others = f"; {more} more were not logged" if more else ""
        kind = source.kind if source else "none"
        logger.warning(
            "Event refused: source %s, kind %s, reason %s%s", _shown(asked), kind, code, others
        )
    if source is not None and is_written:
        entry = {
            "at": iso(now),
            "code": code,
            "reason": "".join(filter(str.isprintable, reason))[:MAX_REASON],
            "requestId": request_id,
            "times": times,
        }
        _keep(source, entry, now)
    return more is not None


def recent(source: EventSource) -> list[dict[str, Any]]:
    """The last refusals of a source, the latest first.

    One that the settings list has no row: each process knows what it has refused itself.
    """
    if not source.is_configured:
        return list(source.refusals)
    with _lock:
        return list(_tally(source).last)


def _tally(source: EventSource | None) -> _Tally:
    # All that name no source share one, since anybody may name any number of ids.
    key = ""
    if source is not None:
        # A source that was deleted and made anew is another.
        key = source.pk if source.is_configured else f"{source.pk} {source.created_at}"
    if key not in _tallies and len(_tallies) >= MOST_SOURCES:
        _tallies.clear()
    return _tallies.setdefault(key, _Tally())


def _shown(source_id: str) -> str:
    """An id as it may stand in the log; whatever else the address names does not."""
    is_id = source_id.isascii() and source_id.replace("-", "").replace("_", "").isalnum()
    return source_id[:36] if is_id else "?"


def _keep(source: EventSource, entry: dict[str, Any], now: datetime) -> None:
    """Keep a refusal; of two processes that do so at the same moment, one may win."""
    before = recent(source)
    if before and parse_iso(before[0]["at"]) > now - timedelta(seconds=WRITE_SECONDS):
        return
    last = [entry, *before][:MOST]
    if source.is_configured:
        with _lock:
            _tally(source).last = last
        return
    try:
        # An update, since a save would make forms stale that operators have open.
        with transaction.atomic():
            EventSource.objects.filter(pk=source.pk).update(refusals=last)
    except DatabaseError as error:
        logger.info("A refusal of %s could not be kept: %s", source.pk, type(error).__name__)
