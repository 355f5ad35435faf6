"""How a request proves who sends it: a bearer token, a key in a header, or AWS's signature."""

from __future__ import annotations

from collections.abc import Callable

Headers = list[tuple[bytes, bytes]]
# Makes the headers that authorize a request: of the token or key (None for none), the URL, the
# other headers and the body.
Authorize = Callable[[str | None, str, Headers, bytes], Headers]


def bearer(token: str | None, _url: str, _headers: Headers, _content: bytes) -> Headers:
    """`Authorization: Bearer` (RFC 6750), or nothing without a token."""
    return [] if token is None else [(b"Authorization", b"Bearer " + token.encode())]


def key_header(name: str) -> Authorize:
    """An API key in a header of its own.

    Args:
        name: the header, such as `X-Api-Key`. Of `Authorization`, the key is the whole value.
    """

    def authorize(key: str | None, _url: str, _headers: Headers, _content: bytes) -> Headers:
        return [] if key is None else [(name.encode(), key.encode())]

    return authorize
