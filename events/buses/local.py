"""Received events are rows that the local scheduler process looks for, and matches by itself.

It reads the sources and the triggers whenever there are events, so that no rules have to be kept.
"""

from collections.abc import Iterator, Sequence

from events.buses.base import EventBus, Rule
from events.models import EventSource, ReceivedEvent


class LocalBus(EventBus):
    what = "the queue of this machine"

    def publish(self, source: EventSource, events: Sequence[ReceivedEvent]) -> None:
        """Do nothing: the events are on record as queued."""

    def let_rules_in(self) -> None:
        """Do nothing: nobody has to let them."""

    def keep(self, rule: Rule) -> None:
        """Do nothing: the rule follows from the row."""

    def drop(self, name: str, *, except_on: str = "") -> None:
        """Do nothing: the rule went with the row."""

    def differences(self, rule: Rule) -> Sequence[str] | None:
        return []

    def rule_names(self, prefix: str) -> Iterator[str]:
        return iter(())
