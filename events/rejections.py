"""Records rejected webhooks for operators: in the log, and the last few on the source's page.

Anybody can send requests to an address, so both are limited: in a flood, a process logs a few lines
a minute and writes to the database once in some seconds. Neither contains a body or a secret.
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

# A process logs at most this many lines for a source in this period.
LINES, PERIOD_SECONDS = 20, 60.0
# A source's rejections are written at most once in this time.
WRITE_SECONDS = 5.0
# Rejections that a source keeps.
MOST = 5
# Sources for which a process keeps a tally.
MOST_SOURCES = 1000
MAX_REASON = 300


@dataclass(slots=True)
class _Tally:
    """What this process has logged and written about a source's rejections."""

    log: LineLimit = field(default_factory=LineLimit)
    written: float = float("-inf")
    unwritten: int = 0
    last: list[dict[str, Any]] = field(default_factory=list)

    def writes(self, clock: float) -> bool:
        """Whether a write to the database is due; if so, it counts as made."""
        if clock - self.written < WRITE_SECONDS:
            return False
        self.written = clock
        return True


_tallies: dict[str, _Tally] = {}
_lock = threading.Lock()


def record(
    source: EventSource | None, asked: str, code: str, reason: str, request_id: str, now: datetime
) -> bool:
    """Record a rejected message.

    Args:
        source: the source, or None if there is none at the address.
        asked: the source id in the address.
        code: the reason in one word.
        reason: the reason in a sentence.
        request_id: the id of the request.
        now: the present.

    Returns:
        Whether a line was logged.
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
    """The last rejections of a source, the latest first.

    A source from the settings has no row: each process knows its own rejections only.
    """
    if not source.is_configured:
        return list(source.refusals)
    with _lock:
        return list(_tally(source).last)


def _tally(source: EventSource | None) -> _Tally:
    # Requests without a source share one tally, because anybody can invent any number of ids.
    key = ""
    if source is not None:
        # With the creation time: a source that was deleted and created again is another one.
        key = source.pk if source.is_configured else f"{source.pk} {source.created_at}"
    if key not in _tallies and len(_tallies) >= MOST_SOURCES:
        _tallies.clear()
    return _tallies.setdefault(key, _Tally())


def _shown(source_id: str) -> str:
    """An id for the log; "?" if it does not look like an id, because the text may be anything."""
    is_id = source_id.isascii() and source_id.replace("-", "").replace("_", "").isalnum()
    return source_id[:36] if is_id else "?"


def _keep(source: EventSource, entry: dict[str, Any], now: datetime) -> None:
    """Store a rejection on the source. If two processes do so at the same time, one may be lost."""
    before = recent(source)
    if before and parse_iso(before[0]["at"]) > now - timedelta(seconds=WRITE_SECONDS):
        return
    last = [entry, *before][:MOST]
    if source.is_configured:
        with _lock:
            _tally(source).last = last
        return
    try:
        # An update, because a save would raise the version and make operators' open forms stale.
        with transaction.atomic():
            EventSource.objects.filter(pk=source.pk).update(refusals=last)
    except DatabaseError as error:
        logger.info("A rejection by %s could not be stored: %s", source.pk, type(error).__name__)
