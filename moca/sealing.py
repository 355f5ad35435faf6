"""Encrypts secrets that rows keep, by SECRET_KEY; events and alerts use it."""

import base64
import hashlib
from typing import TYPE_CHECKING

from django.conf import settings

from moca.aws.secrets_manager import secret

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def fernet(purpose: str) -> "MultiFernet":
    """What encrypts and decrypts secrets of one purpose, such as `event secrets`.

    Raises:
        SecretError: the handler's function cannot read the key of the web function.
    """
    from cryptography.fernet import Fernet, MultiFernet  # 17 ms of the handler, as in events

    # The handler's function has a SECRET_KEY of its own, which opens nothing.
    arn = getattr(settings, "SEALING_KEY_ARN", "")
    key = secret(arn, "SECRET_KEY_ARN") if arn else settings.SECRET_KEY
    keys = [key, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(purpose, str(each))) for each in keys])


def _derived(purpose: str, key: str) -> bytes:
    text = f"moca {purpose} {key}"
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
