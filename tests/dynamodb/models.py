"""Models of these tests alone: they have no app, so tests make their tables."""

from typing import ClassVar

from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb import layout
from moca.dynamodb.layout import Index, Layout


class Parcel(models.Model):
    """A row with a key of two fields, a unique code, and indexes that not every row stands in."""

    id = models.CharField(primary_key=True, max_length=10)
    owner = models.CharField(max_length=10)
    code = models.CharField(max_length=10, unique=True, null=True)
    state = models.CharField(max_length=10, choices=[("new", "New"), ("sent", "Sent")])
    weight = models.IntegerField(default=0)
    pieces = models.IntegerField(null=True)
    note = models.CharField(max_length=20, blank=True)
    due = models.DateTimeField(null=True)
    fragile = models.BooleanField(default=False)

    objects: ClassVar[models.Manager["Parcel"]] = ExpectingQuerySet.as_manager()

    dynamodb = Layout(
        "OWNER#{owner}",
        "PARCEL#{id}",
        indexes=[
            Index("GSI3", "PARCEL#{id:2}", "{id}"),
            Index("GSI4", "DUE", "{due}", when={"state": "sent"}),
        ],
    )

    class Meta:
        app_label = "tests_dynamodb"

    def __str__(self) -> str:
        return self.id


class Note(models.Model):
    """A row without a layout: a partition of the model's own, by number."""

    text = models.CharField(max_length=50)
    rank = models.IntegerField(default=0)
    parcel = models.ForeignKey(Parcel, models.DO_NOTHING, null=True, db_constraint=False)

    objects: ClassVar[models.Manager["Note"]] = ExpectingQuerySet.as_manager()

    class Meta:
        app_label = "tests_dynamodb"

    def __str__(self) -> str:
        return self.text


def declare() -> None:
    """Enter the layouts that are found by app otherwise."""
    layout._declared()[Parcel._meta.db_table] = Parcel.dynamodb
