"""The AI agent as the runner calls it: `AgentClient.invoke`, which returns a Reply.

Imports neither models nor boto3; `client_from_settings` is the one place that reads settings.
"""

from executions.agent.client import AgentClient, Invocation, agent_url, new_session_id
from executions.agent.configuration import client_from_settings
from executions.agent.errors import AgentError
from executions.agent.output import Output
from executions.agent.stream import Reply
from executions.agent.tokens import (
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
    "client_from_settings",
    "new_session_id",
]
