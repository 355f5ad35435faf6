"""Builds the client of an agent that a record describes, for `executions.agent_records`.

A record names its secret and never has it: `AGENT_NAME` is an environment variable, an ARN is a
secret of Secrets Manager. Other names are refused, because whoever edits a record could otherwise
send any secret of this installation to an address of their choice.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agents import errors
from agents.authorization import Authorize, KeyHeader, bearer
from agents.client import AgentClient, agent_url
from agents.configuration import (
    STORED_TOKEN_SECONDS,
    Lookups,
    authorize_by_settings,
    tokens_by_settings,
)
from agents.errors import AgentError
from agents.protocols import PROTOCOLS
from agents.tokens import CachedTokens, ClientCredentials, FixedToken, Grant, Tokens
from agents.transport import CONNECT_TIMEOUT

# The ways to authorize requests. "settings" is the way of AGENT_AUTH, with its token.
WAYS = ("settings", "none", "static", "api-key", "sigv4", "cognito")
# The ways that need a secret.
SECRET_WAYS = ("static", "api-key", "cognito")

VARIABLE = re.compile(r"AGENT_[A-Z0-9_]{1,200}")
# The names of secrets begin with agents/, which is all that the stack allows, too.
SECRET_ARN = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:agents/[A-Za-z0-9/_+=.@-]+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """How one agent is called.

    Attributes:
        agent_id: the agent, for errors.
        address: a URL, or the ARN of an AgentCore runtime.
        protocol: a name in PROTOCOLS.
        auth: one of WAYS.
        secret: the reference to the token, key or client secret.
        key_header: the header of the key, for "api-key".
        client_id: the app client, for "cognito".
        token_domain: the URL of the token endpoint's domain; empty for that of the settings.
        scope: the token's scope, or empty.
        connect_seconds: the limit for a connection; None for the usual one.
        idle_seconds: the limit for silence in an answer; None for that of the settings.
    """

    agent_id: str
    address: str
    protocol: str
    auth: str
    secret: str = field(default="", repr=False)
    key_header: str = "X-Api-Key"
    client_id: str = ""
    token_domain: str = ""
    scope: str = ""
    connect_seconds: float | None = None
    idle_seconds: float | None = None


def client_of(spec: Specification, settings: Any, lookups: Lookups) -> AgentClient:
    """Build the client of an agent. Close it after use.

    Args:
        spec: the agent.
        settings: have what the specification leaves to them.
        lookups: ask AWS.

    Raises:
        AgentError: of kind "configuration", before anything is sent. Names the wrong field.
    """
    agent = spec.agent_id
    protocol = PROTOCOLS.get(spec.protocol)
    if protocol is None:
        raise errors.misconfigured(errors.RECORD_PROTOCOL(agent=agent, names=", ".join(PROTOCOLS)))
    try:
        agent_url(spec.address)
    except AgentError as error:
        raise errors.misconfigured(errors.RECORD_ADDRESS(agent=agent)) from error
    tokens = _tokens(spec, settings, lookups)
    return AgentClient(
        spec.address,
        tokens,
        protocol=protocol,
        authorize=_authorize(spec, settings, lookups),
        connect_timeout=spec.connect_seconds or CONNECT_TIMEOUT,
        idle_timeout=spec.idle_seconds or settings.AGENT_IDLE_TIMEOUT_SECONDS or None,
    )


def _authorize(spec: Specification, settings: Any, lookups: Lookups) -> Authorize:
    match spec.auth:
        case "settings":
            return authorize_by_settings(settings, lookups)
        case "api-key":
            return KeyHeader(spec.key_header)
        case "sigv4":
            return lookups.sign
    return bearer


def _tokens(spec: Specification, settings: Any, lookups: Lookups) -> Tokens:
    match spec.auth:
        case "settings":
            return tokens_by_settings(settings, lookups)
        case "none" | "sigv4":
            return FixedToken(None)
        case "static" | "api-key":
            secret = _secret(spec, lookups)
            if callable(secret):
                return CachedTokens(lambda _: Grant(secret(), STORED_TOKEN_SECONDS))
            return FixedToken(secret)
        case "cognito":
            if not spec.client_id:
                raise _missing(spec, "Client id")
            pool_id: str = settings.COGNITO_USER_POOL_ID
            return CachedTokens(
                ClientCredentials(
                    domain=spec.token_domain
                    or settings.COGNITO_DOMAIN
                    or (partial(lookups.domain, pool_id) if pool_id else ""),
                    client_id=spec.client_id,
                    client_secret=_secret(spec, lookups),
                    scope=spec.scope,
                )
            )
    raise errors.misconfigured(errors.RECORD_AUTH(agent=spec.agent_id, ways=", ".join(WAYS)))


def _secret(spec: Specification, lookups: Lookups) -> Any:
    """Return the secret of an environment variable, or a function that reads it by its ARN."""
    name, agent = spec.secret, spec.agent_id
    if not name:
        raise _missing(spec, "Secret")
    if VARIABLE.fullmatch(name):
        value = os.environ.get(name, "")
        if not value:
            raise errors.misconfigured(errors.RECORD_VARIABLE_UNSET(agent=agent, name=name))
        return value
    if SECRET_ARN.fullmatch(name):
        return partial(lookups.secret, name, f"Secret of the agent {agent}")
    raise errors.misconfigured(errors.RECORD_SECRET_REFUSED(agent=agent))


def _missing(spec: Specification, label: str) -> AgentError:
    return errors.misconfigured(errors.RECORD_FIELD_MISSING(agent=spec.agent_id, field=label))
