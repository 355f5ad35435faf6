"""Answer the questions of interrupted runs, and end those that nobody answers in time.

The API and the pages call `answer_run()`, maintenance calls `end_unanswered()`.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from executions import answers as rules
from executions.dispatchers import get_dispatcher
from executions.failures import HOURS, ONE_HOUR, UNANSWERED
from executions.models import Source, TriggerExecution, WaitingRun
from executions.runner import ends
from executions.runner.complete import is_charged, last_error, log_ids, past_run
from executions.runner.manual import TriggerBusyError, accept
from executions.runner.waiting import SHOWN
from moca import audit, reasons, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from triggers.agent_keys import check_may_run
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

logger = logging.getLogger(__name__)

# How many runs one call ends.
MOST_ENDED = 1000


class NotWaitingError(Exception):
    """The run waits for no answer; the message says why."""


def answer_run(
    execution: TriggerExecution, answers: Mapping[str, Any], *, by: str
) -> TriggerExecution:
    """Answer the questions of a run by a new run, which continues it in the same session.

    Args:
        execution: the interrupted run.
        answers: a value for each question, by the question's id.
        by: the operator's name, or the user id of an API caller.

    Returns:
        The record of the new run, which waits for a process.

    Raises:
        NotWaitingError: the run asks nothing, was answered or has ended, or its trigger is deleted
            or another user's.
        WaitsForPersonError: an agent answers, and a person has to enable the trigger first.
        InvalidAnswersError: an answer does not fit its question.
        TriggerBusyError: a run is under way that may not be overlapped.
        DispatchError: no process can be given the new run. The question can be answered again.
    """
    questions = execution.questions or []
    if not execution.awaits_answer:
        raise NotWaitingError(_why_not(execution))
    trigger = execution.find_trigger()
    if trigger is None:
        raise NotWaitingError(_("The trigger of this run is deleted, so it cannot go on."))
    if execution.user_id not in ("", trigger.user_id):
        # The new run would act for the new owner, with the answers and the session of the earlier.
        raise NotWaitingError(
            _("The trigger of this run is another user's now, so it cannot go on: run it again.")
        )
    check_may_run(trigger, by=by)
    rules.check(questions, answers)
    given = [
        {"id": each["id"], "question": each["text"][:SHOWN], "value": answers[each["id"]]}
        for each in questions
    ]
    record = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
    try:
        with transaction.atomic():
            _claim(execution.pk)
            made = accept(
                trigger,
                Source.ANSWER,
                continued=execution,
                answers=given,
                answered_by=by[:150],
            )
            record.update_expected(continued_by=made.pk)
            get_dispatcher().dispatch(made)
            audit.note(
                AuditEntry.Action.ANSWERED,
                trigger,
                by=by,
                changes={"execution": ["", execution.pk]},
            )
    except ConflictError as error:
        found = record.first()
        if found is None or not found.awaits_answer:
            raise NotWaitingError(_why_not(found or execution)) from error
        # Another run of the trigger has just begun.
        raise TriggerBusyError from error
    return made


def _claim(execution_id: str) -> None:
    """Claim a run that waits: whoever deletes its row may answer or end it.

    Raises:
        ConflictError: somebody else has claimed it.
    """
    if not WaitingRun.objects.filter(pk=execution_id).delete()[0]:
        raise ConflictError("somebody else has answered the run, or it has ended")


def _why_not(execution: TriggerExecution) -> str:
    if execution.error_code == UNANSWERED.name:
        return _("Nobody answered in time, so this run has ended: replay it to ask again.")
    if execution.continued_by:
        return _("Somebody has answered this run already: see the run that continues it.")
    return _("This run asks nobody anything, so it takes no answer.")


def end_unanswered(now: datetime) -> int:
    """End the runs that nobody answered in time as failed; returns how many there were.

    Their triggers are not paused for it: the agent did its work, and nobody answered.
    """
    ended = 0
    for row in list(WaitingRun.objects.due(now)[:MOST_ENDED]):
        try:
            ended += _end(row)
        except ConflictError:
            # Somebody is answering it, or the trigger has changed: the next call tries again.
            logger.info("Not ended: another process wrote it", extra={"executionId": row.pk})
    return ended


def _end(row: WaitingRun) -> bool:
    execution = TriggerExecution.objects.keyed(row.trigger_id, row.pk).first()
    with reconcile.atomic():
        _claim(row.pk)
        if execution is None or execution.outcome != Outcome.INTERRUPTED:
            # The record has expired.
            return False
        waited = max(1, round((row.due_at - row.asked_at) / timedelta(hours=1)))
        hours = ONE_HOUR() if waited == 1 else HOURS(number=waited)
        execution.status, execution.outcome = RunStatus.FAILED, Outcome.TIMED_OUT
        reasons.put(execution, "error", UNANSWERED(hours=hours))
        ending = {
            name: getattr(execution, name)
            for name in ("status", "outcome", "error", "error_code", "error_params")
        }
        record = TriggerExecution.objects.keyed(row.trigger_id, row.pk)
        record.filter(outcome=Outcome.INTERRUPTED).update_expected(**ending)
        if trigger := execution.find_trigger():
            _note(trigger, execution)
            ends.tell(trigger, execution, is_correction=False)
    logger.warning("Run ended: %s", execution.error, extra=log_ids(execution))
    return True


def _note(trigger: Trigger, execution: TriggerExecution) -> None:
    """Correct the run among the trigger's recent ones, and write an audit entry."""
    statistics = Statistics.read(trigger.statistics)
    statistics.correct(past_run(execution))
    result: dict[str, Any] = {"statistics": statistics.text(compressed=is_charged())}
    if trigger.last_execution_id == execution.pk:
        result |= {
            "last_status": execution.status,
            "last_outcome": execution.outcome,
            **last_error(execution),
        }
    row = Trigger.objects.filter(
        user_id=trigger.user_id, pk=trigger.pk, last_execution_id=trigger.last_execution_id
    )
    row.update_expected(**result)
    audit.note(
        AuditEntry.Action.CLOSED,
        trigger,
        by=audit.system("housekeeping"),
        why=reasons.of(execution, "error"),
        changes={"execution": ["", execution.pk]},
    )
