"""The agent client that the settings describe."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from executions.agent.client import AgentClient
from executions.agent.errors import AgentError
from executions.agent.tokens import (
    CachedTokens,
    ClientCredentials,
    FixedToken,
    Tokens,
    UserLogin,
)

_WAYS = ("cognito", "cognito-user", "static", "none")


def client_from_settings(
    *,
    domain: Callable[[], str] | None = None,
    client_secret: Callable[[], str] | None = None,
) -> AgentClient:
    """Make the client for AGENT_API_URL, with a token as AGENT_AUTH says.

    `domain` and `client_secret` are asked at each fetch of a token, where COGNITO_DOMAIN and
    COGNITO_CLIENT_SECRET are not set. Raises AgentError where a setting is missing or wrong.
    """
    from django.conf import settings

    return AgentClient(settings.AGENT_API_URL, _tokens(settings, domain, client_secret))


def _tokens(
    settings: Any, domain: Callable[[], str] | None, client_secret: Callable[[], str] | None
) -> Tokens:
    secret = settings.COGNITO_CLIENT_SECRET or client_secret or ""
    match settings.AGENT_AUTH:
        case "cognito":
            return CachedTokens(
                ClientCredentials(
                    domain=settings.COGNITO_DOMAIN or domain or "",
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    client_secret=secret,
                    scope=settings.COGNITO_SCOPE,
                )
            )
        case "cognito-user":
            return CachedTokens(
                UserLogin(
                    endpoint=_cognito_endpoint(settings.AWS_REGION),
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    username=_required(settings, "COGNITO_USERNAME"),
                    password=_required(settings, "COGNITO_PASSWORD"),
                    client_secret=secret,
                    flow=settings.COGNITO_AUTH_FLOW,
                )
            )
        case "static":
            return FixedToken(_required(settings, "AGENT_TOKEN"))
        case "none":
            return FixedToken(None)
    ways = ", ".join(_WAYS)
    raise AgentError(f"AGENT_AUTH is not one of {ways}: correct it", kind="configuration")


def _required(settings: Any, name: str) -> str:
    value: str = getattr(settings, name)
    if not value:
        message = f"{name} is not set, which AGENT_AUTH={settings.AGENT_AUTH} needs"
        raise AgentError(message, kind="configuration")
    return value


def _cognito_endpoint(region: str) -> str:
    """The Cognito API, or the emulator that boto3's own variables point to."""
    return (
        os.environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
        or os.environ.get("AWS_ENDPOINT_URL")
        or f"https://cognito-idp.{region}.amazonaws.com"
    )
