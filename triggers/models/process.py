"""Processes: who is alive, who fires schedules, and the leases that vouch for runs.

Each process renews its row. Whoever serves pages, monitors the service or is a process itself reads
from the rows if one that fires schedules is alive.
"""

import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout
from moca.ids import new_id
from moca.times import CLOCKS_APART

# How long a process counts as alive after it was seen.
LIFE = timedelta(seconds=60)
# The same of the handler's maintenance, which EventBridge invokes every 15 minutes.
LIFE_ON_AWS = timedelta(minutes=40)
# How long the row of a dead process is kept. It says when the process was seen last, and tells
# those that begin later that what waits is late, and not missed.
KEPT = timedelta(days=8)
# For how long this process believes that another one is alive, before it reads the row again.
BELIEVED_SECONDS = 2.0
MOST_BELIEVED = 1000


class ProcessKind(models.TextChoices):
    SCHEDULER = "scheduler", _("Scheduler")
    WEB = "web", _("Web server")
    MAINTENANCE = "maintenance", _("Maintenance")


@dataclass(frozen=True, slots=True)
class Leases:
    """The ids of the scheduler processes by their leases.

    Attributes:
        held: those whose lease holds.
        lapsed: those whose lease has ended and whose runs are not closed yet.
    """

    held: frozenset[str]
    lapsed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Queue:
    """The runs that wait for a place of the scheduler processes.

    Attributes:
        waiting: how many wait.
        since: when the first of them was due; None if none waits.
        running: how many runs are under way.
        places: how many runs may be under way.
    """

    waiting: int
    since: datetime | None
    running: int
    places: int


class ProcessQuerySet(ExpectingQuerySet["Process"]):
    # There are few processes, so each of these reads all of a kind.

    def of_kind(self, kind: str) -> Self:
        """The processes of a kind, one of `ProcessKind`."""
        return self.filter(kind=kind)

    def schedulers(self) -> Self:
        """The scheduler processes, dead ones too."""
        return self.of_kind(ProcessKind.SCHEDULER)

    def by_lease(self, now: datetime) -> Leases:
        """The scheduler processes, by whether their leases hold."""
        held, lapsed = set(), set()
        for process in self.schedulers():
            if process.has_lease(now):
                held.add(process.pk)
            elif not process.is_over:
                lapsed.add(process.pk)
        return Leases(frozenset(held), frozenset(lapsed))

    def served_since(self, now: datetime, gap: timedelta) -> datetime:
        """Since when there has been a process that fires what is due; `now` if there was none.

        Args:
            now: the present.
            gap: how long there may have been none.
        """
        found = (row for row in self.schedulers() if row.has_lease(now - gap))
        return min([now, *(row.alive_since for row in found if row.alive_since)])

    def queue(self, now: datetime) -> Queue | None:
        """The runs that wait for a place; None if no scheduler process is alive."""
        alive = [row for row in self.schedulers() if row.has_lease(now)]
        if not alive:
            return None
        # Each process sees the same queue.
        fullest = max(alive, key=lambda row: row.waiting)
        running = sum(row.running for row in alive)
        places = sum(row.concurrency for row in alive)
        return Queue(fullest.waiting, fullest.waiting_since, running, places)

    def forget_dead(self, now: datetime, kind: str) -> None:
        """Delete the rows of dead processes of a kind, once another one has a row.

        A process that is started again and again would leave many. A scheduler process whose runs
        are not closed keeps its row.
        """
        for row in list(self.of_kind(kind)):
            if not row.is_alive(now) and (row.is_over or kind != ProcessKind.SCHEDULER):
                self.filter(pk=row.pk, seen_at=row.seen_at).delete()


class Process(models.Model):
    """One process that fires schedules or serves pages, or on AWS the handler's maintenance.

    A scheduler process has a lease, which it renews by one write for all its runs. A run names its
    process, and is lost when the lease of the process has ended.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    kind = models.CharField(max_length=12, choices=ProcessKind)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=50, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    # Why the last call of HEARTBEAT_URL failed; empty if it did not.
    call_error = models.CharField(max_length=200, blank=True)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")
    # Only scheduler processes have what follows. Since when some process has fired what is due
    # without a break, this one or those before it:
    alive_since = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # Whether its runs have been closed, so that nobody has to look for them.
    is_over = models.BooleanField(default=False)
    # At its last heartbeat: its places, how many runs are under way, how many wait for a place, and
    # since when the first of these has waited.
    concurrency = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    waiting_since = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ProcessQuerySet.as_manager()

    dynamodb = Layout("PROCESS", "{id}")

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"

    @classmethod
    def of_this(cls, kind: str, key: str = "") -> Self:
        """The row of this process, unsaved.

        Args:
            kind: one of `ProcessKind`.
            key: the id of its row; empty for a new one.
        """
        host, version = socket.gethostname()[:100], settings.SPECTACULAR_SETTINGS["VERSION"]
        row = cls(id=key or new_id(), kind=kind, host=host, pid=os.getpid(), version=version)
        row.renew(timezone.now())
        return row

    def renew(self, now: datetime) -> None:
        """Note that the process is alive; the caller writes the row."""
        self.seen_at = now
        self.ttl = int((now + KEPT).timestamp())

    def is_alive(self, now: datetime) -> bool:
        """Whether the process was seen lately."""
        life = LIFE_ON_AWS if self.kind == ProcessKind.MAINTENANCE else LIFE
        # A clock that was ahead may have written a time that is yet to come.
        return now - life <= self.seen_at <= now + CLOCKS_APART + LIFE

    def has_lease(self, now: datetime) -> bool:
        """Whether the lease holds, so that the runs of the process are not lost."""
        return self.lease_until is not None and self.lease_until >= now


def firing_kind() -> ProcessKind:
    """The kind of process without which nothing fires."""
    return ProcessKind.MAINTENANCE if settings.TRIGGER_LAMBDA_ARN else ProcessKind.SCHEDULER


def which_fire() -> Sequence[Process]:
    """The processes without which nothing fires, dead ones too; the last seen first."""
    rows: list[Process] = list(Process.objects.of_kind(firing_kind()))
    return sorted(rows, key=lambda row: row.seen_at, reverse=True)


def no_scheduler(now: datetime) -> bool:
    """Whether runs wait because no local scheduler process is alive; one read. False on AWS."""
    if firing_kind() != ProcessKind.SCHEDULER:
        return False
    return not any(row.is_alive(now) for row in which_fire())


_believed: dict[str, tuple[float, datetime]] = {}
_lock = threading.Lock()


def has_lease(process_id: str, now: datetime) -> bool:
    """Whether the lease of a process holds; what was read is used for two seconds.

    Args:
        process_id: the id that a run or a trigger names.
        now: the present.
    """
    read_at, until = _believed.get(process_id, (0.0, None))
    if until is not None and until >= now and time.monotonic() - read_at < BELIEVED_SECONDS:
        return True
    row = Process.objects.filter(pk=process_id).first()
    if row is None or row.lease_until is None or row.lease_until < now:
        return False
    with _lock:
        if len(_believed) >= MOST_BELIEVED:
            _believed.clear()
        _believed[process_id] = time.monotonic(), row.lease_until
    return True


def lapsed_among(process_ids: Iterable[str], now: datetime) -> set[str]:
    """The processes whose lease has ended; empty ids name none."""
    return {each for each in {*process_ids} - {""} if not has_lease(each, now)}
