"""Pages by key: each is one bounded read, however long the list and wherever in it.

The address of a page names the row that it lies beside: `older.ID` or `newer.ID`. One that names
none, or makes no sense, is that of the first page.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.db import NotSupportedError
from django.db.models import Model, QuerySet

logger = logging.getLogger(__name__)

OLDER, NEWER = "older", "newer"


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, newest first.

    Attributes:
        rows: the rows.
        is_first: whether the address was that of the first page.
        has_older: whether older rows follow.
        has_newer: whether newer rows may come before.
        too_many: whether more rows would have to be looked through than the database allows.
    """

    rows: list[Any]
    is_first: bool = True
    has_older: bool = False
    has_newer: bool = False
    too_many: bool = False

    @property
    def older(self) -> str:
        """The address of the page after; empty where there is none."""
        return f"{OLDER}.{self.rows[-1].pk}" if self.has_older and self.rows else ""

    @property
    def newer(self) -> str:
        """The address of the page before; empty where there is none."""
        return f"{NEWER}.{self.rows[0].pk}" if self.has_newer and self.rows else ""


def read_page(rows: QuerySet[Any], address: str, size: int, *, is_narrowed: bool) -> Page:
    """Read a page.

    Args:
        rows: all of them, in any order.
        address: which page; see above.
        size: how many rows it has at the most.
        is_narrowed: whether the rows are filtered, so that the database may refuse to look
            through all of them.
    """
    direction, key = _beside(address, rows.model)
    if direction == NEWER:
        rows = rows.filter(pk__gt=key).order_by("pk")
    else:
        rows = (rows.filter(pk__lt=key) if key else rows).order_by("-pk")
    try:
        found = list(rows[: size + 1])
    except NotSupportedError as error:
        if not is_narrowed:
            raise
        logger.warning("A list was not narrowed enough: %s", error)
        return Page([], is_first=not key, too_many=True)
    page, more = found[:size], len(found) > size
    return Page(
        page[::-1] if direction == NEWER else page,
        is_first=not key,
        has_older=more or direction == NEWER,
        has_newer=more if direction == NEWER else direction == OLDER,
    )


def _beside(address: str, model: type[Model]) -> tuple[str, str]:
    direction, _, key = address.partition(".")
    is_key = key.isprintable() and 0 < len(key) <= (model._meta.pk.max_length or 0)
    return (direction, key) if is_key and direction in (OLDER, NEWER) else ("", "")
