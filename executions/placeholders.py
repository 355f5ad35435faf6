"""Parts of the event in a prompt: `{{ event.detail.order.id }}`.

There is no logic in them: a path is looked up and its value stands in its place, a text as it is
and anything else as JSON. Names are divided by dots and may be quoted in brackets, elements of
lists have their number: `{{ event["detail-type"] }}`, `{{ event.resources[0] }}`. Braces around
anything but a path that begins with `event` stay as they are, and so does what a value holds.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_STEP = r"""(?:\.[\w-]+|\[(?:\d+|"[^"\]]*"|'[^'\]]*')\])"""
_PLACEHOLDER = re.compile(r"\{\{\s*(event" + _STEP + r"*)\s*\}\}")
_BRACES = re.compile(r"\{\{[^{}]*\}\}")
_NAME = re.compile(r"""\.([\w-]+)|\[(\d+)\]|\[["']([^"'\]]*)["']\]""")
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

    def value(found: re.Match[str]) -> str:
        nonlocal left
        text = _text(found[1], _value(found[1], event), most=min(MAX_VALUE, left))
        left = max(0, left - len(text))
        return text

    return _PLACEHOLDER.sub(value, prompt)


def missing(prompt: str, event: Mapping[str, Any]) -> list[str]:
    """The paths in a prompt that lead to nothing in the event, each once, in their order."""
    return [path for path in paths(prompt) if _value(path, event) is _MISSING]


def paths(prompt: str) -> list[str]:
    """The paths in a prompt, each once, in their order."""
    return list(dict.fromkeys(found[1] for found in _PLACEHOLDER.finditer(prompt)))


def unread(prompt: str) -> list[str]:
    """What stands in double braces and is no path of the event, each once, in its order."""
    found = (braces for braces in _BRACES.findall(prompt) if not _PLACEHOLDER.fullmatch(braces))
    return list(dict.fromkeys(found))


def _steps(path: str) -> Iterator[str]:
    for name, number, quoted in _NAME.findall(path):
        yield name or number or quoted


def _value(path: str, event: Mapping[str, Any]) -> Any:
    value: Any = event
    for step in _steps(path):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and _is_number(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


def _is_number(step: str) -> bool:
    return step.isdecimal() and len(step) <= MAX_DIGITS


def _text(path: str, value: Any, *, most: int) -> str:
    if value is _MISSING:
        return f"(the event has no {path.removeprefix('event').lstrip('.') or 'content'})"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= most else f"{text[:most]} (cut: {len(text):,} characters)"
