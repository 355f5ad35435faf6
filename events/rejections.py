"""Records rejected webhooks for operators: in the log, and the last few on the source's page.

Anybody can send requests to an address, so both are limited: in a flood, a process logs a few lines
a minute and writes to the database once in some seconds. Neither contains a secret. The start of a
body is kept only if its signature is valid: else a stranger may have written it, or it may have
personal data that was meant for somebody else.
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError

from events import seen
from events.models import EventSource
from events.schemes.base import Message
from events.seen import Purpose, SeenMessage
from moca.logs import LineLimit

logger = logging.getLogger(__name__)

# A process logs at most this many lines for a source in this period.
LINES, PERIOD_SECONDS = 20, 60.0
# A source's rejections are written at most once in this time.
WRITE_SECONDS = 5.0
# Rejections that a source keeps.
MOST = 20
# Characters of a body that are kept if its signature is valid.
MAX_START = 500
# Sources for which a process keeps a tally.
MOST_SOURCES = 1000
MAX_REASON = 300


@dataclass(slots=True)
class _Tally:
    """What this process has logged and written about a source's rejections."""

    log: LineLimit = field(default_factory=LineLimit)
    written: float = float("-inf")
    unwritten: int = 0

    def writes(self, clock: float) -> bool:
        """Whether a write to the database is due; if so, it counts as made."""
        if clock - self.written < WRITE_SECONDS:
            return False
        self.written = clock
        return True


_tallies: dict[str, _Tally] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a message was rejected, and what it was.

    Attributes:
        code: the reason in one word.
        reason: the reason in a sentence.
        message: the message.
        request_id: the id of the request.
        is_verified: whether the message is from a sender that has the source's secret.
    """

    code: str
    reason: str
    message: Message
    request_id: str
    is_verified: bool = False


def record(source: EventSource | None, asked: str, rejection: Rejection, now: datetime) -> bool:
    """Record a rejected message.

    Args:
        source: the source, or None if there is none at the address.
        asked: the source id in the address.
        rejection: the message, and why it was rejected.
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
            "Event refused: source %s, kind %s, reason %s%s",
            _shown(asked),
            kind,
            rejection.code,
            others,
        )
    if source is not None and is_written:
        _keep(source, rejection, times, now)
    return more is not None


def recent(source: EventSource) -> list[SeenMessage]:
    """The last rejections of a source, the latest first."""
    found = SeenMessage.objects.of(source.pk, Purpose.REJECTED)[:MOST]
    # A source that was deleted and created again is another one.
    return [row for row in found if source.is_configured or row.seen_at >= source.created_at]


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


def _keep(source: EventSource, rejection: Rejection, times: int, now: datetime) -> None:
    """Store a rejection, unless another process has just stored one."""
    message = rejection.message
    known = message.body[: 4 * MAX_START] if rejection.is_verified else b""
    row = SeenMessage(
        source_id=source.pk,
        purpose=Purpose.REJECTED,
        seen_at=now,
        code=rejection.code,
        reason=seen.printable(rejection.reason, MAX_REASON),
        request_id=rejection.request_id[:64],
        times=times,
        headers=seen.shown_headers(message.headers),
        media_type=seen.printable(message.content_type, seen.MAX_TYPE - 1),
        size=len(message.body),
        digest=hashlib.sha256(message.body).hexdigest(),
        start=seen.printable(known.decode(errors="replace"), MAX_START),
        ttl=int((now + seen.KEPT).timestamp()),
    )
    try:
        last = SeenMessage.objects.of(source.pk, Purpose.REJECTED)[:1]
        if any(one.seen_at > now - timedelta(seconds=WRITE_SECONDS) for one in last):
            return
        seen.keep(row, MOST)
    except DatabaseError as error:
        logger.info("A rejection by %s could not be stored: %s", source.pk, type(error).__name__)
