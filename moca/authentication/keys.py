"""Keys of tokens: a user pool's public keys (JWKS), or this installation's own key pair."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

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
from jwt import PyJWKSet, PyJWTError

from moca.local_keys import kept

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(3.0, connect=2.0)
# Unknown key ids cause at most FETCHES fetches per PER_SECONDS: the pool may have a new key. If the
# last fetch is less than RECENT seconds old, a key that it did not list does not exist.
FETCHES, PER_SECONDS = 2, 60.0
RECENT = 1.0
# Seconds between two fetches while there are no keys, and the age at which keys are fetched again.
PAUSE_WITHOUT_KEYS = 5.0
MAX_AGE = 3600.0

LOCAL_KEY_ID = "local"


class KeysUnavailableError(Exception):
    """The keys could not be fetched, so the token cannot be checked.

    Attributes:
        retry_after: seconds after which a retry makes sense.
    """

    def __init__(self, retry_after: float = PAUSE_WITHOUT_KEYS) -> None:
        super().__init__()
        self.retry_after = math.ceil(retry_after)


class RemoteKeys:
    """The keys of a JWKS URL; fetched when needed, and kept if a later fetch fails.

    It does not use PyJWT's PyJWKClient, which has three faults. While the URL fails, it refuses
    keys that it knew and fetches again for each request. All requests wait for a fetch. It treats
    a new key of the pool as forged until a cooldown is over.

    Args:
        url: the JWKS URL.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, RSAPublicKey] = {}
        self._tries: deque[float] = deque([float("-inf")], maxlen=FETCHES)
        self._fetched_at = float("-inf")

    def get(self, key_id: str) -> RSAPublicKey | None:
        """The key with this id; None if the URL does not list it.

        Raises:
            KeysUnavailableError: the key is unknown, and the URL has just failed or was fetched
                too often to be fetched again now.
        """
        key = self._keys.get(key_id)
        if key is not None and not self._is_old():
            return key
        # With a known key, do not wait for another thread's fetch.
        if not self._lock.acquire(blocking=key is None):
            return key
        try:
            if (key_id not in self._keys or self._is_old()) and self._may_try():
                self._fetch()
            key = self._keys.get(key_id)
            if key is None:
                self._require_recent_fetch()
            return key
        finally:
            self._lock.release()

    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at >= MAX_AGE

    def _may_try(self) -> bool:
        now = self._clock()
        if not self._keys:
            return now - self._tries[-1] >= PAUSE_WITHOUT_KEYS
        return now - self._tries[-1] > RECENT and self._until_next() <= 0

    def _until_next(self) -> float:
        """Seconds until another fetch is allowed."""
        if len(self._tries) < FETCHES:
            return 0
        return PER_SECONDS - (self._clock() - self._tries[0])

    def _require_recent_fetch(self) -> None:
        """Raise KeysUnavailableError unless a recent fetch succeeded."""
        if self._fetched_at < self._tries[-1]:
            raise KeysUnavailableError
        if self._clock() - self._fetched_at > RECENT:
            raise KeysUnavailableError(max(1, self._until_next()))

    def _fetch(self) -> None:
        now = self._clock()
        self._tries.append(now)
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT)
            answer.raise_for_status()
            keys = _read(answer.json())
        except (httpx.HTTPError, PyJWTError, ValueError, AttributeError) as error:
            logger.warning("The keys at %s could not be fetched: %s", self._url, error)
            return
        self._keys, self._fetched_at = keys, now


def _read(document: dict[str, Any]) -> dict[str, RSAPublicKey]:
    return {
        jwk.key_id: jwk.key
        for jwk in PyJWKSet.from_dict(document).keys
        if jwk.key_id and jwk.public_key_use in ("sig", None) and isinstance(jwk.key, RSAPublicKey)
    }


@cache
def local_key() -> RSAPrivateKey:
    """The private key that signs this installation's tokens, generated on first use.

    Raises:
        KeysUnavailableError: the data directory cannot keep a key. Only a user pool can then issue
            tokens.
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
    """The public key that verifies this installation's tokens."""
    return local_key().public_key()


def _make_key() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
