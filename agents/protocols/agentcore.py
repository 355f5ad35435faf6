"""Speaks with agents that are made with the AgentCore SDKs, in Python and TypeScript.

Versions seen: bedrock-agentcore 1.25.0 (PyPI) and 0.4.4 (npm). The answer is an event stream of
what the agent yields, or a document of what it returns. The TypeScript SDK streams only if it is
asked for `text/event-stream` by name, and sends texts without the quotes of JSON.
"""

from __future__ import annotations

from typing import Any, ClassVar

from agents.invocation import Invocation
from agents.protocols.base import Reader
from agents.protocols.invocations import Invocations, interrupt_responses
from agents.protocols.values import ValuesReader


class TextReader(ValuesReader):
    """Reads data that is no JSON as text."""

    plain = True


class AgentCore(Invocations):
    """Asks as `invocations` does, and reads any value that the SDKs send."""

    name = "agentcore"
    accept = "text/event-stream, application/json"
    reader: ClassVar[type[Reader]] = TextReader

    def prompt(self, invocation: Invocation) -> Any:
        """The prompt, or a person's answers as Strands takes them in its place.

        An agent that passes the prompt to Strands, as the SDK's guide does, goes on by itself.
        """
        return interrupt_responses(invocation) or invocation.prompt
