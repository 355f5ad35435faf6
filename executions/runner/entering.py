"""Enter the line of a concurrency key: a run gets a place, waits for its turn, or is dropped.

The key of a run is its trigger's `concurrencyKey`, with the values of the event filled in. Runs of
a user with the same key share the places, whichever trigger they are of. A trigger without a key
whose policy needs one has a line of its own.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Any

from django.db import transaction

from executions.failures import BUFFERED, KEY_BUSY, LINE_FULL, REPLACED
from executions.models import Line, TriggerExecution, Turn
from executions.prompts import fill
from executions.runner import lines
from executions.runner.requests import NOT_CANCELLED, cancel_run
from moca import audit
from moca.sentences import Reason
from triggers.models import OverlapPolicy, Trigger

logger = logging.getLogger(__name__)

# How many runs may wait in one line. Each further one is dropped.
MOST_WAITING = 1000
LONGEST_KEY, DIGEST = 200, 16
# The key that stands for the agent of the trigger.
AGENT = "agent"


class Entered(Enum):
    """What came of entering: the run has a place, or waits for its turn."""

    PLACE = auto()
    TURN = auto()


def key_of(trigger: Trigger, event: Mapping[str, Any]) -> str:
    """The key of a run for an event; empty if its trigger limits nothing by a line."""
    if not trigger.has_line:
        return ""
    if not trigger.concurrency_key:
        return f"trigger {trigger.pk}"
    if trigger.concurrency_key == AGENT:
        return f"agent {trigger.agent_id}"
    key = f"key {fill(trigger.concurrency_key, event)}"
    if len(key) <= LONGEST_KEY:
        return key
    # Long values that begin alike are different keys.
    digest = hashlib.sha256(key.encode()).hexdigest()[:DIGEST]
    return f"{key[: LONGEST_KEY - DIGEST - 1]} {digest}"


def shown_key(execution: TriggerExecution) -> str:
    """The key of a run as people see it; empty if it is its trigger's own."""
    kind, _space, key = execution.concurrency_key.partition(" ")
    return "" if kind == "trigger" else key


def enter(
    trigger: Trigger,
    execution: TriggerExecution,
    event: Mapping[str, Any],
    now: datetime,
    *,
    may_wait: bool = True,
) -> Entered | Reason:
    """Enter the line of a run that is put on record in the open transaction.

    Args:
        trigger: its trigger.
        execution: the record, of which the key is set. If the run waits, it is set to wait.
        event: the event that starts it.
        now: the present.
        may_wait: False if the run begins at once or not at all.

    Returns:
        Whether it has a place or waits; or why it is dropped.

    Raises:
        ConflictError, IntegrityError: another process has written the line.
    """
    execution.concurrency_key = key_of(trigger, event)
    if not execution.concurrency_key:
        return Entered.PLACE
    line = lines.find(execution)
    if line is None:
        key = lines.line_id(execution.user_id, execution.concurrency_key)
        line = Line(pk=key, user_id=execution.user_id)
    most = trigger.max_concurrent or 1
    if line.has(execution.pk):
        return Entered.PLACE
    if len(line.holders) < most and not line.waiting:
        line.holders = [*line.holders, [execution.pk, trigger.pk]]
        lines.save(line, now)
        return Entered.PLACE
    own = _own_turns(line, trigger)
    if reason := _why_dropped(trigger, line, own, may_wait=may_wait):
        return reason
    _wait(execution, line, most, now)
    if trigger.overlap_policy == OverlapPolicy.CANCEL_OTHER:
        holders = line.holders[: max(0, len(line.holders) - most + 1)]
        replaced = [*holders, *([turn.pk, turn.trigger_id] for turn in own)]
        transaction.on_commit(partial(_cancel_all, replaced, trigger.name))
    return Entered.TURN


def _wait(execution: TriggerExecution, line: Line, most: int, now: datetime) -> None:
    """Have a run wait for its turn in a line with so many places."""
    turn = Turn(
        pk=execution.pk,
        line_id=line.pk,
        trigger_id=execution.trigger_id,
        user_id=execution.user_id,
        most=most,
        asked_at=now,
    )
    Turn.objects.bulk_create([turn])
    line.waiting += 1
    lines.save(line, now)
    execution.attempt, execution.waits_for_turn = 0, True
    execution.lease_until, execution.process_id = now + lines.LONGEST_WAIT, ""


def _own_turns(line: Line, trigger: Trigger) -> list[Turn]:
    """The runs of a trigger that wait in a line, if its policy asks for them."""
    if trigger.overlap_policy not in (OverlapPolicy.BUFFER_ONE, OverlapPolicy.CANCEL_OTHER):
        return []
    turns = Turn.objects.of_line(line.pk).filter(trigger_id=trigger.pk)
    return [turn for turn in turns if not turn.handed_at]


def _why_dropped(
    trigger: Trigger, line: Line, own: Sequence[Turn], *, may_wait: bool
) -> Reason | None:
    most = trigger.max_concurrent or 1
    if trigger.overlap_policy == OverlapPolicy.SKIP or not may_wait:
        return KEY_BUSY(number=most)
    if trigger.overlap_policy == OverlapPolicy.BUFFER_ONE and own:
        return BUFFERED()
    return LINE_FULL(number=f"{MOST_WAITING:,}") if line.waiting >= MOST_WAITING else None


def _cancel_all(runs: Sequence[Sequence[str]], name: str) -> None:
    """Cancel the runs in whose place another one is to begin, after it is on record.

    If that fails, the new run begins when they have ended by themselves.
    """
    for execution_id, trigger_id in runs:
        try:
            record = TriggerExecution.objects.keyed(trigger_id, execution_id).first()
            if record is not None:
                cancel_run(record, by=audit.system("overlap policy"), why=REPLACED(name=name))
        except NOT_CANCELLED:
            # It has ended, or others write it.
            continue
        except Exception:
            ids = {"triggerId": trigger_id, "executionId": execution_id}
            logger.exception("The run before could not be cancelled", extra=ids)
