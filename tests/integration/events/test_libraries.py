"""Messages that the senders' own libraries sign, with secrets of each form that they take."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
import svix
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from events import signing_keys
from events.secret_rules import check_secret
from tests.integration.events.conftest import (
    KEY,
    ORDER,
    SECRET,
    MakeSource,
    Send,
    signed,
    stored,
)

BARE = SECRET.removeprefix("whsec_")
UNPADDED = "whsec_" + base64.b64encode(KEY[:-1]).decode().rstrip("=")
BODY = json.dumps(ORDER)
EVENTS = {
    "slack": '{"type": "event_callback", "event_id": "Ev1"}',
    "stripe": '{"id": "evt_1", "type": "x"}',
}


def post(headers: dict[str, str], body: str = BODY) -> Any:
    content = "application/json"
    return Client().post("/events?source=shop", body, content_type=content, headers=headers)


@pytest.mark.parametrize("library", [Webhook, svix.Webhook])
@pytest.mark.parametrize("secret", [SECRET, BARE, UNPADDED, "v1," + SECRET])
def test_standard_webhooks(make_source: MakeSource, secret: str, library: Any) -> None:
    check_secret("webhook", secret)
    make_source(secrets=signing_keys.seal(secret, timezone.now()))
    # The library's user is told to leave out what stands before the prefix.
    signature = library(secret.removeprefix("v1,")).sign("msg_1", datetime.now(UTC), BODY)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time()))}
    answer = post({**headers, "webhook-signature": signature})
    assert (answer.status_code, len(stored())) == (200, 1)


@pytest.mark.parametrize("library", [Webhook, svix.Webhook])
def test_standard_webhooks_take_what_the_page_says(library: Any) -> None:
    """The recipe in the documents signs as `signed()` does."""
    headers = signed("webhook", SECRET, BODY.encode(), "msg_1", int(time.time()))
    assert library(SECRET).verify(BODY, headers) in (None, ORDER)


@pytest.mark.parametrize("secret", ["a-text-that-is-no-base64!", BARE])
def test_text_signs_as_it_stands(make_source: MakeSource, send: Send, secret: str) -> None:
    make_source(secrets=signing_keys.seal(secret, timezone.now()))
    assert send(ORDER, secret=secret).status_code == 200


def test_slack(make_source: MakeSource) -> None:
    make_source("slack")
    now = str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=now, body=EVENTS["slack"])
    headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": str(signature)}
    assert post(headers, EVENTS["slack"]).status_code == 200


def test_stripe(make_source: MakeSource) -> None:
    make_source("stripe")
    header = stripe.WebhookSignature.generate_signature_header(EVENTS["stripe"], SECRET)
    assert post({"Stripe-Signature": header}, EVENTS["stripe"]).status_code == 200


@pytest.mark.parametrize(
    ("kind", "secret", "message"),
    [
        ("webhook", "whsec_" + "%" * 40, "After whsec_"),
        ("webhook", "v1,whsec_" + "A" * 8, "After whsec_"),
        ("webhook", SECRET + "\n", "without spaces"),
        ("github", "a-secret-of-github\n", "without spaces"),
        ("stripe", "sk_live_" + "a" * 20, "API key of Stripe"),
        ("slack", "xoxb-" + "1" * 20, "token of Slack"),
        ("github", '{"secret":"abcdefgh"}', "JSON object"),
    ],
)
def test_secret_that_signs_nothing_is_refused(kind: str, secret: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        check_secret(kind, secret)
