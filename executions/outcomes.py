"""The outcome of a run, by its status and the code of its error."""

from agents import errors
from executions.failures import (
    CANCELLED,
    CLOSED,
    DELETED_MEANWHILE,
    LOST,
    MISSED,
    NOT_PICKED_UP,
    OVER_BUDGET,
    SENT_END_UNKNOWN,
    SHUT_DOWN,
    TURN_TOO_LATE,
    UNANSWERED,
    UNREAD,
)
from triggers.models import Outcome, RunStatus

# Outcomes of failed runs by the code of the error. Any other failure is an error.
OUTCOMES = {
    LOST.name: Outcome.LOST,
    NOT_PICKED_UP.name: Outcome.LOST,
    UNANSWERED.name: Outcome.TIMED_OUT,
    CLOSED.name: Outcome.LOST,
    SHUT_DOWN.name: Outcome.LOST,
    CANCELLED.name: Outcome.CANCELLED,
    MISSED.name: Outcome.MISSED,
    TURN_TOO_LATE.name: Outcome.MISSED,
    SENT_END_UNKNOWN.name: Outcome.UNKNOWN,
    DELETED_MEANWHILE.name: Outcome.UNKNOWN,
    UNREAD.name: Outcome.UNKNOWN,
    errors.TASK_UNREADABLE.name: Outcome.UNKNOWN,
    OVER_BUDGET.name: Outcome.OVER_BUDGET,
    errors.TIMED_OUT.name: Outcome.TIMED_OUT,
    errors.AGENT_SILENT.name: Outcome.TIMED_OUT,
    errors.ANSWER_TIMED_OUT.name: Outcome.TIMED_OUT,
    errors.TOKEN_TIMED_OUT.name: Outcome.TIMED_OUT,
    errors.ANSWER_REFUSED.name: Outcome.REFUSED,
    errors.ANSWER_LIMITED.name: Outcome.LIMITED,
    errors.AGENT_CANCELLED.name: Outcome.CANCELLED,
}


def outcome_of(status: RunStatus, error_code: str = "") -> Outcome:
    """The outcome of a run that has ended, by its status and the code of its error."""
    if status == RunStatus.COMPLETED:
        return Outcome.SUCCESS
    return OUTCOMES.get(error_code, Outcome.ERROR)
