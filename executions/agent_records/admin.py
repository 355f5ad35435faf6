"""The admin pages of agents' records that admins have added."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.agent_records import services
from executions.agent_records.forms import AgentForm
from executions.agent_records.model import Agent
from moca.admin import ModelAdmin, actor, page_or_none
from moca.display import excerpt, time_tag


@admin.register(Agent)
class AgentAdmin(ModelAdmin):
    form = AgentForm
    list_display = ["title", "address", "protocol", "auth", "changed"]
    list_filter = ["protocol"]
    search_fields = ["id", "name", "description"]
    search_help_text = "Id, name or description. Those that the settings list are not here."
    sortable_by = ()
    refusals = services.REFUSALS

    @admin.display(description="name")
    def title(self, agent: Agent) -> SafeString:
        return format_html('{}<span class="fine">{}</span>', agent.name, excerpt(agent.pk, 80))

    @admin.display(description="changed")
    def changed(self, agent: Agent) -> SafeString:
        return time_tag(agent.updated_at, timezone.now())

    def view_on_site(self, obj: Any) -> str | None:
        """Return the operators' page, where the agent can be tried."""
        return page_or_none("console:agent", obj.pk)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        about = ["name", "id", "description", "address", "protocol"]
        if obj is not None and self.has_change_permission(request, obj):
            about.remove("id")
        version = ["opened_version"] if self.has_change_permission(request, obj) else []
        auth = ["auth", "secret_ref", "key_header", "client_id", "token_domain", "scope"]
        defaults = ["model_id", "reasoning_effort", "enabled_tools"]
        return [
            (None, {"fields": [*version, *about]}),
            ("Authorization", {"fields": auth}),
            ("Defaults of triggers", {"fields": defaults}),
            ("Time limits", {"fields": ["connect_seconds", "idle_seconds", "max_concurrency"]}),
        ]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names, counts, needed, protected = super().get_deleted_objects(objs, request)
        for agent in objs:
            named, has_more = services.triggers_of(agent.pk)
            number = f"{len(named)} or more" if has_more else str(len(named))
            names.append(
                f"Triggers that name {agent.pk}: {number}. They call the default agent then."
            )
        return names, counts, needed, protected

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save(obj, by=actor(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete(obj, by=actor(request))
