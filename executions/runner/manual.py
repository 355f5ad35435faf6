"""Runs that a person asks for: accepted where they are asked for, run by another process."""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from executions import envelope
from executions.failures import OVERTAKEN, TRIGGER_DELETED
from executions.models import Source, TriggerExecution
from executions.runner.claim import (
    LEASE,
    Occurrence,
    Run,
    begun_or_uncertain,
    hold,
    new_record,
)
from executions.runner.complete import close
from moca.ids import new_id
from triggers.models import OverlapPolicy, RunStatus, Trigger

# How long an accepted run may wait for a process to pick it up.
QUEUE_LEASE = timedelta(hours=1)


class TriggerBusyError(Exception):
    """A run of the trigger is going, and its policy lets no other begin."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The trigger is running, and its overlap policy is to skip: wait for the run to "
                "end, or allow overlaps."
            )
        )


def accept(
    trigger: Trigger, source: Source, *, replayed: TriggerExecution | None = None
) -> TriggerExecution:
    """Put a run by hand on record; a process picks it up by `resume()`.

    Args:
        trigger: the trigger to run, enabled or not.
        source: MANUAL or REPLAY.
        replayed: the execution whose event is to be sent again.

    Raises:
        TriggerBusyError: a run is going that may not be overlapped.
    """
    now = timezone.now()
    until = now + QUEUE_LEASE
    occurrence = Occurrence(
        id=new_id(),
        user_id=trigger.user_id,
        trigger_id=trigger.pk,
        source=source,
        event=envelope.deserialize(replayed.event_payload) if replayed else None,
        replay_of=replayed.pk if replayed else "",
    )
    execution = new_record(trigger, occurrence, occurrence.event_of(trigger, now), now, until)
    execution.attempt = 0
    with transaction.atomic():
        if trigger.overlap_policy == OverlapPolicy.SKIP and not hold([trigger], now, until=until):
            raise TriggerBusyError
        execution.save(force_insert=True)
    return execution


def resume(
    trigger_id: str,
    execution_id: str,
    *,
    lease: timedelta = LEASE,
    claim: Callable[[], bool] | None = None,
) -> Run | None:
    """Begin an accepted run; None where it has begun already or its trigger is gone.

    Args:
        trigger_id: the trigger that runs.
        execution_id: the id of the record that `accept()` made.
        lease: how long the record vouches for the run from now on.
        claim: called first, in the same transaction; False means that another process has it.

    Raises:
        UncertainStartError: the database went away at the commit.
    """
    with begun_or_uncertain() as runs:
        if (claim is None or claim()) and (run := _resume(trigger_id, execution_id, lease)):
            runs.append(run)
    return runs[0] if runs else None


def _resume(trigger_id: str, execution_id: str, lease: timedelta) -> Run | None:
    now = timezone.now()
    record = TriggerExecution.objects.filter(trigger_id=trigger_id, pk=execution_id)
    execution = record.first()
    if execution is None:
        return None
    accepted = record.filter(status=RunStatus.RUNNING, attempt=0)
    if not accepted.update(attempt=1, started_at=now, lease_until=now + lease):
        return None
    holder = execution.started_at
    execution.attempt, execution.started_at = 1, now
    trigger = Trigger.objects.filter(user_id=execution.user_id, pk=trigger_id).first()
    if trigger is None:
        close(execution, RunStatus.FAILED, error=TRIGGER_DELETED())
        return None
    if trigger.overlap_policy == OverlapPolicy.SKIP and not hold(
        [trigger], now, until=now + lease, holder=holder
    ):
        close(execution, RunStatus.FAILED, error=OVERTAKEN())
        return None
    occurrence = Occurrence(execution.pk, trigger.user_id, trigger.pk, Source(execution.source))
    event = envelope.deserialize(execution.event_payload) or occurrence.event_of(trigger, now)
    return Run(trigger, execution, event)
