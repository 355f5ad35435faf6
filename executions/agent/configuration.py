"""The agent client that the settings describe."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from executions.agent import errors
from executions.agent.client import AgentClient
from executions.agent.errors import AgentError
from executions.agent.tokens import (
    CachedTokens,
    ClientCredentials,
    FixedToken,
    Grant,
    Tokens,
    UserLogin,
)

# How long a token from Secrets Manager is used before it is read again, for its rotation's sake.
# CachedTokens gives each up a minute early.
STORED_TOKEN_SECONDS = 360
_WAYS = ("cognito", "cognito-user", "static", "none")


def client_from_settings() -> AgentClient:
    """Make the client for AGENT_API_URL, with a token as AGENT_AUTH says.

    Secrets that are in Secrets Manager are read at each fetch of a token, so that they may be
    rotated. Raises AgentError where a setting is missing or wrong.
    """
    from django.conf import settings

    idle = settings.AGENT_IDLE_TIMEOUT_SECONDS or None
    return AgentClient(settings.AGENT_API_URL, _tokens(settings), idle_timeout=idle)


def _tokens(settings: Any) -> Tokens:
    match settings.AGENT_AUTH:
        case "cognito":
            return CachedTokens(
                ClientCredentials(
                    domain=settings.COGNITO_DOMAIN or partial(_domain, settings),
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    client_secret=_secret(settings, "COGNITO_CLIENT_SECRET") or "",
                    scope=settings.COGNITO_SCOPE,
                )
            )
        case "cognito-user":
            return CachedTokens(
                UserLogin(
                    endpoint=_cognito_endpoint(settings.AWS_REGION),
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    username=_required(settings, "COGNITO_USERNAME"),
                    password=_secret(settings, "COGNITO_PASSWORD")
                    or _required(settings, "COGNITO_PASSWORD"),
                    client_secret=_secret(settings, "COGNITO_CLIENT_SECRET") or "",
                    flow=settings.COGNITO_AUTH_FLOW,
                )
            )
        case "static":
            token = _secret(settings, "AGENT_TOKEN") or _required(settings, "AGENT_TOKEN")
            if callable(token):
                return CachedTokens(lambda _: Grant(token(), STORED_TOKEN_SECONDS))
            return FixedToken(token)
        case "none":
            return FixedToken(None)
    raise AgentError(errors.AUTH_UNKNOWN(ways=", ".join(_WAYS)), kind="configuration")


def _domain(settings: Any) -> str:
    """The domain of the user pool, which is asked for it; "" where there is no pool."""
    from moca.aws.cognito import PoolError, domain_of

    if not settings.COGNITO_USER_POOL_ID:
        return ""
    try:
        return domain_of(settings.COGNITO_USER_POOL_ID)
    except PoolError as error:
        reason = errors.POOL_UNREADABLE(error=str(error).rstrip("."))
        raise AgentError(reason, kind="configuration") from error


def _secret(settings: Any, name: str) -> str | Callable[[], str] | None:
    """A secret setting; a function where it is in Secrets Manager, None where it is not set."""
    arn = getattr(settings, f"{name}_ARN")
    if not arn:
        return getattr(settings, name) or None

    def read() -> str:
        from moca.aws.secrets import SecretError, secret

        try:
            return secret(arn, f"{name}_ARN")
        except SecretError as error:
            reason = errors.SECRET_UNREADABLE(error=str(error).rstrip("."))
            raise AgentError(reason, kind="configuration") from error

    return read


def _required(settings: Any, name: str) -> str:
    value: str = getattr(settings, name)
    if not value:
        reason = errors.SETTING_MISSING(name=name, auth=settings.AGENT_AUTH)
        raise AgentError(reason, kind="configuration")
    return value


def _cognito_endpoint(region: str) -> str:
    """The Cognito API, or the emulator that boto3's own variables point to."""
    return (
        os.environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
        or os.environ.get("AWS_ENDPOINT_URL")
        or f"https://cognito-idp.{region}.amazonaws.com"
    )
