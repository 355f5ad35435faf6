"""Makes and encrypts secrets that rows keep, for events and alerts."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from moca.aws.secrets_manager import secret

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


# Prefix of base64 secrets (Standard Webhooks).
PREFIX = "whsec_"


def new_signing_secret() -> str:
    """A random secret in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def fernet(purpose: str, key_arn: str = "") -> "MultiFernet":
    """What encrypts and decrypts secrets of one purpose, such as `event secrets`.

    Args:
        purpose: secrets of other purposes have other keys.
        key_arn: the secret of Secrets Manager that has the key; empty for SECRET_KEY.

    Raises:
        SecretError: the secret cannot be read.
    """
    from cryptography.fernet import Fernet, MultiFernet  # 17 ms of the handler, as in events

    key = _read(key_arn) if key_arn else settings.SECRET_KEY
    keys = [key, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(purpose, str(each))) for each in keys])


def seal(purpose: str, value: Mapping[str, Any]) -> str:
    """Encrypt a JSON object for a row or a form."""
    return fernet(purpose).encrypt(json.dumps(value).encode()).decode()


def unseal(purpose: str, text: str, seconds: int | None = None) -> dict[str, Any] | None:
    """What `seal()` encrypted; None if no key decrypts it, or if it is older than `seconds`."""
    from cryptography.fernet import InvalidToken  # 17 ms of the handler, as in events

    try:
        found: dict[str, Any] = json.loads(fernet(purpose).decrypt(text.encode(), seconds))
    except InvalidToken:
        return None
    return found


@cache
def _read(arn: str) -> str:
    return secret(arn, "the key")


def _derived(purpose: str, key: str) -> bytes:
    text = f"moca {purpose} {key}"
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
