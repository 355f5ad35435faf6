"""Lists that page by key: a page is one bounded read, however long the list and wherever in it."""

import logging
import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.admin.views import main
from django.db import NotSupportedError, models
from django.http import HttpRequest

logger = logging.getLogger(__name__)

OLDER, NEWER = "older", "newer"


class ActionForm(forms.Form):
    """The choice of an action; it concerns the ticked rows of the page and no others."""

    action = forms.ChoiceField(label="Action:")


class ChangeList(main.ChangeList):
    """A page of a list, newest first, that counts nothing and passes over nothing.

    The address names the row that the page lies beside: `p=older.ID` or `p=newer.ID`. An address
    that names none, or makes no sense, is that of the first page.

    Attributes:
        beside: the direction and the key from the address; empty for the first page.
        has_older: whether older rows follow the page.
        has_newer: whether newer rows may come before it.
        too_many: whether more rows would have to be looked through than the database allows.
    """

    has_older = has_newer = too_many = False

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        return ["-pk"]

    def get_ordering_field_columns(self) -> Any:
        return {}

    def get_results(self, request: HttpRequest) -> None:
        self.beside = self._beside(request.GET.get(main.PAGE_VAR, ""))
        direction, key = self.beside
        rows = self.queryset
        if direction == OLDER:
            rows = rows.filter(pk__lt=key)
        elif direction == NEWER:
            rows = rows.filter(pk__gt=key).order_by("pk")
        found = self._read(rows)
        page, more = found[: self.list_per_page], len(found) > self.list_per_page
        self.has_older = more or direction == NEWER
        self.has_newer = more if direction == NEWER else direction == OLDER
        self._show(page[::-1] if direction == NEWER else page)

    def _beside(self, address: str) -> tuple[str, str]:
        direction, _, key = address.partition(".")
        is_key = key.isprintable() and 0 < len(key) <= (self.opts.pk.max_length or 0)
        return (direction, key) if is_key and direction in (OLDER, NEWER) else ("", "")

    def _read(self, rows: models.QuerySet[Any]) -> list[Any]:
        try:
            return list(rows[: self.list_per_page + 1])
        except NotSupportedError as error:
            if not self.is_narrowed:
                raise
            logger.warning("A list was not narrowed enough: %s", error)
            self.too_many = True
            return []

    def _show(self, page: list[Any]) -> None:
        self.result_list: Any = page
        # What Django's templates ask for; nothing is known of other pages.
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(page)

    @property
    def is_narrowed(self) -> bool:
        """Whether the list shows only what a search or a filter lets through."""
        return bool(self.query or self.has_active_filters)

    @property
    def newest_link(self) -> str:
        """The address of the first page, searched and filtered alike."""
        return self.get_query_string()

    @property
    def newer_link(self) -> str:
        """The address of the page before; empty where there is none."""
        return self._link(NEWER, self.result_list[:1]) if self.has_newer else ""

    @property
    def older_link(self) -> str:
        """The address of the page after; empty where there is none."""
        return self._link(OLDER, self.result_list[-1:]) if self.has_older else ""

    def _link(self, direction: str, rows: Iterable[models.Model]) -> str:
        links = [self.get_query_string({main.PAGE_VAR: f"{direction}.{row.pk}"}) for row in rows]
        return "".join(links)


def whole_id(text: str) -> str:
    """The id that the text is, in its usual form; empty where it is none."""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        return ""
