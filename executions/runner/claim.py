"""Claim occurrences of triggers, so that each runs once, whichever process meets it.

Every write has the condition that the row is as it was read. If two processes have the same
occurrence, one of them runs it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from executions import envelope, result_tokens
from executions.failures import (
    BUFFERED,
    BUSY,
    DISABLED,
    ENDED,
    KEY_BUSY,
    LINE_FULL,
    OVERTAKEN,
    TOO_LATE,
    TRIGGER_DELETED,
    TRIGGER_GONE,
)
from executions.models import Source, TriggerExecution
from executions.runner import announce, lines
from executions.runner.complete import (
    close,
    is_charged,
    log_ids,
    note_ended_holder,
    note_late,
)
from executions.runner.entering import Entered, enter
from executions.runner.holds import HELD, hold, hold_all
from executions.runner.occurrence import (
    LEASE,
    REOPENED,
    Occurrence,
    Run,
    lease_end,
    new_record,
)
from moca import tracing
from moca.concurrency import ConflictError
from moca.outages import is_away
from moca.retry import retry
from moca.sentences import Reason
from triggers.models import RunStatus, Trigger
from triggers.pauses import reason_not_to_fire
from triggers.prompt_versions import version_of

logger = logging.getLogger(__name__)

# A person may start these, whatever the trigger's state.
MANUAL = {Source.MANUAL, Source.REPLAY, Source.ANSWER, Source.BACKFILL}
# Why an occurrence is skipped if another run, or its own of an earlier delivery, is going.
OF_OTHER_RUNS = (BUSY, KEY_BUSY, BUFFERED, LINE_FULL)


class UncertainStartError(OperationalError):
    """The connection failed at the commit: the claim may be on record, now or in a moment.

    Attributes:
        runs: the runs that were claimed; ask `is_begun()` about each.
    """

    def __init__(self, runs: list[Run], cause: BaseException) -> None:
        super().__init__(str(cause))
        self.runs = runs


@contextmanager
def _claiming() -> Iterator[list[Run]]:
    """Open a transaction that claims runs; its body adds them to the list.

    Raises:
        UncertainStartError: the transaction failed in a way that leaves open if it was committed.
    """
    runs: list[Run] = []
    try:
        with transaction.atomic():
            yield runs
        if tracing.is_on():
            for run in runs:
                run.claimed_at = tracing.now()
    except Exception as error:
        if runs and is_away(error):
            raise UncertainStartError(runs, error) from error
        raise


def is_begun(run: Run) -> bool:
    """Whether the claim of a run of an `UncertainStartError` is on record."""
    return run.record().filter(started_at=run.execution.started_at).exists()


Triggers = Mapping[str, Trigger]
# Called with the triggers, in the transaction; returns the occurrences to run.
Claim = Callable[[Triggers], Sequence[Occurrence]]


def start(occurrence: Occurrence, *, lease: timedelta = LEASE, process_id: str = "") -> Run | None:
    """Claim an occurrence, and put its run on record.

    A run that failed before it reached the agent is claimed again.

    Args:
        occurrence: what fires.
        lease: how long the claim holds from now on.
        process_id: the scheduler process whose lease counts for the run; empty if its own does.

    Returns:
        None if there is nothing to run: the trigger is deleted, disabled, past its end or busy, or
        the occurrence has been run before.

    Raises:
        UncertainStartError: the connection to the database failed at the commit.
    """
    if is_charged() and not process_id and not connection.in_atomic_block:
        run, is_decided = _start_by_steps(occurrence, lease)
        if is_decided:
            return run
    claimed = partial(
        start_claimed,
        [occurrence.trigger_key],
        lambda _: [occurrence],
        lease=lease,
        process_id=process_id,
    )
    # Others may enter and leave the line of its concurrency key at the same moment.
    found = retry(claimed, on=(ConflictError, IntegrityError))
    return found[0] if found else None


def _start_by_steps(occurrence: Occurrence, lease: timedelta) -> tuple[Run | None, bool]:
    """Claim an occurrence by two plain writes, which cost half of a transaction.

    The record comes first: it keeps a second delivery of the occurrence from running. Then the
    trigger is held, and nothing runs unless it is. If the process dies in between, the record's
    lease ends as if the process had died just after the claim.

    Returns:
        The run or None, and whether that is decided. If another process came first somewhere,
        nothing is left behind, and a transaction decides.
    """
    now = timezone.now()
    trigger = Trigger.objects.named([occurrence.trigger_key]).first()
    # The run that holds the trigger may have ended without a note of it.
    if trigger is not None and note_ended_holder(trigger):
        trigger = Trigger.objects.named([occurrence.trigger_key]).first()
    if trigger is not None and _is_left_out(trigger, occurrence):
        return None, True
    if trigger is None or _reason_to_skip(trigger, occurrence, now) is not None:
        return None, False
    if trigger.running_since is not None or trigger.has_line:
        return None, False
    event = occurrence.event_of(trigger, now)
    run = Run(trigger, new_record(trigger, occurrence, event, now, now + lease), event)
    has_to_hold = trigger.holds_itself
    try:
        with _claiming() as runs:
            runs.append(run)
            TriggerExecution.objects.insert_all([run.execution])
            if not has_to_hold:
                announce.started(trigger, run.execution)
    except IntegrityError:
        return None, False
    if not has_to_hold:
        return run, True
    try:
        with _claiming() as runs:
            runs.append(run)
            as_read = {name: getattr(trigger, name) for name in HELD}
            row = Trigger.objects.named([occurrence.trigger_key]).filter(**as_read)
            row.update_expected(running_since=now, running_until=now + lease)
            announce.started(trigger, run.execution)
    except ConflictError:
        run.record().filter(started_at=now).delete()
        return None, False
    except UncertainStartError:
        # If even this fails, the run is closed as lost when its lease ends.
        with suppress(OperationalError, InterfaceError, ConflictError), transaction.atomic():
            row = Trigger.objects.named([occurrence.trigger_key]).filter(running_since=now)
            row.update(running_since=None, running_until=None)
            run.record().filter(started_at=now).delete()
        raise
    trigger.running_since, trigger.running_until = now, now + lease
    return run, True


def start_claimed(
    trigger_keys: Sequence[tuple[str, str]],
    claim: Claim,
    *,
    lease: timedelta = LEASE,
    process_id: str = "",
) -> list[Run]:
    """Claim occurrences, and put their runs on record, in one transaction.

    Args:
        trigger_keys: users and ids of the triggers that the occurrences belong to.
        claim: chooses the occurrences; may write in the same transaction.
        lease: as for `start()`.
        process_id: as for `start()`.

    Raises:
        IntegrityError, ConflictError: one of several occurrences was run before, or another process
            has changed a row. Try them one by one.
        UncertainStartError: the connection to the database failed at the commit.
    """
    try:
        with _claiming() as runs:
            runs += _start(trigger_keys, claim, lease, process_id, again=False)
        return runs
    except (IntegrityError, ConflictError):
        if len(trigger_keys) > 1:
            raise
    with _claiming() as runs:
        runs += _start(trigger_keys, claim, lease, process_id, again=True)
    return runs


def _start(
    trigger_keys: Sequence[tuple[str, str]],
    claim: Claim,
    lease: timedelta,
    process_id: str,
    *,
    again: bool,
) -> list[Run]:
    """Claim occurrences in the open transaction.

    Args:
        again: whether their records may exist. Without it, the insert fails if one does, which
            saves a read.
    """
    now = timezone.now()
    triggers = {trigger.pk: trigger for trigger in Trigger.objects.named(trigger_keys)}
    made = [
        run
        for occurrence in claim(triggers)
        if (run := _make(triggers, occurrence, now, lease, process_id, again=again))
    ]
    runs = [run for run in made if not run.execution.waits_for_turn]
    waiting = [run.execution for run in made if run.execution.waits_for_turn]
    TriggerExecution.objects.bulk_create(waiting)
    if again:
        runs = [run for run in runs if _claim_again_or_leave(run.execution)]
        hold_all(runs, now)
    elif runs:
        hold_all(runs, now)
        TriggerExecution.objects.insert_all([run.execution for run in runs])
    for run in runs:
        announce.started(run.trigger, run.execution)
    return runs


def _is_left_out(trigger: Trigger, occurrence: Occurrence) -> bool:
    """Whether the schedule does not mean an occurrence that EventBridge Scheduler has fired.

    Its language says less than ours, and a schedule there may have more times. They are no runs.
    """
    schedule = trigger.schedule if occurrence.source == Source.SCHEDULE else None
    if schedule is None or occurrence.due is None:
        return False
    if schedule.is_meant(occurrence.due, anchor=trigger.anchor):
        return False
    ids = {"triggerId": occurrence.trigger_id, "executionId": occurrence.id}
    logger.debug("Not run: the schedule leaves this time out", extra=ids)
    return True


def _make(
    triggers: Triggers,
    occurrence: Occurrence,
    now: datetime,
    lease: timedelta,
    process_id: str,
    *,
    again: bool,
) -> Run | None:
    """Make the run of an occurrence, which may have to wait for its turn; None if there is none."""
    trigger = triggers.get(occurrence.trigger_id)
    if trigger is not None and _is_left_out(trigger, occurrence):
        return None
    reason = _reason_to_skip(trigger, occurrence, now)
    if trigger is None or reason is not None:
        _note_skip(trigger, occurrence, reason or TRIGGER_GONE(), now)
        return None
    event = occurrence.event_of(trigger, now)
    until = lease_end(trigger, now, lease, process_id)
    execution = new_record(trigger, occurrence, event, now, until, process_id=process_id)
    run = Run(trigger, execution, event)
    if not trigger.has_line:
        return run
    found = _enter(trigger, execution, event, now, again=again)
    if isinstance(found, Reason):
        _note_skip(trigger, occurrence, found, now)
        return None
    if found is Entered.TURN:
        # Whoever begins it issues its token.
        execution.result_hash = ""
    return run if found else None


def _enter(
    trigger: Trigger,
    execution: TriggerExecution,
    event: dict[str, Any],
    now: datetime,
    *,
    again: bool,
) -> Entered | Reason | None:
    """Enter the line of a run; None if the occurrence has been run before.

    A run that is tried again begins at once or not at all.
    """
    earlier = None
    if again:
        earlier = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk).first()
    if earlier is not None and (earlier.status != RunStatus.FAILED or earlier.reached_agent):
        logger.info("Not run again: the occurrence is on record", extra=log_ids(execution))
        _note_if_ended(earlier)
        return None
    return enter(trigger, execution, event, now, may_wait=earlier is None)


def _reason_to_skip(
    trigger: Trigger | None, occurrence: Occurrence, now: datetime
) -> Reason | None:
    if trigger is None:
        return TRIGGER_GONE()
    if occurrence.source in MANUAL:
        return None
    if not trigger.enabled:
        return DISABLED()
    if pause := reason_not_to_fire(trigger, occurrence.due or now, now):
        return pause
    schedule = trigger.schedule
    if schedule and schedule.end and (occurrence.due or now) > schedule.end:
        return ENDED()
    if occurrence.due and trigger.is_too_late(occurrence.due, now):
        return TOO_LATE(number=trigger.begin_within_minutes or 0)
    return BUSY() if trigger.is_held(now) else None


def _note_skip(
    trigger: Trigger | None, occurrence: Occurrence, reason: Reason, now: datetime
) -> None:
    ids = {"triggerId": occurrence.trigger_id, "executionId": occurrence.id}
    record = TriggerExecution.objects.keyed(occurrence.trigger_id, occurrence.id)
    if reason.code in OF_OTHER_RUNS and record.exists():
        # The run that holds the trigger is of this very occurrence, or of a later one.
        logger.info("Not run again: the occurrence is on record", extra=ids)
        return
    logger.warning("Not run: %s", reason, extra=ids)
    if trigger is not None:
        trigger.note_skip(reason, occurrence.due or now)
        announce.skipped(trigger, reason, occurrence.id)


def _claim_again(execution: TriggerExecution) -> bool:
    """Claim the record of a run that failed before it reached the agent, for another attempt.

    If there is no record, the conflict was about another row, and the first attempt begins.
    """
    record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
    earlier = record.first()
    if earlier is None:
        execution.save(force_insert=True)
        return True
    may_have_begun = earlier.status != RunStatus.FAILED or earlier.reached_agent
    # A person does not want a run that they have cancelled, or asked to cancel, to begin again.
    if may_have_begun or earlier.is_cancelled or earlier.cancel_requested_at:
        logger.info("Not run again: the occurrence is on record", extra=log_ids(execution))
        _note_if_ended(earlier)
        return False
    execution.attempt = earlier.attempt + 1
    changed = record.filter(status=RunStatus.FAILED, attempt=earlier.attempt).update(
        **REOPENED,
        attempt=execution.attempt,
        started_at=execution.started_at,
        lease_until=execution.lease_until,
        process_id=execution.process_id,
        session_id=execution.session_id,
        agent_id=execution.agent_id,
        prompt_version=execution.prompt_version,
        result_hash=execution.result_hash,
        concurrency_key=execution.concurrency_key,
    )
    return bool(changed)


def _claim_again_or_leave(execution: TriggerExecution) -> bool:
    """Claim a record again, or give the place back that the run has just taken."""
    if _claim_again(execution):
        return True
    lines.leave(execution)
    return False


def _note_if_ended(execution: TriggerExecution) -> None:
    """Note the result of a run on its trigger if its process died before it had done so."""
    if is_charged() and execution.status != RunStatus.RUNNING:
        note_late(execution)


def resume(
    trigger_id: str,
    execution_id: str,
    *,
    lease: timedelta = LEASE,
    claim: Callable[[], bool] | None = None,
    process_id: str = "",
) -> Run | None:
    """Claim a run that was put on record to wait for a process.

    Args:
        trigger_id: the trigger that runs.
        execution_id: the id of the run's record.
        lease: how long the claim holds from now on.
        claim: called first, in the same transaction; False if another process has the run.
        process_id: as for `start()`.

    Returns:
        None if the run was claimed before, or cannot begin. A run that cannot begin is closed as
        failed.

    Raises:
        UncertainStartError: the connection to the database failed at the commit.
    """
    with _claiming() as runs:
        if claim is None or claim():
            run = _resume(trigger_id, execution_id, lease, process_id)
            runs += [run] if run else []
    return runs[0] if runs else None


def _resume(trigger_id: str, execution_id: str, lease: timedelta, process_id: str) -> Run | None:
    now = timezone.now()
    record = TriggerExecution.objects.keyed(trigger_id, execution_id)
    execution = record.first()
    if execution is None:
        return None
    trigger = Trigger.objects.filter(user_id=execution.user_id, pk=trigger_id).first()
    holder = execution.started_at
    execution.attempt, execution.started_at = 1, now
    if trigger is not None and not execution.continues:
        # The trigger may name another agent since the run was put on record.
        execution.agent_id = trigger.agent_id
    queued = record.filter(status=RunStatus.RUNNING, attempt=0)
    until = now + lease if trigger is None else lease_end(trigger, now, lease, process_id)
    values = {"attempt": 1, "started_at": now, "agent_id": execution.agent_id}
    if execution.status != RunStatus.RUNNING:
        execution.started_at = holder
        _note_if_ended(execution)
        return None
    if not lines.begin(execution):
        # It waits for its turn, and is dispatched when that has come.
        return None
    if trigger is not None and not execution.continues:
        execution.prompt_version = values["prompt_version"] = version_of(trigger.prompt)
    if trigger is not None and (digest := result_tokens.issue(execution, trigger, now)):
        values["result_hash"] = digest
    if not queued.update(**values, lease_until=until, process_id=process_id):
        return None
    execution.process_id = process_id
    if trigger is None:
        close(execution, RunStatus.FAILED, error=TRIGGER_DELETED())
        return None
    if trigger.holds_itself and not hold(
        [trigger], now, until=until, holder=holder, process_id=process_id
    ):
        close(execution, RunStatus.FAILED, error=OVERTAKEN())
        return None
    occurrence = Occurrence(execution.pk, trigger.user_id, trigger.pk, Source(execution.source))
    event = envelope.deserialize(execution.event_payload) or occurrence.event_of(trigger, now)
    announce.started(trigger, execution)
    return Run(trigger, execution, event)
