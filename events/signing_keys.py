"""Stores and reads the secrets with which senders sign events, encrypted by SECRET_KEY.

After a rotation the old secret stays valid for a day, so that no event is lost until the sender
uses the new one.
"""

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings

from moca import sealing
from moca.aws.secrets_manager import SecretError, secret

# How long a secret stays valid after a rotation.
OVERLAP = timedelta(days=1)
# Secrets that are valid at the same time, after several rotations within a day.
MOST = 5
# How long a secret from Secrets Manager is cached: a flood of events does not read it each time,
# and a rotated secret is used after this time.
REREAD_SECONDS = 10.0
ARN = "arn:"
# The secret of a source of Amazon SNS is the ARN of its topic.
TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:")
# What `moca.sealing` derives the key from, together with SECRET_KEY.
PURPOSE = "event secrets"


class UnreadableError(Exception):
    """No secret of a source can be read; the message names the remedy."""


def seal(
    secret: str, now: datetime, previous: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The value of a source's `secrets`: a new secret, encrypted, then the previous ones.

    Args:
        secret: the new secret in plain text.
        now: the present.
        previous: the source's current `secrets`, which stay valid for `OVERLAP` at most. Without
            them, only the new secret is valid.
    """
    until = int((now + OVERLAP).timestamp())
    ending = [
        {**one, "until": min(one.get("until") or until, until)}
        for one in previous
        if _is_valid(one, now)
    ]
    sealed = sealing.fernet(PURPOSE).encrypt(secret.encode()).decode()
    return [{"sealed": sealed, "until": None}, *ending][:MOST]


def unseal_active(kept: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """The valid secrets in plain text, without those that SECRET_KEY cannot decrypt.

    Raises:
        UnreadableError: there are valid secrets, but SECRET_KEY decrypts none of them.
    """
    valid = [one for one in kept if _is_valid(one, now)]
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    opened = [_unseal(str(one.get("sealed", "")), keys) for one in valid]
    found = [secret for secret in opened if secret is not None]
    if valid and not found:
        raise UnreadableError(
            "its secrets were sealed with another SECRET_KEY. Add that key to "
            "SECRET_KEY_FALLBACKS, or create a new secret for the source."
        )
    return found


@lru_cache(maxsize=256)
def _unseal(sealed: str, keys: tuple[str, ...]) -> str | None:
    """A secret in plain text, or None if none of the keys decrypts it."""
    from cryptography.fernet import InvalidToken  # 17 ms of the handler, which opens no secrets

    try:
        return sealing.fernet(PURPOSE).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def is_reference(text: str) -> bool:
    """Whether a secret in the settings is the ARN of one in Secrets Manager."""
    return text.startswith(ARN) and not TOPIC_ARN.match(text)


def resolve(text: str) -> str:
    """A secret from the settings, which give the secret itself or its ARN in Secrets Manager.

    Raises:
        UnreadableError: the secret cannot be read.
    """
    if not is_reference(text):
        return text
    return _read(text, int(time.monotonic() / REREAD_SECONDS))


@lru_cache
def _read(arn: str, period: int) -> str:
    """The secret with an ARN, read once for each value of `period`."""
    try:
        # A secret that was stored from a file ends with a line break.
        return secret(arn, "the event source's secret").strip()
    except SecretError as error:
        raise UnreadableError(str(error)) from error


def _is_valid(one: Mapping[str, Any], now: datetime) -> bool:
    until = one.get("until")
    return until is None or until > now.timestamp()
