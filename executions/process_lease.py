"""The lease of a scheduler process: one row that vouches for all runs that it has under way.

The row is the process's sign of life, too.
"""

import time
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from triggers.models import Process, ProcessKind

# How long the turns of a process may fail or hang before it does not count as alive.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What a process has to do, as operators see it.

    Attributes:
        concurrency: its places.
        running: the runs under way.
        waiting: the runs that are due and wait for a place.
        waiting_since: when the first of these was due; None if none waits.
    """

    concurrency: int = 0
    running: int = 0
    waiting: int = 0
    waiting_since: datetime | None = None


class ProcessLease:
    """The row of this process. Each heartbeat renews it, by one write.

    Args:
        life: how long the lease holds without a heartbeat.
        gap: how long there may have been no process at all, without occurrences being missed.

    Attributes:
        call_error: why the last call of HEARTBEAT_URL failed; empty if it did not. The next
            heartbeat writes it.
    """

    def __init__(self, life: timedelta, gap: timedelta) -> None:
        self.call_error = ""
        self._life, self._gap = life, gap
        # As it was written last; it has no lease before.
        self._row = Process.of_this(ProcessKind.SCHEDULER)
        self._marked_at = time.monotonic()

    @property
    def id(self) -> str:
        """The id by which runs name this process."""
        return self._row.pk

    @property
    def is_written(self) -> bool:
        """Whether the row has been written once."""
        return self._row.lease_until is not None

    @property
    def alive_since(self) -> datetime:
        """Since when some process has fired what is due, without a break."""
        now = timezone.now()
        return min(self._row.alive_since or now, now)

    def mark(self) -> None:
        """Note that a turn of the process has ended well."""
        self._marked_at = time.monotonic()

    @property
    def is_well(self) -> bool:
        """Whether a turn has ended well lately."""
        return time.monotonic() - self._marked_at < PATIENCE_SECONDS

    def renew(self, load: Load) -> None:
        """Write that this process is alive.

        Raises:
            OperationalError: the database is away.
        """
        now = timezone.now()
        row = copy(self._row)
        if self.is_well:
            row.renew(now)
        row.alive_since = self._alive_since(now)
        row.lease_until = now + self._life
        row.is_over = False
        row.call_error = self.call_error
        row.concurrency, row.running = load.concurrency, load.running
        row.waiting, row.waiting_since = load.waiting, load.waiting_since
        Process.objects.replace(row)
        is_first, self._row = not self.is_written, row
        if is_first:
            Process.objects.forget_dead(now, ProcessKind.SCHEDULER)

    def _alive_since(self, now: datetime) -> datetime:
        if self._row.alive_since and self._row.has_lease(now):
            return min(self._row.alive_since, now)
        # This process has just begun, has stood still, or the clock was set.
        found: datetime = Process.objects.served_since(now, self._gap)
        return found

    def end(self, *, is_over: bool) -> None:
        """Write that this process has stopped.

        Args:
            is_over: whether all its runs are on record as ended.
        """
        own = Process.objects.filter(pk=self.id)
        own.update(lease_until=timezone.now(), is_over=is_over, running=0)
