"""The page of one trigger: what it does next, how it has fared, and who changed it."""

import json
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console import charts
from console.access import for_operators
from console.executions import page_of_runs
from console.finding import find_trigger, names_of
from console.preview import RUNS_AHEAD, preview
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from moca.display import date_words, day_words, duration, exact, relative
from moca.times import iso
from triggers.api.body import FIELDS, MAPS
from triggers.display import View
from triggers.forms import TriggerForm
from triggers.models import Trigger, TriggerType
from triggers.statistics import DAY, Statistics, Tally, start_of

CHANGES = 50
# What changes are named by that the form does not ask for so.
LABELS = {
    "schedule_config": _("Schedule"),
    "event_config": _("Event"),
    "paused_reason": _("Reason of the pause"),
    "consecutive_failures": _("Failures in a row"),
}


@require_safe
@for_operators()
def trigger_page(request: HttpRequest, trigger_id: str) -> HttpResponse:
    trigger = find_trigger(trigger_id)
    now = timezone.now()
    view = View(trigger, now)
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
        "day_bars": charts.columns(days, [day_words(start_of(tally, DAY)) for tally in days]),
        "first_day": date_words(start_of(days[0], DAY)),
        **page_of_runs(request, TriggerExecution.objects.of_trigger(trigger), now),
        "changes": _changes(trigger),
        "yaml": as_yaml(trigger),
        "curl": _as_curl(request, trigger),
    }
    return render(request, "console/trigger.html", context)


def _preview(trigger: Trigger, now: Any) -> Any:
    if trigger.type != TriggerType.SCHEDULE:
        return None
    form = TriggerForm(instance=trigger)
    return preview({name: form[name].value() for name in form.fields}, now)


def _length(milliseconds: int | None) -> str:
    return "" if milliseconds is None else duration(milliseconds)


def _changes(trigger: Trigger) -> list[dict[str, Any]]:
    """The latest changes of a trigger, with the values before and after."""
    labels: dict[str, Any] = {
        field.name: capfirst(str(field.verbose_name)) for field in Trigger._meta.fields
    }
    labels |= {name: field.label for name, field in TriggerForm.base_fields.items()} | LABELS
    entries = AuditEntry.objects.filter(object_id=trigger.pk).order_by("-id")[:CHANGES]
    return [
        {
            "entry": entry,
            "values": [
                (labels.get(name, name), _readable(before), _readable(after))
                for name, (before, after) in entry.changes.items()
            ],
        }
        for entry in entries
    ]


def _readable(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _body(trigger: Trigger) -> dict[str, Any]:
    """What a request to the API would hold to make this trigger; nothing that is empty."""
    values = {name: getattr(trigger, field.attribute) for name, field in FIELDS.items()}
    for name, (attribute, parts) in MAPS.items():
        config = getattr(trigger, attribute)
        if isinstance(config, dict):
            values[name] = {part: config[part] for part in parts if part in config}
    body = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    # No tools at all are something else than the agent's own.
    return body | ({"enabledTools": []} if trigger.enabled_tools == [] else {})


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
