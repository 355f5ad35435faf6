"""The interface of protocols: a Protocol makes requests, a Reader reads the answer."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agents import errors
from agents.errors import AgentError
from agents.framing import Batch, Document, Events, Frames, Lines, unreadable
from agents.invocation import Invocation
from agents.replies import Reply, Transcript, mapping, name, printable
from moca.sentences import Code

# Keys of an error that may have its reason, the likeliest first.
_REASON_KEYS = ("message", "error", "text", "detail", "error_type", "code")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to the agent: its body, and headers in addition to the client's."""

    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


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
        # The first value that is no event of the protocol, for the error's quotation.
        self.unknown: Any = None

    @abstractmethod
    def take(self, values: Batch) -> None:
        """Read the next values of a stream, until the transcript is complete."""

    def take_document(self, value: Any) -> None:
        """Read an answer that is one document."""
        self.take(value if isinstance(value, list) else [value])

    @abstractmethod
    def end(self) -> None:
        """Raise AgentError if the body has ended and the answer has not."""

    def skip(self, value: Any) -> None:
        """Note a value that is not understood. The error quotes the first one."""
        if self.unknown is None:
            self.unknown = value

    def check_understood(self) -> None:
        """Raise AgentError if values came and none was understood."""
        if self.unknown is not None and not self.transcript.said_anything:
            raise not_understood(self.unknown)


class Protocol(ABC):
    """A way to talk to an agent."""

    name: ClassVar[str]
    # The media types to ask for.
    accept: ClassVar[str]
    # What is appended to a URL without a path.
    path: ClassVar[str] = "/invocations"
    reader: ClassVar[type[Reader]]
    # Whether a second process can ask what became of a run, by `status()`.
    can_resume: ClassVar[bool] = False

    @abstractmethod
    def request(self, invocation: Invocation, url: str) -> Request:
        """Make the request that sends an invocation.

        Args:
            invocation: what is asked.
            url: the agent's address, because the form of a request may depend on it.
        """

    def cancel(self, reply: Reply) -> Request | None:
        """Make the request that cancels a run. None if the protocol has no such request.

        Args:
            reply: the answer so far, which names the run.
        """
        return None

    def status(self, task_id: str) -> Request | None:
        """Make the request that asks what became of a run. None if the protocol has none.

        The reader takes its answer as one document, which tells all that the agent has said.
        """
        return None


def frames(reader: Reader, media_type: str) -> Frames:
    """Return what cuts a body of a media type into values for a reader."""
    if media_type == "text/event-stream":
        return Events(reported, plain=reader.plain)
    if media_type == "application/json" or not reader.lines:
        # A web page comes from a server before the agent, unless the agent calls it JSON.
        return Document(plain=reader.plain, may_be_page=media_type == "application/json")
    return Lines()


def reported(data: str) -> AgentError:
    """Make the error of an event that is named `error`, in any protocol."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = data
    return failure(value, request_id=name(mapping(value).get("requestId")))


def reported_failure(body: bytes) -> AgentError | None:
    """Make the error that the answer to a request such as `Protocol.cancel()` reports.

    None if it reports none: only `error` of a JSON object does, as in JSON-RPC.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = mapping(value).get("error")
    return failure(error) if error else None


def failure(
    error: Any, *, request_id: str | None = None, silently: Code = errors.AGENT_FAILED_SILENTLY
) -> AgentError:
    """Make the error of a failure that an agent reports. Without a reason, it is `silently`."""
    reason = printable(_reason(error, _DEEPEST).strip())
    own = None if reason else silently()
    return AgentError(own, quoted=reason, kind="agent", reached=True, request_id=request_id)


def not_understood(value: Any) -> AgentError:
    """Make the error of an answer in another protocol than the one that is set."""
    quoted = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return unreadable(errors.NOT_UNDERSTOOD(), printable(quoted))


def _reason(error: Any, depth: int) -> str:
    """Return the first text under the keys of reasons, or "" if there is none."""
    if isinstance(error, str):
        return error
    if not depth or not isinstance(error, dict):
        return ""
    found = (_reason(error.get(key), depth - 1) for key in _REASON_KEYS)
    return next((text for text in found if text.strip()), "")
