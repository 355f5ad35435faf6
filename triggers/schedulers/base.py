"""The interface of schedulers, which keep projections of triggers where these are fired."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from moca.reconcile import ProjectionError
from triggers.models import Trigger, TriggerType

# Names of schedules and rules are this and the id of the trigger.
PREFIX = "trigger-"


class SchedulerError(ProjectionError):
    """The scheduler refused or could not be reached."""


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """A schedule or rule as the scheduler has it; times are None if the scheduler has none.

    `number` counts the schedules of one trigger, which has one for each expression.
    """

    trigger_id: str
    enabled: bool
    next_run_at: datetime | None = None
    made_at: datetime | None = None
    number: int = 1


class Scheduler(ABC):
    """Keeps a schedule or rule for each trigger of a type.

    They are projections of triggers, from which they can be created again at any time.
    """

    # The type of its triggers, and what it keeps for each.
    trigger_type: ClassVar[str] = TriggerType.SCHEDULE
    what: ClassVar[str] = "schedule"
    # The fields of a trigger that its schedule follows from.
    projected_fields: ClassVar[frozenset[str]]
    # Whether a rollback of the transaction undoes its writes.
    is_transactional: ClassVar[bool] = True

    @abstractmethod
    def create(self, trigger: Trigger) -> None:
        """Create the trigger's schedule; SchedulerError if that fails."""

    @abstractmethod
    def update(self, trigger: Trigger) -> None:
        """Update the trigger's schedule, or create it if it is missing."""

    @abstractmethod
    def delete(self, trigger_id: str, count: int = 1) -> None:
        """Delete the trigger's schedule, if there is one.

        Args:
            trigger_id: the trigger's id.
            count: the most schedules that it may have, one for each of its expressions.
        """

    @abstractmethod
    def get(self, trigger_id: str) -> ScheduleEntry | None:
        """The trigger's schedule; None if there is none."""

    def restore(self, trigger: Trigger, count: int = 1) -> None:
        """Write the schedule from the trigger, whatever a failed transaction has written.

        Args:
            trigger: the trigger.
            count: as for `delete()`.
        """
        self.update(trigger)

    def count_of(self, trigger: Trigger) -> int:
        """How many schedules the trigger has, or had when it was loaded, whichever is more."""
        return 1

    def wants(self, trigger: Trigger) -> bool:
        """Whether the trigger should have a schedule."""
        return trigger.schedule is not None

    def had(self, trigger: Trigger) -> bool:
        """Whether the trigger had a schedule when it was loaded."""
        return bool(trigger.loaded_value("type") == self.trigger_type)

    @abstractmethod
    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        """The parts in which the schedule differs from the trigger.

        None if the schedule is missing, or exists although the trigger should have none.
        """

    def check(self) -> None:
        """Check that schedules are fired; SchedulerError if they are not."""
        self.get("none")

    @abstractmethod
    def list(self) -> Iterator[ScheduleEntry]:
        """All schedules, with those that have no trigger."""


def name_of(trigger_id: str) -> str:
    """The name of the schedule or rule of a trigger."""
    return f"{PREFIX}{trigger_id}"
