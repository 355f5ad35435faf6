"""What a file says about a trigger or an event source: what a person decides, in a fixed order.

The names are those of the HTTP contract. What is empty is left out, and so is what changes by
itself (versions, statistics, the last run) or holds in one place alone (ARNs, secrets).
"""

import json
from typing import Any

from events.models import REPLAY_SECONDS, EventSource
from moca.times import iso
from triggers.api.body import MAPS
from triggers.models import Trigger

# In the order in which a person would write them.
SHARED = {
    "name": "name",
    "description": "description",
    "type": "type",
    "enabled": "enabled",
    "agentId": "agent_id",
    "prompt": "prompt",
    "includeContext": "include_context",
    "sessionId": "session_id",
    "modelId": "model_id",
    "workingDirectory": "working_directory",
    "enabledTools": "enabled_tools",
    "scheduleConfig": "schedule_config",
    "eventConfig": "event_config",
    "timeoutSeconds": "timeout_seconds",
    "overlapPolicy": "overlap_policy",
    "maxRetries": "max_retries",
    "pauseAfterFailures": "pause_after_failures",
    "tags": "tags",
}
# Named one by one: a source has secrets besides, which no file may have.
OF_SOURCE = {
    "id": "id",
    "name": "name",
    "description": "description",
    "icon": "icon",
    "kind": "kind",
    "eventBusName": "bus_name",
    "eventPattern": "pattern",
    "replayWindowSeconds": "replay_seconds",
}
# What a source has that says nothing else, which is left out as what is empty is.
SOURCE_DEFAULTS = {"replayWindowSeconds": REPLAY_SECONDS}


def body(trigger: Trigger) -> dict[str, Any]:
    """What a request to the API would hold to make the trigger."""
    values = {name: getattr(trigger, field) for name, field in SHARED.items()}
    return given({name: _parts(name, value) for name, value in values.items()})


def entry(trigger: Trigger) -> dict[str, Any]:
    """The trigger with what makes it the same one elsewhere; a rate counts from `createdAt`."""
    known = {"id": trigger.pk, "userId": trigger.user_id, "createdAt": iso(trigger.created_at)}
    return known | body(trigger)


def source_entry(source: EventSource) -> dict[str, Any]:
    """The event source without its secrets."""
    values = {name: getattr(source, field) for name, field in OF_SOURCE.items()}
    return given_of_source({name: _in_order(value) for name, value in values.items()})


def given_of_source(values: dict[str, Any]) -> dict[str, Any]:
    """The values of an event source that are neither empty nor what they are anyhow."""
    found = given(values)
    return {name: found[name] for name in found if not same(found[name], SOURCE_DEFAULTS.get(name))}


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not empty; an empty list of tools says that there are to be none."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "", [], {}) or (name == "enabledTools" and value == [])
    }


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, where 1 and true are two."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _parts(name: str, value: Any) -> Any:
    """A map's parts that a person writes, in their order."""
    if name not in MAPS or not isinstance(value, dict):
        return value
    return given({part: _in_order(value.get(part)) for part in MAPS[name][1]})


def _in_order(value: Any) -> Any:
    """A value with its keys sorted, since not every database keeps the order of a pattern's."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value
