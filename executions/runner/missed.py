"""Put occurrences that were not started in time on record, each as a failed execution.

The last `MOST_RECORDED` of them have a record each. Those before share one, which says how many
they were.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from executions import measures
from executions.failures import MISSED, MORE_RUNS, ONE_RUN, RUNS
from executions.models import TriggerExecution
from executions.runner import announce
from executions.runner.complete import is_charged, log_ids, past_run
from executions.runner.occurrence import Occurrence, new_record
from moca import reasons
from moca.sentences import Reason
from moca.times import INSTANT
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

logger = logging.getLogger(__name__)

# Missed occurrences are counted up to here.
MOST_COUNTED = 1000
# How many of them have a record each: two days of an hourly trigger. With the writes of the claim
# they fit into one transaction of DynamoDB, which takes a hundred.
MOST_RECORDED = 48


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
    dues = _last_dues(trigger, first, since)
    records = [_record(trigger, due, due, ONE_RUN(), now) for due in dues[1:]]
    # The oldest of the last ones is recorded with those before it.
    runs = _count(trigger, first, dues[0] + INSTANT)
    records.insert(0, _record(trigger, first, dues[0], runs, now))
    known = set(
        TriggerExecution.objects.filter(
            trigger_id=trigger.pk, pk__in=[record.pk for record in records]
        ).values_list("pk", flat=True)
    )
    new = [record for record in records if record.pk not in known]
    if not new:
        return
    TriggerExecution.objects.bulk_create(new)
    statistics = Statistics.read(trigger.statistics)
    for record in new:
        statistics.add(past_run(record), now=now)
    row = Trigger.objects.filter(
        user_id=trigger.user_id, pk=trigger.pk, statistics=trigger.statistics
    )
    row.update_expected(statistics=statistics.text(compressed=is_charged()))
    for record in new:
        measures.ended(record)
    latest = new[-1]
    reason = MISSED(runs=_count(trigger, first, since), **_moments(first, dues[-1]))
    announce.missed(trigger, first, latest, reason)
    ids = log_ids(latest) | {"outcome": latest.outcome, "errorCode": latest.error_code}
    logger.warning(reason, extra=ids)


def _last_dues(trigger: Trigger, first: datetime, since: datetime) -> Sequence[datetime]:
    """The last `MOST_RECORDED` occurrences from `first` until before `since`, in their order."""
    dues: list[datetime] = []
    before = since
    while len(dues) < MOST_RECORDED:
        due = trigger.last_run(before)
        if due is None or due < first:
            break
        dues.insert(0, due)
        before = due
    # The schedule may have been changed since, so that `first` is none of its times.
    return dues or [first]


def _count(trigger: Trigger, first: datetime, since: datetime) -> Reason:
    """How many occurrences there were from `first` until before `since`, in words."""
    count = 1 + sum(run < since for run in trigger.next_runs(first, MOST_COUNTED))
    if count > MOST_COUNTED:
        return MORE_RUNS(number=f"{MOST_COUNTED:,}")
    return ONE_RUN() if count == 1 else RUNS(number=count)


def _record(
    trigger: Trigger, first: datetime, last: datetime, runs: Reason, now: datetime
) -> TriggerExecution:
    """Make the record of the missed occurrences between two times, unsaved."""
    occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, last)
    event = occurrence.event_of(trigger, now)
    execution = new_record(trigger, occurrence, event, now, None, attempt=0)
    execution.status, execution.outcome = RunStatus.FAILED, Outcome.MISSED
    execution.completed_at = now
    execution.duration_ms = 0
    reasons.put(execution, "error", MISSED(runs=runs, **_moments(first, last)))
    return execution


def _moments(first: datetime, last: datetime) -> dict[str, str]:
    return {"first": f"{first:%Y-%m-%d %H:%M}", "last": f"{last:%Y-%m-%d %H:%M}"}
