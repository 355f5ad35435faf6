"""The rules for changes by API keys that are for some triggers; `triggers.services` applies them.

By such a change, a trigger cannot reach triggers of the key's owner that the key is not for.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from moca.authentication.api_keys.grant import Grant, key_of
from triggers import chains
from triggers.models import Trigger, TriggerType

# The parts of `event_config` that say which events a trigger hears.
LISTENS_BY = ("eventSourceId", "eventBusName", "eventPattern")


def check_change(trigger: Trigger, *, by: str) -> None:
    """Check a changed trigger, which is not saved yet.

    Raises:
        ValidationError: it would hear of runs of other triggers, whose output its prompt may use,
            or share its concurrency key with them, whose runs it may hold up or cancel.
    """
    key = key_of(by)
    if key is None or not key.trigger_ids:
        return
    changed = trigger.changed_fields()
    if changed & {"type", "event_config"} and _listens_anew(trigger) and _hears_runs(trigger):
        _check_heard(trigger, key)
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
