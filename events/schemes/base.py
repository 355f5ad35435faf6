"""What all schemes share: messages, the places of values in them, proofs and their errors."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl

from moca.times import parse_iso

# How old a message may be, and how far its sender's clock may be ahead, unless a scheme differs.
TOLERANCE_SECONDS = 300
# The forms of a time: Unix time in seconds or milliseconds, and RFC 3339.
SECONDS, MILLISECONDS, ISO = "s", "ms", "iso"
TIME_FORMS = (SECONDS, MILLISECONDS, ISO)
# What the place of a value begins with. A value is in a header, in a field of the body (whose names
# are joined by dots), or in a part of the header that has the signature.
HEADER, BODY, PART = "header:", "body:", "part:"


FORM = "application/x-www-form-urlencoded"
# The most fields of a form.
MAX_FIELDS = 1000


class SignatureError(ValueError):
    """The signature is missing, invalid or too old; the message says which.

    Attributes:
        code: the reason in one word, for logs.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnavailableError(Exception):
    """A signature cannot be checked at present: the sender should send the message again."""


@dataclass(frozen=True)
class Message:
    """A request to the address of a source.

    Attributes:
        headers: its headers, their names in lower case.
        body: its body, byte for byte.
        content_type: its Content-Type.
        urls: the addresses to which the sender may have sent it, for senders that sign them.
    """

    headers: Mapping[str, str]
    body: bytes
    content_type: str = ""
    urls: Sequence[str] = ()

    @cached_property
    def document(self) -> Any:
        """The body parsed as a form or as JSON, or None if it is neither.

        Its signature may not be verified yet.
        """
        try:
            return fields_of(self.body) if self.media_type == FORM else json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    def text_at(self, place: str) -> str:
        """The text or number at a place, or "" if there is none."""
        if place.startswith(HEADER):
            return self.headers.get(place.removeprefix(HEADER), "").strip()
        return text_in(self.document, place.removeprefix(BODY))


def fields_of(body: bytes) -> dict[str, Any]:
    """The fields of a form; a field that comes several times has a list.

    Raises ValueError if they are too many.
    """
    found: dict[str, Any] = {}
    for name, value in parse_qsl(
        body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
    ):
        before = found.get(name)
        found[name] = value if before is None else [*_listed(before), value]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_in(document: Any, path: str) -> str:
    """The text or number in a document, or "" if there is none. `path` has names joined by dots."""
    for name in path.split("."):
        if isinstance(document, list) and name.isascii() and name.isdecimal() and len(name) < 5:
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    if isinstance(document, bool) or not isinstance(document, str | int | float):
        return ""
    return str(document)


class Proof(Protocol):
    """The proof in a message, parsed: a signature or a token."""

    @property
    def time(self) -> float | None:
        """The signed time in Unix seconds, or None if there is none."""

    @property
    def is_given(self) -> bool:
        """Whether there is anything that a secret can be compared with."""

    def check(self, key: bytes) -> str | None:
        """A digest that identifies the message if the proof was made with the key, else None."""


class Scheme(Protocol):
    """A way in which senders sign messages."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers by which a message of this scheme is recognized."""

    @property
    def tolerance(self) -> int:
        """How many seconds old a message may be."""

    def read(self, message: Message) -> Proof:
        """Read the proof. Raises SignatureError if it is missing or malformed."""

    def keys(self, secret: str) -> list[bytes]:
        """The keys that a secret may mean, or none if it is no usable secret."""


def is_fresh(proof: Proof, tolerance: int, now: datetime) -> bool:
    """Whether the signed time is within the tolerance; True if there is no time."""
    return proof.time is None or abs(now.timestamp() - proof.time) <= tolerance


def needed(message: Message, name: str) -> str:
    """A header that must be there. Raises SignatureError if it is not."""
    if not (text := message.headers.get(name, "").strip()):
        raise SignatureError("header", f"The header {name} is missing: sign the message.")
    return text


def seconds_of(text: str, form: str = SECONDS) -> float:
    """A time in Unix seconds. Raises SignatureError if the text has not the form."""
    if form == ISO:
        try:
            return parse_iso(text.upper()).timestamp()
        except (ValueError, OverflowError) as error:
            message = "Send the timestamp in RFC 3339, such as 2027-01-31T09:00:00Z."
            raise SignatureError("timestamp", message) from error
    most = 12 if form == SECONDS else 15
    if not (text.isascii() and text.isdecimal() and len(text) < most):
        unit = "seconds" if form == SECONDS else "milliseconds"
        raise SignatureError("timestamp", f"Send the timestamp as Unix time in whole {unit}.")
    return int(text) if form == SECONDS else int(text) / 1000


def digest_of(*parts: bytes) -> str:
    """The digest of a signed message."""
    return hashlib.sha256(b"".join(parts)).hexdigest()
