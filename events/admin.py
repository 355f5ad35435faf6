"""Pages of the admin: event sources that operators have added, and received events."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import services, sources
from events.forms import EventSourceForm
from events.models import EventSource, EventState, ReceivedEvent
from events.option_fields import FIELDS
from events.options import NAMES
from moca.admin import ModelAdmin, ReadOnlyModelAdmin, actor
from moca.changelist import ChangeList
from moca.display import NOTHING, badge, excerpt, pretty, shortened, time_tag
from moca.paging import Page, read_page

STATE_KINDS = {EventState.QUEUED: "busy", EventState.DONE: "good", EventState.FAILED: "bad"}
ABOUT = ["name", "id", "kind", "description", "icon"]
EVENTS = ["pattern", "bus_name"]
# The field of sources whose sender signs no id.
WINDOW = "replay_seconds"


class AdminEventSourceForm(EventSourceForm):
    # A generated secret has to be shown once. The admin would show it in a message, which a cookie
    # carries.
    makes_secrets = False


@admin.register(EventSource)
class EventSourceAdmin(ModelAdmin):
    form = AdminEventSourceForm
    list_display = ["title", "kind", "address", "bus", "changed"]
    list_filter = ["kind"]
    search_fields = ["id", "name", "description"]
    search_help_text = "Id, name or description. Those that the settings list are not here."
    sortable_by = ()
    refusals = services.REFUSALS

    @admin.display(description="name")
    def title(self, source: EventSource) -> SafeString:
        about = excerpt(source.description, 80)
        return format_html('{}<span class="fine">{}</span>', source.name, about)

    @admin.display(description="address")
    def address(self, source: EventSource) -> str:
        return reverse("api-events", query={"source": source.pk}) if source.has_address else NOTHING

    @admin.display(description="event bus")
    def bus(self, source: EventSource) -> str:
        return source.bus

    @admin.display(description="changed")
    def changed(self, source: EventSource) -> SafeString:
        return time_tag(source.updated_at, timezone.now())

    def view_on_site(self, obj: Any) -> str:
        """Return the operators' page, which has events, triggers and new secrets."""
        return reverse("console:event-source", args=[obj.pk])

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": ABOUT}), ("Events", {"fields": [*EVENTS, "options", WINDOW]})]
        # The id and the kind cannot be changed. A further secret is set on its own page.
        secret = ["secret"] if obj is None else []
        about = ABOUT if obj is None else [name for name in ABOUT if name not in ("id", "kind")]
        window = [WINDOW] if obj is None or obj.has_replay_window else []
        found: list[Any] = [
            (None, {"fields": ["opened_version", *about]}),
            ("Events", {"fields": [*secret, *EVENTS, *window]}),
        ]
        if names := [FIELDS[name] for name in _options(obj)]:
            title = "How the sender of a general kind signs"
            found.append((title, {"fields": names, "classes": [] if obj else ["collapse"]}))
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save(obj, by=actor(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete(obj, by=actor(request))


def _options(source: EventSource | None) -> Iterable[str]:
    """The options that a source may have; of a new one, those of all kinds."""
    return FIELDS if source is None else NAMES.get(source.kind, ())


class SourceFilter(admin.SimpleListFilter):
    """Lists the events of one source, because they are stored by source."""

    title = "event source"
    parameter_name = "source_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each.pk, each.name) for each in sources.all_sources() if each.has_address]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(source_id=self.value()) if self.value() else queryset


class ReceivedEventList(ChangeList):
    """A page of one source's events, in the order in which they were received."""

    def get_results(self, request: HttpRequest) -> None:
        if request.GET.get(SourceFilter.parameter_name):
            place = request.GET.get("p", "")
            self.page = read_page(
                self.queryset, place, self.list_per_page, is_narrowed=True, by="received_at"
            )
        else:
            self.page = Page([], too_many=True)
        self._show(self.page.rows)


@admin.register(ReceivedEvent)
class ReceivedEventAdmin(ReadOnlyModelAdmin):
    list_display = ["what", "sender", "state_name", "came_in", "triggers"]
    list_filter = [SourceFilter, "state"]
    narrower = "Choose an event source: its events are listed then."
    sortable_by = ()
    fields = readonly_fields = [  # type: ignore[assignment]
        "source_id",
        "what",
        "sender",
        "state_name",
        "came_in",
        "triggers",
        "content",
    ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReceivedEventList

    @admin.display(description="event")
    def what(self, event: ReceivedEvent) -> SafeString:
        name = str(event.contents.get("detail-type") or NOTHING)
        return format_html('{}<span class="fine">{}</span>', name, shortened(event.pk, 16))

    @admin.display(description="sender")
    def sender(self, event: ReceivedEvent) -> str:
        return str(event.contents.get("source") or NOTHING)

    @admin.display(description="state")
    def state_name(self, event: ReceivedEvent) -> SafeString:
        state = EventState(event.state)
        return badge(STATE_KINDS[state], str(state.label))

    @admin.display(description="came in")
    def came_in(self, event: ReceivedEvent) -> SafeString:
        return time_tag(event.received_at, timezone.now())

    @admin.display(description="envelope")
    def content(self, event: ReceivedEvent) -> SafeString:
        envelope = event.contents
        text = pretty(envelope) if envelope else event.envelope
        return format_html('<pre tabindex="0" aria-label="The event">{}</pre>', text)
