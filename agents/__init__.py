"""The AI agent as the runner calls it: `AgentClient.invoke`, which returns a Reply.

Imports neither Django nor AWS: `executions.wiring` hands in what the settings and AWS say.
"""

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
