"""Put runs on record that wait for a person, in the transaction that writes their results."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from executions.models import Source, TriggerExecution, WaitingRun
from executions.runner import announce
from triggers.models import Outcome, RunStatus, Trigger

# How many characters of a question a list shows, and a record keeps beside the answer.
SHOWN = 300


def note_waiting(execution: TriggerExecution, trigger: Trigger | None) -> None:
    """Have a run wait for a person if it asks one, or the run before if the answer got lost.

    The agent never got the answers of a run that failed before it reached the agent. Therefore the
    run that it continues waits again.

    Args:
        execution: the run, with its result set.
        trigger: its trigger; None if it is deleted.
    """
    if execution.outcome == Outcome.INTERRUPTED and execution.questions:
        _wait(execution, trigger)
    elif execution.source == Source.ANSWER and _is_lost(execution):
        record = TriggerExecution.objects.keyed(execution.trigger_id, execution.continues)
        asked = record.filter(continued_by=execution.pk).first()
        if asked is not None:
            record.filter(continued_by=execution.pk).update_expected(continued_by="")
            _wait(asked, trigger)


def _is_lost(execution: TriggerExecution) -> bool:
    return execution.status == RunStatus.FAILED and not execution.reached_agent


def _wait(execution: TriggerExecution, trigger: Trigger | None) -> None:
    now, questions = timezone.now(), execution.questions or []
    hours = (trigger or Trigger()).answer_within_hours
    # The record of the run may expire earlier.
    last = datetime.fromtimestamp(execution.ttl, UTC)
    due_at = min(now + timedelta(hours=hours), last)
    WaitingRun.objects.create(
        id=execution.pk,
        trigger_id=execution.trigger_id,
        user_id=execution.user_id,
        question=questions[0]["text"][:SHOWN],
        asked_at=now,
        due_at=due_at,
    )
    announce.waits(trigger, execution, due_at - now)
