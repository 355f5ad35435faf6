"""The lease of a scheduler process: one row that vouches for all runs that it has under way."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from moca.ids import new_id
from triggers.models import SchedulerProcess


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
    """

    def __init__(self, life: timedelta, gap: timedelta) -> None:
        self.id = new_id()
        self._life, self._gap = life, gap
        self._started_at = timezone.now()
        self._row: SchedulerProcess | None = None

    @property
    def alive_since(self) -> datetime:
        """Since when some process has fired what is due, without a break."""
        now = timezone.now()
        return now if self._row is None else min(self._row.alive_since, now)

    def renew(self, load: Load) -> None:
        """Write that this process is alive.

        Raises:
            OperationalError: the database is away.
        """
        now = timezone.now()
        row = SchedulerProcess(
            id=self.id,
            host=f"{socket.gethostname()[:150]}:{os.getpid()}",
            started_at=self._started_at,
            alive_since=self._alive_since(now),
            lease_until=now + self._life,
            concurrency=load.concurrency,
            running=load.running,
            waiting=load.waiting,
            waiting_since=load.waiting_since,
        )
        SchedulerProcess.objects.replace(row)
        self._row = row

    def _alive_since(self, now: datetime) -> datetime:
        if self._row is not None and self._row.holds(now):
            return min(self._row.alive_since, now)
        # This process has just begun, has stood still, or the clock was set.
        found: datetime = SchedulerProcess.objects.served_since(now, self._gap)
        return found

    def end(self, *, is_over: bool) -> None:
        """Write that this process has stopped.

        Args:
            is_over: whether all its runs are on record as ended.
        """
        own = SchedulerProcess.objects.filter(pk=self.id)
        own.update(lease_until=timezone.now(), is_over=is_over, running=0)
