"""Secrets with which senders sign events, kept sealed by this installation's SECRET_KEY.

A new secret does not end the one before it at once: both hold for a day, so that a sender can be
told the new one without losing an event.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# How long a secret holds after the next one was set.
OVERLAP = timedelta(days=1)
# Secrets that hold at the same time, where they are made in quick succession.
MOST = 5
# Standard Webhooks: secrets are base64 with this before it.
PREFIX = "whsec_"
# How long a secret of Secrets Manager is kept, so that a storm of events, or of forged ones, does
# not read it each time. A new one is known after this.
REREAD_SECONDS = 10.0
ARN = "arn:"


class UnreadableError(Exception):
    """No secret of a source can be read; the message says what to do about it."""


def new_secret() -> str:
    """A random secret in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def seal(
    secret: str, now: datetime, previous: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The stored secrets of a source, for its row: a new one, then the previous ones.

    Args:
        secret: the new secret, in plain text.
        now: the present.
        previous: what the row has; each of these ends `OVERLAP` from now at the latest. Without
            them the new secret is valid alone.
    """
    until = int((now + OVERLAP).timestamp())
    ending = [
        {**one, "until": min(one.get("until") or until, until)}
        for one in previous
        if _is_valid(one, now)
    ]
    return [{"sealed": _fernet().encrypt(secret.encode()).decode(), "until": None}, *ending][:MOST]


def unseal_active(kept: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """The secrets that hold now; those that SECRET_KEY does not open are left out.

    Raises:
        UnreadableError: some hold, and SECRET_KEY opens none of them.
    """
    from cryptography.fernet import InvalidToken

    holding = [one for one in kept if _is_valid(one, now)]
    seals, found = _fernet(), []
    for one in holding:
        try:
            found.append(seals.decrypt(str(one["sealed"]).encode()).decode())
        except (InvalidToken, KeyError):
            continue
    if holding and not found:
        raise UnreadableError(
            "its secrets were sealed with another SECRET_KEY: set that one in "
            "SECRET_KEY_FALLBACKS, or make a new secret for the source."
        )
    return found


def resolve(text: str) -> str:
    """A secret that the settings give, itself or by its ARN in Secrets Manager.

    Raises:
        UnreadableError: it cannot be read.
    """
    if not text.startswith(ARN):
        return text
    return _read(text, int(time.monotonic() / REREAD_SECONDS))


@lru_cache
def _read(arn: str, period: int) -> str:
    """The secret of an ARN, read once in a period."""
    from moca.aws.secrets import SecretError, secret

    try:
        # What was stored from a file ends with the file's last line break.
        return secret(arn, "the event source's secret").strip()
    except SecretError as error:
        raise UnreadableError(str(error)) from error


def _is_valid(one: Mapping[str, Any], now: datetime) -> bool:
    until = one.get("until")
    return until is None or until > now.timestamp()


def _fernet() -> "MultiFernet":
    # It is dear to load, and the handler opens no secrets.
    from cryptography.fernet import Fernet, MultiFernet

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_key(str(key))) for key in keys])


def _key(text: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"moca event secrets " + text.encode()).digest())
