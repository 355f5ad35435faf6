"""Rows that an index may not know yet."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

Found = TypeVar("Found")

# How long an index may take to know a row that was just added.
LAG_SECONDS = 0.3


def found(look: Callable[[], Found | None]) -> Found | None:
    """What a look finds; where that is nothing and an index may lag behind, what a second does."""
    row = look()
    if row is None and getattr(connection.features, "indexes_lag", False):
        time.sleep(LAG_SECONDS)
        row = look()
    return row
