"""The AI agent as the runner calls it: `AgentClient.invoke`, which returns a Reply.

Imports neither models nor boto3; `client_from_settings` is the one place that reads settings.
"""

from agents.auth import (
    CachedTokens,
    ClientCredentials,
    FixedToken,
    Tokens,
    UserLogin,
)
from agents.client import AgentClient, agent_url
from agents.configuration import client_from_settings
from agents.errors import AgentError
from agents.invocation import Invocation, new_session_id
from agents.output import Output
from agents.replies import Reply

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
