"""Complete runs: write their results to their records and to the statistics of their triggers."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from executions import measures
from executions.failures import (
    A_RUN,
    CLOSED,
    LOST,
    NOT_INVOKED,
    NOT_PICKED_UP,
    OVERTAKEN,
    PAUSED,
    PAUSED_BY_LIMIT,
    RESULT_CORRECTED,
    RESULT_SENT,
    RUNS_IN_A_ROW,
    SHUT_DOWN,
    TURN_TOO_LATE,
    UNREAD,
)
from executions.models import CancelRequest, TriggerExecution
from executions.outcomes import outcome_of
from executions.runner import announce, ends, lines, spending
from executions.runner.waiting import note_waiting
from moca import audit, reasons, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.outages import database, is_away
from moca.retry import retry
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import RUNS, PastRun, Statistics

logger = logging.getLogger(__name__)

# How many characters of an error the trigger keeps.
LAST_ERROR = 500
# Raised if the database is away, or if other processes keep writing the same rows.
FAILURES = (OperationalError, InterfaceError)
# Ceilings of the pauses between retries while the database is away, in seconds, of the functions on
# AWS. The local scheduler waits as `moca.outages` says.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
# How a result came into its record: into an unfinished one, or in place of that of a lost run.
WRITTEN, CORRECTED = "written", "corrected"
# How long after its end a run may be noted on its trigger. Lambda retries an invocation, and
# EventBridge a delivery, within this time in all but the worst outages.
LATEST_NOTE = timedelta(hours=6)
# Among how many of a trigger's newest runs the one that holds it is looked for.
NEWEST = 5

# Triggers by id, as they were read at the start of a run.
Known = Mapping[str, Trigger]
NOTHING_KNOWN: Known = MappingProxyType({})

# Codes of runs that the product itself ended before their agents had answered.
CLOSED_BY_US = frozenset(
    code.name
    for code in (LOST, NOT_PICKED_UP, TURN_TOO_LATE, SHUT_DOWN, OVERTAKEN, NOT_INVOKED, UNREAD)
)

# The fields of a result that come from the agent's answer.
ANSWER = (
    "request_id",
    "session_id",
    "task_id",
    "output",
    "output_tail",
    "output_bytes",
    "reasoning",
    "tools",
    "questions",
    "usage",
)
# The fields that a result sets.
ENDING = (
    "status",
    "outcome",
    "error",
    "error_code",
    "error_params",
    "warning",
    "warning_code",
    "warning_params",
    "completed_at",
    "duration_ms",
    "lease_until",
    "reached_agent",
    "result_digest",
    *ANSWER,
)


def set_result(
    execution: TriggerExecution,
    status: RunStatus,
    *,
    outcome: Outcome | None = None,
    error: str = "",
    clock: float | None = None,
) -> None:
    """Set the result of a run on its record; `write()` puts it into the database.

    Args:
        execution: the record.
        status: COMPLETED or FAILED.
        outcome: how it ended; None if the status and the code of the error say it.
        error: why it failed, a `Reason`.
        clock: the monotonic time of its start, in seconds; None if it ran in another process.
    """
    now = timezone.now()
    seconds = (now - execution.started_at).total_seconds()
    if clock is not None:
        seconds = time.monotonic() - clock
    execution.status = status
    reasons.put(execution, "error", error)
    execution.outcome = outcome or outcome_of(status, execution.error_code)
    # The clock may have been put back since the start.
    execution.completed_at = max(now, execution.started_at)
    execution.duration_ms = max(0, round(seconds * 1000))
    execution.lease_until = None


def write(
    executions: Sequence[TriggerExecution],
    *,
    waited: bool = False,
    known: Known = NOTHING_KNOWN,
    replaces: Collection[str] = (LOST.name,),
) -> int:
    """Write the results of runs to their records and triggers, in one transaction.

    Args:
        executions: the records, with their results set.
        waited: whether the results waited for the database while leases ended. Maintenance may have
            closed such runs as lost; the true result replaces that. Each that completed has its log
            line at DEBUG only.
        known: triggers of the runs by id, as they were read at the start. Others are read. If one
            of them has changed meanwhile, all are read.
        replaces: the codes of the ends that results which waited replace.

    Returns:
        How many were written. A record that another process has closed or claimed stays as it is.

    Raises:
        OperationalError, InterfaceError: the database is away.
        ConflictError: other processes keep writing the same rows.
    """
    each = partial(write, waited=waited, replaces=replaces)
    if len(executions) > 1 and is_charged() and any(one.concurrency_key for one in executions):
        # A line that many runs leave would make one transaction of all of them fail.
        shared = [one for one in executions if not one.concurrency_key]
        alone = [one for one in executions if one.concurrency_key]
        written_together = each(shared, known=known) if shared else 0
        return written_together + sum(each([one], known=known) for one in alone)
    try:
        written = _write(executions, expected=True, known=known)
    except ConflictError:
        if len(executions) > 1:
            if known:
                return write(executions, waited=waited, replaces=replaces)
            return sum(each([execution]) for execution in executions)
        # Other processes write the same rows, so each retry reads them again.
        written = retry(
            partial(_write, executions, expected=False, corrects=replaces if waited else ()),
            on=ConflictError,
        )
    spending.count(written)
    for execution, _ in written:
        measures.ended(execution)
        level = logging.WARNING
        if execution.status == RunStatus.COMPLETED:
            level = logging.DEBUG if waited else logging.INFO
        # The error stays out of the log, because it may quote the agent, and with it the prompt.
        message = "Run %s in %s ms"
        ids = log_ids(execution) | {"outcome": execution.shown_outcome}
        if execution.error_code:
            ids["errorCode"] = execution.error_code
        logger.log(level, message, execution.status, execution.duration_ms, extra=ids)
    return len(written)


def write_in_time(
    execution: TriggerExecution, seconds: Callable[[], float], known: Known = NOTHING_KNOWN
) -> None:
    """Write the result of a run, with retries while the database is away and time is left.

    Args:
        execution: the record, with its result set.
        seconds: returns how many seconds are left.
        known: as for `write()`.

    Raises:
        OperationalError, InterfaceError: no time is left. The log has the status and the duration.
    """
    waited = False

    def once() -> None:
        nonlocal waited
        began = time.monotonic()
        try:
            write([execution], waited=waited, known=known)
        except FAILURES as error:
            if is_away(error):
                database.failed(error)
            waited = True
            close_old_connections()
            raise
        database.over(began)

    try:
        retry(once, on=FAILURES, tries=None, first=FIRST_PAUSE, longest=LONGEST_PAUSE, left=seconds)
    except FAILURES:
        logger.error(
            # Without the error, which may quote the agent, and with it the prompt.
            "The end of a run could not be recorded: %s in %s ms",
            execution.status,
            execution.duration_ms,
            extra=log_ids(execution),
        )
        raise


def close(
    execution: TriggerExecution, status: RunStatus, *, error: str = "", clock: float | None = None
) -> int:
    """Set and write the result of a run; returns 1, or 0 if another process has closed the run.

    The arguments are those of `set_result()`, the errors those of `write()`.
    """
    set_result(execution, status, error=error, clock=clock)
    return write([execution])


def _write(
    executions: Sequence[TriggerExecution],
    *,
    expected: bool,
    corrects: Collection[str] = (),
    known: Known = NOTHING_KNOWN,
) -> list[tuple[TriggerExecution, Trigger | None]]:
    """Write results in one transaction.

    Where writes are charged, one result is written in two steps. Both together cost half of the
    transaction, and its calls are as many if the trigger is known.

    Args:
        executions: the records.
        expected: whether all records have to be unfinished; if one is not, ConflictError is raised.
        corrects: the codes of the ends that the results replace.
        known: the triggers that are not read, as for `write()`.

    Returns:
        The executions whose records were unfinished, with their triggers.
    """
    if len(executions) == 1 and is_charged() and not connection.in_atomic_block:
        (execution,) = executions
        trigger = _triggers_of(executions, known).get(execution.trigger_id)
        if _write_by_steps(execution, trigger, expected=expected, corrects=corrects):
            return [(execution, trigger)]
        return []
    with reconcile.atomic():
        triggers = _triggers_of(executions, known)
        written: list[tuple[TriggerExecution, Trigger | None]] = []
        for execution in executions:
            trigger = triggers.get(execution.trigger_id)
            how = _write_record(execution, trigger, expected=expected, corrects=corrects)
            if how is None:
                continue
            written.append((execution, trigger))
            if trigger is not None:
                _note(trigger, execution, is_correction=how == CORRECTED)
    return written


def _triggers_of(
    executions: Sequence[TriggerExecution], known: Known = NOTHING_KNOWN
) -> dict[str, Trigger]:
    """The triggers of executions by id, without those that are deleted."""
    keys = {(execution.user_id, execution.trigger_id) for execution in executions}
    triggers = {key: known[key] for _, key in keys if key in known}
    keys = {key for key in keys if key[1] not in triggers}
    if keys:
        triggers |= {trigger.pk: trigger for trigger in Trigger.objects.named(keys)}
    for _, trigger_id in keys:
        # The trigger is deleted or, which is rare, another user's. To find out takes a read.
        rows = Trigger.objects.filter(pk=trigger_id)
        if trigger_id not in triggers and (moved := rows.first()):
            triggers[trigger_id] = moved
    return triggers


def _write_record(
    execution: TriggerExecution,
    trigger: Trigger | None,
    *,
    expected: bool,
    corrects: Collection[str],
) -> str | None:
    """Write a result to its record, and what belongs to the record, in the open transaction.

    Returns:
        WRITTEN, CORRECTED, or None if another process has closed or claimed the run. The other
        arguments are those of `_write()`.
    """
    spending.note_cost(execution, trigger)
    ending = {name: getattr(execution, name) for name in ENDING}
    how = WRITTEN
    key = execution.unfinished_key
    if not TriggerExecution.objects.update_keyed(key, ending, expected=expected):
        if not _correct(execution, ending, corrects):
            return None
        how = CORRECTED
    if execution.cancel_requested_at:
        CancelRequest.objects.filter(pk=execution.pk).discard()
    note_waiting(execution, trigger)
    lines.leave(execution)
    ends.tell(trigger, execution, is_correction=how == CORRECTED)
    return how


def _write_by_steps(
    execution: TriggerExecution,
    trigger: Trigger | None,
    *,
    expected: bool,
    corrects: Collection[str],
) -> bool:
    """Write a result to its record, and then to its trigger; False if the run was closed before.

    The record comes first, because the result is nowhere else. If the process dies in between, the
    trigger is still held by a run that has ended; `note_late()` notes the result then. The other
    arguments are those of `_write()`.
    """
    with reconcile.atomic():
        how = _write_record(execution, trigger, expected=expected, corrects=corrects)
    if how is None:
        # An earlier attempt may have written the record, and not the trigger.
        return _is_written(execution) and note_late(execution)
    if trigger is None:
        return True
    try:
        with reconcile.atomic():
            _note(trigger, execution, is_correction=how == CORRECTED)
    except ConflictError:
        # The trigger was changed or deleted since it was read.
        retry(partial(note_late, execution, is_correction=how == CORRECTED), on=ConflictError)
    return True


def _is_written(execution: TriggerExecution) -> bool:
    """Whether the record has this very result."""
    record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
    names = ("status", "attempt", "started_at", "completed_at", "duration_ms")
    return bool(record.filter(**{name: getattr(execution, name) for name in names}).exists())


def note_late(execution: TriggerExecution, *, is_correction: bool = False) -> bool:
    """Note a result on the trigger that the process which wrote the record did not note there.

    Args:
        execution: the record of a run that has ended.
        is_correction: whether the trigger has noted this run before, with another end.

    Returns:
        Whether it was noted. A result that the trigger has already is not noted again.

    Raises:
        ConflictError: another process has written the trigger.
    """
    with reconcile.atomic():
        trigger = _triggers_of([execution]).get(execution.trigger_id)
        if trigger is None or not (is_correction or _lacks(trigger, execution)):
            return False
        _note(trigger, execution, is_correction=is_correction)
    return True


def note_ended_holder(trigger: Trigger) -> bool:
    """Note the result of the run that holds a trigger, if that run has ended; False if not."""
    if not is_charged() or trigger.running_since is None:
        return False
    # Runs begin in about the order of their ids, so the holder is among the newest.
    newest = TriggerExecution.objects.of_trigger(trigger)[:NEWEST]
    for execution in newest:
        if execution.started_at == trigger.running_since:
            return execution.status != RunStatus.RUNNING and note_late(execution)
    return False


def _lacks(trigger: Trigger, execution: TriggerExecution) -> bool:
    """Whether a trigger has not noted the result of a run yet."""
    if trigger.running_since == execution.started_at:
        return True
    ended = execution.completed_at
    if ended is None or ended < timezone.now() - LATEST_NOTE:
        # It may be older than the runs that the statistics name.
        return False
    runs = Statistics.read(trigger.statistics).runs
    is_named = any(run.execution_id == execution.pk for run in runs)
    return not is_named and (len(runs) < RUNS or runs[0].started_at <= execution.started_at)


def _note(trigger: Trigger, execution: TriggerExecution, *, is_correction: bool) -> None:
    _note_result(trigger, execution, is_correction=is_correction)
    _note_own_work(trigger, execution, is_correction=is_correction)


@cache
def is_charged() -> bool:
    """Whether each write costs by the size of its row, and twice as much in a transaction.

    A process has one database. To ask each time would make a connection in each task of the loop.
    """
    return bool(getattr(connection.features, "charges_by_size", False))


def _correct(
    execution: TriggerExecution, ending: dict[str, Any], replaced: Collection[str]
) -> bool:
    """Replace the result of a run that was closed with one of these codes; False if it was not."""
    if not replaced or execution.error_code in (LOST.name, CLOSED.name):
        return False
    record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
    closed = record.filter(
        status=RunStatus.FAILED, error_code__in=replaced, attempt=execution.attempt
    )
    return bool(closed.update(**ending))


def _note_result(
    trigger: Trigger, execution: TriggerExecution, *, is_correction: bool = False
) -> None:
    """Note the result on the trigger, and end the run's hold of it.

    Args:
        trigger: the trigger, as it was just read.
        execution: the run that ended.
        is_correction: whether the trigger has noted this run before, with another end.

    Raises:
        ConflictError: another process has written the trigger.
    """
    failed = execution.status == RunStatus.FAILED
    # A run that was cancelled, whose turn did not come, or whose end is not known, says nothing
    # about the agent: it neither counts as a failure in a row nor ends such a row.
    nothing = (Outcome.CANCELLED, Outcome.UNKNOWN, Outcome.MISSED)
    counts = execution.shown_outcome not in nothing
    was_counted = is_correction and trigger.last_outcome != Outcome.UNKNOWN
    statistics = Statistics.read(trigger.statistics)
    run = past_run(execution)
    if is_correction:
        statistics.correct(run, tokens=tokens_of(execution) - execution.counted_tokens)
    else:
        statistics.add(run, tokens=tokens_of(execution), now=timezone.now())
    result: dict[str, Any] = {"statistics": statistics.text(compressed=is_charged())}
    if not is_correction or trigger.last_execution_id == execution.pk:
        failures = trigger.consecutive_failures
        if counts:
            failures = failures + (not was_counted) if failed else 0
        result |= {
            "last_executed_at": execution.started_at,
            "last_execution_id": execution.pk,
            "last_status": execution.status,
            "last_outcome": execution.shown_outcome,
            **last_error(execution),
            "consecutive_failures": failures,
        }
    if trigger.running_since == execution.started_at:
        result |= {"running_since": None, "running_until": None, "running_process": ""}
    row = {
        "user_id": trigger.user_id,
        "id": trigger.pk,
        "running_since": trigger.running_since,
        "consecutive_failures": trigger.consecutive_failures,
        # Runs may overlap, and each has to be in the statistics.
        "last_execution_id": trigger.last_execution_id,
        # The trigger may have been read when the run began.
        "statistics": trigger.statistics,
        "version": trigger.version,
    }
    Trigger.objects.update_keyed(row, result, expected=True)
    before = trigger.consecutive_failures
    for name, value in result.items():
        setattr(trigger, name, value)
    now = trigger.consecutive_failures
    announce.ended(trigger, execution, now, before, is_correction=is_correction)
    if now > before:
        _pause_after_failures(trigger, execution)


def past_run(execution: TriggerExecution) -> PastRun:
    """A run that has ended, as the statistics of its trigger note it."""
    return PastRun(
        execution.pk,
        execution.started_at,
        execution.duration_ms or 0,
        failed=execution.status == RunStatus.FAILED,
        outcome=execution.shown_outcome,
    )


def last_error(execution: TriggerExecution) -> dict[str, Any]:
    """The columns of a trigger that keep the start of a run's error."""
    kept = reasons.columns("last_error", reasons.of(execution, "error"), LAST_ERROR)
    return {**kept, "last_error": execution.error[:LAST_ERROR]}


def _note_own_work(trigger: Trigger, execution: TriggerExecution, *, is_correction: bool) -> None:
    """Note in the audit log that the product closed a run, or that it corrected how a run ended."""
    if is_correction:
        action, part = AuditEntry.Action.REPAIRED, "runner"
        why: str = RESULT_SENT() if execution.result_digest else RESULT_CORRECTED()
    elif execution.error_code in CLOSED_BY_US:
        action, part = AuditEntry.Action.CLOSED, "housekeeping"
        why = reasons.of(execution, "error")
        logger.warning("Run closed: %s", execution.error, extra=log_ids(execution))
    else:
        return
    changes = {"execution": ["", execution.pk]}
    audit.note(action, trigger, by=audit.system(part), why=why, changes=changes)


def tokens_of(execution: TriggerExecution) -> int:
    usage = execution.usage if isinstance(execution.usage, dict) else {}
    counts = [usage.get("inputTokens"), usage.get("outputTokens")]
    return sum(count for count in counts if isinstance(count, int))


def _pause_after_failures(trigger: Trigger, execution: TriggerExecution) -> None:
    failures, most = trigger.consecutive_failures, trigger.pause_after_failures
    if trigger.enabled and most and failures >= most:
        runs = A_RUN() if failures == 1 else RUNS_IN_A_ROW(number=failures)
        trigger.disable(PAUSED(runs=runs, error=reasons.of(execution, "error")))
        audit.save(
            trigger,
            by=audit.system("runner"),
            why=PAUSED_BY_LIMIT(runs=runs, number=most),
            update_fields=["enabled", *reasons.columns("paused_reason", "")],
        )
        announce.paused(trigger, execution, PAUSED_BY_LIMIT(runs=runs, number=most))
        logger.warning("Trigger paused", extra=log_ids(execution))


def log_ids(execution: TriggerExecution) -> dict[str, str]:
    """The ids that a log line about an execution has."""
    ids = {"triggerId": execution.trigger_id, "executionId": execution.pk}
    return {**ids, **execution.trace_ids}
