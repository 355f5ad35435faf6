"""What an operator may do about a run that failed."""

from django.utils.translation import gettext as _

from executions.models import NOT_PICKED_UP, TriggerExecution
from executions.runner import NO_MORE_TIME
from triggers.models import RunStatus, Trigger


def advice(execution: TriggerExecution, trigger: Trigger | None) -> list[str]:
    """Sentences about what to do next; none for a run that did not fail."""
    if execution.status != RunStatus.FAILED:
        return []
    found = []
    if NO_MORE_TIME in execution.error:
        found.append(
            _(
                "The function that runs triggers is cut off by Lambda after 15 minutes at the "
                "most, whatever the time-out of the trigger. Ask for less in the prompt."
            )
        )
    elif "timed out" in execution.error and trigger is not None:
        found.append(
            _(
                "A run of this trigger may take %(seconds)s seconds. Give it more, or ask for less "
                "in the prompt."
            )
            % {"seconds": trigger.timeout_seconds}
        )
    if execution.error == NOT_PICKED_UP:
        return [*found, _("Nothing was sent to the agent, so a replay doubles nothing.")]
    if execution.reached_agent:
        found.append(
            _(
                "The agent may have begun: part of its work may be done. Look at what it said "
                "before you replay the run."
            )
        )
    else:
        found.append(
            _(
                "The agent had not begun, so a replay doubles nothing. “manage.py doctor” tries "
                "the agent and what leads to it."
            )
        )
    return found
