"""Messages of each sender, signed by its documented rule; needs nothing of the application.

The tests of `events` have the senders' own libraries accept them, and `tests/contract` those of
npm.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.signing import OTHER, SECRET, digest, signed

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
# The test client's address of the source `shop`.
URL = "http://testserver/events?source=shop"
TEXT, OTHER_TEXT = "a-secret-that-nobody-guesses", "a-secret-that-somebody-else-has"
DISCORD_KEY, OTHER_DISCORD_KEY = (
    ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)
)
SENDGRID_KEY, OTHER_SENDGRID_KEY = (
    ec.derive_private_key(number, ec.SECP256R1()) for number in (4711, 4712)
)


@dataclass(frozen=True)
class Posted:
    """A message as it is posted."""

    body: bytes
    headers: Mapping[str, str]
    content_type: str = JSON
    url: str = URL


@dataclass(frozen=True)
class Case:
    """A sender, and how it signs.

    Attributes:
        kind: the kind of its sources.
        body: the body; with `{now}` and the like where it has the time.
        headers: the headers beside the signature, by the sender's id of the event.
        sign: makes the headers of the signature of a body from the secret and the time.
        detail_type, source: what becomes of it.
        secret, other: the sender's secret, and another one.
        expected: the secret that the source has, where it is another than that which signs.
    """

    kind: str
    body: Callable[[str, int], bytes]
    sign: Callable[[Any, bytes, int, str], Mapping[str, str]]
    source: str
    detail_type: str
    headers: Callable[[str], Mapping[str, str]] = lambda key: {}
    secret: Any = TEXT
    other: Any = OTHER_TEXT
    shown: Callable[[Any], str] = str
    content_type: str = JSON
    is_timed: bool = False
    seconds: int = 400
    url: Callable[[bytes], str] = field(default=lambda body: URL)

    def post(self, key: str = "1", *, at: int, secret: Any = None) -> Posted:
        """A message with the sender's id `key`, sent at a time in Unix seconds."""
        body = self.body(key, at)
        own = self.sign(self.secret if secret is None else secret, body, at, key)
        return Posted(body, {**self.headers(key), **own}, self.content_type, self.url(body))


def encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(secret: str, *parts: bytes) -> bytes:
    return digest(secret.encode(), "", b"".join(parts))


def base64_of(value: bytes) -> str:
    return base64.b64encode(value).decode()


def hexed(header: str, prefix: str = "") -> Callable[[str, bytes, int, str], Mapping[str, str]]:
    """Signs a body in hexadecimal."""
    return lambda secret, body, at, key: {header: prefix + sha256(secret, body).hex()}


def in_base64(header: str, prefix: str = "") -> Callable[[str, bytes, int, str], Mapping[str, str]]:
    """Signs a body in base64."""
    return lambda secret, body, at, key: {header: prefix + base64_of(sha256(secret, body))}


def by_svix(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    own = signed("webhook", secret, body, f"msg_{key}", at)
    return {name.replace("webhook", "svix"): text for name, text in own.items()}


def by_standard(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    return signed("webhook", secret, body, f"msg_{key}", at)


def by_kind(kind: str) -> Callable[[str, bytes, int, str], Mapping[str, str]]:
    return lambda secret, body, at, key: signed(kind, secret, body, key, at)


def by_discord(secret: Any, body: bytes, at: int, key: str) -> Mapping[str, str]:
    signature = secret.sign(str(at).encode() + body).hex()
    return {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": str(at)}


def by_sendgrid(secret: Any, body: bytes, at: int, key: str) -> Mapping[str, str]:
    signature = secret.sign(str(at).encode() + body, ec.ECDSA(hashes.SHA256()))
    name = "X-Twilio-Email-Event-Webhook"
    return {f"{name}-Signature": base64_of(signature), f"{name}-Timestamp": str(at)}


def by_twilio(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    fields = sorted(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    text = URL + "".join(name + value for name, value in fields)
    return {"X-Twilio-Signature": base64_of(hmac.digest(secret.encode(), text.encode(), "sha1"))}


def by_square(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    return {"X-Square-HmacSha256-Signature": base64_of(sha256(secret, URL.encode(), body))}


def by_paddle(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    return {"Paddle-Signature": f"ts={at};h1={sha256(secret, f'{at}:'.encode(), body).hex()}"}


def by_zoom(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    signature = sha256(secret, f"v0:{at}:".encode(), body).hex()
    return {"x-zm-request-timestamp": str(at), "x-zm-signature": f"v0={signature}"}


def by_pagerduty(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    # PagerDuty signs with each of several secrets.
    other = sha256("of-another-subscription", body).hex()
    return {"X-PagerDuty-Signature": f"v1={other},v1={sha256(secret, body).hex()}"}


def bearer(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(secret: str, body: bytes, at: int, key: str) -> Mapping[str, str]:
    return {"Authorization": f"Basic {base64_of(f'moca:{secret}'.encode())}"}


def in_header(header: str) -> Callable[[str, bytes, int, str], Mapping[str, str]]:
    return lambda secret, body, at, key: {header: secret}


def public_der(key: Any) -> str:
    return base64_of(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def public_hex(key: Any) -> str:
    return str(key.public_key().public_bytes_raw().hex())


def alert(key: str, at: int) -> bytes:
    labels = {"alertname": f"DiskFull{key}"}
    return encoded({"status": "firing", "groupKey": f"{{}}:{key}", "commonLabels": labels})


CASES = [
    Case(
        "github",
        lambda key, at: encoded({"action": "opened", "number": key}),
        by_kind("github"),
        "github.com",
        "pull_request",
        lambda key: {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": key},
    ),
    Case(
        "slack",
        lambda key, at: encoded(
            {"type": "event_callback", "event_id": key, "event": {"type": "x"}}
        ),
        by_kind("slack"),
        "slack.com",
        "x",
        is_timed=True,
    ),
    Case(
        "stripe",
        lambda key, at: encoded({"id": key, "type": "invoice.paid", "created": at}),
        by_kind("stripe"),
        "stripe.com",
        "invoice.paid",
        is_timed=True,
    ),
    Case(
        "webhook",
        lambda key, at: encoded({"type": "order.paid", "order": key}),
        by_standard,
        "webhook.shop",
        "order.paid",
        secret=SECRET,
        other=OTHER,
        is_timed=True,
    ),
    *(
        Case(
            kind,
            lambda key, at: encoded({"type": "user.created", "data": {"id": key}}),
            by_svix,
            source,
            "user.created",
            secret=SECRET,
            other=OTHER,
            is_timed=True,
        )
        for kind, source in {
            "svix": "svix.com",
            "clerk": "clerk.com",
            "resend": "resend.com",
        }.items()
    ),
    Case("alertmanager", alert, bearer, "prometheus.io", "firing"),
    Case("grafana", alert, basic, "grafana.com", "firing"),
    Case(
        "eventbridge",
        lambda key, at: encoded(
            {
                "version": "0",
                "id": key,
                "detail-type": "Object Created",
                "source": "aws.s3",
                "time": iso(at),
                "resources": ["arn:aws:s3:::reports"],
                "detail": {"object": {"key": "october.pdf"}},
            }
        ),
        in_header("x-api-key"),
        "eventbridge.aws.s3",
        "Object Created",
    ),
    Case(
        "bitbucket",
        lambda key, at: encoded({"pullrequest": {"id": key}}),
        hexed("X-Hub-Signature", "sha256="),
        "bitbucket.org",
        "pullrequest:created",
        lambda key: {"X-Event-Key": "pullrequest:created", "X-Request-UUID": key},
    ),
    Case(
        "discord",
        lambda key, at: encoded({"id": key, "type": 2, "data": {"name": "count"}}),
        by_discord,
        "discord.com",
        "application_command",
        secret=DISCORD_KEY,
        other=OTHER_DISCORD_KEY,
        shown=public_hex,
        is_timed=True,
    ),
    Case(
        "gitea",
        lambda key, at: encoded({"action": "opened", "number": key}),
        hexed("X-Gitea-Signature"),
        "gitea.com",
        "pull_request",
        lambda key: {"X-Gitea-Event": "pull_request", "X-Gitea-Delivery": key},
    ),
    Case(
        "gitlab",
        lambda key, at: encoded({"object_kind": "push", "ref": key}),
        in_header("X-Gitlab-Token"),
        "gitlab.com",
        "Push Hook",
        lambda key: {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": key},
    ),
    Case(
        "gitlab-signed",
        lambda key, at: encoded({"object_kind": "push", "ref": key}),
        by_standard,
        "gitlab.com",
        "Push Hook",
        lambda key: {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": key},
        secret=SECRET,
        other=OTHER,
        is_timed=True,
    ),
    Case(
        "jira",
        lambda key, at: encoded({"webhookEvent": "jira:issue_created", "issue": {"key": key}}),
        hexed("X-Hub-Signature", "sha256="),
        "jira.atlassian.com",
        "jira:issue_created",
        lambda key: {"X-Atlassian-Webhook-Identifier": key},
    ),
    Case(
        "linear",
        lambda key, at: encoded(
            {
                "action": "create",
                "type": "Issue",
                "data": {"id": key},
                "webhookTimestamp": at * 1000,
            }
        ),
        hexed("Linear-Signature"),
        "linear.app",
        "Issue",
        lambda key: {"Linear-Event": "Issue", "Linear-Delivery": key},
        is_timed=True,
    ),
    Case(
        "meta",
        lambda key, at: encoded({"object": "page", "entry": [{"id": key, "time": at}]}),
        hexed("X-Hub-Signature-256", "sha256="),
        "meta.com",
        "page",
    ),
    Case(
        "paddle",
        lambda key, at: encoded({"event_id": f"evt_{key}", "event_type": "transaction.paid"}),
        by_paddle,
        "paddle.com",
        "transaction.paid",
        is_timed=True,
    ),
    Case(
        "pagerduty",
        lambda key, at: encoded({"event": {"id": key, "event_type": "incident.triggered"}}),
        by_pagerduty,
        "pagerduty.com",
        "incident.triggered",
    ),
    Case(
        "sendgrid",
        lambda key, at: encoded([{"event": "bounce", "sg_event_id": key, "timestamp": at}]),
        by_sendgrid,
        "sendgrid.com",
        "bounce",
        secret=SENDGRID_KEY,
        other=OTHER_SENDGRID_KEY,
        shown=public_der,
        is_timed=True,
        seconds=90_000,
    ),
    Case(
        "sentry",
        lambda key, at: encoded({"action": "created", "data": {"issue": {"id": key}}}),
        hexed("Sentry-Hook-Signature"),
        "sentry.io",
        "issue",
        lambda key: {"Sentry-Hook-Resource": "issue", "Request-ID": key},
    ),
    Case(
        "shopify",
        lambda key, at: encoded({"id": key, "total_price": "12.50"}),
        in_base64("X-Shopify-Hmac-SHA256"),
        "shopify.com",
        "orders/paid",
        lambda key: {"X-Shopify-Topic": "orders/paid", "X-Shopify-Event-Id": key},
    ),
    Case(
        "square",
        lambda key, at: encoded({"event_id": key, "type": "payment.created"}),
        by_square,
        "squareup.com",
        "payment.created",
    ),
    Case(
        "twilio",
        lambda key, at: urlencode(
            {"MessageSid": key, "SmsStatus": "received", "Body": "é +"}
        ).encode(),
        by_twilio,
        "twilio.com",
        "message.received",
        lambda key: {"I-Twilio-Idempotency-Token": key},
        content_type=FORM,
    ),
    Case(
        "typeform",
        lambda key, at: encoded({"event_id": key, "event_type": "form_response"}),
        in_base64("Typeform-Signature", "sha256="),
        "typeform.com",
        "form_response",
    ),
    Case(
        "zoom",
        lambda key, at: encoded(
            {"event": "meeting.started", "event_ts": 1, "payload": {"id": key}}
        ),
        by_zoom,
        "zoom.us",
        "meeting.started",
        is_timed=True,
    ),
]
BY_KIND = {case.kind: case for case in CASES}
TIMED = [case for case in CASES if case.is_timed]


def body_digest(body: bytes) -> str:
    """What Twilio adds to the address of a JSON message."""
    return hashlib.sha256(body).hexdigest()


def by_twilio_json(secret: str, body: bytes) -> Posted:
    """A JSON message of Twilio, which signs its digest in the address."""
    url = f"{URL}&bodySHA256={body_digest(body)}"
    signature = hmac.digest(secret.encode(), url.encode(), "sha1")
    return Posted(body, {"X-Twilio-Signature": base64_of(signature)}, JSON, url)


def by_twilio_sha256(secret: str, body: bytes, url: str = URL) -> Posted:
    """A form of Twilio that a shared key has signed."""
    fields = sorted(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    text = url + "".join(name + value for name, value in fields)
    headers = {
        "X-Twilio-Signature": base64_of(sha256(secret, text.encode())),
        "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    return Posted(body, headers, FORM, url)
