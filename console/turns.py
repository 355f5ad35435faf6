"""What pages show of concurrency keys: for which key a run waits, and how full a line is."""

from typing import Any

from executions.models import TriggerExecution
from executions.runner import lines
from executions.runner.entering import key_of, shown_key
from triggers.models import RunStatus, Trigger

# How many of the runs that have the places the page names.
NAMED = 5


def of_run(execution: TriggerExecution) -> dict[str, Any]:
    """Why a run waits for its turn: its key, and the runs that have the places; empty if not."""
    is_queued = execution.status == RunStatus.RUNNING and not execution.attempt
    line = lines.find(execution) if is_queued and execution.concurrency_key else None
    if line is None or line.has(execution.pk):
        return {}
    return {
        "waits_for_turn": True,
        "turn_key": shown_key(execution),
        "holders": line.holders[:NAMED],
    }


def of_trigger(trigger: Trigger) -> dict[str, Any]:
    """How many runs have a place and wait, if the key is the same for all runs of a trigger."""
    if not trigger.has_line or "{{" in trigger.concurrency_key:
        return {}
    line = lines.of_key(trigger.user_id, key_of(trigger, {}))
    return {"line": line} if line and (line.holders or line.waiting) else {}
