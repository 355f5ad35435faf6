"""What a backfill would run: the occurrences that a trigger missed, or its failed runs."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from executions.backfill.history import History
from executions.backfill.model import (
    DEFAULT_AT_ONCE,
    DEFAULT_PER_MINUTE,
    MOST_AT_ONCE,
    MOST_PER_MINUTE,
    Backfill,
    BackfillKind,
)
from executions.models import TriggerExecution
from executions.outcomes import outcome_of
from moca.ids import first_id, made_at, occurrence_id, uuid7
from moca.times import INSTANT
from triggers.models import Outcome, RunStatus, Trigger

# The most runs of one backfill, and how many occurrences are looked through to find them.
MOST_ITEMS = 1000
MOST_LOOKED = 20_000
# Occurrences of the last minute may be about to start.
SETTLED = timedelta(minutes=1)
# From how many of the newest runs the averages are taken.
SAMPLE = 20
# Outcomes of failed runs that nobody asks to run again: those that did not begin, and those that a
# person cancelled.
NOT_FAILED = (Outcome.MISSED, Outcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks a backfill for.

    Attributes:
        kind: missed occurrences, or failed runs.
        since: the moment from which on, inclusive.
        until: the moment up to which, inclusive; None for the present.
        executions: the failed executions that were chosen; empty for all between the moments.
        newest_first: whether the newest run first.
        per_minute: how many begin in a minute.
        at_once: how many are under way at the same time.
        with_left_out: whether occurrences count as missed while the trigger did not fire.
    """

    kind: str = BackfillKind.MISSED
    since: datetime | None = None
    until: datetime | None = None
    executions: tuple[str, ...] = ()
    newest_first: bool = False
    per_minute: int = DEFAULT_PER_MINUTE
    at_once: int = DEFAULT_AT_ONCE
    with_left_out: bool = False

    def check(self, now: datetime) -> None:
        """Raise ValidationError, by field, if the request makes no sense."""
        faults: dict[str, str] = {}
        if self.kind not in BackfillKind.values:
            faults["kind"] = _("Give missed or failed.")
        if self.since is None and not self.executions:
            faults["from"] = _("Give the moment from which on runs are wanted.")
        elif self.since and self.since >= (self.until or now):
            faults["from"] = _("Give a moment that is past, and before the other one.")
        if len(self.executions) > MOST_ITEMS:
            faults["executions"] = _("Choose at most 1,000 runs.")
        if self.executions and self.kind != BackfillKind.FAILED:
            faults["executions"] = _("Only failed runs can be chosen: give the kind failed.")
        if not 1 <= self.per_minute <= MOST_PER_MINUTE:
            faults["perMinute"] = _("Give a number from 1 to %(most)s.") % {"most": MOST_PER_MINUTE}
        if not 1 <= self.at_once <= MOST_AT_ONCE:
            faults["atOnce"] = _("Give a number from 1 to %(most)s.") % {"most": MOST_AT_ONCE}
        if faults:
            raise ValidationError({name: [message] for name, message in faults.items()})


@dataclass(frozen=True, slots=True)
class Item:
    """One run that a backfill would begin.

    Attributes:
        key: what `Backfill.items` has for it.
        due: when it was due, or when the failed run began.
        recorded: whether it is on record as missed or failed.
    """

    key: Any
    due: datetime
    recorded: bool


@dataclass(slots=True)
class Estimate:
    """What the runs may cost, by the averages of the trigger's own newest runs.

    Attributes:
        based_on: how many runs the averages are taken from; without any, the rest is 0.
        milliseconds: how long all runs may take together.
        input_tokens: how many tokens the agent may read.
        output_tokens: how many it may write.
        seconds: in how many seconds all may have run at the chosen pace.
    """

    based_on: int = 0
    milliseconds: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: int = 0


@dataclass(slots=True)
class Plan:
    """The runs of a backfill, in the order in which they begin.

    Attributes:
        items: the runs.
        since: the moment from which on occurrences are known.
        estimate: what they may cost.
        left_out: how many were due while the trigger did not fire. They are not among the runs.
    """

    items: list[Item] = field(default_factory=list)
    since: datetime | None = None
    estimate: Estimate = field(default_factory=Estimate)
    left_out: int = 0


def make_plan(trigger: Trigger, wanted: Wanted, now: datetime) -> Plan:
    """Find out what a backfill would run.

    What runs already, or waits in a backfill that is under way, is left out.

    Raises:
        ValidationError: by field: the request makes no sense, or is for too many runs.
    """
    wanted.check(now)
    plan = _missed(trigger, wanted, now) if wanted.kind == BackfillKind.MISSED else Plan()
    if wanted.kind == BackfillKind.FAILED:
        plan.items = list(_failed(trigger, wanted, now))
    waiting = {key for each in Backfill.objects.under_way(trigger.pk) for key in each.waiting}
    plan.items = [item for item in plan.items if item.key not in waiting]
    if len(plan.items) > MOST_ITEMS:
        message = _(
            "These are %(number)s runs, and a backfill takes %(most)s at most: choose moments that "
            "are closer together."
        )
        values = {"number": f"{len(plan.items):,}", "most": f"{MOST_ITEMS:,}"}
        raise ValidationError({"from": [message % values]})
    if wanted.newest_first:
        plan.items.reverse()
    plan.estimate = _estimate(trigger, wanted, len(plan.items))
    return plan


# Missed occurrences


def _missed(trigger: Trigger, wanted: Wanted, now: datetime) -> Plan:
    """The occurrences between two moments that have no record, or that of a missed run."""
    schedule = trigger.schedule
    if schedule is None or wanted.since is None:
        raise ValidationError({"kind": [_("Only a schedule can have missed runs.")]})
    since = max(wanted.since, trigger.created_at)
    history = History(trigger, since)
    since = max(since, history.schedule_since() or since)
    until = min(wanted.until or now, now)
    runs = list(_between(trigger, since, until))
    on_record = _records(trigger, since, until)
    plan = Plan(since=since)
    for due in runs:
        outcome = on_record.get(occurrence_id(trigger.pk, due))
        if outcome not in (None, Outcome.MISSED) or (outcome is None and due > now - SETTLED):
            continue
        if outcome is None and not wanted.with_left_out and not history.fired_at(due):
            plan.left_out += 1
            continue
        plan.items.append(Item(int(due.timestamp()), due, recorded=outcome is not None))
    return plan


def _between(trigger: Trigger, since: datetime, until: datetime) -> Iterator[datetime]:
    if since > until:
        return
    runs = trigger.next_runs(since - INSTANT, MOST_LOOKED + 1)
    if len(runs) > MOST_LOOKED and runs[-1] <= until:
        message = _(
            "More than %(most)s times of the schedule lie between these moments: choose moments "
            "that are closer together."
        )
        raise ValidationError({"from": [message % {"most": f"{MOST_LOOKED:,}"}]})
    yield from (run for run in runs if run <= until)


def _records(trigger: Trigger, since: datetime, until: datetime) -> dict[str, str]:
    """The outcomes of the trigger's executions by id, of those whose ids have times in between."""
    rows = TriggerExecution.objects.of_trigger(trigger).filter(
        pk__gte=first_id(since), pk__lt=first_id(until + timedelta(milliseconds=2))
    )
    found = rows.values_list("pk", "status", "outcome", "error_code")
    return {pk: _outcome(status, outcome, code) for pk, status, outcome, code in found}


def _outcome(status: str, outcome: str, code: str) -> str:
    if outcome or status == RunStatus.RUNNING:
        return outcome or str(status)
    return outcome_of(RunStatus(status), code)


# Failed runs


def _failed(trigger: Trigger, wanted: Wanted, now: datetime) -> Iterator[Item]:
    """The failed runs that were chosen, or those between two moments, that have not run again."""
    rows = TriggerExecution.objects.of_trigger(trigger)
    if wanted.executions:
        found = list(_chosen(rows, wanted.executions))
    else:
        since, until = wanted.since or now, wanted.until or now
        between = rows.filter(pk__gte=first_id(since), pk__lt=first_id(until))
        found = list(islice(_light(between.order_by("pk")).iterator(), MOST_LOOKED))
    failed = [one for one in found if _has_failed(one)]
    again = {rerun_id(one): one for one in failed}
    done = set(_keys_on_record(rows, list(again)))
    for key, one in sorted(again.items()):
        if key not in done:
            yield Item(one.pk, one.scheduled_at or one.started_at, recorded=True)


def _has_failed(execution: TriggerExecution) -> bool:
    is_failed = execution.status == RunStatus.FAILED
    return is_failed and execution.shown_outcome not in NOT_FAILED


def _light(rows: Any) -> Any:
    return rows.defer("output", "output_tail", "reasoning", "tools", "event_payload")


def _chosen(rows: Any, ids: tuple[str, ...]) -> Iterator[TriggerExecution]:
    for start in range(0, len(ids), 100):
        yield from _light(rows.filter(pk__in=ids[start : start + 100]))


def _keys_on_record(rows: Any, ids: list[str]) -> Iterator[str]:
    for start in range(0, len(ids), 100):
        yield from rows.filter(pk__in=ids[start : start + 100]).values_list("pk", flat=True)


def rerun_id(execution: TriggerExecution) -> str:
    """The id of the run that a backfill makes for a failed one: the same whoever asks for it."""
    try:
        moment = made_at(execution.pk)
    except (ValueError, OverflowError):
        moment = execution.started_at
    digest = hashlib.sha256(f"backfill {execution.trigger_id} {execution.pk}".encode()).digest()
    return uuid7(max(0, round(moment.timestamp() * 1000)), digest[:10])


def due_of(key: int) -> datetime:
    """The due time that `Backfill.items` has as epoch seconds."""
    return datetime.fromtimestamp(key, UTC)


# What it may cost


def _estimate(trigger: Trigger, wanted: Wanted, number: int) -> Estimate:
    rows = TriggerExecution.objects.of_trigger(trigger).order_by("-pk")[:SAMPLE]
    runs = [
        (duration, usage if isinstance(usage, dict) else {})
        for duration, usage, status in rows.values_list("duration_ms", "usage", "status")
        if status == RunStatus.COMPLETED
    ]
    at_once = 1 if trigger.holds_itself else wanted.at_once
    by_pace = 60 * max(0, number - 1) / wanted.per_minute
    if not runs:
        return Estimate(seconds=round(by_pace))
    length = sum(duration or 0 for duration, _usage in runs) / len(runs)
    return Estimate(
        based_on=len(runs),
        milliseconds=round(number * length),
        input_tokens=_tokens(runs, "inputTokens", number),
        output_tokens=_tokens(runs, "outputTokens", number),
        seconds=round(max(by_pace, number * length / 1000 / at_once)),
    )


def _tokens(runs: list[tuple[Any, dict[str, Any]]], name: str, number: int) -> int:
    counts = [usage.get(name) for _duration, usage in runs]
    return round(number * sum(c for c in counts if isinstance(c, int)) / len(runs))
