"""Signatures by HMAC: which header has them, how they are written, and what is signed.

Most senders sign like this and differ only in these points, so that a sender is an entry of a table
and operators can describe one of their own.
"""

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from events.schemes.base import (
    PART,
    SECONDS,
    TOLERANCE_SECONDS,
    Message,
    SignatureError,
    digest_of,
    needed,
    seconds_of,
)
from moca.sealing import PREFIX

HEX, BASE64 = "hex", "base64"
ENCODINGS = (HEX, BASE64)
ALGORITHMS = ("sha256", "sha512", "sha1")
# How a secret becomes a key: its text, its base64 or hexadecimal value, or as in Standard Webhooks.
TEXT, STANDARD = "text", "standard"
KEY_FORMS = (TEXT, BASE64, HEX, STANDARD)
# Some services write this prefix of signatures before secrets too.
VERSION = "v1,"
# What a template of signed texts may contain.
FIELDS = ("body", "time", "id", "url")
_FIELD = re.compile(r"\{(" + "|".join(FIELDS) + r")\}")


@dataclass(frozen=True, slots=True)
class HmacProof:
    """Signatures by HMAC.

    Attributes:
        texts: what may have been signed; several if the sender signs its address.
        given: the signatures in the message.
        time: the signed time in Unix seconds, or None if the scheme has none.
        algorithm: the hash function.
    """

    texts: Sequence[bytes]
    given: list[bytes]
    time: float | None = None
    algorithm: str = "sha256"

    @property
    def is_given(self) -> bool:
        return bool(self.given)

    def check(self, key: bytes) -> str | None:
        for text in self.texts:
            right = hmac.digest(key, text, self.algorithm)
            if any(hmac.compare_digest(right, one) for one in self.given):
                return digest_of(text, right)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme:
    """A sender's way to sign by HMAC.

    Attributes:
        header: the header with the signature.
        signed: what is signed: a template of `{body}`, `{time}`, `{id}` and `{url}`.
        prefix: what stands before each signature; parts without it are ignored.
        split: what separates the parts of the header, or "" if it has one part.
        encoding: how signatures are written.
        algorithm: the hash function.
        time: the place of the signed time, or "".
        time_form: the form of the time.
        id: the header with the id, if it is signed.
        tolerance: how many seconds old a message may be.
        key: how a secret becomes a key.
    """

    header: str
    signed: str = "{body}"
    prefix: str = ""
    split: str = ""
    encoding: str = HEX
    algorithm: str = "sha256"
    time: str = ""
    time_form: str = SECONDS
    id: str = ""
    tolerance: int = TOLERANCE_SECONDS
    key: str = TEXT

    @property
    def headers(self) -> tuple[str, ...]:
        time = self.time.removeprefix("header:") if self.time.startswith("header:") else ""
        return tuple(name for name in (self.id, time, self.header) if name)

    def read(self, message: Message) -> HmacProof:
        key = needed(message, self.id) if self.id else ""
        is_part = self.time.startswith(PART)
        time = "" if is_part or not self.time else self._time(message)
        self._check_id(key)
        seconds = seconds_of(time, self.time_form) if time else None
        parts = self._parts(needed(message, self.header))
        if is_part:
            mark = self.time.removeprefix(PART) + "="
            time = next((each.removeprefix(mark) for each in parts if each.startswith(mark)), "")
            seconds = seconds_of(time, self.time_form)
        urls = message.urls if "{url}" in self.signed else ("",)
        texts = [self._text(message.body, time, key, url) for url in urls]
        return HmacProof(texts, self._decoded(parts), seconds, self.algorithm)

    def keys(self, secret: str) -> list[bytes]:
        found = [secret.encode()]
        if self.key == STANDARD:
            found = standard_keys(secret)
        elif self.key != TEXT:
            found = [_tried(_DECODERS[self.key], secret)]
        return [key for key in found if key]

    def _time(self, message: Message) -> str:
        if self.time.startswith("header:"):
            return needed(message, self.time.removeprefix("header:"))
        if text := message.text_at(self.time):
            return text
        raise SignatureError(
            "timestamp",
            f"The body has no {self.time.removeprefix('body:')}: it is the signed time.",
        )

    def _check_id(self, key: str) -> None:
        # A separator would make the signed text ambiguous: others could shift where the id ends.
        marks = _marks(self.signed)
        if not key.isascii() or any(mark in key for mark in marks):
            named = "a dot" if marks == "." else f"any of {marks}"
            raise SignatureError(
                "header", f"The header {self.id} must consist of ASCII characters without {named}."
            )

    def _parts(self, text: str) -> list[str]:
        if not self.split:
            return [text]
        if self.split == " ":
            return text.split()
        return [part.strip() for part in text.split(self.split)]

    def _text(self, body: bytes, time: str, key: str, url: str) -> bytes:
        if self.signed == "{body}":
            return body
        values = {"body": body, "time": time.encode(), "id": key.encode(), "url": url.encode()}
        return b"".join(
            values[text] if is_field else text.encode() for is_field, text in _pieces(self.signed)
        )

    def _decoded(self, texts: Sequence[str]) -> list[bytes]:
        """Decode the signatures with the prefix; others and malformed ones are ignored."""
        decode, prefix = _DECODERS[self.encoding], self.prefix
        found = (
            _tried(decode, each.removeprefix(prefix)) for each in texts if each.startswith(prefix)
        )
        return [each for each in found if each]


def standard_keys(secret: str) -> list[bytes]:
    """The keys that a secret may mean in Standard Webhooks.

    A secret is base64 after a prefix; some services write `v1,` before that. If the prefix is
    missing, some senders sign with the text itself, and the Standard Webhooks libraries with the
    decoded base64. Both are valid.
    """
    encoded = secret.removeprefix(VERSION)
    if encoded.startswith(PREFIX):
        return [_tried(from_base64, encoded.removeprefix(PREFIX))]
    return [secret.encode(), _tried(from_base64, secret)]


def from_base64(text: str) -> bytes:
    """Decode base64, with or without padding. Raises ValueError if it is none."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


_DECODERS: dict[str, Callable[[str], bytes]] = {HEX: bytes.fromhex, BASE64: from_base64}


def _tried(decode: Callable[[str], bytes], text: str) -> bytes:
    """The decoded text, or nothing if it cannot be decoded."""
    try:
        return decode(text)
    except ValueError:
        return b""


@lru_cache(maxsize=256)
def _pieces(template: str) -> list[tuple[bool, str]]:
    """The pieces of a template, each with whether it is a field."""
    pieces = _FIELD.split(template)
    return [(place % 2 == 1, text) for place, text in enumerate(pieces) if text]


@lru_cache(maxsize=256)
def _marks(template: str) -> str:
    """The characters between the fields of a template that has an id."""
    if "{id}" not in template:
        return ""
    return "".join(
        sorted(set("".join(text for is_field, text in _pieces(template) if not is_field)))
    )
