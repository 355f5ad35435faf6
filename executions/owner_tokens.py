"""Obtain the tokens of triggers' owners from Cognito, for agents that act for their users.

These agents answer 401 to a request that has no token of the user for whom they work.
"""

from functools import cache, partial

from django.conf import settings

from agents import AgentError, errors
from agents.owner_tokens import TOO_MANY_REQUESTS, OwnerTokens
from agents.tokens import Grant
from moca.aws.identity_pool import IdentityPoolError, open_id_token

# How long a token holds: what Cognito gives by default.
TOKEN_SECONDS = 15 * 60


def is_on() -> bool:
    """Whether agents get a token of the trigger's owner."""
    return bool(settings.IDENTITY_POOL_ID and settings.DEVELOPER_PROVIDER_NAME)


def owner_token(user_id: str, *, timeout: float) -> str | None:
    """Return a token of a user, which may be a kept one.

    Args:
        user_id: the trigger's owner.
        timeout: the seconds that a new one may take.

    Returns:
        None if agents get no such token.

    Raises:
        AgentError: there is none to be had.
    """
    if not is_on():
        return None
    tokens = _tokens(settings.IDENTITY_POOL_ID, settings.DEVELOPER_PROVIDER_NAME)
    return tokens.token(user_id, timeout=timeout)


def forget() -> None:
    """Forget all tokens."""
    _tokens.cache_clear()


@cache
def _tokens(pool_id: str, provider: str) -> OwnerTokens:
    return OwnerTokens(partial(_fetch, pool_id, provider))


def _fetch(pool_id: str, provider: str, user_id: str) -> Grant:
    try:
        token = open_id_token(pool_id, provider, user_id, seconds=TOKEN_SECONDS)
    except IdentityPoolError as error:
        raise AgentError(
            errors.OWNER_TOKEN_REFUSED(error=str(error).rstrip(".")),
            kind="token",
            transient=error.transient,
            status=TOO_MANY_REQUESTS if error.throttled else None,
        ) from error
    return Grant(token, TOKEN_SECONDS)
