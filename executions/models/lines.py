"""Runs that share a concurrency key: which of them have a place, and which wait for their turn."""

from typing import Any, ClassVar, Self

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout


class Line(models.Model):
    """The runs of one concurrency key of a user that have a place.

    Each write has the condition that the row is as it was read, which `stamp` says. Whoever enters
    the line, leaves it or hands a place on writes the row, so no two of them decide at once.

    One row is no line: `executions.runner.lines.REACHED` notes how far maintenance has looked.
    """

    # A digest of the user and the key.
    id = models.CharField(primary_key=True, max_length=64)
    user_id = models.CharField(max_length=128)
    # A list of [the execution's id, its trigger's id].
    holders = models.JSONField(default=list)
    # How many turns wait.
    waiting = models.PositiveIntegerField(default=0)
    stamp = models.CharField(max_length=36)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("LINE#{id}", "LINE")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.id

    def has(self, execution_id: str) -> bool:
        """Whether a run has a place."""
        return any(holder[0] == execution_id for holder in self.holders)


class TurnQuerySet(ExpectingQuerySet["Turn"]):
    def of_line(self, line_id: str) -> Self:
        """The runs that wait in a line, in the order of their turns."""
        return self.filter(line_id=line_id).order_by("pk")

    def waiting(self) -> Self:
        """The runs of all lines, those first that have waited longest."""
        return self.order_by("asked_at")


class Turn(models.Model):
    """A run on record that waits in a line. Its id is the execution's, whose time is its order.

    Once the run has a place, `handed_at` is set. The row goes when a process has begun the run.
    """

    id = models.CharField(primary_key=True, max_length=36)
    line_id = models.CharField(max_length=64)
    trigger_id = models.CharField(max_length=36)
    user_id = models.CharField(max_length=128)
    # How many runs of the key its trigger allows at once.
    most = models.PositiveIntegerField()
    asked_at = models.DateTimeField()
    handed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = TurnQuerySet.as_manager()

    dynamodb = Layout("TURN#{line_id}", "{id}", indexes=[Index("GSI4", "TURN", "{asked_at}")])

    class Meta:
        indexes = [models.Index(fields=["line_id", "id"]), models.Index(fields=["asked_at"])]

    def __str__(self) -> str:
        return self.id
