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
from events.secrets import PREFIX

# How old a message may be, and how far its sender's clock may be ahead. All schemes name 5 minutes.
TOLERANCE_SECONDS = 300


class SignatureError(ValueError):
    """The message is not signed by its source, or too old; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was found right.

    Attributes:
        digest: stands for the signature; the same again is the same message again.
        is_dated: whether the message cannot be sent again later than `TOLERANCE_SECONDS`.
    """

    digest: str
    is_dated: bool


def verify(
    kind: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Callable[[], Sequence[str]],
    now: datetime,
) -> Signature:
    """Check who signed a message.

    Args:
        kind: the source's kind, which says by which scheme.
        headers: the request's headers, their names in lower case.
        body: the body, byte for byte.
        secrets: gives the secrets that hold; not asked for a message that is wrong anyhow.
        now: the present.

    Raises:
        SignatureError: the signature is missing, malformed, not of these secrets, or too old.
    """
    signed, given = SCHEMES[kind](headers, body, now)
    keys = secrets() if given else ()
    if given and not keys:
        raise SignatureError(
            "This source has no secret, so that nobody can sign: an operator is to make one."
        )
    for secret in keys:
        try:
            right = hmac.digest(key_of(kind, secret), signed, "sha256")
        except ValueError:
            continue
        if any(hmac.compare_digest(right, one) for one in given):
            return Signature(hashlib.sha256(signed + right).hexdigest(), kind != SourceKind.GITHUB)
    raise SignatureError(
        "The signature is not of this source's secret: check the secret, and that the body is sent "
        "byte for byte as it was signed."
    )


def key_of(kind: str, secret: str) -> bytes:
    """The bytes with which a secret signs; those of Standard Webhooks are base64 after a prefix.

    Raises:
        ValueError: there are none, so that everybody could sign.
    """
    if kind == SourceKind.WEBHOOK and secret.startswith(PREFIX):
        key = _base64(secret.removeprefix(PREFIX))
    else:
        key = secret.encode()
    if not key:
        raise ValueError("the secret is empty")
    return key


def is_key(kind: str, secret: str) -> bool:
    """Whether a secret can sign, for a source of a kind."""
    try:
        return bool(key_of(kind, secret))
    except ValueError:
        return False


# What was signed, and the signatures that came with it.
Found = tuple[bytes, list[bytes]]


def _standard(headers: Mapping[str, str], body: bytes, now: datetime) -> Found:
    key, time = _needed(headers, "webhook-id"), _needed(headers, "webhook-timestamp")
    # With a dot in it, what was signed could be divided otherwise, and be another message.
    if not key.isascii() or "." in key:
        raise SignatureError("The header webhook-id may hold no dot, and ASCII characters alone.")
    _check_age(time, now)
    given = _needed(headers, "webhook-signature").split()
    return f"{key}.{time}.".encode() + body, _decoded(given, "v1,", _base64)


def _github(headers: Mapping[str, str], body: bytes, now: datetime) -> Found:
    given = _needed(headers, "x-hub-signature-256")
    return body, _decoded([given], "sha256=", bytes.fromhex)


def _slack(headers: Mapping[str, str], body: bytes, now: datetime) -> Found:
    time = _needed(headers, "x-slack-request-timestamp")
    _check_age(time, now)
    given = _needed(headers, "x-slack-signature")
    return f"v0:{time}:".encode() + body, _decoded([given], "v0=", bytes.fromhex)


def _stripe(headers: Mapping[str, str], body: bytes, now: datetime) -> Found:
    parts = [part.strip() for part in _needed(headers, "stripe-signature").split(",")]
    time = next((part.removeprefix("t=") for part in parts if part.startswith("t=")), "")
    _check_age(time, now)
    # Others, such as v0 of test events, are to be passed over.
    return f"{time}.".encode() + body, _decoded(parts, "v1=", bytes.fromhex)


SCHEMES: dict[str, Callable[[Mapping[str, str], bytes, datetime], Found]] = {
    SourceKind.WEBHOOK: _standard,
    SourceKind.GITHUB: _github,
    SourceKind.SLACK: _slack,
    SourceKind.STRIPE: _stripe,
}


def _needed(headers: Mapping[str, str], name: str) -> str:
    if not (text := headers.get(name, "").strip()):
        raise SignatureError(f"The header {name} is missing: sign the message.")
    return text


def _check_age(time: str, now: datetime) -> None:
    if not (time.isascii() and time.isdecimal() and len(time) < 12):
        raise SignatureError("The timestamp is no Unix time in whole seconds.")
    if abs(now.timestamp() - int(time)) > TOLERANCE_SECONDS:
        raise SignatureError(
            f"The timestamp is more than {TOLERANCE_SECONDS // 60} minutes from the present: sign "
            "the message anew, and check the sender's clock."
        )


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
