"""Writes an answer of the demo agent as the body of an HTTP response, for any protocol.

A Writer is the counterpart of a Reader in `agents/protocols`: it makes what that reads.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from agents.demo.answers import Answer

Body = dict[str, Any]

CLOCK = "current_time"
CLOCK_INPUT = {"timezone": "UTC"}
TOKENS_IN, CLOCK_TOKENS = 40, 12
_FAILURE = "the prompt asks the demo agent to fail"


class Writer(ABC):
    """Writes one answer. Each piece is whole: an event, or a line."""

    media_type = "text/event-stream"
    # What a request has to hold, for those who send another one.
    asks_for: ClassVar[str] = "a prompt"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.script = answer.script

    @classmethod
    @abstractmethod
    def prompt(cls, body: Body) -> str | None:
        """The prompt of a request; None if the body is no request of this protocol."""

    @classmethod
    def answered(cls, body: Body) -> str | None:
        """What a person answered; None if the request is a new prompt."""
        return None

    @abstractmethod
    def begin(self) -> Iterator[bytes]:
        """What comes before the text."""

    @abstractmethod
    def text(self, text: str) -> bytes:
        """The next piece of the text."""

    def close(self) -> Iterator[bytes]:
        """What comes after the text and does not end the answer."""
        yield from ()

    @abstractmethod
    def complete(self) -> Iterator[bytes]:
        """The end of the answer, whatever `answer.ending` is."""

    @abstractmethod
    def fail(self, message: str) -> Iterator[bytes]:
        """A failure that the agent reports; `message` may be empty."""

    def crash(self, message: str) -> Iterator[bytes]:
        """A failure of the agent's code, which the server reports."""
        yield from self.fail(message)

    def after_failure(self, message: str) -> Iterator[bytes]:
        """What agents send that tell a failure twice, or go on after it."""
        yield from self.fail(message)
        yield from self.complete()

    def refusal(self, message: str) -> tuple[int, Any]:
        """A failure before the answer: the HTTP status, and a document or None for no body."""
        return 500, {"error": message}

    def document(self) -> Any:
        """The whole answer as one document; None if the protocol has no such form."""
        return None

    def frame(self, text: str) -> bytes:
        """One event with `text` as its data."""
        data = text.replace("\n", "\ndata: ")
        return f"data: {data}\n\n".encode()

    def event(self, value: Any) -> bytes:
        """One event with `value` as its data."""
        return self.frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def pieces(self) -> Iterator[bytes]:
        """The whole answer, with what the prompt's `demo:` lines make of it."""
        script, words = self.script, self.answer.words
        middle = len(words) // 2
        yield from self.begin()
        yield from map(self.text, words[:middle])
        if "bad-json" in script:
            yield self.frame('{"type": "modelContentBlockDelta')
        if "long-line" in script:
            yield self.text("x" * script.size("long-line"))
        failure = list(self._failure())
        if failure:
            yield from failure
            return
        yield from map(self.text, words[middle:])
        yield from self.close()
        if "no-completion" not in script:
            yield from self.complete()

    def _failure(self) -> Iterator[bytes]:
        script = self.script
        if "fail-silently" in script:
            yield from self.fail("")
        elif "fail-twice" in script:
            message = script.words("fail-twice", _FAILURE)
            yield from self.fail(message)
            yield from self.after_failure(message)
        elif "crash" in script:
            yield from self.crash(script.words("crash", _FAILURE))
        elif "fail" in script:
            yield from self.fail(script.words("fail", _FAILURE))


def text_of(value: Any) -> str | None:
    """A text as it is; None for any other value."""
    return value if isinstance(value, str) else None


def interrupt_responses(value: Any) -> str | None:
    """The answers of a person in the form of Strands, a line for each; None if it is none."""
    if not isinstance(value, list) or not value:
        return None
    blocks = [each.get("interruptResponse") if isinstance(each, dict) else None for each in value]
    answers = [
        block["response"] for block in blocks if isinstance(block, dict) and "response" in block
    ]
    return "\n".join(map(line_of, answers)) if len(answers) == len(value) else None


def line_of(value: Any) -> str:
    """A text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
