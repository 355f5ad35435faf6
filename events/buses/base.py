"""The interface of event buses, which publish events and keep the rules that select them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from events.models import EventSource, ReceivedEvent
from moca.reconcile import ProjectionError


class BusError(ProjectionError):
    """The bus refused a call, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that sends events of a bus to the handler.

    Attributes:
        name: the rule's name.
        bus_name: the bus's name.
        pattern: selects the events.
        enabled: whether the rule sends them now.
        added: keys added to each event, by which the handler knows its source or trigger.
    """

    name: str
    bus_name: str
    pattern: Mapping[str, Any]
    enabled: bool
    added: Mapping[str, Any]


class EventBus(ABC):
    """Publishes events, and keeps rules equal to sources and triggers."""

    # Whether a rollback of the database's transaction undoes its changes too.
    is_transactional: ClassVar[bool] = True
    # Its name in messages about its limits.
    what: ClassVar[str] = "an event bus"

    @abstractmethod
    def publish(self, source: EventSource, events: Sequence[ReceivedEvent]) -> None:
        """Publish stored events.

        Args:
            source: the source that received them.
            events: events that have not been published yet.

        Raises:
            BusError: some were not published. The next attempt publishes them again.
        """

    def has(self, event: ReceivedEvent) -> bool:
        """Whether the bus has a stored event, so that it need not be published again."""
        return True

    @abstractmethod
    def let_rules_in(self) -> None:
        """Permit all rules to invoke the handler. Raises BusError if that fails."""

    @abstractmethod
    def keep(self, rule: Rule) -> None:
        """Create or update a rule. Raises BusError if that fails."""

    @abstractmethod
    def drop(self, name: str, *, except_on: str = "") -> None:
        """Remove the rule of a name from every bus except one. No error if there is none.

        Raises:
            BusError: the rule is still there.
        """

    def replace(self, name: str, rule: Rule | None) -> None:
        """Keep this rule, or none, under a name, and remove all others. Raises BusError."""
        if rule is not None:
            self.keep(rule)
        self.drop(name, except_on=rule.bus_name if rule else "")

    @abstractmethod
    def differences(self, rule: Rule) -> Sequence[str] | None:
        """Return the parts of a rule that are not as they should be. None if it is missing."""

    @abstractmethod
    def rule_names(self, prefix: str) -> Iterator[str]:
        """Yield the names of our rules that begin with `prefix`, on every bus."""
