"""Reconciles schedules and rules with triggers, for the command, the handler and operators.

`reconcile()` repairs all drift in one pass, `reconcile_one()` that of one trigger. A failed
transaction restores a schedule by its `TriggerProjection`; see `moca.reconcile`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self

from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

import moca.reconcile
from alerts.outbox import Happening, tell
from events import rules
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.reconcile import Action, Projection, ProjectionError, repair_of, write_stored
from triggers.failures import (
    DRIFT_NOTED,
    NO_PROJECTION_WANTED,
    PROJECTION_NOT_NEEDED,
    TRIGGER_GONE,
)
from triggers.models import SyncState, Trigger
from triggers.schedulers import Scheduler, SchedulerError, all_schedulers, scheduler_of
from triggers.schedulers.base import ScheduleEntry

CONCURRENCY = 16
RECONCILER = audit.system("reconciler")
# The part in which a trigger differs that has more schedules than expressions.
FURTHER = "further schedules"
# A younger schedule without a trigger may belong to a transaction that is not committed yet.
ORPHAN_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TriggerProjection(Projection):
    """Names the schedule or rule of a trigger.

    Attributes:
        what: `schedule` or `rule`, from its scheduler.
        id: the id of the trigger.
        owners: the owner before the transaction, and the one after it if that differs.
        count: the most schedules that it had before the transaction, or has after it.
    """

    what: str
    id: str
    owners: tuple[str, ...]
    count: int = 1
    id_name = "triggerId"

    @classmethod
    def of(cls, trigger: Trigger, scheduler: Scheduler) -> Self:
        owners = {trigger.user_id, trigger.loaded_value("user_id") or trigger.user_id}
        count = scheduler.count_of(trigger)
        return cls(scheduler.what, trigger.pk, tuple(sorted(owners)), count)

    @property
    def _rows(self) -> QuerySet[Trigger]:
        return Trigger.objects.filter(user_id__in=self.owners, pk=self.id)

    def restore(self) -> None:
        [scheduler] = [each for each in all_schedulers() if each.what == self.what]
        _write_stored(scheduler, self._rows, self.id, self.count)

    def note_drift(self, reason: str) -> None:
        self._rows.update(sync_state=SyncState.PENDING, **reasons.columns("sync_error", reason))
        why = DRIFT_NOTED(what=moca.reconcile.KINDS[self.what], error=reason or "-")
        for trigger in self._rows:
            audit.note(AuditEntry.Action.UPDATED, trigger, by=RECONCILER, why=why)


def reconcile(
    scheduler: Scheduler | None = None,
    *,
    dry_run: bool = False,
    concurrency: int = CONCURRENCY,
    by: str = RECONCILER,
    seen: list[Trigger] | None = None,
) -> list[Action]:
    """Repair all drift between triggers, event sources and their projections, in one pass.

    Args:
        scheduler: the only one to reconcile; None for all, and for the rules of event sources.
        dry_run: change nothing, and return what would be done.
        concurrency: the most calls to the scheduler at a time.
        by: the actor of the audit entries.
        seen: gets the triggers that were read, for a caller that needs them, too.

    Returns:
        What was done. A failure is noted on its trigger, and the next pass retries it.

    Raises:
        ProjectionError: the projections cannot be listed; the pass ends there.
    """
    if scheduler is not None:
        return _reconcile_all_of(scheduler, dry_run=dry_run, concurrency=concurrency, by=by)
    done = []
    for each in all_schedulers():
        done += _reconcile_all_of(each, dry_run=dry_run, concurrency=concurrency, by=by, seen=seen)
    return [*done, *rules.reconcile(dry_run=dry_run, by=by)]


def _reconcile_all_of(
    scheduler: Scheduler,
    *,
    dry_run: bool,
    concurrency: int,
    by: str,
    seen: list[Trigger] | None = None,
) -> list[Action]:
    listed = list(scheduler.list())
    entries = {entry.trigger_id: entry for entry in listed}
    counts: dict[str, int] = {}
    for entry in listed:
        counts[entry.trigger_id] = max(entry.number, counts.get(entry.trigger_id, 1))
    triggers = list(Trigger.objects.filter(type=scheduler.trigger_type).order_by("-pk").iterator())
    if seen is not None:
        seen += triggers
    known = {trigger.pk for trigger in triggers}
    unclaimed = [entry for entry in entries.values() if entry.trigger_id not in known]
    young = [entry.trigger_id for entry in unclaimed if _is_young(entry)]
    orphans = [entry.trigger_id for entry in unclaimed if entry.trigger_id not in young]
    may_be_uncommitted = not (dry_run or scheduler.is_transactional)
    if may_be_uncommitted and any(entries[orphan].made_at is None for orphan in orphans):
        # A transaction may be about to commit their triggers. `_remove()` looks for these again.
        time.sleep(moca.reconcile.COMMIT_SECONDS)
    tasks: list[Callable[[], Action | None]] = [
        partial(
            _repair, scheduler, trigger, dry_run=dry_run, by=by, count=counts.get(trigger.pk, 1)
        )
        for trigger in triggers
        if trigger.pk in entries
        or scheduler.wants(trigger)
        or trigger.sync_state != SyncState.SYNCED
    ]
    tasks += [
        partial(_remove, scheduler, orphan, dry_run=dry_run, by=by, count=counts[orphan])
        for orphan in orphans
    ]
    with ThreadPoolExecutor(concurrency, thread_name_prefix="sync") as pool:
        found = pool.map(_in_own_connection, tasks)
        done = [action for action in found if action is not None]
    return done + [_wait(scheduler, trigger_id) for trigger_id in young]


def _is_young(entry: ScheduleEntry) -> bool:
    """Whether a schedule without a trigger may belong to an uncommitted transaction."""
    return entry.made_at is not None and entry.made_at >= timezone.now() - ORPHAN_AGE


def _wait(scheduler: Scheduler, trigger_id: str) -> Action:
    minutes = ORPHAN_AGE // timedelta(minutes=1)
    reason = f"it has no trigger, and is removed once it is {minutes} minutes old"
    return Action("wait", scheduler.what, trigger_id, reason)


def known_drift(scheduler: Scheduler) -> tuple[list[str], list[str]]:
    """Find the drift that is known without comparing each projection, for the doctor.

    Returns:
        The ids of triggers that are marked as drifted, and those of schedules without a trigger.

    Raises:
        ProjectionError: the schedules cannot be listed.
    """
    scheduled = dict.fromkeys(entry.trigger_id for entry in scheduler.list())
    states = dict(
        Trigger.objects.filter(type=scheduler.trigger_type).values_list("pk", "sync_state")
    )
    marked = [pk for pk, state in states.items() if state != SyncState.SYNCED]
    return marked, [pk for pk in scheduled if pk not in states]


def reconcile_one(trigger: Trigger, *, by: str) -> bool:
    """Repair the drift of one trigger's schedule or rule; False if there is none.

    Args:
        trigger: the trigger.
        by: the operator who asked for the repair.

    Raises:
        ProjectionError: the scheduler refuses; the reason is noted on the trigger.
    """
    action = _repair(scheduler_of(trigger), trigger, dry_run=False, by=by)
    if action is not None and action.kind == "fail":
        raise SchedulerError(action.reason)
    return action is not None


def _in_own_connection(task: Callable[[], Action | None]) -> Action | None:
    """Run a task in a thread of the pool, and close the connections that it opened."""
    try:
        return task()
    finally:
        connections.close_all()


def _repair(
    scheduler: Scheduler, trigger: Trigger, *, dry_run: bool, by: str, count: int = 1
) -> Action | None:
    """Compare the projection of a trigger, repair it and note the result; None if it is equal.

    `count` is the highest number of a schedule that the scheduler has for the trigger.
    """
    action: Action | None = None
    error = ""
    try:
        differences = scheduler.differences(trigger)
        if differences is not None and count > scheduler.count_of(trigger):
            differences = [*differences, FURTHER]
        if differences is None or differences:
            action = _planned_repair(scheduler, trigger, differences)
            if not dry_run:
                with _one_transaction(scheduler):
                    count = max(count, scheduler.count_of(trigger))
                    _write_stored(scheduler, _row_of(trigger), trigger.pk, count)
                    _note_repair(trigger, action, by)
    except ProjectionError as refusal:
        error = refusal.reason
        action = Action("fail", scheduler.what, trigger.pk, error)
    state = SyncState.FAILED if error else SyncState.SYNCED
    if not dry_run and (trigger.sync_state, trigger.sync_error) != (state, error):
        _note_state(trigger, state, error, by)
    return action


def _one_transaction(scheduler: Scheduler) -> AbstractContextManager[None]:
    """A transaction for a transactional scheduler; others get no lock during their calls."""
    return transaction.atomic() if scheduler.is_transactional else nullcontext()


def _row_of(trigger: Trigger) -> QuerySet[Trigger]:
    return Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)


def _note_repair(trigger: Trigger, action: Action, by: str) -> None:
    """Write the audit entry of a repair."""
    audit.note(AuditEntry.Action.REPAIRED, trigger, by=by, why=action.sentence)
    _tell(trigger, action.sentence, by)


def _note_state(trigger: Trigger, state: SyncState, error: str, by: str) -> None:
    """Note on the trigger whether its projection is equal; a failure gets an audit entry."""
    with transaction.atomic():
        _row_of(trigger).update(sync_state=state, **reasons.columns("sync_error", error))
        if error:
            changes = {"sync_state": [trigger.sync_state, state]}
            audit.note(AuditEntry.Action.UPDATED, trigger, by=by, why=error, changes=changes)
            _tell(trigger, error, by)


def _tell(trigger: Trigger, reason: str, by: str) -> None:
    """Alert people to drift that the product itself has found, and no operator."""
    if isinstance(by, audit.System):
        tell(Happening.OUT_OF_STEP, trigger=trigger, params={"reason": reason})


def _planned_repair(
    scheduler: Scheduler, trigger: Trigger, differences: Sequence[str] | None
) -> Action:
    if differences or scheduler.wants(trigger):
        return repair_of(scheduler.what, trigger.pk, differences)
    return Action("delete", scheduler.what, trigger.pk, PROJECTION_NOT_NEEDED())


def _write_stored(
    scheduler: Scheduler, rows: QuerySet[Trigger], trigger_id: str, count: int
) -> None:
    """Write the projection of a trigger as the database stores the trigger."""

    def write(row: Trigger | None) -> None:
        if row:
            scheduler.restore(row, count)
        else:
            scheduler.delete(trigger_id, count)

    write_stored(rows, write)


def _remove(
    scheduler: Scheduler, trigger_id: str, *, dry_run: bool, by: str, count: int
) -> Action | None:
    """Delete an orphaned projection; None if its trigger has appeared meanwhile."""
    trigger = Trigger.objects.filter(pk=trigger_id).first()
    if trigger is not None and scheduler.wants(trigger):
        return None
    unwanted = NO_PROJECTION_WANTED(what=moca.reconcile.KINDS[scheduler.what])
    reason = TRIGGER_GONE() if trigger is None else unwanted
    action = Action("delete", scheduler.what, trigger_id, reason)
    try:
        if not dry_run:
            with _one_transaction(scheduler):
                scheduler.delete(trigger_id, count)
                _note_repair(trigger or Trigger(pk=trigger_id, name=trigger_id), action, by)
    except ProjectionError as error:
        return Action("fail", scheduler.what, trigger_id, error.reason)
    return action
