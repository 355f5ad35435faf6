"""What the demo agent says: the events of an answer, and how a prompt can steer them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

_DIRECTIVE = re.compile(r"^[ \t]*demo:[ \t]*([a-z0-9-]+)[ \t]*(.*)$", re.MULTILINE)
_TRIGGER_NAME = re.compile(r"(?im)^\|[ \t]*trigger(?: name)?[ \t]*\|[ \t]*(\S.*)\|[ \t]*$")
_SIZE = re.compile(r"(\d+)(KB|MB)?", re.IGNORECASE)
_UNITS = {"": 1, "kb": 1000, "mb": 1000 * 1000}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """The `demo:` lines of a prompt: each name with its arguments."""

    steps: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, prompt: str) -> Self:
        """Find the lines; a name that comes again replaces the earlier one."""
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


def answer_text(prompt: str) -> str:
    """What the demo agent says to a prompt."""
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


def events(text: str, script: Script, session_id: str) -> Iterator[Event]:
    """The events of an answer that looks at the clock once and then speaks."""
    yield from _clock_call()
    words = re.findall(r"\S+\s*", text)
    yield {"type": "modelMessageStartEvent", "role": "assistant"}
    yield {"type": "modelContentBlockStartEvent"}
    for number, word in enumerate(words):
        if number == len(words) // 2:
            fault = next(_faults(script), None)
            if fault is not None:
                yield fault
        yield text_delta(word)
    yield {"type": "modelContentBlockStopEvent"}
    yield {"type": "textBlock", "text": text}
    yield {"type": "modelMessageStopEvent", "stopReason": "endTurn"}
    yield _usage(40, len(words))
    content = [{"type": "textBlock", "text": text}]
    yield _message_added("assistant", content)
    if "no-completion" not in script:
        metadata = {
            "requestId": secrets.token_hex(8),
            "sessionId": session_id,
            "duration": 1200,
            "agentMetadata": {"name": "demo"},
        }
        yield {"type": "serverCompletionEvent", "metadata": metadata}


def _faults(script: Script) -> Iterator[Event]:
    if "fail" in script:
        message = " ".join(script.steps["fail"]) or "the prompt asks the demo agent to fail"
        error = {"message": message, "requestId": secrets.token_hex(8)}
        yield {"type": "serverErrorEvent", "error": error}
    if "bad-json" in script:
        yield {"raw": '{"type": "modelContentBlockDelta'}
    if "long-line" in script:
        yield text_delta("x" * script.size("long-line"))


def _clock_call() -> Iterator[Event]:
    tool = {"name": "current_time", "toolUseId": f"tooluse_{secrets.token_hex(8)}"}
    used = {"type": "toolUseBlock", **tool, "input": {"timezone": "UTC"}}
    said = {"type": "toolUseInputDelta", "input": '{"timezone": "UTC"}'}
    result = {"type": "toolResultBlock", "toolUseId": tool["toolUseId"], "status": "success"}
    yield {"type": "modelMessageStartEvent", "role": "assistant"}
    yield {"type": "modelContentBlockStartEvent", "start": {"type": "toolUseStart", **tool}}
    yield {"type": "modelContentBlockDeltaEvent", "delta": said}
    yield {"type": "modelContentBlockStopEvent"}
    yield used
    yield {"type": "modelMessageStopEvent", "stopReason": "toolUse"}
    yield _usage(25, 12)
    yield _message_added("assistant", [used])
    yield {"type": "beforeToolsEvent"}
    yield {"type": "afterToolsEvent"}
    yield _message_added("user", [result])


def _message_added(role: str, content: list[Event]) -> Event:
    return {"type": "messageAddedEvent", "message": {"role": role, "content": content}}


def _usage(given: int, made: int) -> Event:
    usage = {"inputTokens": given, "outputTokens": made, "totalTokens": given + made}
    return {"type": "modelMetadataEvent", "usage": usage}


def text_delta(text: str) -> Event:
    return {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": text}}


def line(event: Event, *, sse: bool) -> bytes:
    text = event.get("raw") or json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode() if sse else f"{text}\n".encode()


def single_bytes(lines: list[bytes]) -> list[bytes]:
    return [bytes([byte]) for byte in b"".join(lines)]
