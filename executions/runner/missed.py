"""Put occurrences that were not started in time on record, as one failed execution."""

import logging
from datetime import datetime

from django.utils import timezone

from executions.failures import MISSED, MORE_RUNS, ONE_RUN, RUNS
from executions.models import TriggerExecution
from executions.runner.claim import Occurrence, new_record
from executions.runner.complete import is_charged, log_ids, past_run
from moca import reasons
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

logger = logging.getLogger(__name__)

# Missed occurrences are counted up to here.
MOST_COUNTED = 1000


def record_missed(trigger: Trigger, first: datetime, since: datetime) -> None:
    """Put the occurrences of a trigger that were due before a moment on record as missed.

    Args:
        trigger: the trigger, which has a schedule.
        first: when the first of them was due.
        since: occurrences that are due from then on are not missed.

    Raises:
        ConflictError: another process has written the trigger's statistics since it was read.
    """
    now = timezone.now()
    last = trigger.last_run(since) or first
    occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, last)
    if TriggerExecution.objects.keyed(trigger.pk, occurrence.id).exists():
        return
    event = occurrence.event_of(trigger, now)
    execution = new_record(trigger, occurrence, event, now, None, attempt=0)
    execution.status, execution.outcome = RunStatus.FAILED, Outcome.MISSED
    execution.completed_at = now
    execution.duration_ms = 0
    count = 1 + sum(run < since for run in trigger.next_runs(first, MOST_COUNTED))
    if count > MOST_COUNTED:
        runs = MORE_RUNS(number=f"{MOST_COUNTED:,}")
    else:
        runs = ONE_RUN() if count == 1 else RUNS(number=count)
    moments = {"first": f"{first:%Y-%m-%d %H:%M}", "last": f"{last:%Y-%m-%d %H:%M}"}
    reasons.put(execution, "error", MISSED(runs=runs, **moments))
    execution.save(force_insert=True)
    statistics = Statistics.read(trigger.statistics)
    statistics.add(past_run(execution), now=now)
    row = Trigger.objects.filter(
        user_id=trigger.user_id, pk=trigger.pk, statistics=trigger.statistics
    )
    row.update_expected(statistics=statistics.text(compressed=is_charged()))
    ids = log_ids(execution) | {"outcome": execution.outcome, "errorCode": execution.error_code}
    logger.warning(execution.error, extra=ids)
