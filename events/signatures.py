"""Verifies the signatures of webhooks.

Schemes: Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, spec), GitHub
("Validating webhook deliveries"), Slack ("Verifying requests from Slack") and Stripe ("Verify
webhook signatures manually"). Each is HMAC-SHA256 over the body; all but GitHub's cover the time.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.kinds import SourceKind
from moca.sealing import PREFIX

# How old a message may be, and how far its sender's clock may be ahead. All schemes recommend this.
TOLERANCE_SECONDS = 300
# Some services write this prefix of signatures before secrets too.
VERSION = "v1,"


# Answers to senders. They depend on the message alone, not on the source: without a secret nobody
# learns which sources exist, or of which kind they are.
UNSIGNED = (
    "The message is not signed. Sign it with the headers webhook-id, webhook-timestamp and "
    "webhook-signature (Standard Webhooks), x-hub-signature-256 (GitHub), "
    "x-slack-request-timestamp and x-slack-signature (Slack) or stripe-signature (Stripe)."
)
FOREIGN = (
    "There is no such event source, it has no secret, or the signature was made with another "
    "secret. Check the address and the secret, and send the body byte for byte as it was signed. "
    "The source's page says more."
)
STALE = (
    f"The timestamp is more than {TOLERANCE_SECONDS // 60} minutes from the present. Sign the "
    "message again, and check the sender's clock."
)


class SignatureError(ValueError):
    """The signature is missing, invalid or too old; the message says which.

    Attributes:
        code: the reason in one word, for logs.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signature:
    """A valid signature.

    Attributes:
        digest: identifies the signed message: if it comes again, so does the message.
        is_fresh: whether the signed time is close to the present. A message that is not fresh may
            only repeat stored events.
    """

    digest: str
    is_fresh: bool


def verify(
    kind: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Callable[[], Sequence[str]],
    now: datetime,
    *,
    is_stored: Callable[[], bool],
) -> Signature:
    """Verify the signature of a message.

    Args:
        kind: the source's kind, which decides the scheme.
        headers: the request's headers, their names in lower case.
        body: the body, byte for byte.
        secrets: returns the valid secrets; not called if the message is rejected anyway.
        now: the present.
        is_stored: returns whether all events of a message that is too old are stored.

    Raises:
        SignatureError: the signature is missing, malformed, too old, or made with another secret.
        UnreadableError: `secrets` cannot read one; see `EventSource.active_secrets()`.
    """
    found = SCHEMES[kind](headers, body)
    if not found.is_fresh(now) and not is_stored():
        raise SignatureError("stale", STALE)
    texts = secrets() if found.given else ()
    if found.given and not texts:
        raise SignatureError(
            "no-secret",
            "This source has no secret. An operator can create one on the source's page.",
        )
    for key in (key for text in texts for key in keys_of(kind, text)):
        right = hmac.digest(key, found.signed, "sha256")
        if any(hmac.compare_digest(right, one) for one in found.given):
            digest = hashlib.sha256(found.signed + right).hexdigest()
            return Signature(digest, found.is_fresh(now))
    raise SignatureError(
        "signature",
        "The signature was made with another secret. Check the secret, and send the body byte for "
        "byte as it was signed.",
    )


def rejection_message(headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The answer to the sender of a message whose signature was rejected.

    Args:
        headers: the request's headers, their names in lower case.
        body: the body, byte for byte.
        now: the present.
    """
    kind = kind_of(headers)
    if kind is None:
        return UNSIGNED
    try:
        found = SCHEMES[kind](headers, body)
    except SignatureError as error:
        return str(error)
    return FOREIGN if found.is_fresh(now) else STALE


def kind_of(headers: Mapping[str, str]) -> str | None:
    """The kind of source that the signature headers suggest, or None if there are none."""
    for kind, names in HEADERS.items():
        if any(headers.get(name, "").strip() for name in names):
            return kind
    return None


def keys_of(kind: str, secret: str) -> list[bytes]:
    """The keys that a secret may mean, or none if it is no usable secret.

    In Standard Webhooks a secret is base64 after a prefix; some services write `v1,` before that.
    If the prefix is missing, some senders sign with the text itself, and the Standard Webhooks
    libraries with the decoded base64. Both are valid.
    """
    if kind != SourceKind.WEBHOOK:
        return [secret.encode()] if secret else []
    encoded = secret.removeprefix(VERSION)
    if encoded.startswith(PREFIX):
        readings = [_secret_key(encoded.removeprefix(PREFIX))]
    else:
        readings = [secret.encode(), _secret_key(secret)]
    return [key for key in readings if key]


def _secret_key(text: str) -> bytes:
    try:
        return _base64(text)
    except ValueError:
        return b""


@dataclass(frozen=True, slots=True)
class Found:
    """The signature headers of a message, parsed.

    Attributes:
        signed: the bytes that were signed.
        given: the signatures in the message.
        time: the signed time in Unix seconds, or None if the scheme has none.
    """

    signed: bytes
    given: list[bytes]
    time: int | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether the signed time is within the tolerance; True if there is no time."""
        return self.time is None or abs(now.timestamp() - self.time) <= TOLERANCE_SECONDS


def _standard(headers: Mapping[str, str], body: bytes) -> Found:
    key, time = _needed(headers, "webhook-id"), _needed(headers, "webhook-timestamp")
    # A dot would make the signed text ambiguous: it could be split to another id and body.
    if not key.isascii() or "." in key:
        raise SignatureError(
            "header", "The header webhook-id must consist of ASCII characters without a dot."
        )
    seconds = _seconds(time)
    given = _needed(headers, "webhook-signature").split()
    return Found(f"{key}.{time}.".encode() + body, _decoded(given, "v1,", _base64), seconds)


def _github(headers: Mapping[str, str], body: bytes) -> Found:
    given = _needed(headers, "x-hub-signature-256")
    return Found(body, _decoded([given], "sha256=", bytes.fromhex))


def _slack(headers: Mapping[str, str], body: bytes) -> Found:
    time = _needed(headers, "x-slack-request-timestamp")
    seconds = _seconds(time)
    given = _needed(headers, "x-slack-signature")
    return Found(f"v0:{time}:".encode() + body, _decoded([given], "v0=", bytes.fromhex), seconds)


def _stripe(headers: Mapping[str, str], body: bytes) -> Found:
    parts = [part.strip() for part in _needed(headers, "stripe-signature").split(",")]
    time = next((part.removeprefix("t=") for part in parts if part.startswith("t=")), "")
    seconds = _seconds(time)
    # Other parts, such as v0 of test events, are ignored.
    return Found(f"{time}.".encode() + body, _decoded(parts, "v1=", bytes.fromhex), seconds)


HEADERS: dict[str, tuple[str, ...]] = {
    SourceKind.WEBHOOK: ("webhook-id", "webhook-timestamp", "webhook-signature"),
    SourceKind.GITHUB: ("x-hub-signature-256",),
    SourceKind.SLACK: ("x-slack-request-timestamp", "x-slack-signature"),
    SourceKind.STRIPE: ("stripe-signature",),
}
SCHEMES: dict[str, Callable[[Mapping[str, str], bytes], Found]] = {
    SourceKind.WEBHOOK: _standard,
    SourceKind.GITHUB: _github,
    SourceKind.SLACK: _slack,
    SourceKind.STRIPE: _stripe,
}


def _needed(headers: Mapping[str, str], name: str) -> str:
    if not (text := headers.get(name, "").strip()):
        raise SignatureError("header", f"The header {name} is missing: sign the message.")
    return text


def _seconds(time: str) -> int:
    if not (time.isascii() and time.isdecimal() and len(time) < 12):
        raise SignatureError("timestamp", "Send the timestamp as Unix time in whole seconds.")
    return int(time)


def _base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decoded(texts: Sequence[str], prefix: str, decode: Callable[[str], bytes]) -> list[bytes]:
    """Decode the signatures with a prefix; others and malformed ones are ignored."""
    found = []
    for text in texts:
        try:
            if text.startswith(prefix):
                found.append(decode(text.removeprefix(prefix)))
        except ValueError:
            continue
    return found
