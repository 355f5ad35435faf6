"""Received events: their list, and the page of one event with the runs that it started."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from console import page_versions
from console.access import for_operators
from console.filters import FilterForm
from console.runs import RunRow, run_rows
from events import provenance, sources
from events.buses import get_bus
from events.models import KEPT, EventSource, EventState, ReceivedEvent
from events.patterns import TooMuchWorkError, Work
from executions.models import TriggerExecution
from executions.runner import Offer
from moca.display import NOTHING, pretty
from moca.paging import read_page
from triggers.models import Trigger

PAGE = 20
# Characters of an event in a list. Its own page shows all.
EXCERPT = 3000
# Triggers matched with an event: this many of its source, and this many of all.
TAKERS = 100
KINDS = {EventState.QUEUED: "busy", EventState.DONE: "good", EventState.FAILED: "bad"}


@dataclass(slots=True)
class EventRow:
    """An event as a list shows it."""

    row: ReceivedEvent
    envelope: dict[str, Any]
    text: str
    is_cut: bool

    @property
    def kind(self) -> str:
        return KINDS[EventState(self.row.state)]

    @property
    def name(self) -> str:
        """What happened."""
        return str(self.envelope.get("detail-type") or NOTHING)

    @property
    def sender(self) -> str:
        """The `source` of the envelope."""
        return str(self.envelope.get("source") or NOTHING)

    @property
    def key(self) -> str:
        """The sender's id of the event."""
        return str(self.envelope.get("id") or "")

    @property
    def tester(self) -> str:
        """The operator who sent it as a test. Empty for a real event."""
        return provenance.tester(self.envelope) or ""


def event_row(row: ReceivedEvent, most: int | None = None) -> EventRow:
    """The row of an event, with at most `most` characters of its text."""
    envelope = row.contents
    text = pretty(envelope)
    return EventRow(row, envelope, text[:most], most is not None and len(text) > most)


class EventFilters(FilterForm):
    """The filters of a list of events."""

    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("Any state")), *EventState.choices]
    )


def page_of_events(request: HttpRequest, source: EventSource) -> dict[str, Any]:
    """The template context for a page of a source's received events."""
    filters = EventFilters(request.GET)
    page = read_page(
        ReceivedEvent.objects.filter(source_id=source.pk, **filters.chosen),
        request.GET.get("p", ""),
        PAGE,
        is_narrowed=bool(filters.chosen),
        by="received_at",
    )
    return {
        "filters": filters,
        "page": page,
        "events": [event_row(row, EXCERPT) for row in page.rows],
        "counts_triggers": counts_triggers(),
    }


def counts_triggers() -> bool:
    """Whether this installation matches events with triggers, not an event bus."""
    return get_bus().is_transactional


def _turns(**_path: str) -> page_versions.Turns:
    return [[page_versions.queued_events, page_versions.running], [page_versions.newest_runs]]


@require_GET
@for_operators()
@page_versions.polled(_turns)
def received(request: HttpRequest, source_id: str, event_id: str) -> HttpResponse:
    """One event, and the runs that it started."""
    row = ReceivedEvent.objects.filter(pk=event_id).first()
    source = sources.find(source_id)
    if row is None or row.source_id != source_id:
        if source is None:
            raise Http404
        context = {"source": source, "source_id": source_id, "kept": KEPT}
        return render(request, "console/received_event_gone.html", context, status=404)
    now = timezone.now()
    event, is_queued = event_row(row), row.state == EventState.QUEUED
    rows = _runs_of(event, now)
    context = {
        "source": source,
        "source_id": source_id,
        "event": event,
        "rows": rows,
        "is_going": is_queued or any(row.execution.completed_at is None for row in rows),
        "counts_triggers": counts_triggers(),
        "is_queued": is_queued,
        "now": now,
    }
    return render(request, "console/received_event.html", context)


def _runs_of(event: EventRow, now: datetime) -> list[RunRow]:
    """The runs that an event started, of the triggers that still match it."""
    triggers = Trigger.objects.events().order_by("-pk")
    of_source = triggers.filter(event_config__eventSourceId=event.row.source_id)
    found = {each.pk: each for each in [*of_source[:TAKERS], *triggers[:TAKERS]]}
    offers = list(_offers(event, found.values()))
    if not offers:
        return []
    names = {offer.trigger_id: name for offer, name in offers}
    keys = [Q(trigger_id=offer.trigger_id, pk=offer.id) for offer, _name in offers]
    rows = run_rows(TriggerExecution.objects.filter(reduce(or_, keys)), now)
    for row in rows:
        row.trigger_name = names[row.execution.trigger_id]
    return sorted(rows, key=lambda row: (row.trigger_name or "").casefold())


def _offers(event: EventRow, triggers: Iterable[Trigger]) -> Iterator[tuple[Offer, str]]:
    row = event.row
    # All patterns share one budget of work, which bounds the time of the page.
    work = Work()
    for trigger in triggers:
        subscription = trigger.subscription
        try:
            if subscription is None or not subscription.takes(event.envelope, work):
                continue
        except TooMuchWorkError:
            # The trigger may have matched: look for its run.
            pass
        yield Offer.of(trigger, event.envelope, row.pk, row.received_at), trigger.name
