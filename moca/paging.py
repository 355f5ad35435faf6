"""Pagination by key for pages and the admin: one bounded read per page of a list of any length.

The address of a page names the row next to it: `older.ID` or `newer.ID`, or `older.MICROSECONDS-ID`
if the list is sorted by a time. An empty or invalid address is the first page's.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import NotSupportedError
from django.db.models import Model, QuerySet

logger = logging.getLogger(__name__)

OLDER, NEWER = "older", "newer"
# The number of rows with the same time that a page is sure not to skip.
TIES = 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest rows first.

    Attributes:
        rows: the rows.
        is_first: whether this is the first page.
        has_older: whether older rows follow.
        has_newer: whether there may be newer rows.
        too_many: whether the filters would read more rows than the database allows; no row is read.
        by: the field with the time that sorts the list; empty if ids sort it.
    """

    rows: list[Any]
    is_first: bool = True
    has_older: bool = False
    has_newer: bool = False
    too_many: bool = False
    by: str = ""

    @property
    def older(self) -> str:
        """The address of the page after; empty if there is none."""
        return f"{OLDER}.{self._key(self.rows[-1])}" if self.has_older and self.rows else ""

    @property
    def newer(self) -> str:
        """The address of the page before; empty if there is none."""
        return f"{NEWER}.{self._key(self.rows[0])}" if self.has_newer and self.rows else ""

    def _key(self, row: Any) -> str:
        if not self.by:
            return str(row.pk)
        return f"{(getattr(row, self.by) - EPOCH) // MICROSECOND}-{row.pk}"


def read_page(
    rows: QuerySet[Any], address: str, size: int, *, is_narrowed: bool, by: str = ""
) -> Page:
    """Read a page.

    Args:
        rows: all rows, in any order.
        address: the page's address; see the module.
        size: the greatest number of rows on the page.
        is_narrowed: whether the rows are filtered. The database may then refuse to read them.
        by: the field with the time that sorts the list; empty to sort by id, which is by creation.

    Raises:
        NotSupportedError: the database cannot read unfiltered rows in this order.
    """
    direction, key = _beside(address, rows.model, by)
    try:
        found = _found(rows, direction, key, size, by)
    except NotSupportedError as error:
        if not is_narrowed:
            raise
        logger.warning("A list was not narrowed enough: %s", error)
        return Page([], is_first=not key, too_many=True, by=by)
    page, more = found[:size], len(found) > size
    return Page(
        page[::-1] if direction == NEWER else page,
        is_first=not key,
        has_older=more or direction == NEWER,
        has_newer=more if direction == NEWER else direction == OLDER,
        by=by,
    )


def _found(rows: QuerySet[Any], direction: str, key: str, size: int, by: str) -> list[Any]:
    """The page's rows, and one more if there are more."""
    if by:
        return _found_by_time(rows, direction, key, size, by)
    if direction == NEWER:
        rows = rows.filter(pk__gt=key).order_by("pk")
    else:
        rows = (rows.filter(pk__lt=key) if key else rows).order_by("-pk")
    return list(rows[: size + 1])


def _found_by_time(rows: QuerySet[Any], direction: str, key: str, size: int, by: str) -> list[Any]:
    rows = rows.order_by(by if direction == NEWER else f"-{by}")
    if not key:
        return list(rows[: size + 1])
    microseconds, _, pk = key.partition("-")
    moment = EPOCH + int(microseconds) * MICROSECOND
    # Rows with the same time may be on either side of the named row, so read that one too.
    beside = "gte" if direction == NEWER else "lte"
    found = list(rows.filter(**{f"{by}__{beside}": moment})[: size + 1 + TIES])
    places = [place for place, row in enumerate(found, 1) if row.pk == pk]
    if not places:
        return [row for row in found if getattr(row, by) != moment][: size + 1]
    return found[places[0] : places[0] + size + 1]


def _beside(address: str, model: type[Model], by: str) -> tuple[str, str]:
    direction, _, key = address.partition(".")
    pk = key
    if by:
        microseconds, _, pk = key.partition("-")
        if not (microseconds.isascii() and microseconds.isdecimal() and len(microseconds) <= 16):
            return "", ""
    is_key = pk.isprintable() and 0 < len(pk) <= (model._meta.pk.max_length or 0)
    return (direction, key) if is_key and direction in (OLDER, NEWER) else ("", "")
