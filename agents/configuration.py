"""Builds the agent client from the settings, for `executions.agent_client`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from agents import errors
from agents.authorization import Authorize, KeyHeader, bearer
from agents.client import AgentClient
from agents.protocols import PROTOCOLS, Protocol
from agents.tokens import (
    CachedTokens,
    ClientCredentials,
    FixedToken,
    Grant,
    Tokens,
    UserLogin,
)

# A token from Secrets Manager is read again after this time, because it may be rotated.
# CachedTokens renews each a minute earlier.
STORED_TOKEN_SECONDS = 360
# The values of AGENT_AUTH.
WAYS = ("cognito", "cognito-user", "static", "api-key", "sigv4", "none")


@dataclass(frozen=True, slots=True)
class Lookups:
    """Functions that ask AWS for what the settings name. Each raises AgentError if that fails.

    Attributes:
        secret: reads the present text of a secret, by its ARN and the setting that has the ARN.
        domain: returns the host name of a user pool's domain, by the pool's id.
        sign: makes the headers of AWS's signature, with the credentials of this process.
    """

    secret: Callable[[str, str], str]
    domain: Callable[[str], str]
    sign: Authorize


def client_from(settings: Any, lookups: Lookups) -> AgentClient:
    """Build the client for AGENT_API_URL with AGENT_PROTOCOL and AGENT_AUTH.

    Secrets in Secrets Manager are read at each fetch of a token, because they may be rotated.
    Raises AgentError if a setting is missing or wrong.
    """
    idle = settings.AGENT_IDLE_TIMEOUT_SECONDS or None
    return AgentClient(
        settings.AGENT_API_URL,
        tokens_by_settings(settings, lookups),
        protocol=_protocol(settings),
        authorize=authorize_by_settings(settings, lookups),
        idle_timeout=idle,
    )


def _protocol(settings: Any) -> Protocol:
    try:
        return PROTOCOLS[settings.AGENT_PROTOCOL]
    except KeyError:
        names = ", ".join(PROTOCOLS)
        reason = errors.PROTOCOL_UNKNOWN(names=names)
        raise errors.misconfigured(reason) from None


def authorize_by_settings(settings: Any, lookups: Lookups) -> Authorize:
    """Return the function that makes the headers of AGENT_AUTH."""
    if settings.AGENT_AUTH == "api-key":
        return KeyHeader(settings.AGENT_KEY_HEADER)
    if settings.AGENT_AUTH == "sigv4":
        return lookups.sign
    return bearer


def tokens_by_settings(settings: Any, lookups: Lookups) -> Tokens:
    """Return the tokens of AGENT_AUTH. Raises AgentError if a setting is missing or wrong."""
    match settings.AGENT_AUTH:
        case "cognito":
            return CachedTokens(
                ClientCredentials(
                    domain=settings.COGNITO_DOMAIN or partial(_domain, settings, lookups),
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    client_secret=_secret(settings, lookups, "COGNITO_CLIENT_SECRET") or "",
                    scope=settings.COGNITO_SCOPE,
                )
            )
        case "cognito-user":
            return CachedTokens(
                UserLogin(
                    endpoint=_cognito_endpoint(settings.AWS_REGION),
                    client_id=_required(settings, "COGNITO_CLIENT_ID"),
                    username=_required(settings, "COGNITO_USERNAME"),
                    password=_secret(settings, lookups, "COGNITO_PASSWORD")
                    or _required(settings, "COGNITO_PASSWORD"),
                    client_secret=_secret(settings, lookups, "COGNITO_CLIENT_SECRET") or "",
                    flow=settings.COGNITO_AUTH_FLOW,
                )
            )
        case "static" | "api-key":
            token = _secret(settings, lookups, "AGENT_TOKEN") or _required(settings, "AGENT_TOKEN")
            if callable(token):
                return CachedTokens(lambda _: Grant(token(), STORED_TOKEN_SECONDS))
            return FixedToken(token)
        case "sigv4" | "none":
            return FixedToken(None)
    raise errors.misconfigured(errors.AUTH_UNKNOWN(ways=", ".join(WAYS)))


def _domain(settings: Any, lookups: Lookups) -> str:
    """Ask the user pool for its domain. Returns "" if no pool is set."""
    pool_id: str = settings.COGNITO_USER_POOL_ID
    return lookups.domain(pool_id) if pool_id else ""


def _secret(settings: Any, lookups: Lookups, name: str) -> str | Callable[[], str] | None:
    """Return a secret setting: a function if it is in Secrets Manager, None if it is not set."""
    arn = getattr(settings, f"{name}_ARN")
    if not arn:
        return getattr(settings, name) or None
    return partial(lookups.secret, arn, f"{name}_ARN")


def _required(settings: Any, name: str) -> str:
    value: str = getattr(settings, name)
    if not value:
        reason = errors.SETTING_MISSING(name=name, auth=settings.AGENT_AUTH)
        raise errors.misconfigured(reason)
    return value


def _cognito_endpoint(region: str) -> str:
    """Return the URL of the Cognito API, or of the emulator that boto3's own variables name."""
    return (
        os.environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
        or os.environ.get("AWS_ENDPOINT_URL")
        or f"https://cognito-idp.{region}.amazonaws.com"
    )
