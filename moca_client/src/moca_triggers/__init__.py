"""Moca Triggers from Python: `Client`, the errors that it raises, and the types of its values."""

from moca_triggers.client import Client
from moca_triggers.configuration import connect
from moca_triggers.errors import (
    AnswerError,
    ChangedError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    MocaTriggersError,
    NotFoundError,
    NotSignedInError,
    RefusedError,
    ServerError,
    UnfinishedError,
    UnreachableError,
)

__all__ = [
    "AnswerError",
    "ChangedError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "ForbiddenError",
    "MocaTriggersError",
    "NotFoundError",
    "NotSignedInError",
    "RefusedError",
    "ServerError",
    "UnfinishedError",
    "UnreachableError",
    "connect",
]
