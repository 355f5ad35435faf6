"""Advice for operators: what to do about a failed run, or one that waits for a person."""

from django.utils.translation import gettext as _

from agents.errors import AGENT_SILENT, TIMED_OUT
from executions.failures import (
    CANCELLED,
    MISSED,
    NO_MORE_TIME,
    NOT_PICKED_UP,
    SENT_END_UNKNOWN,
    UNANSWERED,
    UNREAD,
)
from executions.models import TriggerExecution
from moca import reasons
from moca.sentences import Reason
from triggers.models import Outcome, RunStatus, Trigger


def advice(execution: TriggerExecution, trigger: Trigger | None) -> list[str]:
    """Sentences about what to do next. Empty if the run did not fail and waits for nobody."""
    found = [remedy(execution.shown_outcome, reasons.of(execution, "error"), trigger)]
    if execution.status == RunStatus.FAILED:
        found.append(_about_a_replay(execution))
    return [sentence for sentence in found if sentence]


def remedy(outcome: str, reason: str, trigger: Trigger | None) -> str:
    """A sentence about what to change after a run. Empty if its end says too little.

    Args:
        outcome: one of `Outcome`, or empty.
        reason: the run's error, a `Reason` if its code is known.
        trigger: the trigger; None if it was deleted.
    """
    if isinstance(reason, Reason) and (sentence := _about_the_reason(reason, trigger)):
        return sentence
    match outcome:
        case Outcome.LIMITED:
            return _(
                "Raise the limit of tokens or turns in the agent or its model, or ask for less in "
                "the prompt."
            )
        case Outcome.REFUSED:
            return _(
                "Look at what the guardrail of the agent or the content filter of its model "
                "blocks, or change the prompt."
            )
        case Outcome.OVER_BUDGET:
            return _("Raise the trigger's limit for each run, or ask for less in the prompt.")
        case Outcome.INTERRUPTED:
            return _("The agent asks a person, and goes on after an answer.")
    return ""


def _about_the_reason(reason: Reason, trigger: Trigger | None) -> str:
    """A remedy that the reason names, whatever the outcome; empty if it names none."""
    if reason.says(NO_MORE_TIME):
        return _(
            "Lambda ends the function that runs triggers after at most 30 minutes, whatever "
            "timeout the trigger has. Ask for less in the prompt."
        )
    if reason.code is SENT_END_UNKNOWN:
        return _(
            "Open the session to see how far the agent is. “manage.py runworker” reads on in long "
            "runs of agents that speak A2A. Any other agent can call back with its result, if "
            "PUBLIC_URL is set."
        )
    if reason.code is UNREAD:
        return _(
            "Start “manage.py runworker”, which reads on in long runs. Open the session to see "
            "how far the agent is."
        )
    if reason.code is TIMED_OUT and trigger is not None:
        return _(
            "The timeout of this trigger is %(seconds)s seconds. Raise it, or ask for less in "
            "the prompt."
        ) % {"seconds": trigger.timeout_seconds}
    if reason.code is UNANSWERED:
        return _(
            "Replay the run to have the agent ask again. If people need longer, raise the hours "
            "within which the trigger waits for an answer."
        )
    if reason.code is AGENT_SILENT:
        return _(
            "AGENT_IDLE_TIMEOUT_SECONDS limits how long an agent may send nothing. Raise it, or "
            "let the agent send more often."
        )
    return ""


def _about_a_replay(execution: TriggerExecution) -> str:
    if execution.continues and not execution.reached_agent:
        return _(
            "The answer did not reach the agent, and its question waits again: answer it on the "
            "page of the run that this one continues. A replay would begin anew."
        )
    unsent = execution.error_code in (NOT_PICKED_UP.name, MISSED.name)
    if unsent or (execution.error_code == CANCELLED.name and not execution.attempt):
        return _("Nothing was sent to the agent, so a replay repeats no work.")
    if execution.error_code == CANCELLED.name and not execution.reached_agent:
        return _("The agent had not started, so a replay repeats no work.")
    if execution.error_code == UNANSWERED.name:
        return ""
    if execution.reached_agent:
        return _(
            "The agent may have started, and part of its work may be done. Read its output "
            "before you replay the run."
        )
    return _(
        "The agent had not started, so a replay repeats no work. “manage.py doctor” checks "
        "the agent and the connection to it."
    )
