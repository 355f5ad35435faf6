"""Places of runs that share a concurrency key: leave a line, and hand the place to the next run.

`executions.runner.entering` is how a run enters. All functions here are called in the transaction
that writes the run. A line is changed on the condition that nobody else has changed it, so a place
is never given twice, and a run that waits is never forgotten. The place of a run whose process died
is free once the run is closed as lost.
"""

import hashlib
import json
import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from executions.dispatchers import get_dispatcher
from executions.models import Line, TriggerExecution, Turn
from moca.concurrency import ConflictError
from moca.ids import new_id
from moca.times import parse_iso
from triggers.models import RunStatus

logger = logging.getLogger(__name__)

# How long a run may wait for its turn. Then it has failed.
LONGEST_WAIT = timedelta(days=1)
# How long a run that has got its place may wait for a process.
PICK_UP = timedelta(hours=1)
# How long a line that nobody uses is kept.
KEPT = timedelta(days=7)
# How many turns one call looks at.
MOST_HANDED = 10
# Waiting turns are counted up to here.
MOST_COUNTED = 1000
# How many waiting turns a pass of maintenance looks at, and when it dispatches a run again.
MOST_REPAIRED = 200
AGAIN_AFTER = timedelta(minutes=2)
# The id of a row among the lines that notes how far the last pass came: its `stamp` is the
# `asked_at` of the last turn. Without it, the next pass begins with the oldest turn.
REACHED = "reached"


def line_id(user_id: str, key: str) -> str:
    """The id of the line of a user's runs with a key."""
    return hashlib.sha256(json.dumps([user_id, key]).encode()).hexdigest()


def find(execution: TriggerExecution) -> Line | None:
    """The line of a run, as it is; None if there is none."""
    return of_key(execution.user_id, execution.concurrency_key)


def of_key(user_id: str, key: str) -> Line | None:
    """The line of a user's runs with a key; None if there is none."""
    found: Line | None = Line.objects.filter(pk=line_id(user_id, key)).first()
    return found


def waiting() -> tuple[int, datetime | None]:
    """How many runs wait for their turn, up to MOST_COUNTED, and since when the first has."""
    turns = Turn.objects.waiting().values_list("asked_at", "handed_at")[:MOST_COUNTED]
    asked = [asked_at for asked_at, handed_at in turns if handed_at is None]
    return len(asked), min(asked, default=None)


def save(line: Line, now: datetime) -> None:
    """Write a line that was read, or a new one.

    Raises:
        ConflictError, IntegrityError: another process has written it.
    """
    before, line.stamp = line.stamp, new_id()
    line.ttl = int((now + KEPT).timestamp())
    if not before:
        line.save(force_insert=True)
        return
    Line.objects.filter(pk=line.pk, stamp=before).update_expected(
        holders=line.holders, waiting=line.waiting, stamp=line.stamp, ttl=line.ttl
    )


def begin(execution: TriggerExecution) -> bool:
    """Whether a queued run has its place, so that it may begin; its turn is over then."""
    if not execution.concurrency_key:
        return True
    line = find(execution)
    if line is None or not line.has(execution.pk):
        return False
    Turn.objects.filter(line_id=line.pk, pk=execution.pk).discard()
    return True


def leave(execution: TriggerExecution) -> None:
    """Give back the place or the turn of a run that has ended, and hand the place on.

    Raises:
        ConflictError: another process has written the line.
    """
    line = find(execution) if execution.concurrency_key else None
    if line is None:
        return
    if line.has(execution.pk):
        line.holders = [holder for holder in line.holders if holder[0] != execution.pk]
        if not execution.attempt:
            Turn.objects.filter(line_id=line.pk, pk=execution.pk).discard()
    elif Turn.objects.filter(line_id=line.pk, pk=execution.pk).delete()[0]:
        line.waiting = max(0, line.waiting - 1)
    else:
        return
    now = timezone.now()
    _hand_on(line, now)
    save(line, now)


def _hand_on(line: Line, now: datetime) -> None:
    """Give the free places of a line to those that have waited longest; the caller saves it."""
    if not line.waiting:
        return
    turns = Turn.objects.of_line(line.pk)
    for turn in [each for each in turns[: len(line.holders) + MOST_HANDED] if not each.handed_at]:
        if len(line.holders) >= turn.most:
            return
        line.waiting = max(0, line.waiting - 1)
        record = TriggerExecution.objects.keyed(turn.trigger_id, turn.pk).first()
        own = Turn.objects.filter(line_id=line.pk, pk=turn.pk)
        if record is None or record.status != RunStatus.RUNNING or record.attempt:
            own.delete()
            continue
        line.holders = [*line.holders, [turn.pk, turn.trigger_id]]
        own.filter(handed_at=None).update_expected(handed_at=now)
        waiting = TriggerExecution.objects.unfinished(record)
        waiting.update_expected(lease_until=now + PICK_UP)
        get_dispatcher().hand_on(record)


def repair(now: datetime) -> None:
    """Hand on the places of lines whose holders have ended without leaving, for maintenance.

    It also dispatches runs again that were given a place and that no process has begun. A pass
    looks at about MOST_REPAIRED turns. If more wait, the next pass goes on behind them.
    """
    turns = _next_turns(now)
    for key in dict.fromkeys(turn.line_id for turn in turns):
        try:
            with transaction.atomic():
                _repair(key, now)
        except ConflictError:
            logger.info("Another process writes the line of a concurrency key")
    if get_dispatcher().is_transactional:
        return
    for turn in turns:
        if turn.handed_at and turn.handed_at < now - AGAIN_AFTER:
            record = TriggerExecution.objects.keyed(turn.trigger_id, turn.pk).first()
            if record and record.status == RunStatus.RUNNING and not record.attempt:
                get_dispatcher().hand_on(record)


def _next_turns(now: datetime) -> list[Turn]:
    """The turns that this pass looks at; notes where the next one goes on.

    They are those behind the turns of the last pass, and the oldest ones again after the end.
    """
    reached: Line | None = Line.objects.filter(pk=REACHED).first()
    waiting = Turn.objects.waiting()
    if reached:
        waiting = waiting.filter(asked_at__gt=parse_iso(reached.stamp))
    turns: list[Turn] = list(waiting[:MOST_REPAIRED])
    if len(turns) == MOST_REPAIRED:
        # All turns of the last one's time, because the next pass leaves them out.
        last = turns[-1].asked_at
        turns += Turn.objects.filter(asked_at=last)
        row = Line(pk=REACHED, stamp=last.isoformat(), ttl=int((now + KEPT).timestamp()))
        Line.objects.replace(row)
    elif reached:
        Line.objects.filter(pk=REACHED).discard()
    return list({turn.pk: turn for turn in turns}.values())


def _repair(key: str, now: datetime) -> None:
    line = Line.objects.filter(pk=key).first()
    if line is None:
        return
    before = line.holders, line.waiting
    line.holders = [holder for holder in line.holders if _is_open(*holder)]
    _hand_on(line, now)
    if (line.holders, line.waiting) != before:
        save(line, now)


def _is_open(execution_id: str, trigger_id: str) -> bool:
    record = TriggerExecution.objects.keyed(trigger_id, execution_id)
    return bool(record.filter(status=RunStatus.RUNNING).exists())
