"""What a dispatcher does: hand an accepted run to a process that will run it."""

from abc import ABC, abstractmethod

from executions.models import TriggerExecution


class DispatchError(Exception):
    """The run could not be handed over; the message says what to do about it."""


class Dispatcher(ABC):
    @abstractmethod
    def dispatch(self, execution: TriggerExecution) -> None:
        """Hand the accepted run over, in the transaction that put it on record.

        Raises:
            DispatchError: nobody will run it; the caller undoes its record.
        """
