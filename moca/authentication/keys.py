"""The public keys by which tokens are checked, and the key of a one-machine installation."""

import logging
import threading
import time
from collections.abc import Callable
from functools import cache

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from moca.local_keys import kept

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(3.0, connect=2.0)
# Seconds between two fetches, and the age from which keys are fetched anew.
PAUSE = 60.0
PAUSE_WITHOUT_KEYS = 5.0
MAX_AGE = 3600.0

LOCAL_KEY_ID = "local"


class KeysUnavailableError(Exception):
    """The keys could not be fetched, so nothing can be said about the token."""


class RemoteKeys:
    """The keys of a JWKS address, fetched when needed and kept while a later fetch fails.

    Args:
        url: the address.
        clock: seconds that only grow.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, RSAPublicKey] = {}
        self._tried_at = self._fetched_at = float("-inf")

    def get(self, key_id: str) -> RSAPublicKey | None:
        """The key of this id; None where the address does not list it.

        Raises:
            KeysUnavailableError: the key is unknown, and the address was out of reach lately.
        """
        key = self._keys.get(key_id)
        if key is not None and not self._is_old():
            return key
        # Who has a key need not wait until another thread has fetched it anew.
        if not self._lock.acquire(blocking=key is None):
            return key
        try:
            if (key_id not in self._keys or self._is_old()) and self._may_try():
                self._fetch()
            key = self._keys.get(key_id)
            if key is None and self._fetched_at < self._tried_at:
                raise KeysUnavailableError
            return key
        finally:
            self._lock.release()

    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at >= MAX_AGE

    def _may_try(self) -> bool:
        return self._clock() - self._tried_at >= (PAUSE if self._keys else PAUSE_WITHOUT_KEYS)

    def _fetch(self) -> None:
        now = self._tried_at = self._clock()
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT)
            answer.raise_for_status()
            keys = _read(answer.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("The keys at %s could not be fetched: %s", self._url, error)
            return
        self._keys, self._fetched_at = keys, now


def _read(document: dict[str, list[dict[str, str]]]) -> dict[str, RSAPublicKey]:
    keys = {}
    for entry in document["keys"]:
        if entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig":
            try:
                key = RSAAlgorithm.from_jwk(entry)
            except InvalidKeyError as error:
                raise ValueError(str(error)) from error
            if isinstance(key, RSAPublicKey):
                keys[entry["kid"]] = key
    return keys


@cache
def local_key() -> RSAPrivateKey:
    """The key that signs this installation's tokens, made on first use.

    Raises:
        KeysUnavailableError: it cannot be kept, so the tokens have to be those of a user pool.
    """
    try:
        pem = kept(settings.DATA_DIR / "token-key.pem", _make_key)
    except OSError as error:
        logger.error(
            "No token can be checked: %s cannot keep a key (%s). Set COGNITO_USER_POOL_ID.",
            settings.DATA_DIR,
            error.strerror,
        )
        raise KeysUnavailableError from error
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{settings.DATA_DIR / 'token-key.pem'} holds no RSA key")
    return key


@cache
def local_public_key() -> RSAPublicKey:
    """The key that checks this installation's tokens."""
    return local_key().public_key()


def _make_key() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
