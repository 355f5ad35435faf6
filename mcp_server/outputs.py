"""Keeps results of tools short: an agent reads each character, and asks for more if it needs it."""

from collections.abc import Mapping
from typing import Any

# Characters of a prompt or of an event in a list, and of what a tool of the agent took or returned.
SHORT = 300
# The most tools of a run that are shown.
MOST_TOOLS = 40
# The bytes of an agent's output in a result, unless more are asked for.
PART, LEAST_PART, MOST_PART = 20_000, 1_000, 100_000


def short_trigger(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """A trigger in a list: the beginning of its prompt."""
    return {**trigger, "prompt": _short(trigger["prompt"])}


def short_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run in a list: the beginning of its event."""
    found = dict(run)
    if "eventPayload" in found:
        found["eventPayload"] = _short(found["eventPayload"])
    return found


def whole_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run by itself, without its text and what the agent thought."""
    found = {name: value for name, value in run.items() if name not in ("output", "reasoning")}
    if "toolUses" in found:
        found["toolUses"] = [_short_tool(each) for each in found["toolUses"][-MOST_TOOLS:]]
    return found


def _short_tool(use: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _short(value) if name in ("input", "result") else value for name, value in use.items()
    }


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[:SHORT]}... [{len(text)} characters]"
