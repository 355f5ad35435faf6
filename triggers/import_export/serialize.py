"""What a file says about a trigger or an event source: what a person decides, in a fixed order.

The names are those of the HTTP contract. What is empty is left out, and so is what changes by
itself (versions, statistics, the last run) or holds in one place alone (ARNs, secrets).
"""

import json
from typing import Any

from events.models import EventSource
from events.serializers import EventSourceSerializer
from moca.api.serializers import MapSerializer, RowSerializer
from moca.times import iso
from triggers.models import Trigger
from triggers.serializers import TriggerSerializer

# A source's secrets are no field of its serializer, so that no file can have them.
OF_TRIGGER, OF_SOURCE = TriggerSerializer.written(), EventSourceSerializer.written()
# The parts that a person writes of each map.
MAPS = {
    name: column.field.parts(written=True)
    for name, column in OF_TRIGGER.items()
    if isinstance(column.field, MapSerializer)
}


def body(trigger: Trigger) -> dict[str, Any]:
    """What a request to the API would hold to make the trigger."""
    return given(_values(trigger, TriggerSerializer))


def entry(trigger: Trigger) -> dict[str, Any]:
    """The trigger with what makes it the same one elsewhere; a rate counts from `createdAt`."""
    known = {"id": trigger.pk, "userId": trigger.user_id, "createdAt": iso(trigger.created_at)}
    return known | body(trigger)


def source_entry(source: EventSource) -> dict[str, Any]:
    """The event source without its secrets."""
    return given_of_source(_values(source, EventSourceSerializer))


def given_of_source(values: dict[str, Any]) -> dict[str, Any]:
    """The values of an event source that are neither empty nor what they are anyhow."""
    optional = {
        name: column.read(None) for name, column in OF_SOURCE.items() if column.may_be_empty
    }
    return {
        name: value
        for name, value in given(values).items()
        if name not in optional or not same(value, optional[name])
    }


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


def _values(row: Any, serializer: type[RowSerializer]) -> dict[str, Any]:
    """What a row has of the fields that requests and files set."""
    return {
        name: _parts(name, getattr(row, column.attribute))
        for name, column in serializer.written().items()
    }


def _parts(name: str, value: Any) -> Any:
    """A value; of a map, the parts that a person writes in their order."""
    if name not in MAPS or not isinstance(value, dict):
        return _in_order(value)
    return given({part: _in_order(value.get(part)) for part in MAPS[name]})


def _in_order(value: Any) -> Any:
    """A value with its keys sorted, since not every database keeps the order of a pattern's."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value
