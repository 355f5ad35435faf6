"""The page of one trigger: what it does next, how it has fared, and who changed it."""

import json
from datetime import datetime, timedelta
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from console import charts
from console.access import for_operators
from console.changes import changes_of
from console.executions import page_of_runs
from console.finding import find_trigger, names_of
from console.preview import RUNS_AHEAD, preview
from console.received import event_row
from events import sources
from events.models import EventSource, ReceivedEvent
from executions.models import PendingEvent, TriggerExecution
from moca.display import duration, exact, relative
from moca.times import iso
from triggers.display import View
from triggers.forms import TriggerForm
from triggers.models import Trigger, TriggerType
from triggers.statistics import DAY, Statistics, Tally, start_of

# As `executions.runner` counts the runs an hour of an event trigger.
HOUR = timedelta(hours=1)


@require_GET
@for_operators()
def trigger_page(request: HttpRequest, trigger_id: str) -> HttpResponse:
    trigger = find_trigger(trigger_id)
    now = timezone.now()
    view = View(trigger, now, _sources_of(trigger))
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
        "strip": charts.strip(statistics.runs),
        "month": month,
        "success": None if month.success_rate is None else round(100 * month.success_rate, 1),
        "p50": _length(month.percentile(0.5)),
        "p95": _length(month.percentile(0.95)),
        "day_bars": charts.columns(
            days, [start_of(tally, DAY).strftime("%a %Y-%m-%d") for tally in days]
        ),
        "first_day": start_of(days[0], DAY),
        **page_of_runs(request, TriggerExecution.objects.of_trigger(trigger), now),
        **_events(trigger, view, now),
        "changes": changes_of(trigger),
        "yaml": as_yaml(trigger),
        "curl": _as_curl(request, trigger),
    }
    return render(request, "console/trigger.html", context)


def _sources_of(trigger: Trigger) -> dict[str, EventSource]:
    """The event source that a trigger listens to, by its id."""
    subscription = trigger.subscription
    source_id = subscription.source_id if subscription else ""
    source = sources.find(source_id) if source_id else None
    return {source.pk: source} if source else {}


def _events(trigger: Trigger, view: View, now: datetime) -> dict[str, Any]:
    """What an event trigger waits for, and how far it is with it."""
    if view.subscription is None:
        return {}
    source = view.source
    latest = ReceivedEvent.objects.of_source(source.pk)[:1] if source and source.has_address else ()
    last = next(iter(latest), None)
    began = trigger.hour_began_at
    return {
        "last_event": event_row(last) if last else None,
        "pending": PendingEvent.objects.filter(pk=trigger.pk).first(),
        "runs_in_hour": trigger.runs_in_hour if began and now < began + HOUR else 0,
    }


def _preview(trigger: Trigger, now: Any) -> Any:
    if trigger.type != TriggerType.SCHEDULE:
        return None
    form = TriggerForm(instance=trigger)
    return preview({name: form[name].value() for name in form.fields}, now)


def _length(milliseconds: int | None) -> str:
    return "" if milliseconds is None else duration(milliseconds)


# The names of the HTTP contract, in the order in which a person would write them.
_SHARED = {
    "name": "name",
    "description": "description",
    "type": "type",
    "enabled": "enabled",
    "agentId": "agent_id",
    "prompt": "prompt",
    "includeContext": "include_context",
    "sessionId": "session_id",
    "modelId": "model_id",
    "workingDirectory": "working_directory",
    "enabledTools": "enabled_tools",
    "scheduleConfig": "schedule_config",
    "eventConfig": "event_config",
    "timeoutSeconds": "timeout_seconds",
    "overlapPolicy": "overlap_policy",
    "maxRetries": "max_retries",
    "pauseAfterFailures": "pause_after_failures",
    "tags": "tags",
}


def _body(trigger: Trigger) -> dict[str, Any]:
    """What a request to the API would hold to make this trigger; nothing that is empty."""
    values = {name: getattr(trigger, field) for name, field in _SHARED.items()}
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


class _Dumper(yaml.SafeDumper):
    """YAML in which a text of several lines stands as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(trigger: Trigger) -> str:
    """The trigger as YAML, in the names of the HTTP contract."""
    return str(yaml.dump(_body(trigger), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _as_curl(request: HttpRequest, trigger: Trigger) -> str:
    """The command that makes a copy of the trigger through the API."""
    address = request.build_absolute_uri(reverse("api-triggers"))
    body = json.dumps(_body(trigger), ensure_ascii=False, indent=2).replace("'", "'\\''")
    return (
        f"curl -X POST {address} \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )
