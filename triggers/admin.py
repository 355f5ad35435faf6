"""The admin's pages of triggers; `executions.admin` adds what concerns runs."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from moca.admin import ModelAdmin, actor, list_of, operator_of
from moca.authentication.models import Role
from moca.changelist import whole_id
from moca.display import (
    NOTHING,
    badge,
    excerpt,
    short_past_time_tag,
    shortened,
    time_tag,
)
from triggers import services
from triggers.bulk import act_on_each
from triggers.display import RESULT_KINDS, TriggerDisplay, last_result
from triggers.filters import AttentionFilter, LastResultFilter
from triggers.forms import TriggerForm
from triggers.models import Trigger, TriggerType
from triggers.reconcile import reconcile_one
from triggers.sections import SECTIONS, Section

# Search words that select the triggers of one user: user:ID or user:"ID".
OF_USER = re.compile(r'(?:^|\s)user:(?:"([^"]+)"|(\S+))')

# The two maps as they are stored, for operators who may not change them.
MAPS = ("Schedule or event", {"fields": ["schedule_config", "event_config"]})
BY_TYPE = ("schedule", "event")


class TriggerAdmin(ModelAdmin):
    form = TriggerForm
    list_display = ["title", "state", "when", "next_run", "last_result", "agent"]
    list_filter = ["enabled", AttentionFilter, LastResultFilter, "type"]
    search_fields = ["name", "description", "agent_id", "user_id"]
    search_help_text = (
        "Name, description, agent or user; a whole id; user:ID for the triggers of one user, also "
        "with other words."
    )
    narrower = (
        "Too many triggers to look through: choose a type, or search for one user with user:ID."
    )
    sortable_by = ()
    actions: Sequence[Any] = ["enable", "disable", "synchronize", "delete_selected"]
    refusals = services.REFUSALS
    # A lost race may use up the quota. The form is validated again and says so.
    overtaken = (*ModelAdmin.overtaken, ValidationError)

    # The list

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a user's triggers and whole ids by key; search all rows for other words."""
        user = OF_USER.search(search_term)
        if user:
            queryset = queryset.filter(user_id=user[1] or user[2])
            search_term = OF_USER.sub(" ", search_term, count=1)
        key = whole_id(search_term)
        if key and (user or Trigger.objects.filter(pk=key).exists()):
            return queryset.filter(pk=key), False
        if key and Trigger.objects.filter(user_id=key).exists():
            return queryset.filter(user_id=key), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="name")
    def title(self, trigger: Trigger) -> SafeString:
        about = excerpt(trigger.description, 80)
        return format_html('{}<span class="fine">{}</span>', trigger.name, about)

    @admin.display(description="state")
    def state(self, trigger: Trigger) -> SafeString:
        return format_html_join(
            " ",
            '{}<span class="fine" title="{}">{}</span>',
            (
                (badge(state.kind, state.word), state.reason, excerpt(state.reason, 60))
                for state in TriggerDisplay(trigger, timezone.now()).states()
            ),
        )

    @admin.display(description="when")
    def when(self, trigger: Trigger) -> SafeString:
        view = TriggerDisplay(trigger, timezone.now())
        return format_html(
            '{}<span class="fine">{}</span>',
            view.schedule_words or view.event_words or NOTHING,
            trigger.get_type_display(),
        )

    @admin.display(description="next run")
    def next_run(self, trigger: Trigger) -> str:
        view = TriggerDisplay(trigger, timezone.now())
        if view.fires_on_events:
            return "On an event"
        runs = view.next_runs(1)
        return time_tag(runs[0], view.now, view.zone) if runs else NOTHING

    @admin.display(description="last result")
    def last_result(self, trigger: Trigger) -> SafeString:
        now = timezone.now()
        return format_html("{}{}", self._result(trigger, now), _skips(trigger))

    def _result(self, trigger: Trigger, now: datetime) -> str:
        if trigger.is_held(now):
            return _linked(self.runs_url(trigger), badge("busy", "Running"))
        if not trigger.last_status or trigger.last_executed_at is None:
            return "Never run"
        kind = RESULT_KINDS.get(trigger.last_status, "off")
        status = badge(kind, last_result(trigger))
        failures = trigger.consecutive_failures
        return format_html(
            '{} {}{}<span class="fine" title="{}">{}</span>',
            _linked(self.last_run_url(trigger), status),
            short_past_time_tag(trigger.last_executed_at, now),
            f", {failures} in a row" if failures > 1 else "",
            trigger.last_error,
            excerpt(trigger.last_error, 80),
        )

    @admin.display(description="agent, user")
    def agent(self, trigger: Trigger) -> SafeString:
        user = trigger.user_id
        query = f'user:"{user}"' if " " in user else f"user:{user}"
        return format_html(
            '{}<a class="fine" href="{}">{}</a>',
            shortened(trigger.agent_id, 20),
            list_of(Trigger, q=query),
            shortened(user, 12),
        )

    def runs_url(self, trigger: Trigger) -> str:
        """The address of the list of the trigger's runs; empty if there is none."""
        return ""

    def last_run_url(self, trigger: Trigger) -> str:
        """The address of the trigger's last run; empty if there is none."""
        return ""

    # Actions

    @admin.action(permissions=["change"], description="Enable")
    def enable(self, request: HttpRequest, triggers: Iterable[Trigger]) -> None:
        self.act_on_each(request, triggers, partial(services.enable, by=actor(request)), "enabled")

    @admin.action(permissions=["change"], description="Disable")
    def disable(self, request: HttpRequest, triggers: Iterable[Trigger]) -> None:
        self.act_on_each(
            request, triggers, partial(services.disable, by=actor(request)), "disabled"
        )

    @admin.action(permissions=["delete"], description="Delete")
    def delete_selected(
        self, request: HttpRequest, triggers: Sequence[Trigger]
    ) -> HttpResponse | None:
        if "post" in request.POST:
            act = partial(services.delete, by=actor(request))
            self.act_on_each(request, triggers, act, "deleted")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete triggers",
            "triggers": triggers,
            "opts": self.opts,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        template = "admin/triggers/trigger/delete_selected_confirmation.html"
        return TemplateResponse(request, template, context)

    @admin.action(permissions=["change"], description="Sync schedule")
    def synchronize(self, request: HttpRequest, triggers: Iterable[Trigger]) -> None:
        act = partial(reconcile_one, by=actor(request))
        self.act_on_each(request, triggers, act, "synced")

    def act_on_each(
        self,
        request: HttpRequest,
        triggers: Iterable[Trigger],
        act: Callable[[Trigger], bool],
        done: str,
    ) -> None:
        """Do an action on each trigger, and show the operator the outcome; see `triggers.bulk`."""
        outcome = act_on_each(triggers, act, self.refusals)
        level = messages.WARNING if outcome.refused else messages.SUCCESS
        self.message_user(request, outcome.sentence(done), level)

    # The page of one trigger

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Trigger | None:
        found: Trigger | None = self.get_queryset(request).with_id(object_id)  # type: ignore[attr-defined]
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sections = [section for section in SECTIONS if section.entries]
        if self.has_change_permission(request, obj):
            found = [_fieldset(section) for section in sections]
        else:
            found = [_fieldset(section) for section in sections if section.key not in BY_TYPE]
            found.insert(-1, MAPS)
        found[0][1]["fields"].insert(0, "opened_version")
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Only admins choose the owner, who sees the trigger in the API.
        return () if operator_of(request).has_role(Role.ADMIN) else ("user_id",)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.owner = operator_of(request).subject
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save(obj, by=actor(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete(obj, by=actor(request))


def _fieldset(section: Section) -> tuple[Any, dict[str, Any]]:
    """A section as a fieldset; a script hides the one of the other trigger type."""
    classes = [f"for-{section.key}"] if section.key in BY_TYPE else []
    names = [entry.name for entry in section.entries]
    return section.title, {"classes": classes, "fields": names}


def _linked(url: str, words: str) -> str:
    return format_html('<a href="{}">{}</a>', url, words) if url else words


def _skips(trigger: Trigger) -> str:
    if not trigger.skipped_runs:
        return ""
    return format_html(
        '<span class="fine" title="{}">{} {}</span>',
        trigger.last_skip_reason,
        trigger.skipped_runs,
        "dropped" if trigger.type == TriggerType.EVENT else "skipped",
    )
