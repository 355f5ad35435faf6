"""Advice for operators: what to do about a failed run."""

from django.utils.translation import gettext as _

from agents.errors import TIMED_OUT
from executions.failures import NO_MORE_TIME, NOT_PICKED_UP
from executions.models import TriggerExecution
from moca import reasons
from moca.sentences import Reason
from triggers.models import RunStatus, Trigger


def advice(execution: TriggerExecution, trigger: Trigger | None) -> list[str]:
    """Sentences about what to do next. Empty if the run did not fail."""
    if execution.status != RunStatus.FAILED:
        return []
    found = []
    reason = reasons.of(execution, "error")
    code = reason.code if isinstance(reason, Reason) else None
    if isinstance(reason, Reason) and reason.says(NO_MORE_TIME):
        found.append(
            _(
                "Lambda ends the function that runs triggers after at most 30 minutes, whatever "
                "timeout the trigger has. Ask for less in the prompt."
            )
        )
    elif code is TIMED_OUT and trigger is not None:
        found.append(
            _(
                "The timeout of this trigger is %(seconds)s seconds. Raise it, or ask for less in "
                "the prompt."
            )
            % {"seconds": trigger.timeout_seconds}
        )
    if code is NOT_PICKED_UP:
        return [*found, _("Nothing was sent to the agent, so a replay repeats no work.")]
    if execution.reached_agent:
        found.append(
            _(
                "The agent may have started, and part of its work may be done. Read its output "
                "before you replay the run."
            )
        )
    else:
        found.append(
            _(
                "The agent had not started, so a replay repeats no work. “manage.py doctor” checks "
                "the agent and the connection to it."
            )
        )
    return found
