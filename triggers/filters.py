"""Filters of the admin's list of triggers."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from triggers.models import SyncState


class AttentionFilter(admin.SimpleListFilter):
    """Triggers that an operator should look at, by the reason."""

    title = "needs attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failing", "Failing"),
            ("paused", "Paused after failures"),
            ("out-of-step", "Not synced"),
            ("skipped", "Skipped runs"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "failing":
            return queryset.filter(consecutive_failures__gt=0)
        if self.value() == "paused":
            return queryset.filter(enabled=False).exclude(paused_reason="")
        if self.value() == "out-of-step":
            return queryset.exclude(sync_state=SyncState.SYNCED)
        if self.value() == "skipped":
            return queryset.filter(skipped_runs__gt=0)
        return queryset


class LastResultFilter(admin.SimpleListFilter):
    """Triggers by the result of their last run."""

    title = "last result"
    parameter_name = "last_result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("completed", "Completed"), ("failed", "Failed"), ("none", "Never run")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(last_status="" if value == "none" else value)
