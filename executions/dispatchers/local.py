"""Dispatch runs to the local scheduler process, which polls a table of queued runs."""

from collections.abc import Sequence
from datetime import datetime

from executions.dispatchers.base import Dispatcher
from executions.models import QueuedRun, TriggerExecution


class LocalDispatcher(Dispatcher):
    def dispatch(self, execution: TriggerExecution) -> None:
        self.dispatch_all([execution])

    def dispatch_all(self, executions: Sequence[TriggerExecution]) -> None:
        QueuedRun.objects.bulk_create(
            [
                QueuedRun(pk=execution.pk, trigger_id=execution.trigger_id)
                for execution in executions
            ]
        )

    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        """Do nothing: the process polls the rows of debounced events."""
