"""Turns triggers and event sources into entries of a file, with the fields that people set.

Names are those of the HTTP API, in a fixed order. Empty fields are left out. There are no fields
that change by themselves (versions, statistics, the last run), and none that are valid in one
installation only (ARNs, secrets).
"""

import json
from typing import Any

from events.models import EventSource
from events.serializers import EventSourceSerializer
from moca.api.serializers import MapSerializer, RowSerializer
from moca.times import iso
from triggers.models import Trigger
from triggers.serializers import TriggerSerializer

# No file can contain secrets of sources, since they are no field of the serializer.
OF_TRIGGER, OF_SOURCE = TriggerSerializer.written(), EventSourceSerializer.written()
# For each map, the parts that people set.
MAPS = {
    name: column.field.parts(written=True)
    for name, column in OF_TRIGGER.items()
    if isinstance(column.field, MapSerializer)
}


def body(trigger: Trigger) -> dict[str, Any]:
    """The body of a request to the API that would create the trigger."""
    return without_empty(_values(trigger, TriggerSerializer))


def trigger_entry(trigger: Trigger) -> dict[str, Any]:
    """The trigger with its id, its owner and `createdAt`, which a rate counts from."""
    known = {"id": trigger.pk, "userId": trigger.user_id, "createdAt": iso(trigger.created_at)}
    return known | body(trigger)


def source_entry(source: EventSource) -> dict[str, Any]:
    """The event source without its secrets."""
    return without_defaults(_values(source, EventSourceSerializer))


def without_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """The values of an event source that are neither empty nor the defaults."""
    optional = {
        name: column.read(None) for name, column in OF_SOURCE.items() if column.may_be_empty
    }
    return {
        name: value
        for name, value in without_empty(values).items()
        if name not in optional or not json_equal(value, optional[name])
    }


def without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not empty; an empty list of tools stays, since it means no tools."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "", [], {}) or (name == "enabledTools" and value == [])
    }


def json_equal(one: Any, other: Any) -> bool:
    """Whether two values are equal in JSON, where 1 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _values(row: Any, serializer: type[RowSerializer]) -> dict[str, Any]:
    """The values of the fields that requests and files set, by name."""
    return {
        name: _parts(name, getattr(row, column.attribute))
        for name, column in serializer.written().items()
    }


def _parts(name: str, value: Any) -> Any:
    """A value; of a map, only the parts that people set."""
    if name not in MAPS or not isinstance(value, dict):
        return _in_order(value)
    return without_empty({part: _in_order(value.get(part)) for part in MAPS[name]})


def _in_order(value: Any) -> Any:
    """A value with sorted keys, since not every database keeps the order of keys."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value
