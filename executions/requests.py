"""Runs that a person asks for: run now, and replay."""

from django.db import transaction

from executions import runner
from executions.dispatchers import DispatchError, get_dispatcher
from executions.models import Source, TriggerExecution
from executions.runner import TriggerBusyError
from moca import audit
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from triggers.models import Trigger

# What may keep a run from being started, with a message for whoever asked for it.
NOT_RUN = (TriggerBusyError, DispatchError, ConflictError)


def run_now(
    trigger: Trigger, *, by: str, replayed: TriggerExecution | None = None
) -> TriggerExecution:
    """Have a trigger run now, enabled or not; the run is on record when this returns.

    Args:
        trigger: what to run.
        by: the operator's name, or the user id of an API caller.
        replayed: the execution whose event is sent again; None for a run with a new one.

    Raises:
        TriggerBusyError: a run is going that may not be overlapped.
        DispatchError: there is nobody to hand the run to; it is not on record.
    """
    source = Source.REPLAY if replayed else Source.MANUAL
    try:
        with transaction.atomic():
            execution = runner.accept(trigger, source, replayed=replayed)
            get_dispatcher().dispatch(execution)
            audit.note(AuditEntry.Action.RUN, trigger, by=by)
    except ConflictError as error:
        # Another run of the trigger has just begun.
        raise TriggerBusyError from error
    return execution
