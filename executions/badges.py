"""The badges of an execution on pages: its status, and its outcome if that says more."""

from django.utils.translation import gettext as _

from executions.models import TriggerExecution
from triggers.display import RESULT_KINDS
from triggers.models import Outcome, RunStatus

# The kinds of the badges of outcomes that say more than the status does.
OUTCOME_KINDS: dict[str, str] = {
    Outcome.INTERRUPTED: "warn",
    Outcome.REFUSED: "bad",
    Outcome.LIMITED: "bad",
    Outcome.TIMED_OUT: "bad",
    Outcome.CANCELLED: "off",
    Outcome.LOST: "bad",
    Outcome.MISSED: "bad",
    Outcome.UNKNOWN: "warn",
    Outcome.OVER_BUDGET: "bad",
}


def status_badge(execution: TriggerExecution) -> tuple[str, str]:
    """The kind and the text of an execution's status; an unknown status is shown as it is."""
    if execution.status == RunStatus.RUNNING and not execution.attempt:
        return "busy", _("Waiting")
    return RESULT_KINDS.get(execution.status, "off"), str(execution.get_status_display())


def outcome_badge(execution: TriggerExecution) -> tuple[str, str]:
    """The kind and the text of an execution's outcome; empty if the status says it all."""
    if execution.shown_outcome == Outcome.INTERRUPTED and execution.continued_by:
        return "good", _("Answered")
    kind = OUTCOME_KINDS.get(execution.shown_outcome, "")
    return (kind, str(Outcome(execution.shown_outcome).label)) if kind else ("", "")
