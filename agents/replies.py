"""Collects what an agent says and does: a Transcript grows with each event and becomes a Reply."""

from __future__ import annotations

import json
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from agents.masking import Mask, MaskedText
from agents.output import Output
from agents.schemas import kept_schema

Outcome = Literal["success", "interrupted", "refused", "limited", "cancelled"]

# A DynamoDB item has at most 400 KB, and each write of a run costs by the size of its item. The
# output takes up to 128 KB, an event 200 KB, a person's answers 8 KB.
KEPT_REASONING_BYTES = 16 * 1024
KEPT_TOOLS = 100
KEPT_TOOL_CHARACTERS = 2000
KEPT_TOOLS_BYTES = 32 * 1024
# Characters of a text and of an id that are held until they are masked and cut. An agent may send
# megabytes of each, which would be masked again at every write.
_HELD_CHARACTERS = 8 * KEPT_TOOL_CHARACTERS
_HELD_ID = 1000
# Bytes of a tool's id, of its name, and of the rest of a stored call beside its input and result.
KEPT_NAME_BYTES = 96
_CALL_BYTES = 100
KEPT_QUESTIONS = 10
KEPT_QUESTIONS_BYTES = 8 * 1024

# Outcomes by stop reason, in lower case and without underscores. Any other reason is the usual end.
_STOPPED: dict[str, Outcome] = {
    "guardrailintervened": "refused",
    "contentfiltered": "refused",
    "contentfilter": "refused",
    "refusal": "refused",
    "safety": "refused",
    "maxtokens": "limited",
    "maxoutputtokens": "limited",
    "length": "limited",
    "limitoutputtokens": "limited",
    "limittotaltokens": "limited",
    "limitturns": "limited",
    "modelcontextwindowexceeded": "limited",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "interrupt": "interrupted",
    "checkpoint": "interrupted",
}


def outcome_of(stop_reason: Any) -> Outcome | None:
    """Return the outcome that a stop reason means. None if it is no text, or a call of a tool."""
    if not isinstance(stop_reason, str) or not stop_reason:
        return None
    name = stop_reason.replace("_", "").replace("-", "").lower()
    return None if name in ("tooluse", "toolcalls") else _STOPPED.get(name, "success")


@dataclass(slots=True)
class ToolUse:
    """One call of a tool.

    `input` and `result` are JSON or text, cut to 2,000 characters. `result` is None until there is
    one. `at_ms` is the milliseconds from the answer's beginning to the call, `took_ms` those from
    the call to the result.
    """

    id: str
    name: str
    input: str = ""
    result: str | None = None
    failed: bool = False
    at_ms: int = 0
    took_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a person, for which an interrupted run waits.

    `schema` is the JSON schema of the answer, or None if any answer is good. `id` is the agent's
    own, and the answer must name it.
    """

    id: str
    text: str
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent said and used.

    Token counts are sums over the model's calls. `duration_ms` is the agent's own figure, in
    milliseconds. `request_id`, `session_id`, `task_id` and `duration_ms` are None if the agent does
    not name them. `questions` belong to an answer whose outcome is "interrupted".
    """

    output: Output
    input_tokens: int
    output_tokens: int
    request_id: str | None
    session_id: str | None
    duration_ms: int | None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning: str = ""
    tools: tuple[ToolUse, ...] = ()
    outcome: Outcome = "success"
    questions: tuple[Question, ...] = ()
    task_id: str | None = None


@dataclass(slots=True)
class Usage:
    """Tokens used."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def add(self, other: Usage) -> None:
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write


@dataclass(slots=True)
class _Text:
    """A text that grows by pieces. They are joined and masked at each flush, which is faster."""

    masked: MaskedText
    output: Output = field(default_factory=Output)
    pieces: list[str] = field(default_factory=list)

    def flush(self, *, end: bool = False) -> None:
        text = ""
        if self.pieces:
            text = self.masked.add("".join(self.pieces))
            self.pieces.clear()
        if end:
            text += self.masked.end()
        if text:
            self.output.append(text)


class Transcript:
    """Collects the events of one answer. Masks secrets before it keeps anything.

    `say` and `think` append a piece of the answer or of the reasoning to a list. They are the
    lists' own `append`, which is the fastest way in Python.
    """

    def __init__(self, mask: Mask | None = None, clock: Callable[[], float] = time.monotonic):
        self._mask = mask or Mask()
        # Held while events are put in, so that another thread can read what has come so far.
        self.lock = threading.Lock()
        self._said = _Text(MaskedText(self._mask))
        self._thought = _Text(MaskedText(self._mask))
        self._clock = clock
        self._began = clock()
        self._tools: dict[str, ToolUse] = {}
        self.say = self._said.pieces.append
        self.think = self._thought.pieces.append
        self.usage = Usage()
        self.outcome: Outcome | None = None
        self.questions: list[Question] = []
        self.request_id: str | None = None
        self.session_id: str | None = None
        self.task_id: str | None = None
        self.duration_ms: int | None = None
        # Whether the answer has ended. Nothing after its end is read.
        self.complete = False

    @property
    def output(self) -> Output:
        return self._said.output

    @property
    def said_anything(self) -> bool:
        """Whether the agent has said, thought or called anything."""
        text = self._said.pieces or self._said.output.total_bytes
        return bool(text or self._thought.output.total_bytes or self._tools or self.questions)

    @property
    def lacks_result(self) -> bool:
        """Whether a tool was called that has returned nothing so far."""
        return any(tool.result is None for tool in self._tools.values())

    @property
    def has_text(self) -> bool:
        """Whether there is text of the answer."""
        return bool(self._said.pieces or self._said.output.total_bytes)

    def flush(self) -> None:
        """Put all pieces so far into the output."""
        self._said.flush()
        self._thought.flush()

    def call(self, tool_id: str, name: str, given: str = "") -> None:
        """Note the call of a tool. A second note of the same call changes nothing."""
        tool_id = tool_id[:_HELD_ID]
        if tool_id in self._tools or len(self._tools) >= KEPT_TOOLS:
            return
        at_ms = round((self._clock() - self._began) * 1000)
        self._tools[tool_id] = ToolUse(tool_id, printable(name[:_HELD_ID])[:200], at_ms=at_ms)
        self.call_input(tool_id, given)

    def call_input(self, tool_id: str | None, piece: str) -> None:
        """Note the next piece of a tool's input."""
        tool = self._tools.get((tool_id or "")[:_HELD_ID])
        if tool is not None and piece and len(tool.input) < _HELD_CHARACTERS:
            tool.input += piece[:_HELD_CHARACTERS]

    def call_of(self, tool_id: str) -> ToolUse | None:
        """Return a call that was noted, with its input so far; None if there is none of the id."""
        return self._tools.get(tool_id[:_HELD_ID])

    def call_result(self, tool_id: str, result: str, *, failed: bool = False) -> None:
        """Note what a tool returned."""
        tool = self._tools.get(tool_id[:_HELD_ID])
        if tool is not None and tool.result is None:
            tool.result = result[:_HELD_CHARACTERS]
            tool.failed = failed
            took = self._clock() - self._began
            tool.took_ms = max(0, round(took * 1000) - tool.at_ms)

    def ask(self, question: Question) -> None:
        """Note a question to a person. The outcome becomes "interrupted"."""
        self.outcome = "interrupted"
        if len(self.questions) < KEPT_QUESTIONS and self._can_be_named(question.id):
            schema, text = self._kept_schema(question.schema), question.text[:_HELD_CHARACTERS]
            question = replace(question, text=text, schema=schema)
            if question not in self.questions:
                self.questions.append(question)

    def _can_be_named(self, question_id: str) -> bool:
        """Whether an id can be kept whole, since the answer must name it."""
        most = KEPT_QUESTIONS_BYTES // KEPT_QUESTIONS // 2
        if len(question_id) > most or printable(question_id) != question_id:
            return False
        return _size(question_id) <= most and not self._mask.holds(question_id)

    def _kept_schema(self, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        # Without a schema, any answer is good.
        return schema and kept_schema(schema, self._clean, KEPT_QUESTIONS_BYTES)

    def _clean(self, text: str) -> str:
        return self._mask.text(printable(text))

    def stop(self, stop_reason: Any) -> None:
        """Note why a model stopped. A question to a person counts for more."""
        outcome = outcome_of(stop_reason)
        if outcome is not None and self.outcome != "interrupted":
            self.outcome = outcome

    def reply(self) -> Reply:
        """Return all that has come, at the end."""
        self._said.flush(end=True)
        self._thought.flush(end=True)
        return self._reply(self.output)

    def so_far(self) -> Reply:
        """Return what has come so far. Safe to call in another thread while the answer goes on."""
        with self.lock:
            output = Output.stored(self.output.head, self.output.tail, self.output.total_bytes)
            return self._reply(output)

    def _reply(self, output: Output) -> Reply:
        return Reply(
            output=output,
            input_tokens=self.usage.input,
            output_tokens=self.usage.output,
            cache_read_tokens=self.usage.cache_read,
            cache_write_tokens=self.usage.cache_write,
            request_id=self._name(self.request_id),
            session_id=self._name(self.session_id),
            task_id=self._name(self.task_id),
            duration_ms=self.duration_ms,
            reasoning=_cut_bytes(self._thought.output.text, KEPT_REASONING_BYTES),
            tools=tuple(self._kept_tools()),
            outcome=self.outcome or "success",
            questions=tuple(self._kept_questions()),
        )

    def _name(self, name: str | None) -> str | None:
        name = printable(name) if name else None
        return self._mask.text(name) if name else None

    def _kept_tools(self) -> list[ToolUse]:
        """Return the calls of tools, masked and cut to `KEPT_TOOLS_BYTES` together."""
        kept: list[ToolUse] = []
        names = [(self._short(tool.id), self._short(tool.name)) for tool in self._tools.values()]
        left = KEPT_TOOLS_BYTES - sum(_CALL_BYTES + _size(*each) for each in names)
        for (tool_id, name), tool in zip(names, self._tools.values(), strict=True):
            given = _cut_both(self._mask.text(tool.input), left // 2)
            result = tool.result
            if result is not None:
                result = _cut_both(self._mask.text(result), left // 2)
            left -= _size(given, result or "")
            values = {**asdict(tool), "id": tool_id, "name": name}
            kept.append(ToolUse(**{**values, "input": given, "result": result}))
        return kept

    def _short(self, name: str) -> str:
        return _cut_bytes(self._mask.text(printable(name)), KEPT_NAME_BYTES)

    def _kept_questions(self) -> list[Question]:
        """Return the questions, masked, each cut to its share of `KEPT_QUESTIONS_BYTES`."""
        if not self.questions:
            return []
        share = KEPT_QUESTIONS_BYTES // len(self.questions)
        return [self._masked_question(each, share) for each in self.questions]

    def _masked_question(self, question: Question, most_bytes: int) -> Question:
        text = _cut(self._mask.text(printable(question.text)), KEPT_TOOL_CHARACTERS)
        text = _cut_bytes(text, most_bytes // 3)
        schema = question.schema
        left = most_bytes - _size(question.id, text)
        if schema is not None and _size(json.dumps(schema, ensure_ascii=False)) > left:
            # Without a schema, any answer is good.
            schema = None
        return Question(question.id, text, schema)


def reply_of_task(task_id: str) -> Reply:
    """Return the reply of an agent that has named its task, and said nothing yet."""
    transcript = Transcript()
    transcript.task_id = task_id
    return transcript.reply()


def count(value: Any) -> int:
    """Return an agent's figure as a whole number, or 0 if it is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if number and 0 <= value < 2**53 else 0


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return a JSON array, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def name(value: Any) -> str | None:
    """Return a text for records and logs, or None if the value is no text or empty."""
    return printable(value[:_HELD_ID]) or None if isinstance(value, str) else None


def printable(text: str) -> str:
    """Return a text without control characters and halves of characters, for records and logs."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def as_text(value: Any) -> str:
    """Return a JSON value as a person reads it: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _cut(text: str, limit: int) -> str:
    text = printable(text)
    return text if len(text) <= limit else text[: max(0, limit)] + " [...]"


def _cut_both(text: str, most_bytes: int) -> str:
    """Cut a tool's input or result by its characters, and by the bytes that are left for it."""
    return _cut_bytes(_cut(text, KEPT_TOOL_CHARACTERS), max(0, most_bytes))


def _size(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


def _cut_bytes(text: str, limit: int) -> str:
    data = text.encode()
    return text if len(data) <= limit else data[:limit].decode("utf-8", "ignore") + " [...]"
