"""Makes the headers that authorize a request: a bearer token, or a key in a header of its own.

`tokens.py` obtains the token or key. `moca/aws/signing.py` makes AWS's signature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]
# Makes the headers from the token or key (None for none), the URL, the other headers and the body.
Authorize = Callable[[str | None, str, Headers, bytes], Headers]


def bearer(token: str | None, _url: str, _headers: Headers, _content: bytes) -> Headers:
    """Make `Authorization: Bearer` (RFC 6750), or nothing without a token."""
    return [] if token is None else [(b"Authorization", b"Bearer " + token.encode())]


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """Sends an API key in a header of its own.

    Attributes:
        name: the header, such as `X-Api-Key`. If it is `Authorization`, the key is the whole value.
    """

    name: str

    def __call__(self, key: str | None, _url: str, _headers: Headers, _content: bytes) -> Headers:
        return [] if key is None else [(self.name.encode(), key.encode())]


def asks_nobody(authorize: Authorize) -> bool:
    """Whether headers are made of what is at hand. AWS's signature may ask for credentials."""
    return authorize is bearer or isinstance(authorize, KeyHeader)
