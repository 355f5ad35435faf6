"""Keeps rules on event buses, one for each event trigger with a pattern of its own.

The reconciler treats them like schedules, by the same interface. A trigger that listens to an event
source has no rule of its own, since the source's rule delivers its events.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from events.buses import Rule, get_bus
from triggers.models import Trigger, TriggerType
from triggers.schedulers.base import PREFIX, ScheduleEntry, Scheduler, name_of
from triggers.validation import RUN_ENDS, read_subscription

# The field that the rule of a trigger adds to its events.
FROM_TRIGGER = "_trigger"


class RuleScheduler(Scheduler):
    """Keeps the rules of event triggers on the event bus of the settings."""

    trigger_type = TriggerType.EVENT
    what = "rule"
    projected_fields = frozenset({"type", "enabled", "event_config", "user_id"})

    @property
    def is_transactional(self) -> bool:  # type: ignore[override]
        return get_bus().is_transactional

    def create(self, trigger: Trigger) -> None:
        if rule := rule_of(trigger):
            get_bus().keep(rule)

    def update(self, trigger: Trigger) -> None:
        """Write the rule, and delete one that the trigger had on another bus."""
        before, rule = _bus_before(trigger), rule_of(trigger)
        if before and (rule is None or rule.bus_name != before):
            self.restore(trigger)
        else:
            self.create(trigger)

    def restore(self, trigger: Trigger) -> None:
        get_bus().replace(name_of(trigger.pk), rule_of(trigger))

    def delete(self, trigger_id: str) -> None:
        get_bus().drop(name_of(trigger_id))

    def get(self, trigger_id: str) -> ScheduleEntry | None:
        return next((each for each in self.list() if each.trigger_id == trigger_id), None)

    def wants(self, trigger: Trigger) -> bool:
        return rule_of(trigger) is not None

    def had(self, trigger: Trigger) -> bool:
        return bool(_bus_before(trigger))

    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        if rule := rule_of(trigger):
            return get_bus().differences(rule)
        return None if self.get(trigger.pk) else []

    def list(self) -> Iterator[ScheduleEntry]:
        for name in get_bus().rule_names(PREFIX):
            yield ScheduleEntry(name.removeprefix(PREFIX), enabled=True)


def rule_of(trigger: Trigger) -> Rule | None:
    """The rule that a trigger should have; None if it needs none."""
    subscription = trigger.subscription
    if subscription is None or subscription.pattern is None or not subscription.has_own_rule:
        return None
    return Rule(
        name_of(trigger.pk),
        subscription.bus,
        _of_own_runs(subscription.pattern.document, trigger.user_id),
        enabled=trigger.enabled,
        added={FROM_TRIGGER: {"userId": trigger.user_id, "triggerId": trigger.pk}},
    )


def _of_own_runs(pattern: dict[str, Any], user_id: str) -> dict[str, Any]:
    """The pattern, which asks for the runs of the user alone if it is about ends of runs alone.

    The handler drops those of other users in any case. This saves its invocations.
    """
    detail = pattern.get("detail", {})
    if pattern.get("source") != [RUN_ENDS] or "userId" in detail or "$or" in detail:
        return pattern
    return {**pattern, "detail": {**detail, "userId": [user_id]}}


def _bus_before(trigger: Trigger) -> str:
    """The bus of the rule that the trigger had when it was loaded; empty if it had none."""
    if trigger.loaded_value("type") != TriggerType.EVENT:
        return ""
    subscription = read_subscription(trigger.loaded_value("event_config"))[0]
    return subscription.bus if subscription and subscription.has_own_rule else ""
