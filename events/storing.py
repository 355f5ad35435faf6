"""Stores received events, those of simultaneous requests in one transaction.

SQLite has one lock for all writers, and the scheduler process takes it hundreds of times a second.
Requests that arrive while one of them waits for it are therefore stored together with that one. A
sender gets its answer after the commit. Other databases store each request's events by themselves,
because their writers do not wait for each other.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from django.db import IntegrityError, OperationalError, connection, transaction

from events.buses import BusError
from events.models import ReceivedEvent
from moca.retry import retry

# Stored rows by their id.
Known = dict[str, ReceivedEvent]

# Rows of one transaction, which bounds how long it keeps the lock.
MOST = 200
# How long a request waits for the lock, in seconds, and its longest pause between two tries.
# SQLite itself pauses for up to 0.1 s, in which the scheduler process takes the lock many times.
LOCK_SECONDS = 30.0
FIRST, LONGEST = 0.001, 0.004


def store(rows: Sequence[ReceivedEvent]) -> Known:
    """Store events of one message, all or none.

    Args:
        rows: unsaved rows with different ids.

    Returns:
        The rows that were stored before, by id.

    Raises:
        BusError: other requests keep storing the same events.
        DatabaseError: nothing of the message is stored.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return _store_alone(rows)
    return _group.store(rows)


def _store_alone(rows: Sequence[ReceivedEvent]) -> Known:
    known: Known = {}

    def once() -> Known:
        nonlocal known
        new = [row for row in rows if row.pk not in known]
        if not new:
            return known
        try:
            with transaction.atomic():
                ReceivedEvent.objects.bulk_create(new)
        except IntegrityError:
            known = _stored(rows)
            raise
        return known

    try:
        return retry(once, on=IntegrityError)
    except IntegrityError as error:
        raise BusError("Another request is storing the same events.") from error


def _stored(rows: Sequence[ReceivedEvent]) -> Known:
    found: Known = ReceivedEvent.objects.in_bulk([row.pk for row in rows])
    return found


@dataclass(slots=True, eq=False)
class _Request:
    """The events of one message, and what became of them.

    Attributes:
        rows: the events.
        turn: set when the request is stored, or when its own thread has to store the next group.
        known: the rows that were stored before; None until the transaction is committed.
        error: why nothing of the message is stored.
    """

    rows: Sequence[ReceivedEvent]
    turn: threading.Event = field(default_factory=threading.Event)
    known: Known | None = None
    error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self.known is not None or self.error is not None


class _Group:
    """Requests that wait to be stored. The thread of one of them stores a group for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Request] = []
        self._has_leader = False

    def store(self, rows: Sequence[ReceivedEvent]) -> Known:
        own = _Request(rows)
        with self._lock:
            self._waiting.append(own)
            leads, self._has_leader = not self._has_leader, True
        if not leads:
            own.turn.wait()
        if not own.is_over:
            self._lead()
        if own.error is not None:
            raise own.error
        return own.known or {}

    def _lead(self) -> None:
        """Store a group that begins with the request of this thread."""
        group: list[_Request] = []
        try:
            self._write(group)
        except BaseException as error:  # noqa: BLE001  (others wait for the outcome)
            # If the lock could not be had, those who wait have waited for it too.
            failed = group or self._take()
            for request in failed:
                request.error = error
            group = failed
        finally:
            self._hand_over(group)

    def _write(self, group: list[_Request]) -> None:
        try:
            with _locked():
                group += self._take()
                known = _insert(group, {})
        except IntegrityError:
            # Some are stored already, which is rare: reading them each time would cost more.
            with _locked():
                known = _insert(group, _stored([row for one in group for row in one.rows]))
        for request, found in zip(group, known, strict=True):
            request.known = found

    def _take(self) -> list[_Request]:
        with self._lock:
            size, taken = 0, 0
            for request in self._waiting:
                size += len(request.rows)
                if taken and size > MOST:
                    break
                taken += 1
            group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    def _hand_over(self, group: Sequence[_Request]) -> None:
        """Wake the threads of the group, and the one that stores the next group."""
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._has_leader = following is not None
        for request in group:
            request.turn.set()
        if following is not None:
            following.turn.set()


_group = _Group()


def _insert(group: Sequence[_Request], known: Known) -> list[Known]:
    """Insert the rows that are not known; returns for each request the rows that were known.

    Two requests may have the same event. The row of the first one is stored, and the second one
    finds it known.
    """
    there, new, found = dict(known), [], []
    for request in group:
        found.append({row.pk: there[row.pk] for row in request.rows if row.pk in there})
        new += [row for row in request.rows if row.pk not in there]
        there |= {row.pk: row for row in request.rows if row.pk not in there}
    if new:
        ReceivedEvent.objects.bulk_create(new)
    return found


@contextmanager
def _locked() -> Iterator[None]:
    """A transaction that has SQLite's lock for writers from its beginning."""
    end = monotonic() + LOCK_SECONDS
    with ExitStack() as stack:
        with _impatient():
            retry(
                partial(stack.enter_context, transaction.atomic()),
                on=OperationalError,
                tries=None,
                first=FIRST,
                longest=LONGEST,
                left=lambda: end - monotonic(),
                wait=_give_up_unless_locked,
            )
        yield


def _give_up_unless_locked(error: OperationalError) -> float:
    if "locked" not in str(error):
        raise error
    return 0.0


@contextmanager
def _impatient() -> Iterator[None]:
    """Have SQLite report at once that another process has the lock, instead of waiting."""
    connection.ensure_connection()
    own = connection.connection
    (before,) = own.execute("PRAGMA busy_timeout").fetchone()
    own.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        own.execute(f"PRAGMA busy_timeout = {before}")
