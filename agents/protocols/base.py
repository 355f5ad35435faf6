"""What each protocol provides: the request of an invocation, and a reader of the answer."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agents import errors
from agents.errors import AgentError
from agents.framing import Batch, document, event_values, json_lines, unreadable
from agents.invocation import Invocation
from agents.replies import Reply, Transcript, mapping, name, printable
from moca.sentences import Code

# Keys under which an error says why, the likeliest first.
_REASON_KEYS = ("message", "error", "text", "detail", "error_type", "code")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to the agent: its body, and headers beside those of the client."""

    content: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)


class Reader(ABC):
    """Puts the events of one answer into a transcript.

    Attributes:
        lines: whether bodies of an unknown media type are JSON, one value a line.
        plain: whether text that is no JSON may be an answer.
    """

    lines: ClassVar[bool] = False
    plain: ClassVar[bool] = False

    def __init__(self, transcript: Transcript, media_type: str) -> None:
        self.transcript = transcript
        # The first value that is no event of the protocol.
        self.unknown: Any = None

    @abstractmethod
    def take(self, values: Batch) -> None:
        """Take the next values of a stream, until the transcript is complete."""

    def take_document(self, value: Any) -> None:
        """Take an answer that is one document."""
        self.take(value if isinstance(value, list) else [value])

    @abstractmethod
    def end(self) -> None:
        """Check, at the end of the body, that the answer has ended; raises AgentError."""

    def skip(self, value: Any) -> None:
        """Note a value that is not understood; it is quoted where nothing else is."""
        if self.unknown is None:
            self.unknown = value

    def check_understood(self) -> None:
        """Raise AgentError where something came, and nothing of it was understood."""
        if self.unknown is not None and not self.transcript.said_anything:
            raise not_understood(self.unknown)


class Protocol(ABC):
    """A way to talk to an agent. Adding one is a module, a row in the table and its tests."""

    name: ClassVar[str]
    # The media types to ask for.
    accept: ClassVar[str]
    # What is appended to a URL without a path.
    path: ClassVar[str] = "/invocations"
    reader: ClassVar[type[Reader]]

    @abstractmethod
    def request(self, invocation: Invocation, url: str) -> Request:
        """The request that sends an invocation.

        Args:
            invocation: what is asked.
            url: where it goes, since a protocol may have requests of several forms.
        """

    def cancel(self, reply: Reply) -> Request | None:
        """The request that ends a run under way; None where the protocol has none.

        Args:
            reply: what has come of the answer, which names the run.
        """
        return None


def read(reader: Reader, chunks: Iterable[bytes], media_type: str) -> Iterator[None]:
    """Read a body to the end of the answer, pausing after each piece.

    Raises AgentError where the agent fails, or sends what cannot be read.
    """
    transcript = reader.transcript
    if media_type == "text/event-stream":
        batches: Iterator[Batch] = event_values(chunks, reported, plain=reader.plain)
    elif media_type == "application/json" or not reader.lines:
        reader.take_document(document(chunks, plain=reader.plain))
        transcript.flush()
        yield
        reader.end()
        return
    else:
        batches = json_lines(chunks)
    for batch in batches:
        reader.take(batch)
        transcript.flush()
        yield
        if transcript.complete:
            return
    reader.end()


def reported(data: str) -> AgentError:
    """The failure that an event named `error` reports, whatever the protocol of its data."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = data
    return failure(value, request_id=name(mapping(value).get("requestId")))


def failure(
    error: Any, *, request_id: str | None = None, silently: Code = errors.AGENT_FAILED_SILENTLY
) -> AgentError:
    """The failure that an agent reports, with the reason that it gives, or `silently` for none."""
    reason = printable(_reason(error, _DEEPEST).strip())
    own = None if reason else silently()
    return AgentError(own, quoted=reason, kind="agent", reached=True, request_id=request_id)


def not_understood(value: Any) -> AgentError:
    """The error of an answer in another protocol than the one that was expected."""
    quoted = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return unreadable(errors.NOT_UNDERSTOOD(), printable(quoted))


def _reason(error: Any, depth: int) -> str:
    """Why the agent failed: the first text where errors have one; empty where there is none."""
    if isinstance(error, str):
        return error
    if not depth or not isinstance(error, dict):
        return ""
    found = (_reason(error.get(key), depth - 1) for key in _REASON_KEYS)
    return next((text for text in found if text.strip()), "")
