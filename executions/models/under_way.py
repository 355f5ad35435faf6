"""What is known of a run under way beside its record: requests to cancel it, and its output."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import IntegrityError, models, transaction

from executions.models.execution import TriggerExecution
from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout


class CancelRequestQuerySet(ExpectingQuerySet["CancelRequest"]):
    def since(self, moment: datetime) -> Self:
        """The requests from a moment on: one read for all runs of a process."""
        return self.filter(requested_at__gte=moment).order_by("requested_at")


class CancelRequest(models.Model):
    """A person's request to cancel a run, for the process that runs it.

    Its id is the execution's. The write of the run's result deletes it. A row with the id
    `look_id()` is a mark that somebody looks at the run: see `executions.looks`.
    """

    id = models.CharField(primary_key=True, max_length=41)
    trigger_id = models.CharField(max_length=36)
    user_id = models.CharField(max_length=128)
    # The name of the operator, or the user id of an API caller.
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = CancelRequestQuerySet.as_manager()

    # The rows are spread over partitions. The index has those of all runs under way, which are few.
    # Releases without looks search it for ids of executions alone.
    dynamodb = Layout("CANCEL#{id}", "CANCEL", indexes=[Index("GSI4", "CANCEL", "{requested_at}")])

    class Meta:
        indexes = [models.Index(fields=["requested_at"]), models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.id

    @staticmethod
    def look_id(execution_id: str) -> str:
        """The id of the mark that somebody looks at a run."""
        return f"LOOK#{execution_id}"


class OutputPieceQuerySet(ExpectingQuerySet["OutputPiece"]):
    def of_attempt(self, execution: TriggerExecution) -> Self:
        """The pieces of a run's present attempt, in order."""
        first, end = (f"{execution.pk}#{execution.attempt + more:05}" for more in (0, 1))
        own = self.filter(execution_id=execution.pk, pk__gte=first, pk__lt=end)
        return own.order_by("pk")

    def put(self, piece: "OutputPiece") -> None:
        """Write a piece; a repeated write replaces it."""
        try:
            with transaction.atomic(savepoint=False):
                piece.save(force_insert=True)
        except IntegrityError:
            row = self.filter(execution_id=piece.execution_id, pk=piece.pk)
            row.update_expected(text=piece.text, ttl=piece.ttl)


class OutputPiece(models.Model):
    """A part of what the agent of a run under way has said; see `executions.pieces`."""

    id = models.CharField(primary_key=True, max_length=64)
    execution_id = models.CharField(max_length=36)
    # The bytes of the output before it.
    start = models.PositiveBigIntegerField()
    text = models.TextField()
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = OutputPieceQuerySet.as_manager()

    dynamodb = Layout("OUTPUT#{execution_id}", "{id}")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.id

    @staticmethod
    def key_of(execution: TriggerExecution, start: int) -> str:
        """The id of the piece that starts at a byte. The ids of an attempt sort by it."""
        return f"{execution.pk}#{execution.attempt:05}#{start:015}"
