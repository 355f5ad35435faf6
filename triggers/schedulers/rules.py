"""Rules of an event bus, one for each event trigger that listens to a bus by a pattern of its own.

They are kept in step like schedules, and by the same interface. A trigger that listens to an event
source has no rule: the source's brings its events.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from events.buses import BusError, Rule, get_bus
from triggers.models import Trigger, TriggerType
from triggers.schedulers.base import ScheduleEntry, Scheduler, SchedulerError
from triggers.validation import read_subscription

PREFIX = "trigger-"
# What the rule of a trigger adds to its events.
FROM_TRIGGER = "_trigger"


class RuleScheduler(Scheduler):
    trigger_type = TriggerType.EVENT
    what = "rule"
    projected_fields = frozenset({"type", "enabled", "event_config", "user_id"})

    @property
    def is_transactional(self) -> bool:  # type: ignore[override]
        return get_bus().is_transactional

    def create(self, trigger: Trigger) -> None:
        if rule := rule_of(trigger):
            with _errors():
                get_bus().keep(rule)

    def update(self, trigger: Trigger) -> None:
        """Bring the rule up to date, and remove one that the trigger had on another bus."""
        before, rule = _bus_before(trigger), rule_of(trigger)
        if before and (rule is None or rule.bus_name != before):
            self.restore(trigger)
        else:
            self.create(trigger)

    def restore(self, trigger: Trigger) -> None:
        with _errors():
            get_bus().replace(_name(trigger.pk), rule_of(trigger))

    def delete(self, trigger_id: str) -> None:
        with _errors():
            get_bus().drop(_name(trigger_id))

    def get(self, trigger_id: str) -> ScheduleEntry | None:
        return next((each for each in self.list() if each.trigger_id == trigger_id), None)

    def wants(self, trigger: Trigger) -> bool:
        return rule_of(trigger) is not None

    def had(self, trigger: Trigger) -> bool:
        return bool(_bus_before(trigger))

    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        rule = rule_of(trigger)
        with _errors():
            if rule is not None:
                return get_bus().differences(rule)
        return None if self.get(trigger.pk) else []

    def list(self) -> Iterator[ScheduleEntry]:
        with _errors():
            for name in get_bus().rule_names(PREFIX):
                yield ScheduleEntry(name.removeprefix(PREFIX), enabled=True)


def rule_of(trigger: Trigger) -> Rule | None:
    """The rule that a trigger is to have; None where it needs none."""
    subscription = trigger.subscription
    if subscription is None or subscription.pattern is None or not subscription.has_own_rule:
        return None
    return Rule(
        _name(trigger.pk),
        subscription.bus,
        subscription.pattern.document,
        enabled=trigger.enabled,
        added={FROM_TRIGGER: {"userId": trigger.user_id, "triggerId": trigger.pk}},
    )


def _bus_before(trigger: Trigger) -> str:
    """The bus on which the trigger's rule was when it was loaded; empty where there was none."""
    if trigger.loaded_value("type") != TriggerType.EVENT:
        return ""
    subscription = read_subscription(trigger.loaded_value("event_config"))[0]
    return subscription.bus if subscription and subscription.has_own_rule else ""


def _name(trigger_id: str) -> str:
    return f"{PREFIX}{trigger_id}"


@contextmanager
def _errors() -> Iterator[Any]:
    try:
        yield
    except BusError as error:
        raise SchedulerError(error.reason, is_refusal=error.is_refusal) from error
