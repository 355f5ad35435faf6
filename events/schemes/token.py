"""Tokens that senders share with us, in a header of their own or in Authorization.

A token proves who sent a message, but not that nobody has changed it on the way. Use a signature
if the sender offers one.
"""

import base64
import hmac
from dataclasses import dataclass

from events.schemes.base import TOLERANCE_SECONDS, Message, SignatureError, digest_of

AUTHORIZATION = "authorization"
BEARER, BASIC = "bearer", "basic"
WAYS = (BEARER, BASIC)


@dataclass(frozen=True, slots=True)
class TokenProof:
    """The tokens of a message."""

    body: bytes
    given: list[bytes]
    time: float | None = None

    @property
    def is_given(self) -> bool:
        return bool(self.given)

    def check(self, key: bytes) -> str | None:
        # Compares all, in constant time each.
        found = [hmac.compare_digest(key, one) for one in self.given]
        return digest_of(self.body, key) if any(found) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScheme:
    """A sender's way to send a token.

    Attributes:
        header: the header with the token, or "".
        ways: how the token may stand in Authorization: bearer, basic, or both.
    """

    header: str = ""
    ways: tuple[str, ...] = ()
    tolerance: int = TOLERANCE_SECONDS

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(name for name in (self.header, AUTHORIZATION if self.ways else "") if name)

    def read(self, message: Message) -> TokenProof:
        given = [message.headers.get(self.header, "").strip()] if self.header else []
        kind, _, rest = message.headers.get(AUTHORIZATION, "").strip().partition(" ")
        if kind.lower() in self.ways:
            rest = rest.strip()
            given += [rest] if kind.lower() == BEARER else _of_basic(rest)
        tokens = [text.encode() for text in given if text]
        if not tokens:
            names = " or ".join(self.headers)
            raise SignatureError("header", f"The header {names} is missing: send the token in it.")
        return TokenProof(message.body, tokens)

    def keys(self, secret: str) -> list[bytes]:
        return [secret.encode()] if secret else []


def _of_basic(text: str) -> list[str]:
    """The secrets that basic credentials may mean: user:password, or the password alone."""
    try:
        whole = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return []
    return [whole, whole.partition(":")[2]]
