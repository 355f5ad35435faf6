"""The admin pages of executions, and what the admin pages of triggers show and do about runs.

Operators work with the console's pages, which these link to.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.agent_records.admin import AgentAdmin  # noqa: F401  (registers the pages)
from executions.badges import status_badge
from executions.models import TriggerExecution
from executions.runner.manual import NOT_RUN, run_now
from moca.admin import ReadOnlyModelAdmin, actor, link_to, list_of, page_or_none
from moca.changelist import ChangeList
from moca.display import NOTHING, badge, duration, excerpt, past_time_tag, short_time_tag
from triggers import admin as triggers_admin
from triggers.models import Outcome, RunStatus, Trigger


def execution_link(trigger_id: str, key: str) -> str:
    """The address of an execution's page. It names the trigger, which is a part of the key."""
    return link_to(TriggerExecution, f"{trigger_id}:{key}")


@admin.register(Trigger)
class TriggerAdmin(triggers_admin.TriggerAdmin):
    actions = ["enable", "disable", "run_now", "synchronize", "delete_selected"]
    refusals = (*triggers_admin.TriggerAdmin.refusals, *NOT_RUN)

    def runs_url(self, trigger: Trigger) -> str:
        return list_of(TriggerExecution, q=trigger.pk)

    def last_run_url(self, trigger: Trigger) -> str:
        if not trigger.last_execution_id:
            return self.runs_url(trigger)
        return execution_link(trigger.pk, trigger.last_execution_id)

    def view_on_site(self, obj: Any) -> str | None:
        """The console's page of the trigger, which shows its runs and can run it."""
        return page_or_none("console:trigger", obj.pk)

    @admin.action(permissions=["change"], description="Run now")
    def run_now(self, request: HttpRequest, triggers: Iterable[Trigger]) -> None:
        def run(trigger: Trigger) -> bool:
            run_now(trigger, by=actor(request))
            return True

        self.act_on_each(request, triggers, run, "started")


class ExecutionList(ChangeList):
    """A page of executions, with the names of their triggers. Lost runs show as failed."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return super().get_queryset(request, *args, **kwargs).defer("output_tail", "event_payload")

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        names = TriggerExecution.objects.trigger_names(self.result_list)
        now = timezone.now()
        for execution in self.result_list:
            execution.close_if_lost(now)
            execution.trigger_name = names.get(execution.trigger_id)

    def url_for_result(self, result: Any) -> str:
        return execution_link(result.trigger_id, result.pk)


class StatusFilter(admin.SimpleListFilter):
    """Filters by the status that is shown; see `TriggerExecutionQuerySet.shown_as()`."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return RunStatus.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.shown_as(self.value() or "", timezone.now())


class OutcomeFilter(admin.SimpleListFilter):
    """Filters by the outcome; see `TriggerExecutionQuerySet.ended_as()`."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return Outcome.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = self.value() if self.value() in Outcome.values else ""
        return queryset.ended_as(known, timezone.now())


@admin.register(TriggerExecution)
class ExecutionAdmin(ReadOnlyModelAdmin):
    list_display = [
        *("state", "shown_outcome", "trigger", "agent_id", "source"),
        *("due", "started", "duration", "said"),
    ]
    list_filter = [StatusFilter, OutcomeFilter, "source"]
    search_fields = ["trigger_id"]
    search_help_text = "The whole id of a trigger: its runs."
    narrower = "Too many runs to look through: search for those of one trigger by its id."
    sortable_by = ()
    # The state is the status that is shown, even if another program wrote one of its own. The
    # outcome of a record of an earlier edition follows from its error.
    fields = readonly_fields = [  # type: ignore[assignment]
        "state",
        "shown_outcome",
        *(
            each.name
            for each in TriggerExecution._meta.concrete_fields
            if each.name not in ("status", "outcome")
        ),
    ]

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ExecutionList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term.strip():
            queryset = queryset.filter(trigger_id=search_term.strip())
        return queryset, False

    @admin.display(description="status")
    def state(self, execution: TriggerExecution) -> SafeString:
        return badge(*status_badge(execution))

    @admin.display(description="outcome")
    def shown_outcome(self, execution: TriggerExecution) -> str:
        outcome = execution.shown_outcome
        return str(Outcome(outcome).label) if outcome in Outcome.values else outcome or NOTHING

    @admin.display(description="trigger")
    def trigger(self, execution: TriggerExecution) -> str:
        return _trigger_link(execution.trigger_id, execution.trigger_name)

    @admin.display(description="due")
    def due(self, execution: TriggerExecution) -> str:
        due = execution.scheduled_at
        return short_time_tag(due, timezone.now()) if due else NOTHING

    @admin.display(description="started")
    def started(self, execution: TriggerExecution) -> str:
        return past_time_tag(execution.started_at, timezone.now())

    @admin.display(description="duration")
    def duration(self, execution: TriggerExecution) -> str:
        return NOTHING if execution.duration_ms is None else duration(execution.duration_ms)

    @admin.display(description="error or output")
    def said(self, execution: TriggerExecution) -> str:
        return excerpt(execution.error or execution.output, 120) or NOTHING

    # The page of one execution

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> TriggerExecution | None:
        """The execution of a key that `execution_link()` made."""
        trigger_id, _, key = object_id.rpartition(":")
        if not trigger_id:
            return None
        return self.get_queryset(request).filter(trigger_id=trigger_id, pk=key).first()

    def view_on_site(self, obj: Any) -> str | None:
        """The console's page of the run, which shows its output and can replay it."""
        return page_or_none("console:run", obj.trigger_id, obj.pk)


def _trigger_link(trigger_id: str, name: str | None) -> str:
    if name is None:
        return format_html('{} <span class="fine">deleted</span>', trigger_id)
    return format_html('<a href="{}">{}</a>', link_to(Trigger, trigger_id), name)
