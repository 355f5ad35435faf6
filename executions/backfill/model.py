"""The record of a backfill: what is to run, at which pace, and how far it is."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout
from moca.ids import new_id
from moca.reasons import CodeField, ParamsField

MOST_PER_MINUTE = 600
MOST_AT_ONCE = 50
DEFAULT_PER_MINUTE, DEFAULT_AT_ONCE = 10, 1


class BackfillState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    STOPPED = "stopped", _("Stopped")


class BackfillKind(models.TextChoices):
    MISSED = "missed", _("Missed runs")
    FAILED = "failed", _("Failed runs")


class BackfillQuerySet(ExpectingQuerySet["Backfill"]):
    def due(self, now: datetime) -> Self:
        """The backfills that a process has to look at, the longest waiting first."""
        running = self.filter(state=BackfillState.RUNNING, next_at__lte=now)
        return running.order_by("next_at")

    def of_trigger(self, trigger_id: str) -> Self:
        """The backfills of a trigger, newest first."""
        return self.filter(trigger_id=trigger_id).order_by("-id")

    def under_way(self, trigger_id: str) -> Self:
        """The backfills of a trigger that are neither done nor stopped."""
        return self.of_trigger(trigger_id).filter(state=BackfillState.RUNNING)


class Backfill(models.Model):
    """Runs of a trigger that are begun one after the other.

    `items` are due times in epoch seconds, or ids of failed executions, in the order in which they
    run. `position` is the number of those that are dealt with. A write has the condition that
    `changes` is as it was read.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    trigger_id = models.CharField("trigger", max_length=36)
    user_id = models.CharField("user", max_length=128)
    kind = models.CharField(max_length=6, choices=BackfillKind)
    state = models.CharField(max_length=7, choices=BackfillState, default=BackfillState.RUNNING)
    items = models.JSONField(default=list)
    position = models.PositiveIntegerField(default=0)
    # The executions that it has begun and that have not ended.
    open = models.JSONField(default=list)
    # How many runs it has begun, how many of those have ended well or badly, and how many items
    # were on record by then.
    begun = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    per_minute = models.PositiveIntegerField(default=DEFAULT_PER_MINUTE)
    at_once = models.PositiveIntegerField(default=DEFAULT_AT_ONCE)
    # When a process looks at it again, and from when on the pace allows a further run.
    next_at = models.DateTimeField()
    pace_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Why it was stopped.
    reason = models.TextField(blank=True)
    reason_code, reason_params = CodeField(), ParamsField()
    changes = models.PositiveIntegerField(default=0)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the record goes.")

    objects: ClassVar[Any] = BackfillQuerySet.as_manager()

    dynamodb = Layout(
        "TRIGGER#{trigger_id}",
        "BACKFILL#{id}",
        indexes=[Index("GSI4", "BACKFILL", "{next_at}", when={"state": BackfillState.RUNNING})],
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["trigger_id", "id"]),
            models.Index(fields=["state", "next_at"]),
            models.Index(fields=["ttl"]),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def total(self) -> int:
        return len(self.items)

    @property
    def is_running(self) -> bool:
        return self.state == BackfillState.RUNNING

    @property
    def waiting(self) -> list[Any]:
        """The items that are not dealt with yet, unless it was stopped."""
        return self.items[self.position :] if self.is_running else []
