"""What an event bus does: bring events to those who listen, by rules that say which to whom."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from events.models import EventSource, ReceivedEvent


class BusError(Exception):
    """The bus refused or could not be reached; the message says what to do about it.

    Attributes:
        reason: the message, with its code.
        is_refusal: whether it answered clearly that it did nothing. Otherwise nobody knows.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refusal = is_refusal


@dataclass(frozen=True, slots=True)
class Rule:
    """Which events of a bus go to the handler.

    Attributes:
        name: the rule's name.
        bus_name: the bus's name.
        pattern: which events.
        enabled: whether they go there now.
        added: what each event gets besides, by which the handler knows whose it is.
    """

    name: str
    bus_name: str
    pattern: Mapping[str, Any]
    enabled: bool
    added: Mapping[str, Any]


class EventBus(ABC):
    # Whether what it is told is undone with the transaction in which it was told.
    is_transactional: ClassVar[bool] = True
    # What it is, for messages about its limits.
    what: ClassVar[str] = "an event bus"

    @abstractmethod
    def publish(self, source: EventSource, events: Sequence[ReceivedEvent]) -> None:
        """Let events go on that are on record.

        Args:
            source: the source at whose address they came in.
            events: events that have not gone on yet.

        Raises:
            BusError: some did not go on; sent again, they are published again.
        """

    def has(self, event: ReceivedEvent) -> bool:
        """Whether an event that is on record needs nothing more to go on."""
        return True

    @abstractmethod
    def let_rules_in(self) -> None:
        """Let rules invoke the handler, as every rule that is kept does; BusError else."""

    @abstractmethod
    def keep(self, rule: Rule) -> None:
        """Make a rule, or bring it up to date; BusError where that fails."""

    @abstractmethod
    def drop(self, name: str, *, except_on: str = "") -> None:
        """Remove the rule of a name from every bus but one; nothing happens where there is none.

        Raises:
            BusError: it is still there.
        """

    def replace(self, name: str, rule: Rule | None) -> None:
        """Have this rule of a name, or none, and no other on any bus; BusError where that fails."""
        if rule is not None:
            self.keep(rule)
        self.drop(name, except_on=rule.bus_name if rule else "")

    @abstractmethod
    def differences(self, rule: Rule) -> Sequence[str] | None:
        """The parts in which a rule is not as it should be; None where it is missing."""

    @abstractmethod
    def rule_names(self, prefix: str) -> Iterator[str]:
        """The names of all rules of ours that begin so, on every bus."""
