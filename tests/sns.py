"""Messages of Amazon SNS, signed by a certificate of the tests' own."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"
HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(days: int = 30) -> bytes:
    """A certificate that ends after so many days, in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key().public_key())
        .serial_number(4711)
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
    )
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.PEM)


def message(version: str = "1", *, at: datetime | None = None, **fields: Any) -> dict[str, Any]:
    """A signed message; fields that are None are left out."""
    moment = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    found = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Paid",
        "Message": '{"order": 4711}',
        "Timestamp": moment,
        "SigningCertURL": CERTIFICATE,
        "SignatureVersion": version,
        **fields,
    }
    found = {name: text for name, text in found.items() if text is not None}
    return {**found, "Signature": signature(found)}


def confirmation(**fields: Any) -> dict[str, Any]:
    """The message by which SNS asks whether a subscription is wanted."""
    own = {
        "Type": "SubscriptionConfirmation",
        "Message": "You have chosen to subscribe.",
        "Subject": None,
        "Token": "2336412f37",
        "SubscribeURL": CONFIRM,
    }
    return message(**{**own, **fields})


def signature(found: dict[str, Any]) -> str:
    """Source: "Verifying the signatures of Amazon SNS messages"."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if found["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{found[name]}\n" for name in names if name in found)
    algorithm = hashes.SHA1() if found["SignatureVersion"] == "1" else hashes.SHA256()
    return base64.b64encode(key().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()


def body_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
