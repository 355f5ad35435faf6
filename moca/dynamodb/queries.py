"""Query options that no method of a QuerySet has; databases other than ours ignore them."""

from typing import Any, TypeVar

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound=QuerySet[Any])


def from_index(rows: Rows) -> Rows:
    """Read the rows from an index alone: half a read unit for about 20, however large they are.

    Rows that have just changed may be missing, or still be there. A database whose indexes lag
    refuses fields and filters that the keys of the index do not hold, with NotSupportedError;
    `explain()` says "keys only".
    """
    chosen: Rows = rows.all()
    chosen.query.reads_index = True  # type: ignore[attr-defined]
    return chosen


def may_lag(rows: Rows) -> Rows:
    """Read the rows for half the read units, as they were up to about a second ago.

    In a transaction, rows are read as they are all the same, since its writes are based on them.
    """
    chosen: Rows = rows.all()
    chosen.query.may_lag = True  # type: ignore[attr-defined]
    return chosen
