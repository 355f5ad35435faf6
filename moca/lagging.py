"""Indexes that lag behind their rows: a second look for those that must not, and reads of keys."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection
from django.db.models import QuerySet

Found = TypeVar("Found")
Rows = TypeVar("Rows", bound=QuerySet[Any])

# How long an index may take to know a row that was just added.
LAG_SECONDS = 0.3


def found(look: Callable[[], Found | None]) -> Found | None:
    """What a look finds; where that is nothing and an index may lag behind, what a second does."""
    row = look()
    if row is None and getattr(connection.features, "indexes_lag", False):
        time.sleep(LAG_SECONDS)
        row = look()
    return row


def from_index(rows: Rows) -> Rows:
    """The rows as an index knows them: half a read unit for about 20, however large they are.

    Rows that have just changed may be missing, or still be there. A database whose indexes lag
    refuses fields and filters that the keys of the index do not hold, with NotSupportedError;
    `explain()` says "keys only".
    """
    chosen: Rows = rows.all()
    chosen.query.reads_index = True  # type: ignore[attr-defined]
    return chosen
