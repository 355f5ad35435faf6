"""The pages of runs: the list, and one run with the agent's output, live."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import NotSupportedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from console import chains, page_versions, turns
from console.access import for_operators
from console.advice import advice
from console.answer_form import AnswerForm
from console.answer_panel import panel_of
from console.filters import FilterForm
from console.lookups import LATEST, agents_in_use, find_execution, triggers_in_use
from console.markdown import render as render_markdown
from console.run_activity import activity_of, changed_activity
from console.sent_prompt import sent_prompt
from events import provenance
from executions import envelope, search
from executions.badges import outcome_badge, status_badge
from executions.looks import note_look
from executions.models import Source, TriggerExecution
from executions.pieces import fold_in
from executions.runner.manual import NOT_RUN, run_now
from moca import reasons
from moca.admin import actor
from moca.authentication.models import Role
from moca.changelist import whole_id
from moca.concurrency import reason_of
from moca.display import NOTHING, duration, excerpt, laid_out
from moca.ids import first_id
from moca.paging import Page, read_page
from triggers.budgets import money
from triggers.chains import KINDS
from triggers.models import Outcome, RunStatus, Trigger
from triggers.models.budget import MILLION
from triggers.validation import RUN_ENDS

PAGE = 30
# The ids of runs sort by due time, so these filters read no earlier runs.
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
# Characters of the agent's output in a list.
SAID = 160
# What lists leave out.
UNLISTED = ("event_payload", "reasoning", "tools", "questions")
# So many triggers of one name are shown together.
MERGED = 10
MARKS = re.compile(r"[#*`|]+|-{3,}")


@dataclass(slots=True)
class RunRow:
    """A run as a list shows it."""

    execution: TriggerExecution
    kind: str
    status: str
    duration: str
    milliseconds: int | None
    said: str
    lag: str
    # How it ended, if that says more than the status.
    outcome_kind: str
    outcome: str
    # What was said around what is searched for: pieces of text, and whether each was found.
    found: list[tuple[str, bool]] = field(default_factory=list)
    trigger_name: str | None = None


def run_rows(executions: Iterable[TriggerExecution], now: datetime) -> list[RunRow]:
    """The rows of a list of runs. Lost runs show as failed."""
    return [_row(execution, now) for execution in executions]


def _row(execution: TriggerExecution, now: datetime) -> RunRow:
    execution.close_if_lost(now)
    kind, status = status_badge(execution)
    milliseconds = execution.duration_ms
    if milliseconds is None and execution.status == RunStatus.RUNNING:
        milliseconds = max(0, round((now - execution.started_at).total_seconds() * 1000))
    return RunRow(
        execution,
        kind,
        status,
        "" if milliseconds is None else duration(milliseconds),
        milliseconds,
        excerpt(reasons.shown(execution, "error") or _beginning(execution.output), SAID),
        _lag(execution),
        *outcome_badge(execution),
    )


def _beginning(output: str) -> str:
    """The first words of an output on one line, without Markdown marks."""
    return " ".join(MARKS.sub(" ", output[: 4 * SAID]).split())


def _lag(execution: TriggerExecution) -> str:
    """How late the run started. Empty if it was less than a second."""
    if execution.scheduled_at is None:
        return ""
    late = (execution.started_at - execution.scheduled_at).total_seconds()
    return duration(round(late * 1000)) if late >= 1 else ""


class RunFilters(FilterForm):
    """The filters of a list of runs."""

    search = forms.CharField(
        label=_("What the agent said"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "autocomplete": "off", "placeholder": _("Words of the output")}
        ),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("Any status")), *RunStatus.choices]
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any outcome")), *Outcome.choices]
    )
    source = forms.ChoiceField(
        label=_("Source"), required=False, choices=[("", _("Any source")), *Source.choices]
    )
    since = forms.ChoiceField(
        label=_("Time"),
        required=False,
        choices=[
            ("", _("Any time")),
            ("hour", _("Last hour")),
            ("day", _("Last 24 hours")),
            ("week", _("Last 7 days")),
        ],
    )


def _with_list(of: str) -> forms.TextInput:
    return forms.TextInput(attrs={"list": of, "autocomplete": "off", "spellcheck": "false"})


class AllRunFilters(RunFilters):
    """What the list of all runs can be narrowed to."""

    trigger = forms.CharField(
        label=_("Trigger"), required=False, max_length=200, widget=_with_list("triggers")
    )
    agent = forms.CharField(
        label=_("Agent"), required=False, max_length=200, widget=_with_list("agents")
    )


def page_of_runs(
    request: HttpRequest, rows: Any, now: datetime, kind: type[RunFilters] = RunFilters
) -> dict[str, Any]:
    """The template context for a page of runs."""
    filters = kind(request.GET)
    chosen = filters.chosen
    rows = narrowed(rows, chosen, now)
    terms, bound = search.terms_of(chosen.get("search", "")), 0
    rows = rows.defer(*UNLISTED, *([] if chosen.get("search") else ["output_tail"]))
    if chosen.get("search") and not search.has_index():
        page, bound = _searched(rows, terms), search.MOST_READ
    else:
        if chosen.get("search"):
            rows = search.narrow(rows, terms)
        page = read_page(rows, request.GET.get("p", ""), PAGE, is_narrowed=bool(chosen))
    shown = run_rows(page.rows, now)
    for row in shown:
        row.found = search.snippet(row.execution, terms) if terms else []
    return {
        "filters": filters,
        "page": page,
        "rows": shown,
        "searched": bound,
        "export_trigger": chosen.get("trigger"),
    }


def narrowed(rows: Any, chosen: Mapping[str, str], now: datetime) -> Any:
    """The runs that pass all filters but the search."""
    if trigger := chosen.get("trigger"):
        rows = rows.filter(trigger_id__in=_triggers_called(trigger))
    rows = rows.shown_as(chosen.get("status", ""), now).ended_as(chosen.get("outcome", ""), now)
    if agent := chosen.get("agent"):
        rows = rows.filter(agent_id=agent)
    if source := chosen.get("source"):
        rows = rows.filter(source=source)
    if since := SPANS.get(chosen.get("since", "")):
        rows = rows.filter(pk__gte=first_id(now - since))
    return rows


def _searched(rows: Any, terms: Sequence[search.Term]) -> Page:
    """The newest runs that have said all terms, of so many as are read without an index."""
    try:
        newest = rows.order_by("-pk")[: search.MOST_READ]
        return Page([each for each in newest if search.has_said(each, terms)][:PAGE])
    except NotSupportedError:
        return Page([], too_many=True)


def _triggers_called(text: str) -> list[str]:
    """The ids of the newest triggers with a name or an id; deleted ones have their id alone.

    The runs of each are a list of its own on DynamoDB, so only some are merged.
    """
    if key := whole_id(text):
        return [key]
    newest = Trigger.objects.order_by("-pk").values_list("pk", "name")[:LATEST]
    same = [key for key, name in newest if name.casefold() == text.casefold()]
    return same[:MERGED]


@require_safe
@for_operators()
@page_versions.polled(page_versions.of_all)
def runs(request: HttpRequest) -> HttpResponse:
    """All runs, the newest first."""
    now = timezone.now()
    context = page_of_runs(request, TriggerExecution.objects.all(), now, AllRunFilters)
    names = TriggerExecution.objects.trigger_names(row.execution for row in context["rows"])
    for row in context["rows"]:
        row.trigger_name = names.get(row.execution.trigger_id, "")
    return render(request, "console/runs.html", {**context, "now": now})


@require_safe
@for_operators()
def offers(request: HttpRequest) -> HttpResponse:
    """The names that the filters of runs offer, once somebody is about to enter one."""
    context = {"triggers": triggers_in_use(), "agents": agents_in_use()}
    return render(request, "console/run_offers.html", context)


@require_safe
@for_operators()
def execution(request: HttpRequest, trigger_id: str, execution_id: str) -> HttpResponse:
    """One run: its result, and the agent's output."""
    found = find_execution(trigger_id, execution_id)
    note_look(found)
    fold_in(found)
    return render(request, "console/run.html", context_of(found))


def context_of(found: TriggerExecution, form: AnswerForm | None = None) -> dict[str, Any]:
    """The template context of a run's page; `form` has the answers that were sent, with errors."""
    now = timezone.now()
    row = _row(found, now)
    said = found.said
    text, following = said.after(0)
    trigger = found.find_trigger()
    return {
        "execution": found,
        "row": row,
        "now": now,
        "trigger": trigger,
        "is_running": found.status == RunStatus.RUNNING,
        "is_queued": found.status == RunStatus.RUNNING and not found.attempt,
        "text": text,
        "following": following,
        "markdown": render_markdown(text) if found.status != RunStatus.RUNNING else "",
        "advice": advice(found, trigger),
        "steps": _steps(found),
        "payload": laid_out(found.event_payload),
        "event": _event(found, trigger),
        "prompt": sent_prompt(found, trigger),
        "agent_id": found.agent_id or (trigger.agent_id if trigger else ""),
        # Records of earlier editions do not name the agent.
        "is_agent_guessed": not found.agent_id
        and trigger is not None
        and trigger.updated_at > found.started_at,
        "tokens": _tokens(found.usage),
        "cached": _cached_tokens(found.usage),
        "cost": _cost(found.usage),
        "session_url": _session_url(found.session_id),
        **chains.of_run(found, trigger),
        **turns.of_run(found),
        **activity_of(found),
        **panel_of(found, form),
    }


@require_safe
@for_operators()
def output(request: HttpRequest, trigger_id: str, execution_id: str) -> HttpResponse:
    """The agent's output so far after the byte `after`. 400 if `after` is not a number."""
    after = request.GET.get("after", "0")
    if not after.isdecimal() or len(after) > 18:
        return JsonResponse({"error": "after: give a number of bytes."}, status=400)
    found = find_execution(trigger_id, execution_id)
    fold_in(found)
    found.close_if_lost(timezone.now())
    note_look(found)
    text, following = found.said.after(int(after))
    done = found.status != RunStatus.RUNNING
    queued = not done and not found.attempt
    answer = {"text": text, "next": following, "done": done, "queued": queued}
    return JsonResponse(answer | changed_activity(found, request.GET.get("digest", "")))


@require_POST
@for_operators(Role.EDITOR)
def replay(request: HttpRequest, trigger_id: str, execution_id: str) -> HttpResponse:
    """Replay the event of a run, and redirect to the new run."""
    found = find_execution(trigger_id, execution_id)
    trigger = found.find_trigger()
    here = reverse("console:run", args=[trigger_id, execution_id])
    if trigger is None:
        messages.warning(request, _("The trigger of this run is deleted."))
        return HttpResponseRedirect(here)
    try:
        made = run_now(trigger, by=actor(request), replayed=found)
    except NOT_RUN as error:
        messages.warning(request, _("Not started: %(reason)s") % {"reason": reason_of(error)})
        return HttpResponseRedirect(here)
    return HttpResponseRedirect(reverse("console:run", args=[made.trigger_id, made.pk]))


def _steps(found: TriggerExecution) -> list[tuple[str, datetime, str]]:
    """The steps of a run: the name, the time, and the time since the step before."""
    moments = [
        (_("Due"), found.scheduled_at),
        (_("Started"), found.started_at),
        (_("Ended"), found.completed_at),
    ]
    steps: list[tuple[str, datetime, str]] = []
    for name, moment in moments:
        if moment is None:
            continue
        since = ""
        if steps:
            gap = (moment - steps[-1][1]).total_seconds()
            since = duration(max(0, round(gap * 1000)))
        steps.append((str(name), moment, since))
    return steps


@dataclass(slots=True)
class Event:
    """A summary of the event that started a run.

    Attributes:
        name: its `detail-type`.
        sender: its `source`.
        key: the sender's id of the event.
        tester: the operator who sent it as a test. Empty for a real event.
        source_id: the id of the event source. Empty for an event of a bus.
        source_page: the URL of the source's page.
        page: the URL of the event's page. Empty if the event was not received here.
    """

    name: str
    sender: str
    key: str
    tester: str
    source_id: str
    source_page: str
    page: str


def _event(found: TriggerExecution, trigger: Trigger | None) -> Event | None:
    """The event of a run. None if no event started it, or if the stored event is cut."""
    event = envelope.deserialize(found.event_payload)
    again = (Source.REPLAY, Source.ANSWER)
    if found.source not in (Source.EVENT, *again) or event is None:
        return None
    came_at, received = provenance.source_id(event), provenance.event_id(event)
    is_ours = came_at is None and event.get("source") == RUN_ENDS
    if is_ours and (found.source in again or event.get("detail-type") in KINDS):
        # The page says itself what the run was begun by.
        return None
    subscription = trigger.subscription if trigger else None
    source_id = came_at or (subscription.source_id if subscription else "")
    return Event(
        str(event.get("detail-type") or NOTHING),
        str(event.get("source") or NOTHING),
        str(event.get("id") or ""),
        provenance.tester(event) or "",
        source_id,
        _page("event-source", source_id),
        _page("received-event", came_at, received),
    )


def _page(name: str, *args: str | None) -> str:
    """The URL of a page. Empty if an argument is missing or invalid."""
    with suppress(NoReverseMatch):
        return reverse(f"console:{name}", args=args) if all(args) else ""
    return ""


def _tokens(usage: Any) -> str:
    if not isinstance(usage, dict):
        return ""
    read, written = usage.get("inputTokens"), usage.get("outputTokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return ""
    return _("%(read)s input, %(written)s output") % {
        "read": f"{read:,}",
        "written": f"{written:,}",
    }


def _cached_tokens(usage: Any) -> str:
    """How many tokens came from the provider's cache and went into it; empty if none did."""
    counts = usage if isinstance(usage, dict) else {}
    read, written = counts.get("cacheReadTokens", 0), counts.get("cacheWriteTokens", 0)
    if not (isinstance(read, int) and isinstance(written, int) and (read or written)):
        return ""
    return _("%(read)s read, %(written)s written") % {
        "read": f"{read:,}",
        "written": f"{written:,}",
    }


def _cost(usage: Any) -> str:
    """What a run cost by the price of its time; empty if none was known."""
    counts = usage if isinstance(usage, dict) else {}
    cost, currency = counts.get("cost"), counts.get("currency")
    if not isinstance(cost, int | float) or not isinstance(currency, str):
        return ""
    return f"{money(round(cost * MILLION))} {currency}"


def _session_url(session_id: str) -> str:
    """The URL of the session in the frontend. Empty if SESSION_URL is not set."""
    template: str = settings.SESSION_URL
    return template.replace("{sessionId}", quote(session_id, safe="")) if session_id else ""
