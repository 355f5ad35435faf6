"""The admin's lists, with pagination by key instead of counts and offsets."""

import uuid
from typing import Any

from django import forms
from django.contrib.admin.views import main
from django.db import models
from django.http import HttpRequest

from moca.paging import Page, read_page


class ActionForm(forms.Form):
    """The choice of an action, which applies to the ticked rows of the page only."""

    action = forms.ChoiceField(label="Action:")


class ChangeList(main.ChangeList):
    """One page of a list, newest first, by one bounded read."""

    page: Page

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        return ["-pk"]

    def get_ordering_field_columns(self) -> Any:
        return {}

    def get_results(self, request: HttpRequest) -> None:
        self.page = read_page(
            self.queryset,
            request.GET.get(main.PAGE_VAR, ""),
            self.list_per_page,
            is_narrowed=self.is_narrowed,
        )
        self._show(self.page.rows)

    def _show(self, page: list[Any]) -> None:
        self.result_list: Any = page
        # Django's templates need these; the other pages are unknown.
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(page)

    @property
    def is_narrowed(self) -> bool:
        """Whether a search or a filter is active."""
        return bool(self.query or self.has_active_filters)

    @property
    def newest_link(self) -> str:
        """The address of the first page, with the same search and filters."""
        return self.get_query_string()

    @property
    def newer_link(self) -> str:
        """The address of the page before; empty if there is none."""
        return self._link(self.page.newer)

    @property
    def older_link(self) -> str:
        """The address of the page after; empty if there is none."""
        return self._link(self.page.older)

    def _link(self, address: str) -> str:
        return self.get_query_string({main.PAGE_VAR: address}) if address else ""


def whole_id(text: str) -> str:
    """The text as a UUID in lower case; empty if it is no UUID."""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        return ""
