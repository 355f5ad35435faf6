"""Reconcile schedules and rules with the triggers that they are projections of.

`reconcile()` is the pass that repairs drift, `reconcile_one()` does the same for one trigger.
`TriggerProjection` is how a failed transaction restores a schedule; see `moca.reconcile`.
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
from events import rules
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.reconcile import Action, Projection, ProjectionError, repair_of, write_stored
from triggers.failures import COPY_NOT_NEEDED, COPY_UNWANTED, COPY_WITHOUT_TRIGGER
from triggers.models import SyncState, Trigger
from triggers.schedulers import Scheduler, SchedulerError, all_schedulers, scheduler_of
from triggers.schedulers.base import ScheduleEntry

CONCURRENCY = 16
RECONCILER = audit.system("reconciler")
# Younger schedules without a trigger may be those of a transaction under way.
ORPHAN_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TriggerProjection(Projection):
    """The schedule or rule of a trigger.

    Attributes:
        what: `schedule` or `rule`, as its scheduler has it.
        id: the id of the trigger.
        owners: the users who may own the trigger, whichever way a transaction ends.
    """

    what: str
    id: str
    owners: tuple[str, ...]
    id_name = "triggerId"

    @classmethod
    def of(cls, trigger: Trigger, scheduler: Scheduler) -> Self:
        owners = {trigger.user_id, trigger.loaded_value("user_id") or trigger.user_id}
        return cls(scheduler.what, trigger.pk, tuple(sorted(owners)))

    @property
    def _rows(self) -> QuerySet[Trigger]:
        return Trigger.objects.filter(user_id__in=self.owners, pk=self.id)

    def restore(self) -> None:
        [scheduler] = [each for each in all_schedulers() if each.what == self.what]
        _write_stored(scheduler, self._rows, self.id)

    def note_drift(self, reason: str) -> None:
        self._rows.update(sync_state=SyncState.PENDING, **reasons.columns("sync_error", reason))


def reconcile(
    scheduler: Scheduler | None = None,
    *,
    dry_run: bool = False,
    concurrency: int = CONCURRENCY,
    by: str = RECONCILER,
) -> list[Action]:
    """Repair all drift between triggers, event sources and their projections, in one pass.

    Args:
        scheduler: reconcile this one alone; None for all schedulers and the rules of sources.
        dry_run: change nothing, and return what would be done.
        concurrency: calls to the scheduler at once.
        by: who repairs, for the audit entries.

    Returns:
        What was done. What failed is noted on its trigger, and the next pass tries it again.

    Raises:
        ProjectionError: the projections cannot be listed; nothing more was done.
    """
    if scheduler is not None:
        return _reconcile(scheduler, dry_run=dry_run, concurrency=concurrency, by=by)
    done = []
    for each in all_schedulers():
        done += _reconcile(each, dry_run=dry_run, concurrency=concurrency, by=by)
    return [*done, *rules.reconcile(dry_run=dry_run, by=by)]


def _reconcile(scheduler: Scheduler, *, dry_run: bool, concurrency: int, by: str) -> list[Action]:
    entries = {entry.trigger_id: entry for entry in scheduler.list()}
    triggers = list(Trigger.objects.filter(type=scheduler.trigger_type).order_by("-pk").iterator())
    known = {trigger.pk for trigger in triggers}
    unclaimed = [entry for entry in entries.values() if entry.trigger_id not in known]
    young = [entry.trigger_id for entry in unclaimed if _is_young(entry)]
    orphans = [entry.trigger_id for entry in unclaimed if entry.trigger_id not in young]
    is_apart = not (dry_run or scheduler.is_transactional)
    if is_apart and any(entries[orphan].made_at is None for orphan in orphans):
        # The rows of new ones may be about to be written; they are looked for once more.
        time.sleep(moca.reconcile.COMMIT_SECONDS)
    tasks: list[Callable[[], Action | None]] = [
        partial(_repair, scheduler, trigger, dry_run=dry_run, by=by)
        for trigger in triggers
        if trigger.pk in entries
        or scheduler.wants(trigger)
        or trigger.sync_state != SyncState.SYNCED
    ]
    tasks += [partial(_remove, scheduler, orphan, dry_run=dry_run, by=by) for orphan in orphans]
    with ThreadPoolExecutor(concurrency, thread_name_prefix="sync") as pool:
        found = pool.map(_in_own_connection, tasks)
        done = [action for action in found if action is not None]
    return done + [_wait(scheduler, trigger_id) for trigger_id in young]


def _is_young(entry: ScheduleEntry) -> bool:
    """Whether a schedule without a trigger may be that of a transaction under way."""
    return entry.made_at is not None and entry.made_at >= timezone.now() - ORPHAN_AGE


def _wait(scheduler: Scheduler, trigger_id: str) -> Action:
    minutes = ORPHAN_AGE // timedelta(minutes=1)
    reason = f"it has no trigger, and is removed once it is {minutes} minutes old"
    return Action("wait", scheduler.what, trigger_id, reason)


def known_drift(scheduler: Scheduler) -> tuple[list[str], list[str]]:
    """The drift that is known without a comparison of each projection.

    Returns:
        The ids of triggers that say so, and those of schedules that have no trigger.

    Raises:
        ProjectionError: the schedules cannot be listed.
    """
    kept = [entry.trigger_id for entry in scheduler.list()]
    states = dict(
        Trigger.objects.filter(type=scheduler.trigger_type).values_list("pk", "sync_state")
    )
    apart = [pk for pk, state in states.items() if state != SyncState.SYNCED]
    return apart, [pk for pk in kept if pk not in states]


def reconcile_one(trigger: Trigger, *, by: str) -> bool:
    """Repair the drift of one trigger's schedule or rule; False if there is none.

    Args:
        trigger: the trigger.
        by: the operator who asks for it.

    Raises:
        ProjectionError: the scheduler refuses; that is noted on the trigger.
    """
    action = _repair(scheduler_of(trigger), trigger, dry_run=False, by=by)
    if action is not None and action.kind == "fail":
        raise SchedulerError(action.reason)
    return action is not None


def _in_own_connection(task: Callable[[], Action | None]) -> Action | None:
    try:
        return task()
    finally:
        connections.close_all()


def _repair(scheduler: Scheduler, trigger: Trigger, *, dry_run: bool, by: str) -> Action | None:
    action: Action | None = None
    error = ""
    try:
        differences = scheduler.differences(trigger)
        if differences is None or differences:
            action = _planned(scheduler, trigger, differences)
            if not dry_run:
                with _one_transaction(scheduler):
                    row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
                    _write_stored(scheduler, row, trigger.pk)
                    _note_repair(trigger, action, by)
    except ProjectionError as refusal:
        error = refusal.reason
        action = Action("fail", scheduler.what, trigger.pk, error)
    state = SyncState.FAILED if error else SyncState.SYNCED
    if not dry_run and (trigger.sync_state, trigger.sync_error) != (state, error):
        _note_state(trigger, state, error, by)
    return action


def _one_transaction(scheduler: Scheduler) -> AbstractContextManager[None]:
    """A transaction if the scheduler is part of one; no lock is held during a call to a service."""
    return transaction.atomic() if scheduler.is_transactional else nullcontext()


def _note_repair(trigger: Trigger, action: Action, by: str) -> None:
    """Write the audit entry of a repair."""
    audit.note(AuditEntry.Action.REPAIRED, trigger, by=by, why=action.sentence)


def _note_state(trigger: Trigger, state: SyncState, error: str, by: str) -> None:
    """Note on the trigger whether its schedule is equal; a failure gets an audit entry."""
    row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
    with transaction.atomic():
        row.update(sync_state=state, **reasons.columns("sync_error", error))
        if error:
            changes = {"sync_state": [trigger.sync_state, state]}
            audit.note(AuditEntry.Action.UPDATED, trigger, by=by, why=error, changes=changes)


def _planned(scheduler: Scheduler, trigger: Trigger, differences: Sequence[str] | None) -> Action:
    if differences or scheduler.wants(trigger):
        return repair_of(scheduler.what, trigger.pk, differences)
    return Action("delete", scheduler.what, trigger.pk, COPY_NOT_NEEDED())


def _write_stored(scheduler: Scheduler, rows: QuerySet[Trigger], trigger_id: str) -> None:
    """Bring the scheduler to what the database says of a trigger."""
    write_stored(rows, lambda row: scheduler.restore(row) if row else scheduler.delete(trigger_id))


def _remove(scheduler: Scheduler, trigger_id: str, *, dry_run: bool, by: str) -> Action | None:
    trigger = Trigger.objects.filter(pk=trigger_id).first()
    if trigger is not None and scheduler.wants(trigger):
        return None
    unwanted = COPY_UNWANTED(what=moca.reconcile.KINDS[scheduler.what])
    reason = COPY_WITHOUT_TRIGGER() if trigger is None else unwanted
    action = Action("delete", scheduler.what, trigger_id, reason)
    try:
        if not dry_run:
            with _one_transaction(scheduler):
                scheduler.delete(trigger_id)
                _note_repair(trigger or Trigger(pk=trigger_id, name=trigger_id), action, by)
    except ProjectionError as error:
        return Action("fail", scheduler.what, trigger_id, error.reason)
    return action
