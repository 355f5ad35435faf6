"""Twilio's signatures: HMAC over the address and the sorted fields of the form.

Source: Twilio, "Webhooks Security", validating signatures. A JSON body is signed by its SHA-256 in
the address, as `bodySHA256`. The account's token signs with SHA-1, a shared key may with SHA-256.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, urlsplit

from events.schemes.base import FORM, TOLERANCE_SECONDS, Message, SignatureError, needed
from events.schemes.hmac import HmacProof, from_base64

HEADER = "x-twilio-signature"
# Names the hash function, in messages that a shared key signs: key=ID,algorithm=HMAC_SHA256.
SETTINGS = "x-twilio-webhooks-signature-settings"
ALGORITHMS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
# The parameter of the address with the digest of a JSON body.
BODY_DIGEST = "bodySHA256"
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class TwilioScheme:
    """Twilio's way to sign."""

    tolerance: int = TOLERANCE_SECONDS

    @property
    def headers(self) -> tuple[str, ...]:
        return (HEADER,)

    def read(self, message: Message) -> HmacProof:
        try:
            given = [from_base64(needed(message, HEADER))]
        except ValueError:
            given = []
        texts = [text.encode() for url in message.urls for text in _signed(url, message)]
        algorithm = _algorithm(message.headers.get(SETTINGS, ""))
        return HmacProof(texts, given if texts else [], algorithm=algorithm)

    def keys(self, secret: str) -> list[bytes]:
        return [secret.encode()] if secret else []


def _algorithm(text: str) -> str:
    settings = (part.strip().partition("=") for part in text.split(","))
    named = {name: value.strip().upper() for name, _, value in settings}.get("algorithm", "")
    if not named:
        return "sha1"
    if named not in ALGORITHMS:
        raise SignatureError("header", f"{SETTINGS}: give {' or '.join(ALGORITHMS)}.")
    return ALGORITHMS[named]


def _signed(url: str, message: Message) -> Iterable[str]:
    """What Twilio may have signed: it names the port in some products, and not in others."""
    if message.media_type == FORM:
        fields = signed_fields(message.body)
    elif _has_digest(url, message.body):
        fields = ""
    else:
        return []
    return [each + fields for each in _with_and_without_port(url)]


def signed_fields(body: bytes) -> str:
    """What Twilio signs of a form: the same for each order and encoding of its fields."""
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    # Each value once, like Twilio's libraries.
    return "".join(name + value for name, value in sorted(set(pairs)))


def _has_digest(url: str, body: bytes) -> bool:
    said = parse_qs(urlsplit(url).query).get(BODY_DIGEST, [""])[0]
    return hmac.compare_digest(said.lower().encode(), hashlib.sha256(body).hexdigest().encode())


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    try:
        port, named = PORTS.get(parts.scheme), parts.port
    except ValueError:
        # Django accepts a Host with any number as port.
        return [url]
    if port is None or (named is not None and named != port):
        return [url]
    host = parts.netloc.removesuffix(f":{port}")
    return [parts._replace(netloc=each).geturl() for each in (host, f"{host}:{port}")]
