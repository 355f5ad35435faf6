"""Tells a process that looks at the database again and again when it need not."""

import time
from typing import Any

from django.db import connection

# How often to look all the same.
SECONDS = 5.0


class Changes:
    """Whether the database may have changed since the last look, for one thread.

    To ask SQLite takes a tenth of a query. Another database may always have changed.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._end = 0.0

    def may_be(self) -> bool:
        """Whether to look now; the next call tells of changes from now on."""
        seen, now = _state(), time.monotonic()
        if seen is not None and seen == self._seen and now < self._end:
            return False
        self._seen, self._end = seen, now + SECONDS
        return True

    def look_again(self) -> None:
        """Have the next call ask for a look, because this one has found something."""
        self._seen = None


def _state() -> tuple[int, int] | None:
    """What SQLite counts: changes by other connections, and those by this one."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        (others,) = cursor.execute("PRAGMA data_version").fetchone()
    own: Any = connection.connection
    return others, own.total_changes
