"""The schedules of the local scheduler, a row for each schedule trigger."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout


class LocalScheduleQuerySet(ExpectingQuerySet["LocalSchedule"]):
    def upcoming(self, until: datetime) -> Self:
        """The schedules that are due by a moment, the earliest first."""
        return self.filter(due_at__lte=until).order_by("due_at")


class LocalSchedule(models.Model):
    """The projection of a schedule trigger that the local scheduler fires from.

    `next_run_at` is the next occurrence, or None if there is none. `due_at` is when the scheduler
    looks at it: later if the schedule has a flexible window or the run has to wait.
    """

    trigger_id = models.CharField(primary_key=True, max_length=36)
    user_id = models.CharField(max_length=128)
    # The fields of the trigger that the times follow from. They change only with these.
    spec = models.JSONField(default=dict)
    next_run_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = LocalScheduleQuerySet.as_manager()

    dynamodb = Layout(
        "SCHEDULE#{trigger_id}",
        "SCHEDULE",
        indexes=[
            Index("GSI3", "SCHEDULE", "{trigger_id}"),
            Index("GSI4", "DUE", "{due_at}"),
        ],
    )

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.trigger_id
