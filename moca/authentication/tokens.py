"""Issues and verifies the API's tokens: JWTs of a Cognito user pool or, without one, our own."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.core.signals import setting_changed
from jwt.types import Options

from moca.authentication.keys import (
    LOCAL_KEY_ID,
    RemoteKeys,
    local_key,
    local_public_key,
)
from moca.authentication.models import APIToken, Operator

LOCAL_ISSUER = LOCAL_CLIENT = "moca-triggers-local"
LEEWAY = timedelta(seconds=30)
# Characters of a user id at most; Cognito's have 36.
MAX_USER_ID = 128

# The functions below check the audience, since access tokens have it in another claim.
_CHECKS: Options = {"require": ["exp", "iss"], "verify_aud": False}


class TokenError(Exception):
    """The token is invalid; the message has the cause, and nothing of the token's content."""


class MachineUserError(Exception):
    """The token is valid, but it is a program's and has no user."""


class OtherUserError(Exception):
    """The ID token is valid, but it is of another user than the access token."""


@dataclass(frozen=True, slots=True)
class TokenUser:
    """The user of a verified token.

    Attributes:
        user_id: the token's `sub`.
        token_id: the token's `jti`, if this installation issued it; empty for a pool's token.
        scopes: the OAuth scopes of a pool's access token; None for any other token.
        resources: the resources that a pool's access token was issued for; empty for any.
    """

    user_id: str
    token_id: str = ""
    scopes: frozenset[str] | None = None
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of tokens: its name, and a function from key ids to keys."""

    name: str
    key: Callable[[str], RSAPublicKey | None]


def user_of(token: str) -> TokenUser:
    """Verify a token's signature and claims, and return its user.

    It does not check whether the token was revoked; see `moca.authentication.access`.

    Raises:
        TokenError: the token is malformed, expired, forged, or of another pool or client.
        MachineUserError: the token has no user.
        KeysUnavailableError: the keys cannot be fetched now.
    """
    claims = _verified(token, _issuer())
    use = claims.get("token_use")
    if use not in ("access", "id"):
        raise TokenError("The token is neither an access nor an ID token.")
    client = claims.get("client_id" if use == "access" else "aud")
    if use == "id" and not (isinstance(client, str) and client):
        raise TokenError("The ID token names no app client (aud).")
    if settings.COGNITO_APP_CLIENT_IDS and client not in settings.COGNITO_APP_CLIENT_IDS:
        raise TokenError("The token is of an app client that is not accepted here.")
    subject = claims.get("sub")
    if use == "access" and not claims.get("username") and subject in (None, client):
        raise MachineUserError
    if not isinstance(subject, str) or not is_user_id(subject):
        raise TokenError("The token names no user.")
    if settings.COGNITO_USER_POOL_ID:
        return _user_of_pool(subject, claims)
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not token_id:
        raise TokenError("The token cannot be revoked: print another one with issue_token.")
    return TokenUser(subject, token_id)


def _user_of_pool(subject: str, claims: Mapping[str, Any]) -> TokenUser:
    if claims["token_use"] == "id":  # noqa: S105  (no secret)
        return TokenUser(subject)
    audience = claims.get("aud", ())
    return TokenUser(
        subject,
        scopes=frozenset(str(claims.get("scope", "")).split()),
        resources=(audience,) if isinstance(audience, str) else tuple(map(str, audience or ())),
    )


def check_id_token(token: str, user: TokenUser) -> None:
    """Verify the ID token that a frontend sends beside its access token.

    Without a user pool, a token that this installation issued serves as an ID token.

    Args:
        token: the ID token.
        user: the user of the access token.

    Raises:
        TokenError: it is malformed, expired, forged, no ID token, or of another pool or client.
        OtherUserError: it is of another user.
        KeysUnavailableError: the keys cannot be fetched now.
    """
    claims = _verified(token, _issuer())
    is_id = claims.get("token_use") == "id"
    if settings.COGNITO_USER_POOL_ID and not is_id:
        raise TokenError("The token is no ID token.")
    client = claims.get("aud" if is_id else "client_id")
    if settings.COGNITO_APP_CLIENT_IDS and client not in settings.COGNITO_APP_CLIENT_IDS:
        raise TokenError("The token is of an app client that is not accepted here.")
    if claims.get("sub") != user.user_id:
        raise OtherUserError


def claims_of_id_token(token: str, *, client_id: str, nonce: str) -> dict[str, Any]:
    """Verify the ID token of a sign-in and return its claims (OpenID Connect Core 1.0, 3.1.3.7).

    Args:
        token: the token from the token endpoint.
        client_id: the expected app client.
        nonce: the nonce of the sign-in.

    Raises:
        TokenError: the token is malformed, expired, forged, or of another pool, client or sign-in.
        KeysUnavailableError: the keys cannot be fetched now.
    """
    claims = _verified(token, _issuer())
    if claims.get("token_use") != "id" or claims.get("aud") != client_id:
        raise TokenError("The token is no ID token of the app client.")
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise TokenError("The token is of another sign-in.")
    if not isinstance(claims.get("sub"), str) or not is_user_id(claims["sub"]):
        raise TokenError("The token names no user.")
    return claims


def is_user_id(text: str) -> bool:
    """Whether a text can be a user id: 1 to MAX_USER_ID printable characters."""
    return 0 < len(text) <= MAX_USER_ID and text.isprintable()


def issue(user_id: str, *, lasting: timedelta, now: datetime) -> str:
    """Issue a token in the form of Cognito's access tokens.

    The database keeps its id, so that it can be listed and revoked.

    Args:
        user_id: the token's user.
        lasting: the time until it expires.
        now: the present.

    Raises:
        KeysUnavailableError: the data directory cannot keep a key.
    """
    clients = settings.COGNITO_APP_CLIENT_IDS
    expires_at = now + lasting
    row = APIToken.objects.create(
        user_id=user_id,
        is_of_operator=Operator.objects.filter(subject=user_id).exists(),
        created_at=now,
        expires_at=expires_at,
        ttl=int((expires_at + LEEWAY).timestamp()) + 1,
    )
    claims = {
        "jti": row.pk,
        "sub": user_id,
        "username": user_id,
        "token_use": "access",
        "client_id": clients[0] if clients else LOCAL_CLIENT,
        "iss": LOCAL_ISSUER,
        "iat": now,
        "exp": expires_at,
    }
    return jwt.encode(claims, local_key(), algorithm="RS256", headers={"kid": LOCAL_KEY_ID})


@dataclass(slots=True)
class _Token:
    """A cached token: a signature that was verified once stays valid for its key."""

    key_id: str
    key: RSAPublicKey | None = None
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)

    def has_expired(self) -> bool:
        return int(self.claims["exp"]) <= (datetime.now(UTC) - LEEWAY).timestamp()


@lru_cache(maxsize=1024)
def _token(text: str) -> _Token:
    return _Token(str(jwt.get_unverified_header(text).get("kid", "")))


def _verified(text: str, issuer: Issuer) -> dict[str, Any]:
    try:
        token = _token(text)
        key = issuer.key(token.key_id)
        if key is None:
            raise TokenError("The token was signed with an unknown key.")
        if token.key is not key or token.issuer != issuer.name or token.has_expired():
            token.claims = jwt.decode(
                text,
                key,
                algorithms=["RS256"],
                issuer=issuer.name,
                leeway=LEEWAY,
                options=_CHECKS,
            )
            token.key, token.issuer = key, issuer.name
        return token.claims
    except jwt.ExpiredSignatureError as error:
        raise TokenError("The token has expired: sign in again.") from error
    except jwt.InvalidIssuerError as error:
        raise TokenError("The token is of another issuer.") from error
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError) as error:
        raise TokenError("The token is malformed or forged.") from error


@cache
def _issuer() -> Issuer:
    pool = settings.COGNITO_USER_POOL_ID
    if not pool:
        return Issuer(LOCAL_ISSUER, _local)
    name = f"https://cognito-idp.{pool.partition('_')[0]}.amazonaws.com/{pool}"
    url = settings.COGNITO_JWKS_URL or f"{name}/.well-known/jwks.json"
    return Issuer(name, RemoteKeys(url).get)


def pool_key(key_id: str) -> RSAPublicKey | None:
    """The public key with this id, which verifies tokens; None if there is none.

    Raises:
        KeysUnavailableError: the keys cannot be fetched.
    """
    return _issuer().key(key_id)


def _local(key_id: str) -> RSAPublicKey | None:
    return local_public_key() if key_id == LOCAL_KEY_ID else None


def _forget_issuer(*, setting: str, **_: Any) -> None:
    if setting in ("COGNITO_USER_POOL_ID", "COGNITO_JWKS_URL"):
        _issuer.cache_clear()


setting_changed.connect(_forget_issuer)
