"""The model of a fire token: the address by which other programs run one trigger."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Layout


class FireToken(VersionedModel):
    """The fire token of a trigger, which has one at most. The row has the token's SHA-256 alone.

    `id` is computed from the trigger's id, and is the public part of the token.
    """

    id = models.CharField(primary_key=True, max_length=22, editable=False)
    trigger_id = models.CharField(max_length=128, editable=False)
    user_id = models.CharField(max_length=128, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    # Written once in five minutes at most.
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("FIRETOKEN#{id}", "FIRETOKEN")

    class Meta:
        verbose_name = "fire token"

    def __str__(self) -> str:
        return f"Fire token of {self.trigger_id}"
