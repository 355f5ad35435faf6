"""Signs operators in by the hosted pages of a Cognito user pool.

It uses OAuth 2.0's authorization code grant (RFC 6749, 4.1) with PKCE (RFC 7636), and the `nonce`
of OpenID Connect Core 1.0, 3.1.2.1. The setting COGNITO_ROLES maps the pool's groups to roles.
"""

import logging
import secrets
import time
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.utils.translation import gettext as _
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from oauthlib.oauth2.rfc6749.errors import AccessDeniedError

from moca.authentication.keys import KeysUnavailableError
from moca.authentication.models import Role
from moca.authentication.tokens import TokenError, claims_of_id_token
from moca.aws.secrets_manager import SecretError, secret
from moca.aws.user_pool import PoolError, domain_of

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
SCOPE = "openid email profile"
# The session's key for a started sign-in, and the time until it expires.
IN_SESSION = "cognito_sign_in"
PATIENCE_SECONDS = 600
# The session's key that marks sign-ins by Cognito; their sign-out ends Cognito's session too.
BY_COGNITO = "by_cognito"
VERIFIER_LENGTH = 64


class SignInError(Exception):
    """A sign-in failed; the message tells the operator the cause and the remedy.

    Attributes:
        status: the HTTP status of the error page.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def is_configured() -> bool:
    """Whether operators may sign in by Cognito."""
    return bool(settings.COGNITO_USER_POOL_ID and settings.COGNITO_SIGN_IN_CLIENT_ID)


def begin(request: HttpRequest, redirect_uri: str, next_page: str) -> str:
    """Start a sign-in, and return the address of Cognito's page for it.

    Args:
        request: the request; its session keeps what `finish()` needs to verify the answer.
        redirect_uri: the absolute URL of the view that calls `finish()`; the app client has to
            allow it.
        next_page: the page to go to after the sign-in.

    Raises:
        SignInError: sign-in by Cognito is not configured, or the pool's domain is unknown.
    """
    if not is_configured():
        raise SignInError("Nobody signs in by Cognito here.", status=404)
    client = WebApplicationClient(settings.COGNITO_SIGN_IN_CLIENT_ID)
    verifier = client.create_code_verifier(VERIFIER_LENGTH)
    state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    request.session[IN_SESSION] = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "next": next_page,
        "until": time.time() + PATIENCE_SECONDS,
    }
    return str(
        client.prepare_request_uri(
            f"{_base()}/oauth2/authorize",
            redirect_uri=redirect_uri,
            scope=SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=client.create_code_challenge(verifier, "S256"),
            code_challenge_method="S256",
        )
    )


def finish(request: HttpRequest, redirect_uri: str) -> tuple[dict[str, Any], str]:
    """Verify Cognito's answer. It is accepted once.

    Args:
        request: the browser's request to the redirect URI.
        redirect_uri: the same as for `begin()`.

    Returns:
        The ID token's claims, and the page to go to.

    Raises:
        SignInError: the answer does not belong to this browser's sign-in, or is a refusal.
    """
    begun = request.session.pop(IN_SESSION, None)
    if not begun or begun["until"] < time.time():
        raise SignInError(_("This sign-in has expired, or is that of another browser."))
    client = WebApplicationClient(settings.COGNITO_SIGN_IN_CLIENT_ID)
    try:
        # oauthlib reads only the query, but requires an HTTPS address.
        answer = f"https://answer/?{request.META.get('QUERY_STRING', '')}"
        code = client.parse_request_uri_response(answer, state=begun["state"])["code"]
        body = client.prepare_request_body(
            code=code, redirect_uri=redirect_uri, code_verifier=begun["verifier"]
        )
        tokens = client.parse_request_body_response(_exchange(body), scope=SCOPE)
        claims = claims_of_id_token(
            str(tokens.get("id_token", "")),
            client_id=settings.COGNITO_SIGN_IN_CLIENT_ID,
            nonce=begun["nonce"],
        )
    except AccessDeniedError as error:
        raise SignInError(_("Cognito says that the sign-in was given up or refused.")) from error
    except OAuth2Error as error:
        logger.warning("A sign-in by Cognito failed: %s", error.error)
        reason = _("Cognito's answer does not belong to this sign-in, or came late.")
        if error.error in ("invalid_client", "unauthorized_client"):
            reason = _(
                "Cognito refuses this installation's app client. Whoever runs it should check "
                "COGNITO_SIGN_IN_CLIENT_ID and its secret."
            )
        raise SignInError(reason) from error
    except TokenError as error:
        logger.warning("A sign-in by Cognito failed: %s", error)
        raise SignInError(_("Cognito's answer could not be believed.")) from error
    except KeysUnavailableError as error:
        raise _away() from error
    return claims, begun["next"]


def role_of_groups(claims: dict[str, Any]) -> Role | None:
    """The highest role of the groups in the claims; None if no group has a role."""
    groups = claims.get("cognito:groups")
    roles = [
        Role(settings.COGNITO_ROLES[group])
        for group in (groups if isinstance(groups, list) else [])
        if settings.COGNITO_ROLES.get(group) in Role
    ]
    return max(roles, key=lambda role: role.rank, default=None)


def sign_out_url(return_to: str) -> str:
    """The address that ends Cognito's own session.

    Args:
        return_to: the absolute URL to return to; the app client has to allow it for sign-out.

    Raises:
        SignInError: the pool's domain is unknown.
    """
    query = urlencode({"client_id": settings.COGNITO_SIGN_IN_CLIENT_ID, "logout_uri": return_to})
    return f"{_base()}/logout?{query}"


def _exchange(body: str) -> str:
    """Exchange the code for tokens. Do not retry: a code is valid once."""
    try:
        answer = httpx.post(
            f"{_base()}/oauth2/token",
            content=body,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            auth=_credentials(),
            timeout=TIMEOUT,
        )
    except httpx.HTTPError as error:
        logger.warning("Cognito's token endpoint did not answer: %s", type(error).__name__)
        raise _away() from error
    if answer.status_code >= 500:
        logger.warning("Cognito's token endpoint answered %s", answer.status_code)
        raise _away()
    return answer.text


def _credentials() -> tuple[str, str] | None:
    """The app client's name and secret; None for a client without one."""
    given = settings.COGNITO_SIGN_IN_CLIENT_SECRET
    if arn := settings.COGNITO_SIGN_IN_CLIENT_SECRET_ARN:
        try:
            given = secret(arn, "COGNITO_SIGN_IN_CLIENT_SECRET_ARN")
        except SecretError as error:
            logger.error("Nobody can sign in by Cognito: %s", error)
            raise _away() from error
    return (settings.COGNITO_SIGN_IN_CLIENT_ID, given) if given else None


def _away() -> SignInError:
    return SignInError(_("Cognito cannot be reached now. Try again in a moment."), status=503)


@cache
def _domain(pool_id: str) -> str:
    try:
        return domain_of(pool_id)
    except PoolError as error:
        logger.error("Nobody can sign in by Cognito: %s", error)
        raise _away() from error


def _base() -> str:
    """The URL of the pool's domain."""
    given = settings.COGNITO_DOMAIN.strip().rstrip("/")
    domain = given or _domain(settings.COGNITO_USER_POOL_ID)
    return domain if "://" in domain else f"https://{domain}"


def _forget_domain(*, setting: str, **_: Any) -> None:
    if setting == "COGNITO_USER_POOL_ID":
        _domain.cache_clear()


setting_changed.connect(_forget_domain)
