"""Obtains the token that authorizes requests to the agent, and keeps it until it expires."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import httpx

from agents import errors
from agents.errors import AgentError
from agents.masking import Mask
from agents.transport import (
    CONNECT_TIMEOUT,
    Deadline,
    new_http,
    post,
    read_body,
    refusal,
    with_retries,
)
from moca.sentences import Reason

# A token is renewed this many seconds before it expires.
EARLY = 60.0
# The lifetime in seconds if the answer does not say it, which RFC 6749, 5.1 allows.
_UNTOLD_LIFETIME = 300.0
_READ_TIMEOUT = 10.0
_MAX_RETRIES = 4
_LONGEST_ANSWER = 64 * 1024
_MOST_CHALLENGES = 3

_COGNITO_TRANSIENT = ("TooManyRequestsException", "InternalErrorException")


class Tokens(Protocol):
    """Gives the agent client its token. Safe to share between threads."""

    @property
    def is_kept(self) -> bool:
        """Whether `token` returns at once, and asks nobody."""

    def token(self, *, timeout: float) -> str | None:
        """Return a token within `timeout` seconds, or None if requests need none.

        Raises AgentError of kind "token" if there is none to be had, or of kind "timeout".
        """

    def discard(self, token: str) -> None:
        """Forget a token that the agent refused, so that `token` fetches a new one."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token from the settings, or None for no token at all."""

    value: str | None = field(default=None, repr=False)

    @property
    def is_kept(self) -> bool:
        """Always: the token is in the settings."""
        return True

    def token(self, *, timeout: float) -> str | None:
        """Return the token."""
        return self.value

    def discard(self, token: str) -> None:
        """Do nothing: there is no other token."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that an endpoint issued. It expires `lifetime` seconds after the request."""

    token: str = field(repr=False)
    lifetime: float


class CachedTokens:
    """Fetches tokens by `fetch`, and keeps each in memory until `early` seconds before it expires.

    `fetch` takes the Deadline of the run that needs the token and returns a Grant. If several
    threads need a token, one fetches it and the others wait. A failure is reported to the threads
    that waited for it; the next caller fetches again.
    """

    def __init__(self, fetch: Callable[[Deadline], Grant], *, early: float = EARLY) -> None:
        self._fetch = fetch
        self._early = early
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0.0
        self._failure: AgentError | None = None
        self._failed_at = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether a token is kept that has not expired."""
        return self._in_hand() is not None

    def token(self, *, timeout: float) -> str:
        """Return the kept token, or fetch one within `timeout` seconds."""
        token = self._in_hand()
        if token is not None:
            return token
        asked = time.monotonic()
        if not self._lock.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
            raise AgentError(errors.TOKEN_TIMED_OUT(seconds=f"{timeout:g}"), kind="timeout")
        try:
            return self._in_hand() or self._renew(asked, timeout)
        finally:
            self._lock.release()

    def discard(self, token: str) -> None:
        """Forget `token`, unless another has replaced it already."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _in_hand(self) -> str | None:
        token = self._token
        return token if time.monotonic() < self._good_until else None

    def _renew(self, asked: float, timeout: float) -> str:
        if self._failure is not None and self._failed_at > asked:
            raise AgentError(self._failure.reason, kind="token")
        started = time.monotonic()
        self._failure = None
        try:
            with Deadline(timeout - (started - asked)) as deadline:
                grant = self._fetch(deadline)
        except AgentError as error:
            # Another thread may have more time than this one had.
            if error.kind != "timeout":
                self._failure, self._failed_at = error, time.monotonic()
            raise
        self._token = grant.token
        self._good_until = started + grant.lifetime - self._early
        return grant.token


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Fetches tokens by OAuth 2.0 client credentials at a Cognito domain (RFC 6749, 4.4).

    `domain` is a host name or a URL. `domain` and `client_secret` may be functions, which are
    called at each fetch. `scope` has names with spaces between them; "" asks for all scopes of the
    client.
    """

    domain: str | Callable[[], str]
    client_id: str
    client_secret: str | Callable[[], str] = field(repr=False)
    scope: str = ""

    def __call__(self, deadline: Deadline) -> Grant:
        """Fetch a token; raises AgentError."""
        secret = _value(self.client_secret)
        form = {"grant_type": "client_credentials"}
        if self.scope:
            form["scope"] = self.scope
        pair = base64.b64encode(f"{self.client_id}:{secret}".encode())
        headers = {
            b"Authorization": b"Basic " + pair,
            b"Content-Type": b"application/x-www-form-urlencoded",
        }
        url = token_url(_value(self.domain))
        answer = _ask(url, headers, urlencode(form).encode(), deadline, [secret], _oauth_error)
        return _grant(answer.get("access_token"), answer.get("expires_in"))


@dataclass(frozen=True, slots=True)
class UserLogin:
    """Signs a machine user in to a Cognito user pool by name and password, and fetches its token.

    `endpoint` is the URL of the Cognito API. With `flow` "CUSTOM_AUTH" the password answers the
    pool's custom challenge. `client_secret` is "" for a client without one. It and `password` may
    be functions, which are called at each fetch.

    botocore's `initiate_auth` is not used, because a deadline cannot end its calls, because its
    client for Cognito adds 20 to 80 ms to a cold start, and because it lacks the other flow, client
    credentials.
    """

    endpoint: str
    client_id: str
    username: str
    password: str | Callable[[], str] = field(repr=False)
    client_secret: str | Callable[[], str] = field(default="", repr=False)
    flow: Literal["USER_PASSWORD_AUTH", "CUSTOM_AUTH"] = "USER_PASSWORD_AUTH"

    def __call__(self, deadline: Deadline) -> Grant:
        """Sign in and return the access token; raises AgentError."""
        password = _value(self.password)
        parameters = self._named(self.username)
        secrets = [password, _value(self.client_secret), parameters.get("SECRET_HASH", "")]
        if self.flow == "USER_PASSWORD_AUTH":
            parameters["PASSWORD"] = password
        body = {"AuthFlow": self.flow, "ClientId": self.client_id, "AuthParameters": parameters}
        answer = self._call("InitiateAuth", body, deadline, secrets)
        for _ in range(_MOST_CHALLENGES):
            if answer.get("ChallengeName") != "CUSTOM_CHALLENGE":
                break
            response = self._response(answer, password)
            answer = self._call("RespondToAuthChallenge", response, deadline, secrets)
        if isinstance(answer.get("ChallengeName"), str):
            raise _error(errors.COGNITO_CHALLENGE(challenge=answer["ChallengeName"]))
        result = answer.get("AuthenticationResult")
        result = result if isinstance(result, dict) else {}
        return _grant(result.get("AccessToken"), result.get("ExpiresIn"))

    def _response(self, challenge: dict[str, Any], password: str) -> dict[str, Any]:
        parameters = challenge.get("ChallengeParameters")
        name = parameters.get("USERNAME") if isinstance(parameters, dict) else None
        name = name if isinstance(name, str) else self.username
        return {
            "ChallengeName": "CUSTOM_CHALLENGE",
            "ClientId": self.client_id,
            "Session": challenge.get("Session"),
            "ChallengeResponses": {**self._named(name), "ANSWER": password},
        }

    def _named(self, username: str) -> dict[str, str]:
        secret = _value(self.client_secret)
        if not secret:
            return {"USERNAME": username}
        # Amazon Cognito Developer Guide, "Computing secret hash values".
        digest = hmac.digest(secret.encode(), (username + self.client_id).encode(), hashlib.sha256)
        return {"USERNAME": username, "SECRET_HASH": base64.b64encode(digest).decode()}

    def _call(
        self, operation: str, body: dict[str, Any], deadline: Deadline, secrets: list[str]
    ) -> dict[str, Any]:
        target = f"AWSCognitoIdentityProviderService.{operation}"
        headers = {
            b"Content-Type": b"application/x-amz-json-1.1",
            b"X-Amz-Target": target.encode(),
        }
        url = self.endpoint.rstrip("/") + "/"
        return _ask(url, headers, json.dumps(body).encode(), deadline, secrets, _cognito_error)


def token_url(domain: str) -> str:
    """Return the token endpoint of a Cognito domain, which is a host name or a URL."""
    base = domain.strip().rstrip("/")
    if not base:
        raise errors.misconfigured(errors.TOKEN_URL_MISSING())
    if "://" not in base:
        base = f"https://{base}"
    return base if base.endswith("/oauth2/token") else f"{base}/oauth2/token"


def _ask(
    url: str,
    headers: dict[bytes, bytes],
    content: bytes,
    deadline: Deadline,
    secrets: list[str],
    explain: Callable[[int, dict[str, Any]], AgentError | None],
) -> dict[str, Any]:
    """POST to a token endpoint, with retries, and return the JSON object that it answers."""

    def once() -> dict[str, Any]:
        response = post(
            http,
            httpx.URL(url),
            headers=[(b"Accept", b"application/json"), *headers.items()],
            content=content,
            deadline=deadline,
            connect_timeout=CONNECT_TIMEOUT,
            who=errors.TOKEN_ENDPOINT,
            read_timeout=_READ_TIMEOUT,
        )
        try:
            body = read_body(response, _LONGEST_ANSWER)
            deadline.check()
            return _answer(response, body, secrets, explain)
        finally:
            response.close()

    try:
        with new_http(url) as http:
            return with_retries(
                lambda: _unreached(once, deadline), deadline=deadline, max_retries=_MAX_RETRIES
            )
    except (httpx.InvalidURL, UnicodeError) as error:
        invalid = errors.TOKEN_URL_INVALID(who=errors.TOKEN_ENDPOINT)
        raise errors.misconfigured(invalid) from error


def _unreached(once: Callable[[], dict[str, Any]], deadline: Deadline) -> dict[str, Any]:
    """Call `once`, and mark its errors: they did not reach the agent.

    A second request for a token does no harm. An endpoint that did not answer, or answered with any
    5xx, is therefore asked again.
    """
    try:
        return once()
    except AgentError as error:
        error.transient |= error.reached and (error.status or 500) >= 500
        error.reached = False
        if not deadline.left:
            error.kind = "timeout"
        elif error.kind != "configuration":
            error.kind = "token"
        raise


def _answer(
    response: httpx.Response,
    body: bytes,
    secrets: list[str],
    explain: Callable[[int, dict[str, Any]], AgentError | None],
) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if response.status_code == 200:
        if isinstance(answer, dict):
            return answer
        raise _error(errors.TOKEN_NO_JSON(who=errors.TOKEN_ENDPOINT))
    explained = explain(response.status_code, answer) if isinstance(answer, dict) else None
    error = explained or refusal(
        response.status_code,
        response.reason_phrase,
        response.headers,
        errors.TOKEN_ENDPOINT,
        body,
    )
    error.hide(Mask(secrets))
    raise error


def _oauth_error(_status: int, answer: dict[str, Any]) -> AgentError | None:
    """Explain the errors of RFC 6749, 5.2 that an operator can correct."""
    reasons = {
        "invalid_client": errors.CLIENT_INVALID,
        "unauthorized_client": errors.CLIENT_UNAUTHORIZED,
        "invalid_scope": errors.SCOPE_INVALID,
    }
    code = answer.get("error")
    reason = reasons.get(code) if isinstance(code, str) else None
    return _error(reason()) if reason else None


def _cognito_error(_status: int, answer: dict[str, Any]) -> AgentError | None:
    code = str(answer.get("__type", "")).rpartition("#")[2]
    if code in _COGNITO_TRANSIENT:
        return AgentError(errors.COGNITO_ANSWERED(error=code), kind="token", transient=True)
    if code in ("NotAuthorizedException", "UserNotFoundException"):
        return _error(errors.COGNITO_REFUSED(error=code))
    return None


def _grant(token: object, lifetime: object) -> Grant:
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise _error(errors.TOKEN_MISSING(who=errors.TOKEN_ENDPOINT))
    try:
        seconds = float(lifetime)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = _UNTOLD_LIFETIME
    return Grant(token, seconds if 0 <= seconds < 10**9 else _UNTOLD_LIFETIME)


def _error(reason: Reason) -> AgentError:
    return AgentError(reason, kind="token")


def _value(given: str | Callable[[], str]) -> str:
    return given if isinstance(given, str) else given()
