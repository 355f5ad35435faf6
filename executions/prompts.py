"""Compose the prompt of a run, for the runner and the pages that preview it.

The value of each path of the event (see `triggers.placeholders`) takes the path's place. A section
on what started the run is added, unless the trigger leaves it out.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings

from executions.failures import AND_MORE, PLACEHOLDER
from moca.times import iso
from triggers.models import Trigger
from triggers.placeholders import Steps, not_understood, paths, steps_of, substitute

# The most characters of one value, and of all values in a prompt, because agents read no more.
MAX_VALUE = 50_000
MAX_VALUES = 200_000
# The most digits in the index of a list. No event has a longer list.
MAX_DIGITS = 6

# The fields of a trigger that `compose()` reads.
FIELDS = ("prompt", "include_context", "name")

_MISSING = object()


def compose(trigger: Trigger, event: Mapping[str, Any], now: datetime) -> str:
    """Compose the prompt that the agent is sent in one run.

    The Markdown file that AGENT_PROMPT_TEMPLATE names gives the section on what started the run. It
    contains `$prompt`, `$trigger_name`, `$execution_time`, `$event_source`, `$event_type`,
    `$region`, `$event_id` and `$payload`.

    Args:
        trigger: the trigger that fires.
        event: the EventBridge envelope that started the run.
        now: when the run started.

    Raises:
        OSError: the file cannot be read.
    """
    own = fill(trigger.prompt, event)
    if not trigger.include_context:
        return own
    return _template(settings.AGENT_PROMPT_TEMPLATE).safe_substitute(
        prompt=own,
        trigger_name=_cell(trigger.name),
        execution_time=iso(now),
        event_source=_cell(event.get("source")),
        event_type=_cell(event.get("detail-type")),
        region=_cell(event.get("region")),
        event_id=_cell(event.get("id")),
        payload=json.dumps(event, ensure_ascii=False, indent=2),
    )


@lru_cache(maxsize=4)
def _template(path: str) -> Template:
    return Template(Path(path).read_text().rstrip("\n"))


def _cell(value: Any) -> str:
    """Write a value as the text of a cell in a Markdown table."""
    return " ".join(str(value or "-").split()).replace("|", "\\|")


def fill(prompt: str, event: Mapping[str, Any]) -> str:
    """Replace the paths in a prompt by the event's values.

    A text stands as it is, any other value as JSON. If the event lacks a value, the prompt says so
    in its place. Paths within a value are not replaced.

    Args:
        prompt: the trigger's prompt.
        event: the EventBridge envelope.
    """
    left = MAX_VALUES
    # A prompt may name a large value thousands of times, so its JSON is made once.
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
    """List the paths in a prompt that the event lacks, each once, in the prompt's order."""
    return [path for path in paths(prompt) if _value(steps_of(path), event) is _MISSING]


def warning(prompt: str) -> str:
    """Warn of braces in a prompt that name no part of the event.

    A prompt that was saved before such braces were refused may still have them.

    Returns:
        A `Reason`; an empty text if there are none.
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
