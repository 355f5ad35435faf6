"""Triggers and the schedulers' copies of them, kept and made equal.

A scheduler outside of the database is told within the transaction that changes the trigger, before
its commit: what it refuses is not written. Where the commit fails after all, `in_step()` tells it
what stands in the database; where that fails too, the trigger says that it is not yet in step.
`synchronize()` mends that, and finds what a process that dies in between leaves.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from events import rules
from events.buses import BusError
from moca import audit, reasons, reconciling
from moca.authentication.models import AuditEntry
from moca.reconciling import Action
from triggers.failures import COPY_NOT_NEEDED, COPY_UNWANTED, COPY_WITHOUT_TRIGGER
from triggers.models import SyncState, Trigger

# Handed on for those who change triggers.
from triggers.restoring import in_step as in_step
from triggers.restoring import noted
from triggers.schedulers import Scheduler, SchedulerError, all_schedulers, scheduler_of
from triggers.schedulers.base import ScheduleEntry

logger = logging.getLogger(__name__)

CONCURRENCY = 16
RECONCILER = audit.system("reconciler")
# Younger schedules without a trigger may be those of a transaction under way.
ORPHAN_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a scheduler was told of: the kind of its copy, the trigger, and who may own that."""

    what: str
    trigger_id: str
    owners: tuple[str, ...]

    def __call__(self) -> None:
        """Tell the scheduler what is stored, after the change was not."""
        schedulers = {scheduler.what: scheduler for scheduler in all_schedulers()}
        _restore(schedulers[self.what], self)


@contextmanager
def telling(trigger: Trigger, scheduler: Scheduler) -> Iterator[None]:
    """Wrap what tells a scheduler of a change that is not committed yet, and remember it."""
    told = noted()
    if told is None or scheduler.is_transactional:
        yield
        return
    owners = {trigger.user_id, trigger.loaded_value("user_id") or trigger.user_id}
    told.append(_Told(scheduler.what, trigger.pk, tuple(sorted(owners))))
    try:
        yield
    except SchedulerError as error:
        if error.is_refusal:
            # It did nothing, and nothing has to be undone.
            told.pop()
        raise


def _restore(scheduler: Scheduler, told: _Told) -> None:
    rows = Trigger.objects.filter(user_id__in=told.owners, pk=told.trigger_id)
    try:
        _tell_what_is_stored(scheduler, rows, told.trigger_id)
    except Exception as error:
        reason = error.reason if isinstance(error, SchedulerError) else ""
        message = f"The {scheduler.what} could not be restored; sync_schedules will: {error}"
        extra = {"triggerId": told.trigger_id}
        logger.error(message, extra=extra, exc_info=not reason)
        _note_pending(rows, reason, told.trigger_id)


def _note_pending(rows: QuerySet[Trigger], reason: str, trigger_id: str) -> None:
    """Have the trigger say that nobody knows what its copy is like, until the next pass."""
    try:
        rows.update(sync_state=SyncState.PENDING, **reasons.columns("sync_error", reason))
    except Exception:
        message = "The trigger could not be marked as not yet in step"
        logger.exception(message, extra={"triggerId": trigger_id})


def synchronize(
    scheduler: Scheduler | None = None,
    *,
    dry_run: bool = False,
    concurrency: int = CONCURRENCY,
    by: str = RECONCILER,
) -> list[Action]:
    """Make the copies equal to the triggers and event sources, in one pass over both.

    Args:
        scheduler: make those of this one equal; None for all there are.
        dry_run: change nothing, and tell what would be done.
        concurrency: calls to the scheduler at once.
        by: who is on record for what is repaired.

    Returns:
        What was done. What failed is noted on its trigger, and tried again by the next pass.

    Raises:
        SchedulerError: what there is cannot be listed; nothing more was done.
    """
    if scheduler is not None:
        return _synchronize(scheduler, dry_run=dry_run, concurrency=concurrency, by=by)
    done = []
    for each in all_schedulers():
        done += _synchronize(each, dry_run=dry_run, concurrency=concurrency, by=by)
    try:
        return [*done, *rules.synchronize(dry_run=dry_run, by=by)]
    except BusError as error:
        raise SchedulerError(error.reason) from error


def _synchronize(scheduler: Scheduler, *, dry_run: bool, concurrency: int, by: str) -> list[Action]:
    entries = {entry.trigger_id: entry for entry in scheduler.list()}
    triggers = list(Trigger.objects.filter(type=scheduler.trigger_type).order_by("-pk").iterator())
    known = {trigger.pk for trigger in triggers}
    unclaimed = [entry for entry in entries.values() if entry.trigger_id not in known]
    young = [entry.trigger_id for entry in unclaimed if _is_young(entry)]
    orphans = [entry.trigger_id for entry in unclaimed if entry.trigger_id not in young]
    is_apart = not (dry_run or scheduler.is_transactional)
    if is_apart and any(entries[orphan].made_at is None for orphan in orphans):
        # The rows of new ones may be about to be written; they are looked for once more.
        time.sleep(reconciling.COMMIT_SECONDS)
    tasks: list[Callable[[], Action | None]] = [
        partial(_mend, scheduler, trigger, dry_run=dry_run, by=by)
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


def out_of_step(scheduler: Scheduler) -> tuple[list[str], list[str]]:
    """What is known to be out of step, without a look at each copy.

    Returns:
        The ids of triggers that say so, and those of copies that have no trigger.

    Raises:
        SchedulerError: the copies cannot be listed.
    """
    kept = [entry.trigger_id for entry in scheduler.list()]
    states = dict(
        Trigger.objects.filter(type=scheduler.trigger_type).values_list("pk", "sync_state")
    )
    apart = [pk for pk, state in states.items() if state != SyncState.SYNCED]
    return apart, [pk for pk in kept if pk not in states]


def bring_in_step(trigger: Trigger, *, by: str) -> bool:
    """Make one trigger's schedule what it is to be; False where it was so already.

    Args:
        trigger: the trigger.
        by: the operator who asks for it.

    Raises:
        SchedulerError: the scheduler refuses; that is noted on the trigger.
    """
    action = _mend(scheduler_of(trigger), trigger, dry_run=False, by=by)
    if action is not None and action.kind == "fail":
        raise SchedulerError(action.reason)
    return action is not None


def _in_own_connection(task: Callable[[], Action | None]) -> Action | None:
    try:
        return task()
    finally:
        connections.close_all()


def _mend(scheduler: Scheduler, trigger: Trigger, *, dry_run: bool, by: str) -> Action | None:
    action: Action | None = None
    error = ""
    try:
        differences = scheduler.differences(trigger)
        if differences is None or differences:
            action = _planned(scheduler, trigger, differences)
            if not dry_run:
                with _one_transaction(scheduler):
                    row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
                    _tell_what_is_stored(scheduler, row, trigger.pk)
                    _note_repair(trigger, action, by)
    except SchedulerError as refusal:
        error = refusal.reason
        action = Action("fail", scheduler.what, trigger.pk, error)
    state = SyncState.FAILED if error else SyncState.SYNCED
    if not dry_run and (trigger.sync_state, trigger.sync_error) != (state, error):
        _note_state(trigger, state, error, by)
    return action


def _one_transaction(scheduler: Scheduler) -> AbstractContextManager[None]:
    """A transaction, where the scheduler is part of one; no lock is held while others are asked."""
    return transaction.atomic() if scheduler.is_transactional else nullcontext()


def _note_repair(trigger: Trigger, action: Action, by: str) -> None:
    """Put on record what was repaired, and why."""
    audit.note(AuditEntry.Action.REPAIRED, trigger, by=by, why=action.sentence)


def _note_state(trigger: Trigger, state: SyncState, error: str, by: str) -> None:
    """Note on the trigger whether it is in step; what keeps it from that goes on record."""
    row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
    with transaction.atomic():
        row.update(sync_state=state, **reasons.columns("sync_error", error))
        if error:
            changes = {"sync_state": [trigger.sync_state, state]}
            audit.note(AuditEntry.Action.UPDATED, trigger, by=by, why=error, changes=changes)


def _planned(scheduler: Scheduler, trigger: Trigger, differences: Sequence[str] | None) -> Action:
    if differences or scheduler.wants(trigger):
        return reconciling.mending(scheduler.what, trigger.pk, differences)
    return Action("delete", scheduler.what, trigger.pk, COPY_NOT_NEEDED())


def _tell_what_is_stored(scheduler: Scheduler, row: QuerySet[Trigger], trigger_id: str) -> None:
    """Tell the scheduler what stands in the database, again where that changes meanwhile."""
    told: Trigger | None = None
    while (current := row.first()) is not None:
        if told is not None and told.version == current.version:
            return
        scheduler.restore(current)
        told = current
    scheduler.delete(trigger_id)


def _remove(scheduler: Scheduler, trigger_id: str, *, dry_run: bool, by: str) -> Action | None:
    trigger = Trigger.objects.filter(pk=trigger_id).first()
    if trigger is not None and scheduler.wants(trigger):
        return None
    unwanted = COPY_UNWANTED(what=reconciling.KINDS[scheduler.what])
    reason = COPY_WITHOUT_TRIGGER() if trigger is None else unwanted
    action = Action("delete", scheduler.what, trigger_id, reason)
    try:
        if not dry_run:
            with _one_transaction(scheduler):
                scheduler.delete(trigger_id)
                _note_repair(trigger or Trigger(pk=trigger_id, name=trigger_id), action, by)
    except SchedulerError as error:
        return Action("fail", scheduler.what, trigger_id, error.reason)
    return action
