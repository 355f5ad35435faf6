"""Parts of the event in a prompt: each path of `triggers.placeholders` gives way to its value.

A text stands there as it is, and anything else as JSON. What a value holds is not looked at again.
"""

import json
from collections.abc import Mapping
from typing import Any

from executions.failures import AND_MORE, PLACEHOLDER
from triggers.placeholders import Steps, not_understood, paths, steps_of, substitute

# Characters of one value, and of all in a prompt, lest it become longer than an agent reads.
MAX_VALUE = 50_000
MAX_VALUES = 200_000
# Digits of an element's number: no event has more elements.
MAX_DIGITS = 6

_MISSING = object()


def fill(prompt: str, event: Mapping[str, Any]) -> str:
    """The prompt with the event's values; what the event lacks is said in its place.

    Args:
        prompt: the trigger's prompt.
        event: the EventBridge envelope.
    """
    left = MAX_VALUES
    # A large part may be named thousands of times: its JSON is written once.
    texts: dict[Steps, str] = {}

    def text_of(path: str, steps: Steps) -> str:
        nonlocal left
        value = _value(steps, event)
        if value is _MISSING:
            return f"(the event has no {path.removeprefix('event').lstrip('.') or 'content'})"
        if not left:
            return "(cut)"
        if steps not in texts:
            texts[steps] = value if isinstance(value, str) else _json(value)
        text, most = texts[steps], min(MAX_VALUE, left)
        left -= min(len(text), most)
        return text if len(text) <= most else f"{text[:most]} (cut: {len(text):,} characters)"

    return substitute(prompt, text_of)


def missing(prompt: str, event: Mapping[str, Any]) -> list[str]:
    """The paths in a prompt that lead to nothing in the event, each once, in their order."""
    return [path for path in paths(prompt) if _value(steps_of(path), event) is _MISSING]


def note(prompt: str) -> str:
    """What a run says of a prompt that was saved before such prompts were refused; else empty.

    It is a `Reason`.
    """
    found = not_understood(prompt)
    if not found:
        return ""
    braces = AND_MORE(braces=found[0], number=len(found) - 1) if len(found) > 1 else found[0]
    return PLACEHOLDER(braces=braces)


def _value(steps: Steps, event: Mapping[str, Any]) -> Any:
    value: Any = event
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and _is_number(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


def _is_number(step: str) -> bool:
    return step.isdecimal() and len(step) <= MAX_DIGITS


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
