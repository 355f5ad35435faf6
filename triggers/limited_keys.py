"""The rules for changes by API keys that are for some triggers; `triggers.services` applies them.

Whoever has such a key changes triggers that it is for, and reaches no other triggers of its owner.
"""

import copy
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from moca.authentication.api_keys.grant import Grant, key_of
from triggers import chains
from triggers.models import Trigger, TriggerType

# The parts of `event_config` that say which events a trigger hears.
LISTENS_BY = ("eventSourceId", "eventBusName", "eventPattern")
# What the ends of its runs say of a trigger: others may listen for it.
HEARD_BY = ("name", "agent_id", "tags")


def check_change(trigger: Trigger, *, by: str) -> None:
    """Check a changed trigger, which is not saved yet.

    Raises:
        ValidationError: it would hear of runs of other triggers, whose output its prompt may use,
            start them by the ends of its own runs, close a loop with them, or share its
            concurrency key with them, whose runs it may hold up or cancel.
    """
    key = key_of(by)
    if key is None or not key.trigger_ids:
        return
    changed = trigger.changed_fields()
    if changed & {"type", "event_config"} and _listens_anew(trigger) and _hears_runs(trigger):
        _check_heard(trigger, key)
    if heard_by := [name for name in HEARD_BY if name in changed]:
        _check_hearers(trigger, key, heard_by[0])
    _check_loop(trigger, key)
    # A key for its agent is shared with the other triggers of that agent.
    decisive = ["concurrency_key", "max_concurrent", "overlap_policy", "agent_id"]
    if trigger.concurrency_key and (of_line := [name for name in decisive if name in changed]):
        message = _(
            "Triggers that this API key is not for may have the same concurrency key: let a person "
            "or a key for all triggers change this."
        )
        raise ValidationError({of_line[0]: message})


def _listens_anew(trigger: Trigger) -> bool:
    """Whether it listens to other events than before. Limits of its runs do not count."""
    now, before = trigger.event_config or {}, trigger.loaded_value("event_config") or {}
    is_same = all(now.get(part) == before.get(part) for part in LISTENS_BY)
    return not is_same or trigger.loaded_value("type") != TriggerType.EVENT


def _hears_runs(trigger: Trigger) -> bool:
    """Whether it hears of the ends of runs. `trigger.hears_runs` is not set before it is saved."""
    subscription = trigger.subscription
    # `as_listener` knows a bus by its name, and this one may be given by its ARN.
    is_named = subscription is not None and subscription.names_runs
    return is_named or chains.as_listener(trigger) is not None


def _check_heard(trigger: Trigger, key: Grant) -> None:
    """Check that a trigger hears only of runs of triggers that the key is for.

    Its pattern has to name them by their ids. By other fields it could match triggers that are yet
    to be created.
    """
    pattern = (trigger.event_config or {}).get("eventPattern")
    detail = pattern.get("detail") if isinstance(pattern, Mapping) else None
    named: Any = detail.get("triggerId") if isinstance(detail, Mapping) else None
    if isinstance(named, list) and all(isinstance(one, str) and key.is_for(one) for one in named):
        return
    message = _(
        "This API key is for some triggers: in detail.triggerId, name the ones whose runs are to "
        "start this trigger, and only those that the key is for."
    )
    error = ValidationError(message, params={"part": "eventPattern"})
    raise ValidationError({"event_config": error})


def _check_hearers(trigger: Trigger, key: Grant, field: str) -> None:
    """Check that a new name, agent or tag has no trigger start that the key is not for."""
    before = copy.copy(trigger)
    for name in HEARD_BY:
        setattr(before, name, trigger.loaded_value(name))
    for listener in chains.listeners_of(trigger.user_id):
        if key.is_for(listener.trigger.pk) or not listener.may_hear(trigger):
            continue
        if not listener.may_hear(before):
            message = _(
                "This API key is for some triggers: with this value, another one would start "
                "after the runs of this one. Let a person or a key for all triggers change it."
            )
            raise ValidationError({field: message})


def _check_loop(trigger: Trigger, key: Grant) -> None:
    """Check that it closes no loop with triggers that the key is not for, and name none of them."""
    if all(key.is_for(each.pk) for each in chains.loop_of(trigger)):
        return
    message = _(
        "This API key is for some triggers: others would start after the runs of this one, and "
        "this one after theirs, in a loop. Let a person or a key for all triggers change this."
    )
    error = ValidationError(message, params={"part": "eventPattern"})
    raise ValidationError({"event_config": error})
