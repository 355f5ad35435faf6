"""What a scheduler does: keep one copy of each trigger of a type with whoever fires it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from triggers.models import Trigger, TriggerType


class SchedulerError(Exception):
    """The scheduler refused or could not be reached; the message says what to do about it.

    Attributes:
        reason: the message, with its code.
        is_refusal: whether it answered clearly that it did nothing. Otherwise nobody knows.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refusal = is_refusal


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """A schedule as the scheduler has it."""

    trigger_id: str
    enabled: bool
    next_run_at: datetime | None = None
    made_at: datetime | None = None


class Scheduler(ABC):
    """A place that fires triggers. Its schedules are copies which can be made again any time."""

    # The triggers that it fires, and what it has of them.
    trigger_type: ClassVar[str] = TriggerType.SCHEDULE
    what: ClassVar[str] = "schedule"
    # The fields of a trigger whose change the schedule must follow.
    projected_fields: ClassVar[frozenset[str]]
    # Whether what it is told is undone with the transaction in which it was told.
    is_transactional: ClassVar[bool] = True

    @abstractmethod
    def create(self, trigger: Trigger) -> None:
        """Make the trigger's schedule; SchedulerError where that fails."""

    @abstractmethod
    def update(self, trigger: Trigger) -> None:
        """Bring the trigger's schedule up to date, made anew where it is missing."""

    @abstractmethod
    def delete(self, trigger_id: str) -> None:
        """Remove the schedule; nothing happens where there is none."""

    @abstractmethod
    def get(self, trigger_id: str) -> ScheduleEntry | None:
        """The trigger's schedule, None where there is none."""

    def restore(self, trigger: Trigger) -> None:
        """Bring the schedule to what the trigger says, whatever it was told before."""
        self.update(trigger)

    def wants(self, trigger: Trigger) -> bool:
        """Whether there is to be a schedule for the trigger."""
        return trigger.schedule is not None

    def had(self, trigger: Trigger) -> bool:
        """Whether there is a schedule for what the trigger was when it was loaded."""
        return bool(trigger.loaded_value("type") == self.trigger_type)

    @abstractmethod
    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        """The parts in which the schedule is not as the trigger says.

        None where it is missing, or there though there should be none.
        """

    def check(self) -> None:
        """Look whether schedules are fired; SchedulerError says what is wrong."""
        self.get("none")

    @abstractmethod
    def list(self) -> Iterator[ScheduleEntry]:
        """All schedules, orphans included."""
