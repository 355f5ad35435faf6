"""Tells the outbox of alerts what happened to runs and their triggers.

Each function is called in the transaction in which it happens. None costs a query or a row while no
rule wants the happening.
"""

from datetime import datetime, timedelta

from alerts.outbox import Happening, tell
from executions.failures import DISABLED, ENDED, MERGED, TRIGGER_GONE
from executions.models import TriggerExecution
from moca import reasons
from moca.ids import occurrence_id
from moca.sentences import Part, Reason
from triggers.failures import ALL_PAUSED, PAUSED, USER_PAUSED
from triggers.models import Outcome, RunStatus, Trigger

# Skips that a person has ordered, that lose nothing, or that were told when a budget was used up.
ORDERED = (DISABLED, ENDED, MERGED, TRIGGER_GONE, PAUSED, ALL_PAUSED, USER_PAUSED)


def started(trigger: Trigger, execution: TriggerExecution) -> None:
    """Tell that a run has started."""
    key = f"{execution.pk} {execution.attempt}"
    tell(Happening.STARTED, trigger=trigger, execution=execution, key=key)


def ended(
    trigger: Trigger,
    execution: TriggerExecution,
    failures: int,
    before: int,
    *,
    is_correction: bool = False,
) -> None:
    """Tell how a run ended, and what that means for its trigger.

    Args:
        trigger: the trigger of the run.
        execution: the run, with its result set.
        failures: the trigger's failures in a row, this run included.
        before: its failures in a row before this run.
        is_correction: whether it was told before that the run failed.
    """
    key = f"{execution.pk} {execution.attempt}"
    if execution.status == RunStatus.FAILED:
        if is_correction or execution.is_cancelled:
            return
        params: dict[str, Part] = {"number": failures, "reason": reasons.of(execution, "error")}
        tell(Happening.FAILED, trigger=trigger, execution=execution, params=params, key=key)
        # A run whose end is not known is no failure in a row.
        if failures > before:
            tell(Happening.FAILING, trigger=trigger, execution=execution, params=params, key=key)
        return
    if execution.outcome != Outcome.INTERRUPTED:
        tell(Happening.COMPLETED, trigger=trigger, execution=execution, key=key)
    if before and not failures:
        number = {"number": before}
        tell(Happening.RECOVERED, trigger=trigger, execution=execution, params=number, key=key)


def waits(trigger: Trigger | None, execution: TriggerExecution, time: timedelta) -> None:
    """Tell that a run waits for a person, who has so much time to answer."""
    if trigger is not None:
        hours = {"hours": max(1, round(time.total_seconds() / 3600))}
        tell(Happening.WAITS, trigger=trigger, execution=execution, params=hours)


def paused(trigger: Trigger, execution: TriggerExecution, reason: Reason) -> None:
    """Tell that the product has paused a trigger after failures."""
    params: dict[str, Part] = {"number": trigger.consecutive_failures, "reason": reason}
    tell(Happening.PAUSED, trigger=trigger, execution=execution, params=params)


def skipped(trigger: Trigger, reason: Reason, key: str = "") -> None:
    """Tell that a run was due and did not start, unless a person ordered that."""
    if reason.code not in ORDERED:
        tell(Happening.SKIPPED, trigger=trigger, params={"reason": reason}, key=key)


def missed(trigger: Trigger, first: datetime, latest: TriggerExecution, reason: Reason) -> None:
    """Tell that runs were missed.

    An alarm may have told it already, by the same key: see `executions.alarms`.

    Args:
        trigger: the trigger.
        first: when the first of them was due.
        latest: the record of the last of them.
        reason: how many they were, and when they were due.
    """
    key = occurrence_id(trigger.pk, first)
    tell(Happening.MISSED, trigger=trigger, execution=latest, params={"reason": reason}, key=key)
