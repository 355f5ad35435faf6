"""The local scheduler's processes, each with one lease for all runs that it has under way."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout

# For how long this process believes that another one is alive, before it reads the row again.
KEPT_SECONDS = 2.0
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Processes:
    """The ids of the processes by their leases.

    Attributes:
        alive: those whose lease holds.
        lapsed: those whose lease has ended and whose runs are not closed yet.
    """

    alive: frozenset[str]
    lapsed: frozenset[str]


class SchedulerProcessQuerySet(ExpectingQuerySet["SchedulerProcess"]):
    def by_lease(self, now: datetime) -> Processes:
        """All processes, by whether their leases hold. There are few, so it reads them all."""
        alive, lapsed = set(), set()
        for process in self.all():
            if process.holds(now):
                alive.add(process.pk)
            elif not process.is_over:
                lapsed.add(process.pk)
        return Processes(frozenset(alive), frozenset(lapsed))

    def served_since(self, now: datetime, gap: timedelta) -> datetime:
        """Since when there has been a process that fires what is due; `now` if there was none.

        Args:
            now: the present.
            gap: how long there may have been none.
        """
        since = [row.alive_since for row in self.all() if row.lease_until >= now - gap]
        return min([now, *since])


class SchedulerProcess(models.Model):
    """A scheduler process. It renews `lease_until` by its heartbeats, one write for all its runs.

    A run names its process. It is lost when the lease of the process has ended.
    """

    id = models.CharField(primary_key=True, max_length=36)
    # The machine and the process id, for operators.
    host = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    # Since when some process has fired what is due without a break, this one or those before it.
    alive_since = models.DateTimeField()
    lease_until = models.DateTimeField()
    # Whether its runs have been closed, so that nobody has to look for them.
    is_over = models.BooleanField(default=False)
    # At its last heartbeat: its places, how many runs are under way, how many wait for a place, and
    # since when the first of these has waited.
    concurrency = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    waiting_since = models.DateTimeField(null=True)

    objects: ClassVar[Any] = SchedulerProcessQuerySet.as_manager()

    dynamodb = Layout("SCHEDULER", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id

    def holds(self, now: datetime) -> bool:
        """Whether its lease holds."""
        return self.lease_until >= now


_kept: dict[str, tuple[float, datetime]] = {}
_lock = threading.Lock()


def is_alive(process_id: str, now: datetime) -> bool:
    """Whether the lease of a process holds; what was read is used for two seconds.

    Args:
        process_id: the id that a run or a trigger names.
        now: the present.
    """
    read_at, until = _kept.get(process_id, (0.0, None))
    if until is not None and until >= now and time.monotonic() - read_at < KEPT_SECONDS:
        return True
    row = SchedulerProcess.objects.filter(pk=process_id).first()
    if row is None or not row.holds(now):
        return False
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[process_id] = time.monotonic(), row.lease_until
    return True


def lapsed_among(process_ids: Iterable[str], now: datetime) -> set[str]:
    """The processes whose lease has ended; empty ids name none."""
    return {each for each in {*process_ids} - {""} if not is_alive(each, now)}
