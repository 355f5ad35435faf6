"""Rows that an index may not know yet."""

import time
from typing import TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)

# How long an index may take to know a row that was just added.
LAG_SECONDS = 0.3


def first(rows: QuerySet[Row]) -> Row | None:
    """The only row that may match, looked for once more where an index may not know it yet."""
    found = rows.first()
    if found is None and getattr(connection.features, "indexes_lag", False):
        time.sleep(LAG_SECONDS)
        found = rows.first()
    return found
