"""How pages show the status of an execution."""

from django.utils.translation import gettext as _

from executions.models import TriggerExecution
from triggers.display import RESULT_KINDS
from triggers.models import RunStatus


def status_of(execution: TriggerExecution) -> tuple[str, str]:
    """The kind and the text of an execution's status; an unknown status is shown as it is."""
    if execution.status == RunStatus.RUNNING and not execution.attempt:
        return "busy", _("Waiting")
    return RESULT_KINDS.get(execution.status, "off"), str(execution.get_status_display())
