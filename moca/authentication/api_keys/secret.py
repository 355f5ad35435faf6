"""The text of an API key: `moca_ID_SECRET`. It is random, is shown once, and is stored hashed.

The last six characters are a checksum, by which secret scanners tell a key from other texts. A
secret has 256 bits, so a plain SHA-256 of it is enough: nobody can guess what to hash.
"""

import hashlib
import hmac
import re
import secrets
import string
import uuid
import zlib
from dataclasses import dataclass

from moca.ids import new_id

# In the order of their codes, so that ids sort by their time.
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 22, 43, 6
# No SHA-256 is equal to it.
NO_HASH = "-" * 64


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A new secret text: its public id, the text, and the hash that is stored."""

    id: str
    text: str
    hash: str


def new_secret(prefix: str, key: str = "") -> NewSecret:
    """Make a secret text of a prefix such as `moca`.

    Args:
        prefix: the letters before the first underscore.
        key: the public id; a new one if it is left out.
    """
    key = key or id_from(uuid.UUID(new_id()).bytes)
    body = f"{prefix}_{key}_{_base62(secrets.randbits(256), _SECRET_LENGTH)}"
    text = body + _checksum(body)
    return NewSecret(key, text, hash_of(text))


def id_from(data: bytes) -> str:
    """The public id that 16 bytes make."""
    return _base62(int.from_bytes(data), ID_LENGTH)


def id_in(prefix: str, text: str) -> str:
    """The id in a secret text; empty if the text is malformed or its checksum is wrong.

    It says nothing about the secret: anybody can compute a checksum.
    """
    length = _SECRET_LENGTH + _CHECK_LENGTH
    found = re.fullmatch(f"{prefix}_([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{length}}}", text)
    if found is None or _checksum(text[:-_CHECK_LENGTH]) != text[-_CHECK_LENGTH:]:
        return ""
    return found[1]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def is_same(digest: str, stored: str) -> bool:
    """Whether two hashes are equal, in a time that does not depend on where they differ.

    Args:
        digest: the hash of the text that was sent.
        stored: the stored hash; empty if there is none, which takes the same steps.
    """
    return hmac.compare_digest(digest, stored or NO_HASH)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
