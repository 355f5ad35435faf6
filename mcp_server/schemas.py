"""JSON Schemas of tools, from the API's own serializers, so that each rule is written once."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.serializers import EventSourceSerializer
from executions.agent_records.serializers import AgentNameSerializer
from executions.serializers import ExecutionSerializer
from moca.api.json_schema import COMPONENTS, Schema, each
from moca.api.serializers import RowSerializer
from triggers.serializers import TriggerSerializer

_PREFIX = "#/components/schemas/"


def written_fields(*, is_new: bool) -> tuple[dict[str, Schema], list[str]]:
    """The fields of a trigger that a request sets, and the names of those that it has to set."""
    columns = TriggerSerializer.written().values()
    needed = [column.name for column in columns if is_new and column.is_needed]
    return {column.name: column.shape(is_request=True) for column in columns}, needed


def arguments(fields: Mapping[str, Schema], needed: Iterable[str] = ()) -> Schema:
    """The schema of a tool's arguments; there are no others."""
    schema: Schema = {"type": "object", "properties": dict(fields), "additionalProperties": False}
    if needed := list(needed):
        schema["required"] = needed
    return self_contained(schema)


def record(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """The schema of an object with fields that it always has, and others."""
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
    }


def trigger() -> Schema:
    return TriggerSerializer.answer_shape()


def execution() -> Schema:
    return ExecutionSerializer.answer_shape()


def agents() -> Schema:
    return each(_row(AgentNameSerializer))


def event_sources() -> Schema:
    return each(_row(EventSourceSerializer))


def _row(serializer: type[RowSerializer]) -> Schema:
    return serializer.answer_shape()


def returned(schema: Schema) -> Schema:
    """The schema of a tool's result, without texts: an agent pays for each word of a list."""
    found: Schema = _without_texts(self_contained(schema))
    return found


def _without_texts(value: Any, *, is_schema: bool = True) -> Any:
    if isinstance(value, list):
        return [_without_texts(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_texts(one, is_schema=not is_schema or name not in ("properties", "$defs"))
        for name, one in value.items()
        if not (is_schema and name == "description")
    }


def self_contained(schema: Schema) -> Schema:
    """The same schema with the components that it refers to in `$defs`."""
    used: dict[str, Schema] = {}
    found: Schema = _moved(schema, used)
    return {**found, "$defs": used} if used else found


def _moved(value: Any, used: dict[str, Schema]) -> Any:
    if isinstance(value, list):
        return [_moved(one, used) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(_PREFIX):
        return {name: _moved(one, used) for name, one in value.items()}
    name = reference.removeprefix(_PREFIX)
    if name not in used:
        used[name] = {}
        used[name] = _moved(COMPONENTS[name], used)
    return {**value, "$ref": f"#/$defs/{name}"}
