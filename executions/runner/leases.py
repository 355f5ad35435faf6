"""Runs in the care of a process: vouched for, given up, or missed."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from django.utils import timezone

from executions.failures import MISSED
from executions.models import TriggerExecution
from executions.runner.claim import LEASE, Occurrence, Run, new_record
from executions.runner.complete import close, log_ids
from moca import reasons
from moca.concurrency import ConflictError
from moca.sentences import Reason
from triggers.models import RunStatus, Trigger

logger = logging.getLogger(__name__)

# How often a process gives a sign of life for its runs.
HEARTBEAT = timedelta(seconds=15)


def renew(runs: list[Run], *, lease: timedelta = LEASE) -> None:
    """Vouch for runs that are under way in this process for another while."""
    until = timezone.now() + lease
    for run in runs:
        # Somebody else has just written the row: the next time will do.
        with suppress(ConflictError):
            run.record().update(lease_until=until)
            held = Trigger.objects.filter(user_id=run.trigger.user_id, pk=run.trigger.pk)
            held.filter(running_since=run.execution.started_at).update(running_until=until)


def abandon(run: Run, reason: Reason) -> None:
    """Close a run that this process cannot finish, as failed; what it said so far is kept."""
    record = TriggerExecution.objects.filter(trigger_id=run.trigger.pk, pk=run.execution.pk)
    execution = record.first()
    if execution is not None:
        execution.reached_agent = True
        reasons.put(execution, "warning", reasons.of(run.execution, "warning"))
        close(execution, RunStatus.FAILED, error=reason, clock=run.clock)


def record_missed(trigger: Trigger, first: datetime, last: datetime, runs: Reason) -> None:
    """Put runs that were not started in time on record, as one failed execution.

    Args:
        trigger: whose runs they were.
        first: when the first of them was due.
        last: when the last of them was due.
        runs: how many they were: `ONE_RUN`, `RUNS` or `MORE_RUNS`.
    """
    now = timezone.now()
    occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, last)
    record = TriggerExecution.objects.filter(trigger_id=trigger.pk, pk=occurrence.id)
    if record.exists():
        return
    execution = new_record(trigger, occurrence, occurrence.event_of(trigger, now), now, None)
    execution.status = RunStatus.FAILED
    execution.attempt = 0
    execution.completed_at = now
    execution.duration_ms = 0
    moments = {"first": f"{first:%Y-%m-%d %H:%M}", "last": f"{last:%Y-%m-%d %H:%M}"}
    reasons.put(execution, "error", MISSED(runs=runs, **moments))
    execution.save(force_insert=True)
    logger.warning(execution.error, extra=log_ids(execution))
