"""Amazon SNS: signatures by a certificate of SNS, and the confirmation of subscriptions.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" and
"HTTP/HTTPS subscription confirmation JSON format". Anybody can have SNS sign messages of a topic of
their own, so the source's secret is the ARN of the topic that may send.
"""

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils import timezone

from events.schemes.base import (
    ISO,
    Message,
    SignatureError,
    UnavailableError,
    digest_of,
    seconds_of,
)
from events.schemes.hmac import from_base64

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TYPE_HEADER = "x-amz-sns-message-type"
NOTIFICATION, CONFIRMATION = "Notification", "SubscriptionConfirmation"
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}")
# Certificates and confirmations are fetched from these hosts only, those of the topic's region.
HOST = re.compile(r"sns\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem")
# The signed fields, in their order. Those that a message does not have are left out.
SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED[CONFIRMATION]
VERSIONS = ("1", "2")
# SNS sends a message again for an hour, with the time at which it was published. A replay is found
# by the signed MessageId for longer than that.
TOLERANCE_SECONDS = 3600
FETCH_SECONDS = 5.0
MAX_CERTIFICATE = 20_000


@dataclass(frozen=True, slots=True)
class SnsProof:
    """A signature by SNS, in the fields of a body."""

    document: dict[str, Any]
    signed: bytes
    signature: bytes
    time: float

    @property
    def is_given(self) -> bool:
        return bool(self.signature)

    def check(self, key: bytes) -> str | None:
        topic = self.document["TopicArn"]
        # First, because only messages of the topic may have a certificate fetched.
        if not hmac.compare_digest(key, topic.encode(errors="replace")):
            return None
        certificate = _certificate(_certificate_url(self.document, topic))
        if not _is_signed(certificate, self.document["SignatureVersion"], self):
            return None
        return digest_of(self.signed)


@dataclass(frozen=True, slots=True)
class SnsScheme:
    """How Amazon SNS signs."""

    tolerance: int = TOLERANCE_SECONDS

    @property
    def headers(self) -> tuple[str, ...]:
        return (TYPE_HEADER,)

    def read(self, message: Message) -> SnsProof:
        document = message.document
        if not isinstance(document, dict):
            raise SignatureError("body", "The body is no JSON object: turn raw delivery off.")
        names = SIGNED.get(str(document.get("Type")))
        if names is None:
            raise SignatureError("body", f"Type: give {', '.join(SIGNED)}.")
        required = [name for name in names if name != "Subject"]
        for name in (*required, "Signature", "SignatureVersion", "SigningCertURL"):
            if not isinstance(document.get(name), str):
                raise SignatureError("body", f"{name}: the message of Amazon SNS has no such text.")
        if document["SignatureVersion"] not in VERSIONS:
            raise SignatureError("body", f"SignatureVersion: give {' or '.join(VERSIONS)}.")
        time = seconds_of(document["Timestamp"], ISO)
        try:
            signature = from_base64(document["Signature"])
        except ValueError:
            signature = b""
        parts = [
            f"{name}\n{document[name]}\n" for name in names if isinstance(document.get(name), str)
        ]
        return SnsProof(document, "".join(parts).encode(errors="replace"), signature, time)

    def keys(self, secret: str) -> list[bytes]:
        return [secret.encode()] if TOPIC.fullmatch(secret) else []


def confirm(document: dict[str, Any]) -> None:
    """Confirm a subscription whose message is verified.

    Raises:
        SignatureError: the address is none of SNS in the topic's region.
        UnavailableError: SNS does not confirm it now; it will ask again.
    """
    url = document["SubscribeURL"]
    _check_host(url, document["TopicArn"], "SubscribeURL")
    _fetch(url)


def _check_host(url: str, topic: str, name: str) -> None:
    """Raise SignatureError unless a URL is one of SNS in the region of the topic."""
    error = SignatureError("address", f"{name} is no address of Amazon SNS in the topic's region.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as bad:
        raise error from bad
    host, named = HOST.fullmatch(parts.netloc), TOPIC.fullmatch(topic)
    is_ours = host is not None and named is not None and host[1] == named[1]
    if parts.scheme != "https" or port is not None or not is_ours:
        raise error


def _certificate_url(document: dict[str, Any], topic: str) -> str:
    url: str = document["SigningCertURL"]
    _check_host(url, topic, "SigningCertURL")
    parts = urlsplit(url)
    if not CERTIFICATE_PATH.fullmatch(parts.path) or parts.query or parts.fragment:
        raise SignatureError("address", "SigningCertURL is no address of a certificate of SNS.")
    return url


@lru_cache(maxsize=64)
def _certificate(url: str) -> "Certificate":
    """The certificate at an address, which is fetched once. A failure is not kept."""
    from cryptography.x509 import load_pem_x509_certificate  # 20 ms, which few sources need

    try:
        return load_pem_x509_certificate(_fetch(url))
    except ValueError as error:
        raise UnavailableError("Amazon SNS answers with no certificate.") from error


def _is_signed(certificate: "Certificate", version: str, proof: SnsProof) -> bool:
    from cryptography.exceptions import InvalidSignature  # 20 ms, which few sources need
    from cryptography.hazmat.primitives import hashes  # 20 ms, as above
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # 20 ms, as above

    key, now = certificate.public_key(), timezone.now()
    is_valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    if not isinstance(key, rsa.RSAPublicKey) or not is_valid:
        return False
    # Version 1 is SHA-1, which topics use unless they are set to version 2.
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303
    try:
        key.verify(proof.signature, proof.signed, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _fetch(url: str) -> bytes:
    """Get a page of SNS; follows no redirect. Raises UnavailableError."""
    import httpx  # 60 ms, which few sources need

    try:
        with (
            httpx.Client(timeout=FETCH_SECONDS, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise UnavailableError(f"Amazon SNS answers with {answer.status_code}.")
            found = b""
            for piece in answer.iter_bytes():
                found += piece
                if len(found) > MAX_CERTIFICATE:
                    raise UnavailableError("Amazon SNS answers with too much.")
            return found
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise UnavailableError(f"Amazon SNS cannot be reached: {type(error).__name__}.") from error
