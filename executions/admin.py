"""The pages of executions, and what the pages of triggers say about them."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from executions.display import status_of
from executions.models import TriggerExecution
from executions.origins import names_of_triggers, trigger_of
from executions.requests import NOT_RUN, run_now
from moca.admin import ModelAdmin, ReadOnlyModelAdmin, actor, link_to, list_of
from moca.changelist import ChangeList
from moca.concurrency import reason_of
from moca.display import (
    NOTHING,
    badge,
    duration,
    exact,
    excerpt,
    happened,
    laid_out,
    past_time_tag,
    short_time_tag,
    time_tag,
)
from triggers import admin as triggers_admin
from triggers.models import RunStatus, Trigger

LATEST = 10
post_only = method_decorator([require_POST, csrf_protect])


def status_badge(execution: TriggerExecution) -> SafeString:
    """The execution's status."""
    return badge(*status_of(execution))


def execution_link(trigger_id: str, key: str) -> str:
    """The address of an execution's page, which names its trigger too: so it is found by key."""
    return link_to(TriggerExecution, f"{trigger_id}:{key}")


def took(execution: TriggerExecution) -> str:
    """How long the run took."""
    return NOTHING if execution.duration_ms is None else duration(execution.duration_ms)


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

    @admin.action(permissions=["change"], description="Run now")
    def run_now(self, request: HttpRequest, triggers: Iterable[Trigger]) -> None:
        def run(trigger: Trigger) -> bool:
            run_now(trigger, by=actor(request))
            return True

        self.act_on_each(request, triggers, run, "started")

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(self.run_view)
        return [
            path("<path:object_id>/run/", run, name="triggers_trigger_run"),
            *super().get_urls(),
        ]

    @post_only
    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run the trigger now, and go to the run."""
        trigger = self.get_object(request, unquote(object_id))
        if trigger is None:
            raise Http404
        if not self.has_change_permission(request, trigger):
            raise PermissionDenied
        return _run_and_show(self, request, trigger)

    def overview(self, trigger: Trigger) -> dict[str, Any]:
        latest = TriggerExecution.objects.of_trigger(trigger)[:LATEST]
        rows = [_summary(execution) for execution in latest.defer("output_tail", "event_payload")]
        return {
            **super().overview(trigger),
            "executions": rows,
            "executions_url": self.runs_url(trigger),
        }


def _run_and_show(
    model_admin: ModelAdmin,
    request: HttpRequest,
    trigger: Trigger,
    *,
    replayed: TriggerExecution | None = None,
) -> HttpResponse:
    try:
        execution = run_now(trigger, by=actor(request), replayed=replayed)
    except NOT_RUN as error:
        model_admin.message_user(request, f"Not started: {reason_of(error)}", messages.WARNING)
        if replayed:
            return HttpResponseRedirect(execution_link(replayed.trigger_id, replayed.pk))
        return HttpResponseRedirect(link_to(Trigger, trigger.pk))
    return HttpResponseRedirect(execution_link(execution.trigger_id, execution.pk))


def _summary(execution: TriggerExecution) -> dict[str, Any]:
    now = timezone.now()
    execution.close_if_lost(now)
    return {
        "url": execution_link(execution.trigger_id, execution.pk),
        "status": status_badge(execution),
        "started": exact(execution.started_at),
        "ago": happened(execution.started_at, now),
        "took": took(execution),
        "source": execution.get_source_display(),
        "said": excerpt(execution.error or execution.output, 100),
    }


class ExecutionList(ChangeList):
    """A page of executions, with the names of their triggers; lost runs show as failed."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return super().get_queryset(request, *args, **kwargs).defer("output_tail", "event_payload")

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        names = names_of_triggers(self.result_list)
        now = timezone.now()
        for execution in self.result_list:
            execution.close_if_lost(now)
            execution.trigger_name = names.get(execution.trigger_id)

    def url_for_result(self, result: Any) -> str:
        return execution_link(result.trigger_id, result.pk)


class StatusFilter(admin.SimpleListFilter):
    """Executions by the status that they show: see `TriggerExecutionQuerySet.shown_as()`."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return RunStatus.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.shown_as(self.value() or "", timezone.now())


@admin.register(TriggerExecution)
class ExecutionAdmin(ReadOnlyModelAdmin):
    list_display = ["state", "trigger", "source", "due", "started", "took", "said"]
    list_filter = [StatusFilter, "source"]
    search_fields = ["trigger_id"]
    search_help_text = "The whole id of a trigger: its runs."
    narrower = "Too many runs to look through: search for those of one trigger by its id."
    sortable_by = ()

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
        return status_badge(execution)

    @admin.display(description="trigger")
    def trigger(self, execution: TriggerExecution) -> str:
        return _trigger_link(execution.trigger_id, getattr(execution, "trigger_name", None))

    @admin.display(description="due")
    def due(self, execution: TriggerExecution) -> str:
        due = execution.scheduled_at
        return short_time_tag(due, timezone.now()) if due else NOTHING

    @admin.display(description="started")
    def started(self, execution: TriggerExecution) -> str:
        return past_time_tag(execution.started_at, timezone.now())

    @admin.display(description="took")
    def took(self, execution: TriggerExecution) -> str:
        return took(execution)

    @admin.display(description="error or output")
    def said(self, execution: TriggerExecution) -> str:
        return excerpt(execution.error or execution.output, 120) or NOTHING

    # The page of one execution

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> TriggerExecution | None:
        """The execution of a key as `execution_link` makes it."""
        trigger_id, _, key = object_id.rpartition(":")
        if not trigger_id:
            return None
        return self.get_queryset(request).filter(trigger_id=trigger_id, pk=key).first()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        execution: TriggerExecution = context["original"]
        now = timezone.now()
        execution.close_if_lost(now)
        trigger = trigger_of(execution)
        context |= {
            "title": f"Run of {trigger.name}" if trigger else "Run of a deleted trigger",
            "subtitle": None,
            "execution": execution,
            "key": f"{execution.trigger_id}:{execution.pk}",
            "status": status_badge(execution),
            "facts": _facts(execution, trigger, now),
            "output": execution.said.text,
            "payload": laid_out(execution.event_payload),
            "may_replay": trigger is not None and request.user.has_perm("triggers.change_trigger"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        replay = self.admin_site.admin_view(self.replay_view)
        name = "executions_triggerexecution_replay"
        return [path("<path:object_id>/replay/", replay, name=name), *super().get_urls()]

    @post_only
    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send the execution's event again, and go to the new run."""
        if not request.user.has_perm("triggers.change_trigger"):
            raise PermissionDenied
        execution = self.get_object(request, unquote(object_id))
        if execution is None:
            raise Http404
        trigger = trigger_of(execution)
        if trigger is None:
            self.message_user(request, "The trigger of this run is deleted.", messages.WARNING)
            return HttpResponseRedirect(execution_link(execution.trigger_id, execution.pk))
        return _run_and_show(self, request, trigger, replayed=execution)


def _trigger_link(trigger_id: str, name: str | None) -> str:
    if name is None:
        return format_html('{} <span class="fine">deleted</span>', trigger_id)
    return format_html('<a href="{}">{}</a>', link_to(Trigger, trigger_id), name)


def _facts(execution: TriggerExecution, trigger: Trigger | None, now: Any) -> list[tuple[str, str]]:
    """What is known of a run, but for its texts; facts that are not known are left out."""
    usage = execution.usage if isinstance(execution.usage, dict) else {}
    replayed = execution.replay_of
    facts = [
        ("Trigger", _trigger_link(execution.trigger_id, trigger.name if trigger else None)),
        ("Source", execution.get_source_display()),
        ("Replay of", replayed and _replayed_link(execution)),
        ("Due", execution.scheduled_at and time_tag(execution.scheduled_at, now)),
        ("Started", past_time_tag(execution.started_at, now)),
        ("Ended", execution.completed_at and past_time_tag(execution.completed_at, now)),
        ("Took", execution.duration_ms is not None and took(execution)),
        ("Attempt", execution.attempt and str(execution.attempt)),
        ("Tokens", usage and _tokens(usage)),
        ("Output", f"{execution.output_bytes:,} bytes"),
        ("Warning", execution.warning),
        ("User", execution.user_id),
        ("Session", execution.session_id),
        ("Agent's request", execution.request_id),
        ("Execution", execution.pk),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _replayed_link(execution: TriggerExecution) -> str:
    address = execution_link(execution.trigger_id, execution.replay_of)
    return format_html('<a href="{}">{}</a>', address, execution.replay_of)


def _tokens(usage: dict[str, Any]) -> str:
    words = {"inputTokens": "in", "outputTokens": "out"}
    return ", ".join(f"{usage[key]} {word}" for key, word in words.items() if key in usage)
