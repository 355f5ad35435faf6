"""What a request says about a trigger: from the contract's JSON to the model's fields.

The same for POST, PUT and PATCH: a field that is left out stays as it is, null clears an optional
one, and keys that are not ours to be written (`id`, `createdAt`, `nextRuns`) are passed over, since
clients send back whole triggers. The parts of the two maps are treated the same way.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from moca.api.errors import Detail, InvalidFieldsError, contract_name, detail, details_of
from triggers.models import OverlapPolicy, Trigger, TriggerType

NEEDED = ("name", "type", "agentId", "prompt")
_NEVER_NULL = object()


@dataclass(frozen=True, slots=True)
class Field:
    """How one field is read, and what null makes of it."""

    attribute: str
    read: Callable[[Any], Any]
    cleared: Any = _NEVER_NULL


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Give a text.")
    return value


def _some_text(value: Any) -> str:
    if not _text(value).strip():
        raise ValueError("Give a text that is not empty.")
    return _text(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Give true or false.")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("Give a whole number.")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("Give a list of texts.")
    return value


def _one_of(choices: list[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"Give one of {', '.join(choices)}.")
        return value

    return read


FIELDS = {
    "name": Field("name", _some_text),
    "description": Field("description", _text, cleared=""),
    "type": Field("type", _one_of(TriggerType.values)),
    "enabled": Field("enabled", _flag),
    "agentId": Field("agent_id", _some_text),
    "prompt": Field("prompt", _some_text),
    "includeContext": Field("include_context", _flag),
    "sessionId": Field("session_id", _text, cleared=""),
    "modelId": Field("model_id", _text, cleared=""),
    "workingDirectory": Field("working_directory", _text, cleared=""),
    "enabledTools": Field("enabled_tools", _list, cleared=None),
    "timeoutSeconds": Field("timeout_seconds", _number),
    "overlapPolicy": Field("overlap_policy", _one_of(OverlapPolicy.values)),
    "maxRetries": Field("max_retries", _number),
    "pauseAfterFailures": Field("pause_after_failures", _number, cleared=None),
    "tags": Field("tags", _list, cleared=[]),
}
# The parts of a map that a caller writes; others in it are ours and stay.
MAPS = {
    "scheduleConfig": (
        "schedule_config",
        ("expression", "timezone", "startDate", "endDate", "flexibleTimeWindowMinutes"),
    ),
    "eventConfig": (
        "event_config",
        ("eventSourceId", "eventBusName", "eventPattern", "debounceSeconds", "maxRunsPerHour"),
    ),
}


def fill(trigger: Trigger, body: Mapping[str, Any]) -> None:
    """Set what the body says, and check the result.

    Args:
        trigger: a new trigger, or one to be changed; the caller saves it.
        body: the JSON object of the request.

    Raises:
        InvalidFieldsError: with everything that is wrong.
    """
    found = [*_fill_fields(trigger, body), *_fill_maps(trigger, body)]
    if trigger._state.adding:
        if trigger.type == TriggerType.EVENT and "overlapPolicy" not in body:
            # Skipped, an event is lost; a schedule comes again.
            trigger.overlap_policy = OverlapPolicy.ALLOW
        missing = [name for name in NEEDED if name not in body]
        found += [detail(name, "This is needed.", "required") for name in missing]
    wrong = {one["field"] for one in found}
    found += [one for one in check(trigger, wrong) if one["field"].partition(".")[0] not in wrong]
    if found:
        raise InvalidFieldsError(sorted(found, key=_position))


def check(trigger: Trigger, wrong: Collection[str] = ()) -> Iterator[Detail]:
    """What the model's rules say against a trigger; fields that stay as they were pass.

    Args:
        trigger: the trigger with its new values.
        wrong: fields that are known to be wrong, by their names in the contract.
    """
    names = {field.name for field in trigger._meta.fields}
    unchanged = set() if trigger._state.adding else names - trigger.changed_fields()
    known = {name for name in names if contract_name(name) in wrong}
    rules: list[Callable[[], None]] = [lambda: trigger.clean_fields(exclude=unchanged | known)]
    # Without a type, nothing can be said about the maps.
    rules += [] if "type" in wrong else [trigger.clean]
    for rule in rules:
        try:
            rule()
        except ValidationError as error:
            yield from details_of(error)


def _fill_fields(trigger: Trigger, body: Mapping[str, Any]) -> Iterator[Detail]:
    for name, field in FIELDS.items():
        if name not in body:
            continue
        if body[name] is not None:
            try:
                value = field.read(body[name])
            except ValueError as error:
                yield detail(name, str(error))
                continue
        elif field.cleared is _NEVER_NULL:
            yield detail(name, "This may not be null: leave it out to keep it.", "null")
            continue
        else:
            value = copy(field.cleared)
        _set(trigger, field.attribute, value)


def _set(trigger: Trigger, attribute: str, value: Any) -> None:
    if attribute != "enabled":
        setattr(trigger, attribute, value)
    elif value != trigger.enabled:
        switch(trigger, on=value)


def switch(trigger: Trigger, *, on: bool) -> None:
    """Enable or disable a trigger; one that is so already keeps all it has."""
    if on and not trigger.enabled:
        trigger.enable()
    elif not on and trigger.enabled:
        trigger.disable()


def _fill_maps(trigger: Trigger, body: Mapping[str, Any]) -> Iterator[Detail]:
    for name, (attribute, parts) in MAPS.items():
        if name not in body:
            continue
        value = body[name]
        if value is not None and not isinstance(value, dict):
            yield detail(name, f"Give an object with some of {', '.join(parts)}.")
            continue
        before = getattr(trigger, attribute)
        merged = dict(before) if isinstance(before, dict) else {}
        for part in parts:
            if value is None or part in value:
                given = None if value is None else value[part]
                merged.pop(part, None)
                if given not in (None, ""):
                    merged[part] = given
        setattr(trigger, attribute, merged or None)


def _position(one: Detail) -> int:
    names = [*FIELDS, *MAPS]
    name = one["field"].partition(".")[0]
    return names.index(name) if name in names else len(names)
