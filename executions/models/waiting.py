"""Runs that wait for a process or for a person, and events that wait for others."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout


class QueuedRun(models.Model):
    """A run in the queue of the local scheduler process.

    Its id is the execution's. The process that deletes the row claims the run.
    """

    id = models.CharField(primary_key=True, max_length=36)
    trigger_id = models.CharField(max_length=36)
    # Users take turns. Empty if an earlier release has put the run here.
    user_id = models.CharField(max_length=128, blank=True)

    dynamodb = Layout("QUEUE", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class HandedOverRun(models.Model):
    """A run whose rest a `runworker` process reads, from the agent's own record of it.

    Its id is the execution's. A worker holds the run until `lease_until`, and renews this lease by
    its heartbeats. Any worker may claim a run whose lease has ended.
    """

    id = models.CharField(primary_key=True, max_length=36)
    trigger_id = models.CharField(max_length=36)
    lease_until = models.DateTimeField()

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("HANDED_OVER", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class RunWorker(models.Model):
    """A `runworker` process and its last heartbeat. Runs are handed over only if one is alive."""

    id = models.CharField(primary_key=True, max_length=36)
    seen_at = models.DateTimeField()

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("RUN_WORKER", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class WaitingRunQuerySet(ExpectingQuerySet["WaitingRun"]):
    def by_end(self) -> Self:
        """All that wait, those first that end first."""
        return self.order_by("due_at")

    def due(self, now: datetime) -> Self:
        """The runs that nobody answered in time, the longest overdue first."""
        return self.by_end().filter(due_at__lte=now)


class WaitingRun(models.Model):
    """An interrupted run whose questions wait for a person.

    Its id is the execution's. Whoever deletes the row claims the run, to answer it or to end it.
    """

    id = models.CharField(primary_key=True, max_length=36)
    trigger_id = models.CharField(max_length=36)
    user_id = models.CharField(max_length=128)
    # The beginning of the first question, for lists.
    question = models.TextField()
    asked_at = models.DateTimeField()
    # When the run ends unanswered.
    due_at = models.DateTimeField()

    objects: ClassVar[Any] = WaitingRunQuerySet.as_manager()

    dynamodb = Layout("WAITING#{id}", "WAITING", indexes=[Index("GSI4", "WAITING", "{due_at}")])

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.id


class PendingEventQuerySet(ExpectingQuerySet["PendingEvent"]):
    def due(self, now: datetime) -> Self:
        """The events whose debounce is over, the longest waiting first."""
        return self.filter(due_at__lte=now).order_by("due_at")


class PendingEvent(models.Model):
    """The latest event of a trigger whose debounce (`debounceSeconds`) is under way."""

    trigger_id = models.CharField(primary_key=True, max_length=36)
    user_id = models.CharField(max_length=128)
    execution_id = models.CharField(max_length=36)
    envelope = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # When the debounce ends, if no further event comes.
    due_at = models.DateTimeField()
    # How many events came since the first. A write has the condition that it is as it was read.
    events = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = PendingEventQuerySet.as_manager()

    dynamodb = Layout(
        "PENDING#{trigger_id}", "PENDING", indexes=[Index("GSI4", "PENDING", "{due_at}")]
    )

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.trigger_id
