"""The dashboard: what fires next, what fails, and the results of the last 24 hours."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from console import budgets, charts, page_versions
from console.access import for_operators
from console.alerts import suggestion
from console.event_list import events_wait, waiting_since
from console.times import times_of
from executions import silence
from executions.alarms import Alarm
from executions.models import WaitingRun
from moca.display import duration_or_empty
from moca.dynamodb.queries import may_lag
from moca.times import iso
from triggers.display import TriggerDisplay, kinds_of_failures
from triggers.models import Process, ProcessKind, SyncState, Trigger
from triggers.models.process import firing_kind, which_fire
from triggers.statistics import HOUR, Statistics, Tally, start_of

# The dashboard covers this many triggers, and says if there are more.
MOST = 1000
LINES = 15
# Triggers after the first LINES are folded, up to this many.
MORE_LINES = 300
# Failing, running and unsynced triggers listed by name. More would push the time line down.
NAMED = 5
# Runs that wait for a person, the first NAMED of them unfolded.
MOST_ASKING = 50
# Open alarms, the first NAMED of them unfolded.
MOST_ALARMS = 100
# One press of "Sync" reconciles at most this many.
SYNCHRONIZED = 50
DAY = timedelta(hours=24)
DENSE = DAY / charts.SINGLE_TICKS


@dataclass(slots=True)
class Line:
    """A trigger on the time line of the next 24 hours, and its next run."""

    view: TriggerDisplay
    first: datetime
    # Whether its runs are so frequent that single ticks would touch.
    is_dense: bool

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """Its runs as parts of the line: one part for all if they are frequent."""
        now = self.view.now
        runs = [run for run in self.view.next_runs(charts.SINGLE_TICKS + 1) if run < now + DAY]
        return charts.day_line(runs, now)


@dataclass(slots=True)
class Agent:
    """The results of one agent's triggers in the last 24 hours."""

    name: str
    day: Tally = field(default_factory=lambda: Tally(0))

    @property
    def average(self) -> str:
        return duration_or_empty(self.day.average)

    @property
    def longest(self) -> str:
        return duration_or_empty(None if self.day.average is None else self.day.longest)

    @property
    def kinds(self) -> str:
        return kinds_of_failures(self.day)

    @property
    def share_failed(self) -> int | None:
        """In percent, without cancelled runs; None if there were no others."""
        rate = self.day.success_rate
        return None if rate is None else round(100 * (1 - rate))


@dataclass(slots=True)
class Overview:
    """Sums over triggers.

    Attributes:
        hours: the runs of the last 24 hours, by hour.
        lines: the triggers that fire within 24 hours, the next one first, very frequent ones last.
    """

    total: int = 0
    enabled: int = 0
    failing: list[Trigger] = field(default_factory=list)
    running: list[Trigger] = field(default_factory=list)
    unsynced: list[Trigger] = field(default_factory=list)
    waiting: list[Trigger] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    hours: list[Tally] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)


def _turns(**_path: str) -> page_versions.Turns:
    first, *others = page_versions.of_all()
    return [[*first, events_wait], *others]


@require_safe
@for_operators()
@page_versions.polled(_turns)
def dashboard(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    # A thousand rows are most of what the page costs, and an overview may be a second old.
    newest = may_lag(Trigger.objects.order_by("-pk").defer("prompt", "description"))
    triggers = list(newest[: MOST + 1])
    overview = overview_of(triggers[:MOST], now)
    day = Tally.total(overview.hours)
    times = times_of(request)
    zone = times.zone or UTC
    ticks = [now + timedelta(hours=hour) for hour in range(0, 24, 3)]
    context = {
        "now": now,
        "until": now + DAY,
        "has_more": len(triggers) > MOST,
        "most": MOST,
        "overview": overview,
        "nobody_is_told": suggestion(request),
        "lines": overview.lines[:LINES],
        "later_lines": overview.lines[LINES:MORE_LINES],
        "other_lines": len(overview.lines) - MORE_LINES,
        "failing": overview.failing[:NAMED],
        "other_failing": len(overview.failing) - NAMED,
        "running": overview.running[:NAMED],
        "other_running": overview.running[NAMED:],
        "to_enable": overview.waiting[:NAMED],
        "other_to_enable": len(overview.waiting) - NAMED,
        "unsynced": overview.unsynced[:NAMED],
        "unnamed_unsynced": overview.unsynced[NAMED:SYNCHRONIZED],
        "other_unsynced": len(overview.unsynced) - NAMED,
        "ticks": [(iso(tick), f"{localtime(tick, zone):%H:%M}") for tick in ticks],
        "zone": zone,
        "is_relative": times.is_relative,
        "bars": charts.columns(
            overview.hours,
            [times.exact(start_of(tally, HOUR)) for tally in overview.hours],
        ),
        "day": day,
        "kinds": kinds_of_failures(day),
        "average": duration_or_empty(day.average),
        "waiting_since": waiting_since(now),
        **_asking(triggers),
        **_alarms(triggers, now),
        **budgets.used_up(now),
        **_queue(now),
        "here": request.get_full_path(),
    }
    return render(request, "console/dashboard.html", context)


def _asking(triggers: Iterable[Trigger]) -> dict[str, Any]:
    """The runs that wait for a person, those first that end first; one read if there are none."""
    found = list(WaitingRun.objects.by_end()[: MOST_ASKING + 1])
    names = {trigger.pk: trigger.name for trigger in triggers}
    rows = [(row, names.get(row.trigger_id, "")) for row in found[:MOST_ASKING]]
    return {
        "asking": rows[:NAMED],
        "other_asking": rows[NAMED:],
        "asking_count": f"{MOST_ASKING}+" if len(found) > MOST_ASKING else str(len(found)),
    }


def _alarms(triggers: Iterable[Trigger], now: datetime) -> dict[str, Any]:
    """The open alarms, and whether schedules are fired at all; two reads.

    If nothing fires them, this raises the alarm: a web server may be all that is alive.
    """
    fires = which_fire()
    alarms = list(Alarm.objects.all()[: MOST_ALARMS + 1])
    silence.notice(fires, alarms, now)
    alive = [row for row in fires if row.is_alive(now)]
    names = {trigger.pk: trigger.name for trigger in triggers}
    rows = [(alarm, names.get(alarm.trigger_id, "")) for alarm in alarms if alarm.trigger_id]
    return {
        "last_seen": fires[0].seen_at if fires and not alive else None,
        "has_scheduler": firing_kind() == ProcessKind.SCHEDULER,
        "call_error": next((row.call_error for row in alive if row.call_error), ""),
        "alarms": rows[:NAMED],
        "other_alarms": rows[NAMED:MOST_ALARMS],
        "alarm_count": f"{MOST_ALARMS}+" if len(alarms) > MOST_ALARMS else str(len(rows)),
    }


def _queue(now: datetime) -> dict[str, Any]:
    """The runs that wait for a place of a scheduler process; one read."""
    queue = Process.objects.queue(now)
    return {"queue": queue} if queue and queue.waiting else {}


def overview_of(triggers: Iterable[Trigger], now: datetime) -> Overview:
    """What the dashboard shows of these triggers."""
    found = Overview()
    agents: dict[str, Agent] = {}
    hours = {hour.number: hour for hour in Statistics().hours(now)}
    for trigger in triggers:
        found.total += 1
        found.enabled += trigger.fires(now)
        if trigger.consecutive_failures:
            found.failing.append(trigger)
        if trigger.is_held(now):
            found.running.append(trigger)
        if trigger.waits_for_person:
            found.waiting.append(trigger)
        if trigger.sync_state != SyncState.SYNCED:
            found.unsynced.append(trigger)
        view = TriggerDisplay(trigger, now)
        if view.next_run and view.next_run < now + DAY:
            following = trigger.next_runs(view.next_run, 1)
            is_dense = bool(following) and following[0] - view.next_run < DENSE
            found.lines.append(Line(view, view.next_run, is_dense))
        agent = agents.setdefault(trigger.agent_id, Agent(trigger.agent_id))
        for counted in Statistics.read(trigger.statistics).counted_hours():
            if hour := hours.get(counted.number):
                hour.take(counted)
                agent.day.take(counted)
    found.failing.sort(key=lambda trigger: -trigger.consecutive_failures)
    found.lines.sort(key=lambda line: (line.is_dense, line.first))
    found.hours = list(hours.values())
    found.agents = sorted(
        agents.values(), key=lambda agent: (-agent.day.failed, -agent.day.runs, agent.name)
    )[:LINES]
    return found
