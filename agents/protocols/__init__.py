"""The protocols of agents, a module for each: how the client asks, and how it reads the answer.

A new protocol is a module with a Protocol and a Reader, a row in PROTOCOLS, and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from agents import errors
from agents.errors import AgentError
from agents.framing import Batch, Document
from agents.masking import Mask
from agents.output import Output
from agents.protocols.a2a import A2A
from agents.protocols.ag_ui import AGUI
from agents.protocols.agentcore import AgentCore
from agents.protocols.base import Protocol, Request, frames, not_understood, reported_failure
from agents.protocols.invocations import Invocations
from agents.protocols.openai import OpenAI
from agents.replies import Outcome, Reply, Transcript
from moca.sentences import Code

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (Invocations(), AgentCore(), AGUI(), A2A(), OpenAI())
}

# Outcomes of complete answers that are failures all the same.
ENDED: dict[Outcome, Code] = {
    "refused": errors.ANSWER_REFUSED,
    "limited": errors.ANSWER_LIMITED,
    "cancelled": errors.AGENT_CANCELLED,
}

__all__ = [
    "ENDED",
    "PROTOCOLS",
    "Answer",
    "Protocol",
    "Request",
    "read_answer",
    "reported_failure",
]


class Answer:
    """Reads one answer, which is fed in pieces; who feeds it may use threads or an event loop.

    Feed it inside `with answer.explained():`, until it is complete or the body has ended, and then
    take `reply()`.

    Args:
        content_type: the response's header.
        on_output: called with the growing output after each piece that brought text.
        mask: the secrets that are masked in the reply.
        protocol: the protocol of the agent.
        on_transcript: called after each piece, with all that has come.
    """

    def __init__(
        self,
        content_type: str,
        on_output: Callable[[Output], None] | None = None,
        mask: Mask | None = None,
        protocol: Protocol = PROTOCOLS["invocations"],
        on_transcript: Callable[[Transcript], None] | None = None,
    ) -> None:
        media_type = content_type.partition(";")[0].strip().lower()
        self._transcript = Transcript(mask)
        self._reader = protocol.reader(self._transcript, media_type)
        self._frames = frames(self._reader, media_type)
        self._on_output, self._on_transcript = on_output, on_transcript
        self._reported_bytes = 0
        self._is_over = False

    def feed(self, chunk: bytes) -> bool:
        """Read the next piece of the body; returns whether the answer has come to its end."""
        return self._take(self._frames.feed(chunk))

    def reply(self) -> Reply:
        """Return the whole answer. Call it when the answer is complete, or the body has ended."""
        if not (self._is_over or self._take(self._frames.end())):
            self._reader.end()
        reply = self._transcript.reply()
        if reply.outcome in ENDED:
            raise AgentError(ENDED[reply.outcome](), kind="agent", reached=True)
        return reply

    def _take(self, batches: Iterable[Batch]) -> bool:
        transcript, is_document = self._transcript, isinstance(self._frames, Document)
        for batch in batches:
            with transcript.lock:
                if is_document:
                    (value,) = batch
                    self._reader.take_document(value)
                else:
                    self._reader.take(batch)
                transcript.flush()
            self._report()
            if transcript.complete and not is_document:
                self._is_over = True
                break
        return self._is_over

    def _report(self) -> None:
        if self._on_transcript is not None:
            self._on_transcript(self._transcript)
        size = self._transcript.output.total_bytes
        if self._on_output is not None and size > self._reported_bytes:
            self._reported_bytes = size
            self._on_output(self._transcript.output)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Complete each AgentError of the block: by what the agent said, and why it stopped."""
        try:
            yield
        except AgentError as error:
            raise self.complete(error) from error.__cause__

    def complete(self, error: AgentError) -> AgentError:
        """Return the error with what the agent said, or a better one for the same end."""
        transcript, reader = self._transcript, self._reader
        if error.kind == "protocol" and reader.unknown is not None and not transcript.said_anything:
            # The stream of another protocol has another end, too.
            error = not_understood(reader.unknown)
        if error.outcome is None and transcript.outcome in ENDED:
            # The model's last word says more than the error that followed it. The agent's own
            # reason says more than ours.
            if error.kind == "protocol":
                error = AgentError(ENDED[transcript.outcome](), kind="agent", reached=True)
            error.outcome = transcript.outcome
        if error.reply is None:
            error.reply = transcript.reply()
        return error


def read_answer(
    chunks: Iterable[bytes],
    content_type: str,
    on_output: Callable[[Output], None] | None = None,
    mask: Mask | None = None,
    protocol: Protocol = PROTOCOLS["invocations"],
    on_transcript: Callable[[Transcript], None] | None = None,
) -> Reply:
    """Read an answer to its end, and nothing after it.

    Args:
        chunks: the body, cut anywhere.
        content_type, on_output, mask, protocol, on_transcript: as for `Answer`.

    Raises:
        AgentError: the agent reports a failure, did not come to an end, or sends what is not of
            the protocol. Its message quotes the agent, and is not masked yet.
    """
    answer = Answer(content_type, on_output, mask, protocol, on_transcript)
    with answer.explained():
        for chunk in chunks:
            if answer.feed(chunk):
                break
        return answer.reply()
