"""The list of triggers: search, filters, order, pages, and bulk actions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import NotSupportedError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console import chains, charts, confirmation, page_versions, pauses, selection
from console.access import for_operators
from console.lookups import agents_in_use, names_of
from console.selection import Selection
from events.sources import all_sources
from executions.runner.manual import NOT_RUN, run_now
from moca.admin import actor
from moca.authentication.models import Role
from moca.changelist import whole_id
from moca.dynamodb.queries import from_index
from moca.paging import Page, read_page
from triggers import services
from triggers.bulk import Outcome, act_on_each
from triggers.display import TriggerDisplay
from triggers.models import RunStatus, SyncState, Trigger, TriggerType
from triggers.models.process import no_scheduler
from triggers.reconcile import reconcile_one
from triggers.statistics import Statistics

PAGE = 40
# At most this many rows are sorted by an order without an index.
SORTABLE = 1000
NEVER = datetime.max.replace(tzinfo=UTC)
# Seconds after which an action on many triggers stops and asks to go on. API Gateway waits for 29.
ACT_SECONDS = 15


def _offering(values: str) -> forms.TextInput:
    """A field that offers the values of the page's list of that id."""
    return forms.TextInput(attrs={"list": values, "autocomplete": "off", "spellcheck": "false"})


class Filters(forms.Form):
    """The filters of the list, and its order."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("Any state")),
            ("enabled", _("Enabled")),
            ("disabled", _("Disabled")),
            ("waiting", _("Waits for a person")),
            ("by-agent", _("Created by an agent")),
            ("on-pause", _("Paused by a person")),
            ("failing", _("Failing")),
            ("paused", _("Paused after failures")),
            ("out-of-step", _("Not synced")),
            ("skipped", _("Skipped runs")),
            ("never", _("Never run")),
        ],
    )
    type = forms.ChoiceField(
        label=_("Type"),
        required=False,
        choices=[
            ("", _("Any type")),
            (TriggerType.SCHEDULE, _("Schedule")),
            (TriggerType.EVENT, _("Event")),
        ],
    )
    agent = forms.CharField(
        label=_("Agent"), required=False, max_length=200, widget=_offering("agents")
    )
    tag = forms.CharField(label=_("Tag"), required=False, max_length=100, widget=_offering("tags"))
    user = forms.CharField(label=_("User"), required=False, max_length=128)
    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[
            ("", _("Newest first")),
            ("name", _("Name")),
            ("next", _("Next run")),
            ("last", _("Last run")),
            ("failures", _("Failures")),
        ],
    )

    @cached_property
    def chosen(self) -> dict[str, str]:
        """The chosen values. Invalid ones count as not chosen."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def narrowing(self) -> dict[str, str]:
        """The chosen filters, without the order."""
        return {name: value for name, value in self.chosen.items() if name != "sort"}

    @property
    def query(self) -> str:
        """The filters as a form takes them back."""
        return urlencode(self.narrowing)

    def chips(self) -> list[tuple[str, str, str]]:
        """Each filter by its label and value, with the address of the list without it."""
        return [
            (
                str(self.fields[name].label),
                self._words(name, value),
                "?" + urlencode({key: each for key, each in self.chosen.items() if key != name}),
            )
            for name, value in self.narrowing.items()
        ]

    def _words(self, name: str, value: str) -> str:
        choices: Any = getattr(self.fields[name], "choices", [])
        return str(dict(choices).get(value, value))

    def rows(self) -> QuerySet[Trigger]:
        """The triggers that pass."""
        rows: Any = Trigger.objects.all()
        for name, value in self.narrowing.items():
            rows = _narrowed(rows, name, value)
        return cast("QuerySet[Trigger]", rows)


def _narrowed(rows: Any, name: str, value: str) -> Any:
    if name == "q":
        key = whole_id(value)
        return rows.filter(pk=key) if key else rows.search(value)
    if name == "state":
        return _in_state(rows, value)
    field = {"type": "type", "agent": "agent_id", "user": "user_id"}.get(name)
    return rows.filter(**{field: value}) if field else rows.tagged(value)


def _in_state(rows: Any, state: str) -> Any:
    states: dict[str, Callable[[], Any]] = {
        "enabled": lambda: rows.firing(timezone.now()),
        "disabled": lambda: rows.filter(enabled=False),
        "waiting": lambda: rows.filter(waits_for_person=True),
        "by-agent": lambda: rows.filter(created_by_agent=True),
        "on-pause": lambda: rows.filter(paused_until__gt=timezone.now()),
        "failing": lambda: rows.filter(consecutive_failures__gt=0),
        "paused": lambda: rows.filter(enabled=False).exclude(paused_reason=""),
        "out-of-step": lambda: rows.exclude(sync_state=SyncState.SYNCED),
        "skipped": lambda: rows.filter(skipped_runs__gt=0),
        "never": lambda: rows.filter(last_status=""),
    }
    return states[state]()


@dataclass(slots=True)
class Row:
    """A trigger as the list shows it."""

    trigger: Trigger
    view: TriggerDisplay
    owner: str
    strip: charts.Strip
    is_running: bool


def rows_of(triggers: Iterable[Trigger], now: datetime) -> list[Row]:
    """The triggers with all that a list shows of them.

    That is one read of users' names, and one each of event sources and of followed triggers if the
    list has any.
    """
    found = list(triggers)
    names = names_of(trigger.user_id for trigger in found)
    has_events = any(trigger.type == TriggerType.EVENT for trigger in found)
    known = {source.pk: source for source in all_sources()} if has_events else None
    followed = chains.names_followed(found)
    return [
        Row(
            trigger,
            TriggerDisplay(trigger, now, known, followed),
            names.get(trigger.user_id, trigger.user_id),
            charts.strip(Statistics.read(trigger.statistics).runs),
            trigger.is_held(now),
        )
        for trigger in found
    ]


@require_safe
@for_operators()
@page_versions.polled(page_versions.of_all)
def trigger_list(request: HttpRequest) -> HttpResponse:
    filters = Filters(request.GET)
    now = timezone.now()
    page, unsorted = _page(filters, request.GET.get("p", ""), now)
    rows = rows_of(page.rows, now)
    context = {
        "filters": filters,
        "page": page,
        "unsorted": unsorted,
        "rows": rows,
        "total": _total(filters, page),
        # The filters stand outside the part of the page that looks again by itself.
        "agents": [] if "HX-Request" in request.headers else agents_in_use(),
        "tags": sorted({tag for row in rows for tag in row.view.tags}),
        "now": now,
        "here": request.get_full_path(),
        "failed": RunStatus.FAILED,
        "sortable": SORTABLE,
        "has_other_pages": bool(page.older or page.newer or not page.is_first),
    }
    return render(request, "console/triggers.html", context)


def _page(filters: Filters, address: str, now: datetime) -> tuple[Page, bool]:
    """The page, and whether there were too many rows for the order asked for."""
    rows, order = filters.rows(), filters.chosen.get("sort", "")
    if order:
        try:
            found = list(rows.order_by("-pk")[: SORTABLE + 1])
        except NotSupportedError:
            return Page([], too_many=True), False
        if len(found) <= SORTABLE:
            return _slice(sorted(found, key=_order(order, now)), address), False
    return read_page(rows, address, PAGE, is_narrowed=bool(filters.narrowing)), bool(order)


def _total(filters: Filters, page: Page) -> int | None:
    """How many match, up to one more than `SORTABLE`; None if only all rows could tell."""
    if filters.narrowing.keys() <= {"type"}:
        return from_index(filters.rows().order_by("-pk"))[: SORTABLE + 1].count()
    if isinstance(page, Slice):
        return page.total
    return len(page.rows) if page.is_first and not page.has_older and not page.too_many else None


def _order(order: str, now: datetime) -> Callable[[Trigger], Any]:
    def next_run(trigger: Trigger) -> datetime:
        return TriggerDisplay(trigger, now).next_run or NEVER

    def last_run(trigger: Trigger) -> float:
        last = trigger.last_executed_at
        return -last.timestamp() if last else 0

    orders: dict[str, Callable[[Trigger], Any]] = {
        "name": lambda trigger: trigger.name.casefold(),
        "next": next_run,
        "last": last_run,
        "failures": lambda trigger: -trigger.consecutive_failures,
    }
    return orders[order]


@dataclass(frozen=True, slots=True)
class Slice(Page):
    """A page of rows that were put in order, known by the number of its first."""

    start: int = 0
    total: int = 0

    @property
    def older(self) -> str:
        return str(self.start + PAGE) if self.has_older else ""

    @property
    def newer(self) -> str:
        return str(max(0, self.start - PAGE)) if self.has_newer else ""


def _slice(rows: list[Trigger], address: str) -> Page:
    start = int(address) if address.isdecimal() and len(address) <= len(str(SORTABLE)) else 0
    return Slice(
        rows[start : start + PAGE],
        is_first=start == 0,
        has_older=start + PAGE < len(rows),
        has_newer=start > 0,
        start=start,
        total=len(rows),
    )


# Actions

Act = Callable[[Trigger], bool]


def _run(trigger: Trigger, *, by: str) -> bool:
    run_now(trigger, by=by)
    return True


# A run that no process claims fails after an hour, `MANUAL_QUEUE_LEASE`.
WAITS_FOR_SCHEDULER = _(
    "No scheduler is alive. A run waits for one for an hour, then it fails: start the scheduler "
    "(manage.py runscheduler), and read its log."
)

ACTIONS: dict[str, tuple[Callable[..., bool], Any]] = {
    "enable": (services.enable, _("enabled")),
    "disable": (services.disable, _("disabled")),
    "pause": (services.pause, _("paused")),
    "resume": (services.resume, _("resumed")),
    "run": (_run, _("started")),
    "delete": (services.delete, _("deleted")),
    "synchronize": (reconcile_one, _("synced")),
}


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def act(request: HttpRequest) -> HttpResponse:
    """Do something to the chosen triggers, or to the one whose button was pressed."""
    if request.method == "GET":
        # Who changes the language on a page that asks first comes back to its address.
        return HttpResponseRedirect(reverse("console:triggers"))
    action, _colon, key = request.POST.get("action", "").partition(":")
    back = next_page(request)
    if action not in ACTIONS:
        messages.warning(request, _("Choose what to do."))
        return HttpResponseRedirect(back)
    chosen = _chosen(request.POST, key)
    if not chosen.triggers:
        messages.warning(request, _nothing_chosen(request.POST, key, chosen))
        return HttpResponseRedirect(back)
    is_asking = action != "pause" and "sure" not in request.POST
    if is_asking and (asked := confirmation.asked(request, action, chosen, back)):
        return asked
    do, done = ACTIONS[action]
    if action == "pause":
        form = pauses.form_of(request, chosen)
        if not form.is_valid():
            return pauses.ask(request, form, chosen, back)
        do = partial(do, until=form.until, note=form.cleaned_data["note"])
    refusals = (*services.REFUSALS, *NOT_RUN)
    outcome = act_on_each(
        chosen.triggers, partial(do, by=actor(request)), refusals, seconds=ACT_SECONDS
    )
    waits = action == "run" and outcome.done > 0 and no_scheduler(timezone.now())
    _tell(request, outcome, chosen, str(_("queued") if waits else done))
    if waits:
        messages.warning(request, WAITS_FOR_SCHEDULER)
    if outcome.left and action == "pause":
        return pauses.ask(request, form, Selection(outcome.left), back)
    if outcome.left:
        return confirmation.ask(request, action, Selection(outcome.left), back, goes_on=True)
    return HttpResponseRedirect(back)


def _tell(request: HttpRequest, outcome: Outcome, chosen: Selection, done: str) -> None:
    """Say what came of an action; `done` is its participle."""
    words = outcome.sentence(done)
    if len(chosen.triggers) == 1 and not outcome.refused:
        words = _("%(name)s: %(done)s.") % {"name": chosen.triggers[0].name, "done": done}
    (messages.warning if outcome.refused else messages.success)(request, words)


def _chosen(posted: QueryDict, key: str) -> Selection:
    """What was chosen: one trigger, all that match, those that a page has asked about, or ticks."""
    if key:
        return Selection(list(Trigger.objects.filter(pk=key)))
    if "all" in posted:
        return selection.matching(Filters(QueryDict(posted.get("filters", ""))).rows())
    if "ids" in posted:
        return selection.with_keys(selection.read_keys(posted.get("ids", "")))
    return selection.with_keys(posted.getlist("id")[: 2 * PAGE])


def _nothing_chosen(posted: QueryDict, key: str, chosen: Selection) -> Any:
    """Why there is no trigger to act on."""
    if chosen.too_many:
        return _(
            "There are too many triggers to look through for this: choose a type, an agent or a "
            "user, too."
        )
    if chosen.is_all:
        return _("No trigger matches.")
    if key or "ids" in posted or "id" in posted:
        return _("Somebody has deleted it.")
    return _("Select triggers first.")


def next_page(request: HttpRequest) -> str:
    """Where to go after an action: to the page it was asked from."""
    page = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        return page
    return reverse("console:triggers")
