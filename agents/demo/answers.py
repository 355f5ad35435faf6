"""Makes the demo agent's answer from a prompt and its `demo:` lines, for any protocol."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, Self

_DIRECTIVE = re.compile(r"^[ \t]*demo:[ \t]*([a-z0-9-]+)[ \t]*(.*)$", re.MULTILINE)
_TRIGGER_NAME = re.compile(r"(?im)^\|[ \t]*trigger(?: name)?[ \t]*\|[ \t]*(\S.*)\|[ \t]*$")
_SIZE = re.compile(r"(\d+)(KB|MB)?", re.IGNORECASE)
_UNITS = {"": 1, "kb": 1000, "mb": 1000 * 1000}

# How a complete answer ends.
Ending = Literal["success", "asks", "refused", "limited", "cancelled"]


@dataclass(frozen=True, slots=True)
class Script:
    """The `demo:` lines of a prompt: each name with its arguments."""

    steps: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, prompt: str) -> Self:
        """Find the lines. If a name comes twice, the last one counts."""
        return cls({name: rest.split() for name, rest in _DIRECTIVE.findall(prompt)})

    def __contains__(self, name: str) -> bool:
        return name in self.steps

    def seconds(self, name: str, default: float = 0) -> float:
        """The first argument of `name` as seconds, at most an hour."""
        with suppress(IndexError, KeyError, ValueError):
            return min(max(float(self.steps[name][0]), 0), 3600)
        return default

    def size(self, name: str) -> int:
        """The first argument of `name` as bytes, such as 500, 64KB or 2MB."""
        arguments = self.steps.get(name) or [""]
        match = _SIZE.fullmatch(arguments[0])
        return int(match[1]) * _UNITS[(match[2] or "").lower()] if match else 0

    def words(self, name: str, default: str) -> str:
        """All arguments of `name` as one text, or `default` if there are none."""
        return " ".join(self.steps.get(name) or []) or default


def answer_text(prompt: str) -> str:
    """Return what the demo agent says to a prompt."""
    task, _, _ = prompt.partition("\n---")
    lines = [line.strip() for line in _DIRECTIVE.sub("", task).splitlines() if line.strip()]
    trigger = _TRIGGER_NAME.search(prompt)
    greeting = (
        f"Hello! The trigger \u201c{trigger[1].strip()}\u201d woke me. " if trigger else "Hello! "
    )
    first = lines[0][:500] if lines else "(nothing)"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"{greeting}You asked me: {first}\n\n"
        f"It is {now} UTC. I am the demo agent: I show what a run looks like, and leave the "
        "thinking to the agent that you connect by AGENT_API_URL \u2014 any that speaks as I do."
    )


def resumed_text(answer: str) -> str:
    """Return what the demo agent says when a person has answered its question."""
    return f"{answer_text(answer)}\n\nThat was the answer to my question, so I went on with it."


@dataclass(frozen=True)
class Answer:
    """What the demo agent answers to one request.

    `text` is what it says, `script` how the prompt steers it. `session_id` and `run_id` come from
    the request.
    """

    text: str
    script: Script
    session_id: str = ""
    run_id: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @cached_property
    def words(self) -> list[str]:
        """The words of the text, each with the space after it."""
        return re.findall(r"\S+\s*", self.text)

    @property
    def ending(self) -> Ending:
        """How the answer ends if nothing fails."""
        script = self.script
        if "ask" in script:
            return "asks"
        if "guardrail" in script:
            return "refused"
        if "max-tokens" in script:
            return "limited"
        return "cancelled" if "cancelled" in script else "success"

    @property
    def question(self) -> str:
        """What a person is asked."""
        return self.script.words("ask", "Shall I go on?")

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the answer, for protocols that send one. None if there is none."""
        if "schema" not in self.script:
            return None
        with suppress(ValueError):
            found = json.loads(self.script.words("schema", ""))
            return found if isinstance(found, dict) else None
        return None
