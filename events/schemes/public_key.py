"""Signatures that the sender makes with a private key, over the time and the body.

The source's secret is the public key. Discord signs with Ed25519, SendGrid with ECDSA on P-256.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from events.schemes.base import (
    TOLERANCE_SECONDS,
    Message,
    digest_of,
    needed,
    seconds_of,
)
from events.schemes.hmac import from_base64

ED25519, ECDSA = "ed25519", "ecdsa"
# What each public key on the curve P-256 begins with in DER (SubjectPublicKeyInfo, RFC 5480).
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
P256_BYTES = 91
ED25519_BYTES = 32


@dataclass(frozen=True, slots=True)
class PublicKeyProof:
    """A signature by a private key."""

    signed: bytes
    signature: bytes
    time: float
    algorithm: str

    @property
    def is_given(self) -> bool:
        return bool(self.signature)

    def check(self, key: bytes) -> str | None:
        from cryptography.exceptions import InvalidSignature  # 20 ms, which few sources need

        try:
            _VERIFIERS[self.algorithm](key, self.signature, self.signed)
        except (InvalidSignature, ValueError):
            return None
        # Not the signature: there are several valid ones of the same message.
        return digest_of(self.signed, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyScheme:
    """A sender's way to sign with a private key.

    Attributes:
        header: the header with the signature: of Ed25519 in hexadecimal, of ECDSA DER in base64.
        time: the header with the time in Unix seconds.
        algorithm: `ed25519` or `ecdsa`.
        tolerance: how many seconds old a message may be.
    """

    header: str
    time: str
    algorithm: str
    tolerance: int = TOLERANCE_SECONDS

    @property
    def headers(self) -> tuple[str, ...]:
        return (self.time, self.header)

    def read(self, message: Message) -> PublicKeyProof:
        time = needed(message, self.time)
        seconds = seconds_of(time)
        given = needed(message, self.header)
        try:
            signature = bytes.fromhex(given) if self.algorithm == ED25519 else from_base64(given)
        except ValueError:
            signature = b""
        return PublicKeyProof(time.encode() + message.body, signature, seconds, self.algorithm)

    def keys(self, secret: str) -> list[bytes]:
        try:
            if self.algorithm == ED25519:
                key = bytes.fromhex(secret)
                return [key] if len(key) == ED25519_BYTES else []
            key = from_base64(secret)
        except ValueError:
            return []
        return [key] if len(key) == P256_BYTES and key.startswith(P256) else []


@cache
def key_of_nobody(algorithm: str) -> str:
    """A public key as senders show it, whose private key is thrown away.

    A message to an address without a source is verified with it.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # 20 ms, as above
    from cryptography.hazmat.primitives.serialization import (  # 20 ms, as above
        Encoding,
        PublicFormat,
    )

    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    found = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(found).decode()


def _verify_ed25519(key: bytes, signature: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # 20 ms, which few sources need
        Ed25519PublicKey,
    )

    Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)


def _verify_ecdsa(key: bytes, signature: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes  # 20 ms, which few sources need
    from cryptography.hazmat.primitives.asymmetric import ec  # 20 ms, as above
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # 20 ms, as above

    loaded = load_der_public_key(key)
    if not isinstance(loaded, ec.EllipticCurvePublicKey):
        raise ValueError("The key is on no elliptic curve.")
    loaded.verify(signature, signed, ec.ECDSA(hashes.SHA256()))


_VERIFIERS: dict[str, Callable[[bytes, bytes, bytes], None]] = {
    ED25519: _verify_ed25519,
    ECDSA: _verify_ecdsa,
}
