"""The interface of dispatchers, which notify a process of a run that waits for it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from executions.models import TriggerExecution


class DispatchError(Exception):
    """The run could not be dispatched. The message says what to do about it.

    Attributes:
        reason: the message, with its code.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Dispatcher(ABC):
    """Notifies the process that runs what is queued.

    Attributes:
        is_transactional: whether a rollback of the transaction undoes a dispatch made in it.
    """

    is_transactional: ClassVar[bool] = True

    def dispatch(self, execution: TriggerExecution) -> None:
        """Dispatch a run, in the transaction that puts it on record.

        Raises:
            DispatchError: no process will run it. The caller rolls its record back.
        """
        self.dispatch_all([execution])

    @abstractmethod
    def dispatch_all(self, executions: Sequence[TriggerExecution]) -> None:
        """Dispatch several runs, as `dispatch()` does, without those that wait for their turn."""

    @abstractmethod
    def hand_on(self, execution: TriggerExecution) -> None:
        """Dispatch a run that waited for its turn, in the transaction that gives it its place.

        If the process cannot be notified, this only logs it. Maintenance dispatches it again.
        """

    @abstractmethod
    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        """Have `runner.end_debounce()` called for a trigger at a time.

        This is called in the transaction that writes the debounce.

        Raises:
            DispatchError: it will not be called. The caller rolls the transaction back.
        """
