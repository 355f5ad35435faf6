"""The protocols that the demo agent speaks: it recognizes each by the form of the request."""

from __future__ import annotations

from agents.demo.answers import Answer
from agents.demo.protocols.a2a import A2AWriter, agent_card, answer_to_call, is_cancel
from agents.demo.protocols.ag_ui import AGUIWriter
from agents.demo.protocols.agentcore import PythonWriter, TypeScriptWriter
from agents.demo.protocols.base import Body, Writer
from agents.demo.protocols.invocations import InvocationsWriter
from agents.demo.protocols.openai import ChatWriter, ResponsesWriter

__all__ = [
    "A2AWriter",
    "Writer",
    "agent_card",
    "answer_to_call",
    "is_cancel",
    "is_known",
    "recognize",
    "writer_of",
]

_PATHS = ("/invocations", "/chat/completions", "/responses")


def is_known(path: str) -> bool:
    """Whether some protocol is spoken at a path."""
    return path == "/" or path.endswith(_PATHS)


def recognize(path: str, accept: str, body: Body) -> type[Writer]:
    """The protocol of a request.

    `invocations` and `agentcore` send the same body to the same path. They differ in what they
    accept: only the latter asks for an event stream.
    """
    if "jsonrpc" in body:
        return A2AWriter
    if path.endswith("/chat/completions"):
        return ChatWriter
    if path.endswith("/responses"):
        return ResponsesWriter
    if "runId" in body:
        return AGUIWriter
    return PythonWriter if "text/event-stream" in accept else InvocationsWriter


def writer_of(protocol: type[Writer], answer: Answer) -> Writer:
    """The writer of an answer; `demo: typescript` chooses AgentCore's other SDK."""
    if protocol is PythonWriter and "typescript" in answer.script:
        return TypeScriptWriter(answer)
    return protocol(answer)
