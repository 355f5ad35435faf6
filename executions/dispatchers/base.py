"""What a dispatcher does: hand an accepted run to a process that will run it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from executions.models import TriggerExecution


class DispatchError(Exception):
    """The run could not be handed over; the message says what to do about it.

    Attributes:
        reason: the message, with its code.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Dispatcher(ABC):
    # Whether what was handed over is undone with the transaction in which that was done.
    is_transactional: ClassVar[bool] = True

    @abstractmethod
    def dispatch(self, execution: TriggerExecution) -> None:
        """Hand the accepted run over, in the transaction that put it on record.

        Raises:
            DispatchError: nobody will run it; the caller undoes its record.
        """

    def dispatch_all(self, executions: Sequence[TriggerExecution]) -> None:
        """Hand several accepted runs over, as `dispatch()` does."""
        for execution in executions:
            self.dispatch(execution)

    @abstractmethod
    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        """Have `runner.end_debounce()` called for a trigger at a time.

        Raises:
            DispatchError: nobody will do so; the caller undoes what it has written.
        """
