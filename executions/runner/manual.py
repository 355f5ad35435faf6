"""Manual runs, for the API and the pages: run now, replay, and go on after a person's answers.

The run is put on record and dispatched; another process claims it by `runner.resume()`.
"""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from executions import envelope
from executions.dispatchers import DispatchError, get_dispatcher
from executions.models import Source, TriggerExecution
from executions.runner.entering import enter
from executions.runner.holds import hold
from executions.runner.occurrence import Occurrence, new_record
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.ids import new_id
from moca.retry import retry
from moca.sentences import Reason
from moca.times import iso
from triggers.agent_keys import WaitsForPersonError, check_may_run
from triggers.models import Trigger

# How long a manual run may wait for a process to claim it.
MANUAL_QUEUE_LEASE = timedelta(hours=1)
# What a run that continues another one takes from its record.
KEPT = ("agent_id", "session_id", "task_id")


class TriggerBusyError(Exception):
    """A run of the trigger is under way, and its overlap policy allows no other."""

    def __init__(self, reason: Reason | None = None) -> None:
        super().__init__(
            reasons.translated(reason)
            if reason
            else _(
                "The trigger is running, and its overlap policy is to skip: wait for the run to "
                "end, or allow overlaps."
            )
        )


# Why a manual run may not begin. Each error has a message for the person who asked for the run.
NOT_RUN = (TriggerBusyError, WaitsForPersonError, DispatchError, ConflictError)


def run_now(
    trigger: Trigger, *, by: str, replayed: TriggerExecution | None = None
) -> TriggerExecution:
    """Have a trigger run now, enabled or not.

    Args:
        trigger: the trigger to run.
        by: the operator's name, or the user id of an API caller.
        replayed: the execution whose event is sent again; None for a run with a new event.

    Returns:
        The record of the run, which waits for a process.

    Raises:
        TriggerBusyError: a run is under way that may not be overlapped.
        WaitsForPersonError: an agent runs it, and a person has to enable it first.
        DispatchError: no process can be given the run, which is therefore not on record.
    """
    check_may_run(trigger, by=by)
    source = Source.REPLAY if replayed else Source.MANUAL

    def once() -> TriggerExecution:
        with transaction.atomic():
            execution = accept(trigger, source, replayed=replayed)
            get_dispatcher().dispatch(execution)
            audit.note(AuditEntry.Action.RUN, trigger, by=by)
        return execution

    try:
        # Other runs may enter and leave the line of its key at the same moment.
        return retry(once, on=(ConflictError, IntegrityError)) if trigger.has_line else once()
    except ConflictError as error:
        # Another run of the trigger has just begun.
        raise TriggerBusyError from error


def accept(
    trigger: Trigger,
    source: Source,
    *,
    replayed: TriggerExecution | None = None,
    continued: TriggerExecution | None = None,
    event: dict[str, Any] | None = None,
    **values: Any,
) -> TriggerExecution:
    """Put a manual run on record, without dispatching it.

    Args:
        trigger: the trigger to run, enabled or not.
        source: MANUAL, REPLAY, ANSWER or FIRE.
        replayed: the execution whose event is sent again.
        continued: the execution whose agent, session and task the run goes on with.
        event: the EventBridge envelope, without an id and a time; None for one of a manual run.
        values: further fields of the record.

    Raises:
        TriggerBusyError: a run is under way that may not be overlapped.
    """
    now = timezone.now()
    until = now + MANUAL_QUEUE_LEASE
    earlier = replayed or continued
    key = new_id()
    if event is not None:
        event = {**event, "id": key, "time": iso(now)}
    elif earlier:
        event = envelope.deserialize(earlier.event_payload)
    occurrence = Occurrence(
        id=key,
        user_id=trigger.user_id,
        trigger_id=trigger.pk,
        source=source,
        event=event,
        replay_of=replayed.pk if replayed else "",
    )
    sent = occurrence.event_of(trigger, now)
    execution = new_record(trigger, occurrence, sent, now, until, attempt=0)
    if continued:
        values |= {"continues": continued.pk, **{name: getattr(continued, name) for name in KEPT}}
    for name, value in values.items():
        setattr(execution, name, value)
    with transaction.atomic():
        if isinstance(reason := enter(trigger, execution, sent, now), Reason):
            raise TriggerBusyError(reason)
        if trigger.holds_itself and not hold([trigger], now, until=until):
            raise TriggerBusyError
        execution.save(force_insert=True)
    return execution
