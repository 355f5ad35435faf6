"""Verifies that a message was signed with a secret of its source, or has its token.

`events.schemes` has the ways to sign, and `events.senders` says which sender uses which.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from events import senders
from events.schemes.base import TOLERANCE_SECONDS, Message, Scheme, SignatureError, is_fresh
from events.schemes.token import TokenScheme

__all__ = ["Message", "Signature", "SignatureError", "rejection_message", "verify"]

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
FOREIGN_SENDER = (
    "There is no such event source, it has no secret, or the token is another one. Check the "
    "address and the token. The source's page says more."
)


def stale(seconds: int) -> str:
    """What a sender is told whose message is older than so many seconds."""
    minutes = f"{seconds // 60} minutes" if seconds >= 60 else f"{seconds} seconds"
    return (
        f"The timestamp is more than {minutes} from the present. Sign the message again, and check "
        "the sender's clock."
    )


STALE = stale(TOLERANCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Signature:
    """A valid signature.

    Attributes:
        digest: identifies the signed message: if it comes again, so does the message.
        is_fresh: whether the signed time is close to the present. A message that is not fresh may
            only repeat stored events.
        secret: the secret with which it was made, for senders to whom we have to prove that we
            know it.
    """

    digest: str
    is_fresh: bool
    secret: str = field(default="", repr=False)


def verify(
    scheme: Scheme,
    message: Message,
    secrets: Callable[[], Sequence[str]],
    now: datetime,
    *,
    is_stored: Callable[[], bool],
) -> Signature:
    """Verify the signature of a message.

    Args:
        scheme: how the source's sender signs.
        message: the message.
        secrets: returns the valid secrets; not called if the message is rejected anyway.
        now: the present.
        is_stored: returns whether all events of a message that is too old are stored.

    Raises:
        SignatureError: the signature is missing, malformed, too old, or made with another secret.
        UnavailableError: the signature cannot be checked at present.
        UnreadableError: `secrets` cannot read one; see `EventSource.active_secrets()`.
    """
    proof = scheme.read(message)
    fresh = is_fresh(proof, scheme.tolerance, now)
    if not fresh and not is_stored():
        raise SignatureError("stale", stale(scheme.tolerance))
    texts = secrets() if proof.is_given else ()
    if proof.is_given and not texts:
        raise SignatureError(
            "no-secret",
            "This source has no secret. An operator can create one on the source's page.",
        )
    for text in texts:
        for key in scheme.keys(text):
            if digest := proof.check(key):
                return Signature(digest, fresh, text)
    if isinstance(scheme, TokenScheme):
        raise SignatureError("token", "The token is another one. Check the token.")
    raise SignatureError(
        "signature",
        "The signature was made with another secret. Check the secret, and send the body byte for "
        "byte as it was signed.",
    )


def rejection_message(message: Message, now: datetime) -> str:
    """The answer to the sender of a message whose signature was rejected."""
    kind = senders.kind_of(message.headers)
    scheme = senders.sender_of(kind).scheme if kind else None
    if scheme is None:
        return UNSIGNED
    try:
        proof = scheme.read(message)
    except SignatureError as error:
        return str(error)
    if not is_fresh(proof, scheme.tolerance, now):
        return stale(scheme.tolerance)
    return FOREIGN_SENDER if isinstance(scheme, TokenScheme) else FOREIGN
