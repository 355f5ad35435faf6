"""The protocols of agents, a module for each: how the client asks, and how it reads the answer.

A new protocol is a module with a Protocol and a Reader, a row in PROTOCOLS, and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agents import errors
from agents.errors import AgentError
from agents.masking import Mask
from agents.output import Output
from agents.protocols.a2a import A2A
from agents.protocols.ag_ui import AGUI
from agents.protocols.agentcore import AgentCore
from agents.protocols.base import Protocol, Request, not_understood, read, reported_failure
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

__all__ = ["ENDED", "PROTOCOLS", "Protocol", "Request", "read_answer", "reported_failure"]


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
        content_type: the response's header.
        on_output: called with the growing output after each chunk that brought text.
        mask: the secrets that are masked in the reply.
        protocol: the protocol of the agent.
        on_transcript: called after each chunk, with all that has come.

    Raises:
        AgentError: the agent reports a failure, did not come to an end, or sends what is not of
            the protocol. Its message quotes the agent, and is not masked yet.
    """
    transcript = Transcript(mask)
    media_type = content_type.partition(";")[0].strip().lower()
    reader = protocol.reader(transcript, media_type)
    before = 0
    try:
        for _ in read(reader, chunks, media_type):
            if on_transcript is not None:
                on_transcript(transcript)
            if on_output is not None and transcript.output.total_bytes > before:
                before = transcript.output.total_bytes
                on_output(transcript.output)
        reply = transcript.reply()
        if reply.outcome in ENDED:
            raise AgentError(ENDED[reply.outcome](), kind="agent", reached=True)
        return reply
    except AgentError as error:
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
        raise error
