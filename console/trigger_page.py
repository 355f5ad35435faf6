"""The page of one trigger: its next runs, its results and its changes."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console import budgets, chains, charts, page_versions, turns
from console.access import for_operators
from console.advice import remedy
from console.backfills import missed_lately
from console.changes import changes_of
from console.lookups import find_trigger, names_of
from console.preview import RUNS_AHEAD, preview, with_creation
from console.received_events import event_row
from console.runs import page_of_runs
from console.times import times_of
from events import sources
from events.models import EventSource, ReceivedEvent
from executions.alarms import Alarm
from executions.models import PendingEvent, TriggerExecution
from moca import reasons
from moca.display import date_words, day_words, duration, duration_or_empty, exact, relative
from moca.public_address import public_address
from moca.times import iso
from triggers import fire_tokens
from triggers.display import TriggerDisplay, kinds_of_failures
from triggers.forms import TriggerForm
from triggers.import_export.files import yaml_text
from triggers.import_export.serialize import body
from triggers.models import Trigger, TriggerType
from triggers.statistics import DAY, Statistics, Tally, start_of

# Labels of changed fields that are not in the form.
LABELS = {
    "schedule_config": _("Schedule"),
    "event_config": _("Event"),
    "paused_reason": _("Pause reason"),
    "paused_at": _("Paused at"),
    "paused_until": _("Paused until"),
    "paused_by": _("Paused by"),
    "pause_note": _("Pause note"),
    "backfill": _("Backfill"),
    "waits_for_person": _("Waits for a person"),
    "runs": _("Runs"),
    "consecutive_failures": _("Failures in a row"),
}
# The hour in which `executions.runner` counts the runs of an event trigger.
HOUR = timedelta(hours=1)
# Open alarms that the page shows: one about the schedule, the others about runs under way.
NAMED_ALARMS = 10


def _turns(trigger_id: str, subject: str) -> page_versions.Turns:
    """The trigger's row, then what leaves that unchanged: a waiting run, a received event."""
    owner, _comma, source_id = subject.partition(",")
    others: list[page_versions.Read] = [partial(page_versions.running, trigger_id=trigger_id)]
    if source_id:
        others.append(partial(page_versions.newest_events, [source_id]))
    return [[partial(page_versions.row_of, owner, trigger_id)], others]


def _subject(trigger_id: str) -> str:
    """The trigger's user, which its key contains, and the id of its event source if it has one."""
    trigger = find_trigger(trigger_id)
    subscription = trigger.subscription
    return f"{trigger.user_id},{subscription.source_id if subscription else ''}"


@require_safe
@for_operators()
@page_versions.polled(_turns, _subject)
def trigger_page(request: HttpRequest, trigger_id: str) -> HttpResponse:
    trigger = find_trigger(trigger_id)
    now = timezone.now()
    view = TriggerDisplay(trigger, now, _sources_of(trigger), chains.names_followed([trigger]))
    statistics = Statistics.read(trigger.statistics)
    days = statistics.days(now)
    month = Tally.total(days)
    context = {
        "trigger": trigger,
        "view": view,
        "now": now,
        "is_running": trigger.is_held(now),
        "owner": names_of([trigger.user_id]).get(trigger.user_id, trigger.user_id),
        "preview": _preview(trigger, now),
        "next_runs": [
            (iso(run), exact(run, view.zone), relative(run, now))
            for run in view.next_runs(RUNS_AHEAD)
        ],
        "alarms": list(Alarm.objects.about_trigger(trigger.pk)[:NAMED_ALARMS]),
        "expected_by": trigger.expected_by(view.next_run) if view.next_run else None,
        "timeout": duration(1000 * trigger.timeout_seconds),
        "strip": charts.strip(statistics.runs, times_of(request).zone or UTC),
        "month": month,
        "missed": missed_lately(trigger, days, now),
        "kinds": kinds_of_failures(month),
        "remedy": remedy(trigger.last_outcome, reasons.of(trigger, "last_error"), trigger),
        "success": None if month.success_rate is None else round(100 * month.success_rate, 1),
        "p50": duration_or_empty(month.percentile(0.5)),
        "p95": duration_or_empty(month.percentile(0.95)),
        "day_bars": charts.columns(days, [day_words(start_of(tally, DAY)) for tally in days]),
        "first_day": date_words(start_of(days[0], DAY)),
        **page_of_runs(request, TriggerExecution.objects.of_trigger(trigger), now),
        **_events(trigger, view, now),
        **budgets.of_trigger(trigger, now),
        **chains.of_trigger(trigger),
        **turns.of_trigger(trigger),
        # Polls do not refresh this part of the page, and it may have megabytes.
        "changes": [] if "HX-Request" in request.headers else _changes(trigger),
        "yaml": yaml_text(body(trigger)),
        "curl": _as_curl(request, trigger),
        "fire_token": None if "HX-Request" in request.headers else fire_tokens.token_of(trigger),
    }
    return render(request, "console/trigger.html", context)


def _sources_of(trigger: Trigger) -> dict[str, EventSource]:
    """The event source of a trigger, by its id."""
    subscription = trigger.subscription
    source_id = subscription.source_id if subscription else ""
    source = sources.find(source_id) if source_id else None
    return {source.pk: source} if source else {}


def _events(trigger: Trigger, view: TriggerDisplay, now: datetime) -> dict[str, Any]:
    """The last event, the waiting event and the runs in this hour of an event trigger."""
    if view.subscription is None:
        return {}
    source = view.source
    latest = ReceivedEvent.objects.of_source(source.pk)[:1] if source and source.has_address else ()
    last = next(iter(latest), None)
    began = trigger.hour_began_at
    most = view.subscription.runs_per_hour or 0
    return {
        "last_event": event_row(last) if last else None,
        "pending": PendingEvent.objects.filter(pk=trigger.pk).first(),
        # A count above the limit marks an hour in which events were dropped.
        "runs_in_hour": min(trigger.runs_in_hour, most) if began and now < began + HOUR else 0,
    }


def _preview(trigger: Trigger, now: Any) -> Any:
    if trigger.type != TriggerType.SCHEDULE:
        return None
    form = TriggerForm(instance=trigger)
    values = {name: form[name].value() for name in form.fields}
    return preview(with_creation(values, trigger), now)


def _changes(trigger: Trigger) -> list[dict[str, Any]]:
    """The latest changes of a trigger, with the values before and after."""
    labels = {name: field.label for name, field in TriggerForm.base_fields.items()} | LABELS
    return changes_of(trigger, labels)


def _as_curl(request: HttpRequest, trigger: Trigger) -> str:
    """The curl command that creates a copy of the trigger through the API."""
    address = public_address(request, "api-triggers")
    text = json.dumps(body(trigger), ensure_ascii=False, indent=2).replace("'", "'\\''")
    return (
        f"curl -X POST {address} \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{text}'"
    )
