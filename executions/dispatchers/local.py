"""Hand runs to the local scheduler process, by a row that it looks for."""

from executions.dispatchers.base import Dispatcher
from executions.models import QueuedRun, TriggerExecution


class LocalDispatcher(Dispatcher):
    def dispatch(self, execution: TriggerExecution) -> None:
        QueuedRun.objects.create(pk=execution.pk, trigger_id=execution.trigger_id)
