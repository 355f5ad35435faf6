"""Who signed a message: the schemes by which senders prove that an event is theirs.

Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, spec), GitHub
("Validating webhook deliveries"), Slack ("Verifying requests from Slack") and Stripe ("Verify
webhook signatures manually"). All are HMAC-SHA256 over the body, all but GitHub's with the time.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.models import SourceKind
from events.signing_keys import PREFIX

# How old a message may be, and how far its sender's clock may be ahead. All schemes name 5 minutes.
TOLERANCE_SECONDS = 300
# What some services write before a secret, as it stands before signatures.
VERSION = "v1,"


# What senders are told. It follows from the message alone, and not from the source: whoever has no
# secret does not learn which sources there are, nor of which kind.
UNSIGNED = (
    "The message is not signed. Sign it with the headers webhook-id, webhook-timestamp and "
    "webhook-signature (Standard Webhooks), x-hub-signature-256 (GitHub), "
    "x-slack-request-timestamp and x-slack-signature (Slack) or stripe-signature (Stripe)."
)
FOREIGN = (
    "There is no such event source, it has no secret, or the signature is not of its secret: check "
    "the address and the secret, and that the body is sent byte for byte as it was signed. The "
    "source's page says more."
)
STALE = (
    f"The timestamp is more than {TOLERANCE_SECONDS // 60} minutes from the present: sign the "
    "message anew, and check the sender's clock."
)


class SignatureError(ValueError):
    """The message is not signed by its source, or too old; the text says what is wrong.

    Attributes:
        code: the reason in a word, for logs.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was found right.

    Attributes:
        digest: stands for the signature; the same again is the same message again.
        is_fresh: whether the time that was signed is the present, so that new events may be in the
            message. A stale message may only repeat what is on record.
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
    is_on_record: Callable[[], bool],
) -> Signature:
    """Check who signed a message.

    Args:
        kind: the source's kind, which says by which scheme.
        headers: the request's headers, their names in lower case.
        body: the body, byte for byte.
        secrets: gives the secrets that hold; not asked for a message that is wrong anyhow.
        now: the present.
        is_on_record: says of a message that is too old whether all its events came in before.

    Raises:
        SignatureError: the signature is missing, malformed, not of these secrets, or too old.
    """
    found = SCHEMES[kind](headers, body)
    if not found.is_fresh(now) and not is_on_record():
        raise SignatureError("stale", STALE)
    texts = secrets() if found.given else ()
    if found.given and not texts:
        raise SignatureError(
            "no-secret",
            "This source has no secret, so that nobody can sign: an operator is to make one.",
        )
    for key in (key for text in texts for key in keys_of(kind, text)):
        right = hmac.digest(key, found.signed, "sha256")
        if any(hmac.compare_digest(right, one) for one in found.given):
            digest = hashlib.sha256(found.signed + right).hexdigest()
            return Signature(digest, found.is_fresh(now))
    raise SignatureError(
        "signature",
        "The signature is not of this source's secret: check the secret, and that the body is sent "
        "byte for byte as it was signed.",
    )


def rejection_message(headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """What the sender of a message is told that was not taken for its signature.

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
    """The kind of source that a message looks to be signed for; None if it is not signed."""
    for kind, names in HEADERS.items():
        if any(headers.get(name, "").strip() for name in names):
            return kind
    return None


def keys_of(kind: str, secret: str) -> list[bytes]:
    """The keys that a secret may stand for; none if it cannot sign.

    Standard Webhooks writes a secret as base64 after a prefix. Some services write `v1,` before it.
    Without the prefix, some senders sign with the text itself, and the libraries of Standard
    Webhooks with what it is in base64: both hold.
    """
    if kind != SourceKind.WEBHOOK:
        return [secret.encode()] if secret else []
    encoded = secret.removeprefix(VERSION)
    if encoded.startswith(PREFIX):
        readings = [_key(encoded.removeprefix(PREFIX))]
    else:
        readings = [secret.encode(), _key(secret)]
    return [key for key in readings if key]


def _key(text: str) -> bytes:
    try:
        return _base64(text)
    except ValueError:
        return b""


@dataclass(frozen=True, slots=True)
class Found:
    """What a message says of its signature.

    Attributes:
        signed: what was signed.
        given: the signatures that came with it.
        time: when it was signed, in Unix seconds; None if that is not said.
    """

    signed: bytes
    given: list[bytes]
    time: int | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it was signed just now, as far as it says when."""
        return self.time is None or abs(now.timestamp() - self.time) <= TOLERANCE_SECONDS


def _standard(headers: Mapping[str, str], body: bytes) -> Found:
    key, time = _needed(headers, "webhook-id"), _needed(headers, "webhook-timestamp")
    # With a dot in it, what was signed could be divided otherwise, and be another message.
    if not key.isascii() or "." in key:
        raise SignatureError(
            "header", "The header webhook-id may hold no dot, and ASCII characters alone."
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
    # Others, such as v0 of test events, are to be passed over.
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
        raise SignatureError("timestamp", "The timestamp is no Unix time in whole seconds.")
    return int(time)


def _base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decoded(texts: Sequence[str], prefix: str, decode: Callable[[str], bytes]) -> list[bytes]:
    """The signatures of one form; others, and what is none, are left out."""
    found = []
    for text in texts:
        try:
            if text.startswith(prefix):
                found.append(decode(text.removeprefix(prefix)))
        except ValueError:
            continue
    return found
