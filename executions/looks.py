"""Marks that somebody looks at a run under way, for the process that runs it.

Where writes are charged by size, a process writes what an agent says ever more seldom. It writes
often while somebody looks. A mark is a row beside the requests to cancel runs, so that the process
finds both with one query: see `executions.runner.cancel.CancelWatch`.
"""

import logging
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, IntegrityError, InterfaceError
from django.utils import timezone

from executions.models import CancelRequest, TriggerExecution
from executions.runner.complete import is_charged, log_ids
from moca.concurrency import ConflictError
from triggers.models import RunStatus

logger = logging.getLogger(__name__)

# A run's mark is written once in this time, however many look.
PAUSE = timedelta(seconds=10)
# How long a mark is kept that nobody renews.
LIFE = timedelta(hours=1)
# Of how many runs a process remembers when it last made sure of the mark.
MOST_KNOWN = 1000

_known: dict[str, float] = {}
_lock = threading.Lock()


def note_look(execution: TriggerExecution) -> None:
    """Mark that somebody looks at a run, if its process needs to know; never raises an error.

    Args:
        execution: the record, as it was just read.
    """
    is_under_way = execution.status == RunStatus.RUNNING and execution.attempt > 0
    if not (is_under_way and is_charged()) or execution.cancel_requested_at:
        return
    if not _is_due(execution.pk):
        return
    try:
        _mark(execution)
    except (ConflictError, IntegrityError):
        pass  # Somebody else has marked it at this moment.
    except (DatabaseError, InterfaceError) as error:
        name = type(error).__name__
        logger.info("A look at a run could not be marked: %s", name, extra=log_ids(execution))


def _is_due(execution_id: str) -> bool:
    """Whether this process has not made sure of the mark within `PAUSE`."""
    now = time.monotonic()
    with _lock:
        if now - _known.get(execution_id, -PAUSE.total_seconds()) < PAUSE.total_seconds():
            return False
        _known.pop(execution_id, None)
        _known[execution_id] = now
        while len(_known) > MOST_KNOWN:
            del _known[next(iter(_known))]
    return True


def _mark(execution: TriggerExecution) -> None:
    """Write the mark, unless another process has done so within `PAUSE`.

    To read first costs a fifth of a write that is refused.
    """
    now = timezone.now()
    key = CancelRequest.look_id(execution.pk)
    ttl = int((now + LIFE).timestamp())
    mark = CancelRequest.objects.filter(pk=key).first()
    if mark is None:
        mark = CancelRequest(id=key, trigger_id=execution.trigger_id, user_id=execution.user_id)
        mark.requested_at, mark.ttl = now, ttl
        mark.save(force_insert=True)
    elif abs(now - mark.requested_at) >= PAUSE:
        same = CancelRequest.objects.filter(pk=key, requested_at=mark.requested_at)
        same.update_expected(requested_at=now, ttl=ttl)
