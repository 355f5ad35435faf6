"""Calls AI agents for the runner: `AgentClient.invoke` sends a prompt and returns a Reply.

This package imports neither Django nor AWS. `executions.agent_client` passes it the settings, and
the functions that read secrets and sign requests.
"""

from agents.cancellation import Cancellation
from agents.client import AgentClient, agent_url
from agents.errors import AgentError
from agents.invocation import Invocation, new_session_id
from agents.output import Output
from agents.replies import Reply
from agents.tokens import (
    CachedTokens,
    ClientCredentials,
    FixedToken,
    Tokens,
    UserLogin,
)

__all__ = [
    "AgentClient",
    "AgentError",
    "CachedTokens",
    "Cancellation",
    "ClientCredentials",
    "FixedToken",
    "Invocation",
    "Output",
    "Reply",
    "Tokens",
    "UserLogin",
    "agent_url",
    "new_session_id",
]
