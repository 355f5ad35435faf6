"""The senders' own libraries accept the very messages that the tests send to a source.

The tests sign by the documented rule, since most libraries only verify. `tests/contract` has the
libraries of npm. Sentry, Typeform, PagerDuty, Zoom, Meta, Gitea, GitLab, Jira and Bitbucket publish
none that verifies.
"""

import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import svix
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from discord_interactions import verify_key
from django.test import Client
from django.utils import timezone
from paddle_billing.Notifications import Secret, Verifier
from sendgrid.helpers.eventwebhook import EventWebhook
from slack_sdk.signature import SignatureVerifier
from square.utils.webhooks_helper import verify_signature
from standardwebhooks import Webhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator, get_signature_algorithm

from events import signing_keys
from tests.integration.events.conftest import MakeSource, stored
from tests.integration.events.test_senders import deliver, sealed
from tests.senders import BY_KIND, URL, Case, Posted, body_digest, by_twilio_json, by_twilio_sha256


def _svix(case: Case, posted: Posted, secret: Any) -> Any:
    return svix.Webhook(secret).verify(posted.body, dict(posted.headers)) is None


def _standard(case: Case, posted: Posted, secret: Any) -> Any:
    return bool(Webhook(secret).verify(posted.body, dict(posted.headers)))


def _slack(case: Case, posted: Posted, secret: Any) -> Any:
    return SignatureVerifier(secret).is_valid_request(posted.body, dict(posted.headers))


def _stripe(case: Case, posted: Posted, secret: Any) -> Any:
    header = posted.headers["Stripe-Signature"]
    return WebhookSignature.verify_header(posted.body.decode(), header, secret, tolerance=300)


def _discord(case: Case, posted: Posted, secret: Any) -> Any:
    names = ("X-Signature-Ed25519", "X-Signature-Timestamp")
    return verify_key(posted.body, *(posted.headers[name] for name in names), case.shown(secret))


def _sendgrid(case: Case, posted: Posted, secret: Any) -> Any:
    name = "X-Twilio-Email-Event-Webhook"
    signature, at = (posted.headers[f"{name}-{part}"] for part in ("Signature", "Timestamp"))
    return EventWebhook(case.shown(secret)).verify_signature(posted.body.decode(), signature, at)


def _square(case: Case, posted: Posted, secret: Any) -> Any:
    return verify_signature(
        request_body=posted.body.decode(),
        signature_header=posted.headers["X-Square-HmacSha256-Signature"],
        signature_key=secret,
        notification_url=URL,
    )


def _paddle(case: Case, posted: Posted, secret: Any) -> Any:
    request: Any = SimpleNamespace(body=posted.body, headers=posted.headers)
    return Verifier(60).verify(request, Secret(secret))


def _twilio(case: Case, posted: Posted, secret: Any) -> Any:
    fields = dict(parse_qsl(posted.body.decode()))
    signature = posted.headers["X-Twilio-Signature"]
    return RequestValidator(secret).validate(URL, fields, signature)


LIBRARIES = {
    "webhook": _standard,
    "gitlab-signed": _standard,
    "svix": _svix,
    "clerk": _svix,
    "resend": _svix,
    "slack": _slack,
    "stripe": _stripe,
    "discord": _discord,
    "sendgrid": _sendgrid,
    "square": _square,
    "paddle": _paddle,
    "twilio": _twilio,
}


@pytest.mark.parametrize("kind", LIBRARIES)
def test_library_accepts_what_comes_in(make_source: MakeSource, kind: str) -> None:
    case = BY_KIND[kind]
    posted = case.post(at=int(time.time()))
    make_source(kind, secrets=sealed(case))
    accepted = LIBRARIES[kind](case, posted, case.secret)
    assert (accepted, deliver(posted).status_code) == (True, 200)


class TestTwilio:
    BODY = b'{"ConversationSid": "CH1", "EventType": "onMessageAdded"}'

    @pytest.mark.parametrize("body", [BODY, b'[{"specversion": "1.0"}]'])
    def test_json(self, make_source: MakeSource, body: bytes) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        posted = by_twilio_json(case.secret, body)
        validator, signature = RequestValidator(case.secret), posted.headers["X-Twilio-Signature"]
        accepted = validator.validate(posted.url, body.decode(), signature)
        assert (accepted, deliver(posted).status_code) == (True, 200)

    def test_json_of_another_body(self, make_source: MakeSource) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        posted = by_twilio_json(case.secret, self.BODY)
        changed = Posted(b"{}", posted.headers, posted.content_type, posted.url)
        assert (deliver(changed).status_code, body_digest(b"{}") in posted.url) == (401, False)

    def test_shared_key_signs_by_sha256(self, make_source: MakeSource) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        posted = by_twilio_sha256(case.secret, case.body("1", 0))
        settings = posted.headers["X-Twilio-Webhooks-Signature-Settings"]
        accepted = RequestValidator(case.secret).validate(
            URL,
            dict(parse_qsl(posted.body.decode())),
            posted.headers["X-Twilio-Signature"],
            get_signature_algorithm(settings),
        )
        assert (accepted, deliver(posted).status_code) == (True, 200)

    def test_address_with_the_port_is_the_same(self, make_source: MakeSource) -> None:
        """Twilio signs the port in some products, and not in others."""
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        url = URL.replace("testserver", "testserver:80")
        posted = by_twilio_sha256(case.secret, case.body("1", 0), url)
        assert deliver(Posted(posted.body, posted.headers, posted.content_type)).status_code == 200


class TestCloudEvents:
    """Events that the SDK of CloudEvents writes, with a shared token as its specification says."""

    def test_structured(self, make_source: MakeSource) -> None:
        sealed_token = signing_keys.seal("a-token-that-nobody-guesses", timezone.now())
        options = {"authorization": "bearer"}
        make_source("token", secrets=sealed_token, options=options)
        attributes = {"type": "order.paid", "source": "/shop", "id": "A-1", "specversion": "1.0"}
        event = CloudEvent(attributes=attributes, data={"order": 4711})
        message = to_structured_event(event, JSONFormat())
        answer = Client().post(
            "/events?source=shop",
            message.body,
            content_type=message.headers["content-type"],
            headers={"Authorization": "Bearer a-token-that-nobody-guesses"},
        )
        (found,) = stored()
        assert (answer.status_code, found["source"], found["detail"]) == (
            200,
            "/shop",
            {"order": 4711},
        )
