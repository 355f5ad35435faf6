"""The event bus of one machine: the local scheduler process reads received events from their rows.

It compares them with the sources and the triggers, so there are no rules to keep.
"""

from collections.abc import Iterator, Sequence

from events.buses.base import EventBus, Rule
from events.models import EventSource, ReceivedEvent


class LocalBus(EventBus):
    what = "the queue of this machine"

    def publish(self, source: EventSource, events: Sequence[ReceivedEvent]) -> None:
        """Do nothing: the events are stored as queued."""

    def let_rules_in(self) -> None:
        """Do nothing: no permission is needed."""

    def keep(self, rule: Rule) -> None:
        """Do nothing: the row itself is the rule."""

    def drop(self, name: str, *, except_on: str = "") -> None:
        """Do nothing: the row itself was the rule."""

    def differences(self, rule: Rule) -> Sequence[str] | None:
        return []

    def rule_names(self, prefix: str) -> Iterator[str]:
        return iter(())
