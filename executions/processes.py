"""Signs of life: a row for each process that fires schedules or serves pages.

Each process renews its row. Whoever serves pages, monitors the service or is a process itself reads
from the rows if one that fires schedules is alive.
"""

import os
import socket
from collections.abc import Sequence
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

# How often a process renews its row, and how long it counts as alive without that.
RENEWAL = timedelta(seconds=15)
LIFE = timedelta(seconds=60)
# The same of the handler's maintenance, which EventBridge invokes every 15 minutes.
LIFE_ON_AWS = timedelta(minutes=40)
# How long the row of a dead process is kept, to say when it was seen last.
KEPT = timedelta(days=7)
MAINTENANCE_ID = "maintenance"


class Kind(models.TextChoices):
    SCHEDULER = "scheduler", _("Scheduler")
    WEB = "web", _("Web server")
    MAINTENANCE = "maintenance", _("Maintenance")


class ProcessQuerySet(ExpectingQuerySet["Process"]):
    def which_fire(self) -> Self:
        """Those without which nothing fires: the scheduler processes, or the handler on AWS."""
        return self.filter(kind=firing_kind())


class Process(models.Model):
    """The sign of life of one process, or on AWS of the handler's maintenance."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    kind = models.CharField(max_length=12, choices=Kind)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=50, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    alive_until = models.DateTimeField()
    # How many runs it has under way.
    runs = models.PositiveIntegerField(default=0)
    # The last call of HEARTBEAT_URL, and why it failed; empty if it did not.
    called_at = models.DateTimeField(null=True, blank=True)
    call_error = models.CharField(max_length=200, blank=True)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = ProcessQuerySet.as_manager()

    dynamodb = Layout("PROCESS", "{id}")

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"

    @classmethod
    def of_this(cls, kind: str, key: str = "") -> Self:
        """The row of this process, unsaved.

        Args:
            kind: one of `Kind`.
            key: the id of its row; empty for a new one.
        """
        host, version = socket.gethostname()[:100], settings.SPECTACULAR_SETTINGS["VERSION"]
        row = cls(id=key or new_id(), kind=kind, host=host, pid=os.getpid(), version=version)
        row.renew(timezone.now())
        return row

    def renew(self, now: datetime) -> None:
        """Note that the process is alive; the caller writes the row."""
        self.seen_at = now
        self.alive_until = now + (LIFE_ON_AWS if self.kind == Kind.MAINTENANCE else LIFE)
        self.ttl = int((now + KEPT).timestamp())

    def is_alive(self, now: datetime) -> bool:
        """Whether the process was seen lately."""
        # A clock that was ahead may have written a time that is yet to come.
        return self.alive_until >= now and self.seen_at <= now + CLOCKS_APART + LIFE


def firing_kind() -> Kind:
    """The kind of process without which nothing fires."""
    return Kind.MAINTENANCE if settings.TRIGGER_LAMBDA_ARN else Kind.SCHEDULER


def which_fire() -> Sequence[Process]:
    """The processes without which nothing fires, dead ones too; the last seen first."""
    rows: list[Process] = list(Process.objects.which_fire())
    return sorted(rows, key=lambda row: row.seen_at, reverse=True)


def forget_dead(now: datetime, kind: str) -> None:
    """Delete the rows of dead processes of a kind, once another one has a row.

    A process that is started again and again would leave many.
    """
    for row in list(Process.objects.filter(kind=kind)):
        if not row.is_alive(now):
            Process.objects.filter(pk=row.pk, seen_at=row.seen_at).delete()
