"""Dispatch runs to the local scheduler process, which polls a table of queued runs."""

from collections.abc import Sequence
from datetime import datetime

from executions.dispatchers.base import Dispatcher
from executions.models import QueuedRun, TriggerExecution


class LocalDispatcher(Dispatcher):
    def dispatch_all(self, executions: Sequence[TriggerExecution]) -> None:
        queued = [
            QueuedRun(pk=each.pk, trigger_id=each.trigger_id, user_id=each.user_id)
            for each in executions
            if not each.waits_for_turn
        ]
        QueuedRun.objects.bulk_create(queued)

    def hand_on(self, execution: TriggerExecution) -> None:
        self.dispatch_all([execution])

    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        """Do nothing: the process polls the rows of debounced events."""
