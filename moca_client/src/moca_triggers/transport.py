"""Sends requests to the API for the client: time-outs, retries with jitter, answers and errors."""

import random
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from moca_triggers.errors import ConfigurationError, UnreachableError, error_of

# Nothing has been done about these requests: anything may be sent again.
TURNED_AWAY = {429}
# A request that has the same effect twice may be sent again.
PASSING = {*TURNED_AWAY, 502, 503, 504}
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
AGENT = "moca-triggers-client"


class Transport:
    """HTTP to one installation.

    Args:
        url: the address of the installation.
        token: a token or an API key, sent as `Authorization: Bearer`; empty for none.
        timeout: seconds to wait for a connection, and for each part of an answer.
        retries: how often a request is sent again.
    """

    def __init__(self, url: str, token: str, *, timeout: float, retries: int) -> None:
        self.url = checked_url(url)
        headers = {"Accept": "application/json", "User-Agent": AGENT}
        if token:
            headers["Authorization"] = f"Bearer {checked_token(token)}"
        self._retries = retries
        self._timeout = timeout
        self._http = httpx.Client(
            headers=headers, timeout=httpx.Timeout(timeout, connect=min(timeout, 10))
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        """Send a request, and return the JSON of its answer.

        Args:
            method: the HTTP method.
            path: the path below the installation's address.
            query: the parameters; those that are None are left out.
            body: the body, sent as JSON; None for none.
            headers: further headers.
            repeatable: whether the request has the same effect if it arrives twice.

        Raises:
            UnreachableError: there is no answer, or one that is not of the API.
            AnswerError: the server answered with an error.
        """
        request = self._http.build_request(
            method,
            self.url + path,
            params={name: _text(each) for name, each in (query or {}).items() if each is not None},
            json=body,
            headers=dict(headers or {}),
        )
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                if is_last or not (repeatable or _is_unsent(error)):
                    raise self._unreachable(error) from error
                time.sleep(_delay(attempt))
                continue
            if is_last or response.status_code not in (PASSING if repeatable else TURNED_AWAY):
                break
            asked = _seconds(response.headers.get("Retry-After", ""))
            if asked > LONGEST_DELAY:
                break
            time.sleep(asked + _delay(attempt))
        return self._content(response)

    def _unreachable(self, error: httpx.TransportError) -> UnreachableError:
        if isinstance(error, httpx.TimeoutException):
            return UnreachableError(
                f"{self.url} did not answer within {self._timeout:g} s.",
                "Try again, or set a longer time-out.",
            )
        return UnreachableError(
            f"{self.url} cannot be reached: {error or type(error).__name__}.",
            "Check MOCA_TRIGGERS_URL, and that the server runs.",
        )

    def _content(self, response: httpx.Response) -> Any:
        if response.has_redirect_location:
            raise UnreachableError(
                f"{self.url} redirects to {response.headers['Location']}.",
                "Set MOCA_TRIGGERS_URL to the address that the API has.",
            )
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise UnreachableError(
                f"{self.url} answered with status {response.status_code}, but not with JSON of the "
                "API.",
                "Check that MOCA_TRIGGERS_URL is the address of Moca Triggers.",
            )
        if response.is_success:
            return content
        request_id = response.headers.get("X-Request-Id", "")
        raise error_of(response.status_code, content, request_id)


def checked_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        ConfigurationError: it is no http(s) address, or contains credentials.
    """
    try:
        parts = urlsplit(url.strip())
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        httpx.URL(url.strip())
    except (ValueError, httpx.InvalidURL):
        is_address = False
    if not is_address:
        raise ConfigurationError(
            f"{url!r} is no address of an installation.",
            "Set MOCA_TRIGGERS_URL to one such as https://moca.example.com.",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "The address contains more than a host and a path.",
            "Put the token into MOCA_TRIGGERS_TOKEN, and leave out what follows `?` or `#`.",
        )
    return url.strip().rstrip("/")


def checked_token(token: str) -> str:
    """The token, if it can be sent in a header.

    Raises:
        ConfigurationError: it has spaces, control characters, or characters beyond ASCII.
    """
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError(
            "The token contains characters that no token has.", "Copy it again, as one line."
        )
    return token


def _is_unsent(error: httpx.TransportError) -> bool:
    """Whether the server has not seen the request."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _delay(attempt: int) -> float:
    """Seconds before the next attempt: a random part of a time that doubles."""
    return random.uniform(0.1, 1) * min(FIRST_DELAY * 2**attempt, LONGEST_DELAY)  # noqa: S311


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() else 0


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
