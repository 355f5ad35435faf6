"""What processes have counted, for `/metrics`."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout

# How long the counts of a process that is gone are shown, so that the last of them are read.
SHOWN = timedelta(minutes=5)
KEPT = timedelta(hours=1)


class MeasuredProcessQuerySet(ExpectingQuerySet["MeasuredProcess"]):
    def shown(self, now: datetime) -> Self:
        """The counts of processes that were seen of late."""
        return self.filter(seen_at__gte=now - SHOWN)


class MeasuredProcess(models.Model):
    """What one process has counted since its start. It writes the row every 15 seconds."""

    id = models.CharField(primary_key=True, max_length=36)
    # `scheduler` or `web`.
    kind = models.CharField(max_length=12)
    # What `moca.exposition.Registry.snapshot()` returned.
    series = models.JSONField()
    seen_at = models.DateTimeField()
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = MeasuredProcessQuerySet.as_manager()

    dynamodb = Layout("MEASURED", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind}-{self.id[-8:]}"
