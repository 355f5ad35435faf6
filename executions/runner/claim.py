"""The start of a run: put an occurrence on record once, if it may run.

Every write is conditional on what was read, so that of two processes with the same occurrence one
runs it.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from agents import new_session_id
from executions import envelope
from executions.failures import BUSY, DISABLED, ENDED, TRIGGER_GONE
from executions.models import Source, TriggerExecution, TriggerExecutionQuerySet, expiry
from executions.runner.complete import log_ids
from moca import reasons
from moca.concurrency import ConflictError
from moca.ids import occurrence_id
from moca.outages import is_away
from moca.sentences import Reason
from triggers.models import OverlapPolicy, RunStatus, Trigger

logger = logging.getLogger(__name__)

# How long a record vouches for its run without a sign of life.
LEASE = timedelta(seconds=60)

# Started by a person, who may do so whatever the trigger's state.
BY_HAND = {Source.MANUAL, Source.REPLAY}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One firing of a trigger.

    Attributes:
        id: the execution's id; the same for each delivery of the same occurrence.
        user_id: whose trigger it is.
        due: when it was to happen; None for a run by hand.
        event: the EventBridge envelope that started it; None to make one.
    """

    id: str
    user_id: str
    trigger_id: str
    source: Source
    due: datetime | None = None
    event: dict[str, Any] | None = None
    replay_of: str = ""

    @classmethod
    def scheduled(cls, user_id: str, trigger_id: str, due: datetime) -> "Occurrence":
        """The occurrence of a schedule at a time."""
        key = occurrence_id(trigger_id, due)
        return cls(key, user_id, trigger_id, Source.SCHEDULE, due)

    @property
    def trigger_key(self) -> tuple[str, str]:
        """The user and the id of its trigger."""
        return self.user_id, self.trigger_id

    def event_of(self, trigger: Trigger, now: datetime) -> dict[str, Any]:
        """The event that is sent along, made where none came in."""
        return self.event or envelope.build(trigger, self.source, self.id, self.due or now)


@dataclass(slots=True)
class Run:
    """A run under way in this process."""

    trigger: Trigger
    execution: TriggerExecution
    event: dict[str, Any]
    clock: float = field(default_factory=time.monotonic)

    def record(self) -> TriggerExecutionQuerySet:
        """The run's record, as long as nobody else has closed or taken it."""
        rows: TriggerExecutionQuerySet = TriggerExecution.objects.filter(
            trigger_id=self.execution.trigger_id,
            pk=self.execution.pk,
            status=RunStatus.RUNNING,
            attempt=self.execution.attempt,
        )
        return rows


class UncertainStartError(OperationalError):
    """The database went away at the commit: the runs may be on record, or may be in a moment.

    Attributes:
        runs: the runs; `is_begun()` tells.
    """

    def __init__(self, runs: list[Run], cause: BaseException) -> None:
        super().__init__(str(cause))
        self.runs = runs


@contextmanager
def begun_or_uncertain() -> Iterator[list[Run]]:
    """A transaction that puts runs on record; whoever enters it adds them to the list.

    Raises:
        UncertainStartError: it failed in a way in which it may have been committed.
    """
    runs: list[Run] = []
    try:
        with transaction.atomic():
            yield runs
    except Exception as error:
        if runs and is_away(error):
            raise UncertainStartError(runs, error) from error
        raise


def is_begun(run: Run) -> bool:
    """Whether a run of an `UncertainStartError` is on record as begun by this process."""
    return run.record().filter(started_at=run.execution.started_at).exists()


Triggers = Mapping[str, Trigger]
# Called with the triggers, in the transaction; returns the occurrences that are ours to run.
Claim = Callable[[Triggers], Sequence[Occurrence]]


def start(occurrence: Occurrence, *, lease: timedelta = LEASE) -> Run | None:
    """Put an occurrence on record as running.

    Args:
        occurrence: what fires.
        lease: how long the record vouches for the run from now on.

    Returns:
        The run, or None where there is nothing to run: the trigger is gone, disabled, past its
        end or busy, or the occurrence has been run before. A run that failed before it reached
        the agent is begun again.
    """
    found = start_claimed([occurrence.trigger_key], lambda _: [occurrence], lease=lease)
    return found[0] if found else None


def start_claimed(
    trigger_keys: Sequence[tuple[str, str]], claim: Claim, *, lease: timedelta = LEASE
) -> list[Run]:
    """Claim occurrences and put them on record as running, in one transaction.

    Args:
        trigger_keys: users and ids of the triggers that the occurrences belong to.
        claim: picks the occurrences, and may write in the same transaction.
        lease: as for `start()`.

    Raises:
        IntegrityError, ConflictError: one of several was run before, or another process has
            changed something; try them one by one.
        UncertainStartError: the database went away at the commit.
    """
    try:
        with begun_or_uncertain() as runs:
            runs += _start(trigger_keys, claim, lease, again=False)
        return runs
    except (IntegrityError, ConflictError):
        if len(trigger_keys) > 1:
            raise
    with begun_or_uncertain() as runs:
        runs += _start(trigger_keys, claim, lease, again=True)
    return runs


def _start(
    trigger_keys: Sequence[tuple[str, str]], claim: Claim, lease: timedelta, *, again: bool
) -> list[Run]:
    now = timezone.now()
    triggers = {trigger.pk: trigger for trigger in Trigger.objects.named(trigger_keys)}
    runs = []
    for occurrence in claim(triggers):
        trigger = triggers.get(occurrence.trigger_id)
        reason = _refusal(trigger, occurrence, now)
        if reason is not None:
            _note_refusal(trigger, occurrence, reason, now)
        elif trigger is not None:
            runs.append(_new_run(trigger, occurrence, now, now + lease))
    if again:
        runs = [run for run in runs if _take_over(run.execution)]
        _hold(runs, now)
    elif runs:
        _hold(runs, now)
        TriggerExecution.objects.bulk_create([run.execution for run in runs])
    return runs


def _refusal(trigger: Trigger | None, occurrence: Occurrence, now: datetime) -> Reason | None:
    if trigger is None:
        return TRIGGER_GONE()
    if occurrence.source in BY_HAND:
        return None
    if not trigger.enabled:
        return DISABLED()
    schedule = trigger.schedule
    if schedule and schedule.end and (occurrence.due or now) > schedule.end:
        return ENDED()
    return BUSY() if trigger.is_held(now) else None


def _note_refusal(
    trigger: Trigger | None, occurrence: Occurrence, reason: Reason, now: datetime
) -> None:
    ids = {"triggerId": occurrence.trigger_id, "executionId": occurrence.id}
    record = TriggerExecution.objects.filter(trigger_id=occurrence.trigger_id, pk=occurrence.id)
    if reason.code is BUSY and record.exists():
        # The run that is going is that of this very occurrence, or came after it.
        logger.info("Not run again: the occurrence is on record", extra=ids)
        return
    logger.warning("Not run: %s", reason, extra=ids)
    if trigger is not None:
        trigger.note_skip(reason, occurrence.due or now)


def _new_run(trigger: Trigger, occurrence: Occurrence, now: datetime, lease_until: datetime) -> Run:
    event = occurrence.event_of(trigger, now)
    return Run(trigger, new_record(trigger, occurrence, event, now, lease_until), event)


def new_record(
    trigger: Trigger,
    occurrence: Occurrence,
    event: dict[str, Any],
    now: datetime,
    lease_until: datetime | None,
) -> TriggerExecution:
    """The unsaved record of an occurrence's first attempt."""
    return TriggerExecution(
        id=occurrence.id,
        trigger_id=trigger.pk,
        user_id=trigger.user_id,
        source=occurrence.source,
        attempt=1,
        scheduled_at=occurrence.due,
        started_at=now,
        lease_until=lease_until,
        session_id=trigger.session_id or new_session_id(),
        event_payload=envelope.serialize(event),
        replay_of=occurrence.replay_of,
        ttl=expiry(now),
    )


def _take_over(execution: TriggerExecution) -> bool:
    """Make the record of an attempt that never reached the agent that of the next one.

    Where there is none, it was something else that came in between: the first attempt begins.
    """
    record = TriggerExecution.objects.filter(trigger_id=execution.trigger_id, pk=execution.pk)
    earlier = record.first()
    if earlier is None:
        execution.save(force_insert=True)
        return True
    if earlier.status != RunStatus.FAILED or earlier.reached_agent:
        logger.info("Not run again: the occurrence is on record", extra=log_ids(execution))
        return False
    execution.attempt = earlier.attempt + 1
    taken = record.filter(status=RunStatus.FAILED, attempt=earlier.attempt).update(
        status=RunStatus.RUNNING,
        attempt=execution.attempt,
        started_at=execution.started_at,
        lease_until=execution.lease_until,
        session_id=execution.session_id,
        completed_at=None,
        duration_ms=None,
        **reasons.columns("error", ""),
    )
    return bool(taken)


def _hold(runs: Sequence[Run], now: datetime) -> None:
    """Keep other runs out of triggers whose policy says so; `running_since` names the holder."""
    held = [run.trigger for run in runs if run.trigger.overlap_policy == OverlapPolicy.SKIP]
    if held and not hold(held, now, until=runs[0].execution.lease_until):
        raise IntegrityError("another process has just begun a run of the trigger")


def hold(
    triggers: Sequence[Trigger],
    since: datetime,
    *,
    until: datetime | None,
    holder: datetime | None = None,
) -> bool:
    """Mark triggers as running, if no run is going in any of them.

    Args:
        triggers: the triggers.
        since: the start of the run, by which it is known as the holder.
        until: when the hold ends by itself.
        holder: the holder that gives way, where the run is known by an earlier start.
    """
    free = Q(running_until__isnull=True) | Q(running_until__lt=since) | Q(running_since=holder)
    held = Trigger.objects.named((trigger.user_id, trigger.pk) for trigger in triggers)
    marked = held.filter(free).update(running_since=since, running_until=until)
    return bool(marked == len(triggers))
