"""Idempotency keys, by which the API deduplicates requests that create triggers."""

from typing import Any, ClassVar

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout


class IdempotencyKey(models.Model):
    """The trigger or the run that a request with an `Idempotency-Key` made, kept for 24 hours.

    `id` is a hash of the key, and of the user or the trigger.
    """

    id = models.CharField(primary_key=True, max_length=64)
    trigger_id = models.CharField(max_length=36)
    # The run that a request with a fire token began; empty for a request that creates a trigger.
    execution_id = models.CharField(max_length=36, blank=True)
    request_hash = models.CharField(max_length=64)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("IDEMPOTENCY#{id}", "IDEMPOTENCY")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.trigger_id
