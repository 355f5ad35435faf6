"""Thousands of messages, sound and unsound: never a 500, always what the description says."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from events import signing_keys
from tests.examples import examples
from tests.integration.api.test_fuzz import (
    anything,
    check,
    header_text,
    odd_text,
    payload,
    quoted,
)
from tests.integration.api.test_fuzz import fuzz as every
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    KEY,
    SECRET,
    STRUCTURED,
    MakeSource,
    Send,
    signed,
)
from tests.senders import CASES, FORM, Case

fuzz = settings(every, max_examples=examples(200))

KINDS = ["webhook", "github", "slack", "stripe"]
TYPES = ["application/json", STRUCTURED, BATCHED, "text/plain", "image/png", ""]
NAMES = [
    *("specversion", "id", "source", "type", "time", "subject", "data", "data_base64"),
    *("datacontenttype", "detail", "detail-type", "resources", "event", "event_id", "event_time"),
    *("created", "repository", "challenge"),
]
values = (
    anything
    | st.lists(odd_text, max_size=3)
    | st.sampled_from(
        [
            *(
                "1.0",
                "url_verification",
                "aws.s3",
                "moca-event/0",
                "2027-01-31T09:00:00Z",
                "AAAA",
                "=",
            ),
            *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 10**30, -(10**20), 2**63),
            *(1e308, {"full_name": 5}, {"type": []}, ["moca-event-source/x"], {}, []),
        ]
    )
)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """An event of some form with a few changes, or several of them."""
    event = {
        **draw(st.sampled_from([CLOUD, {"event_id": "1", "id": "evt_1", "type": "x"}])),
        **draw(st.sampled_from([{}, {"detail": {}, "detail-type": "x"}])),
        **draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=3)),
    }
    dropped = draw(st.lists(st.sampled_from(NAMES), max_size=1))
    event = {name: value for name, value in event.items() if name not in dropped}
    return draw(st.sampled_from([event, event, event, [event], [event, CLOUD]]))


bodies = documents().map(json.dumps).map(str.encode) | payload
HEADERS = {
    **{f"ce-{name}": header_text for name in ("id", "source", "type", "time", "subject")},
    "ce-specversion": st.sampled_from(["1.0", '"1.0"', "%31.0"]) | header_text,
    "X-GitHub-Event": header_text,
    "X-GitHub-Delivery": header_text,
    "Authorization": header_text,
    "Origin": header_text,
}
signatures = {
    name: header_text | st.sampled_from(["v1,", "v0=", "sha256=", "t=1,v1=", "9" * 400])
    for name in (
        *("webhook-id", "webhook-timestamp", "webhook-signature", "Stripe-Signature"),
        *("X-Hub-Signature-256", "X-Slack-Request-Timestamp", "X-Slack-Signature"),
    )
}


def some(named: dict[str, st.SearchStrategy[str]], most: int) -> st.SearchStrategy[dict[str, str]]:
    """At most so many of these headers."""
    return st.lists(st.sampled_from(sorted(named)), max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: named[name] for name in names})
    )


@pytest.fixture
def sources(make_source: MakeSource) -> None:
    for kind in KINDS:
        make_source(kind, id=kind)


def sent(send: Send, *args: Any, **parts: Any) -> Any:
    """Send, and undo what it did, so that every message finds the same data."""
    with transaction.atomic():
        answer = send(*args, **parts)
        transaction.set_rollback(True)
    check(answer, "POST")
    told = answer.content
    assert SECRET.encode() not in told, told
    assert KEY not in told, told
    return answer


@fuzz
@given(
    kind=st.sampled_from(KINDS),
    body=bodies,
    content_type=st.sampled_from(TYPES[:1] * 12 + TYPES),
    headers=some(HEADERS, 3),
)
def test_signed_messages(
    sources: None, send: Send, kind: str, body: bytes, content_type: str, headers: dict[str, str]
) -> None:
    answer = sent(send, body, kind, source=kind, content_type=content_type, headers=headers)
    assert answer.status_code in (200, 400, 413, 415)


@fuzz
@given(
    kind=st.sampled_from(KINDS),
    source=st.sampled_from(KINDS) | odd_text,
    body=bodies,
    content_type=st.sampled_from(TYPES) | header_text,
    headers=some({**HEADERS, **signatures}, 4),
)
def test_forged_messages(
    sources: None,
    send: Send,
    kind: str,
    source: str,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
) -> None:
    own = signed(kind, "another secret", body, "msg_1", int(time.time()))
    address = quoted(source)
    forged = {**own, **headers}
    answer = sent(send, body, kind, source=address, content_type=content_type, headers=forged)
    assert answer.status_code in (400, 401, 404, 413)


OF_SENDERS = [
    *("alert", "event.id", "event_id", "id", "type", "Type", "Message", "MessageId", "TopicArn"),
    *("payload", "command", "ssl_check", "event", "event_ts", "object", "webhookTimestamp"),
    *("sg_event_id", "timestamp", "token", "MessageStatus", "CallStatus", "source", "detail"),
    *("detail-type", "resources", "time", "status", "groupKey", "specversion", "data"),
]
sent_documents = st.dictionaries(st.sampled_from(OF_SENDERS), values, max_size=4)
sent_bodies = (
    (sent_documents | st.lists(sent_documents, max_size=3)).map(json.dumps).map(str.encode)
    | payload
    | st.dictionaries(st.sampled_from(OF_SENDERS), odd_text, max_size=4).map(
        lambda fields: urlencode(fields, errors="replace").encode()
    )
)
EXTRA = dict.fromkeys(
    (
        *("X-Shopify-Topic", "X-Shopify-Event-Id", "X-Shopify-Triggered-At", "Request-ID"),
        *("Idempotency-Key", "X-Gitlab-Event", "Linear-Delivery", "X-Event-Key"),
        "X-Twilio-Webhooks-Signature-Settings",
    ),
    header_text,
)


def id_of(case: Case) -> str:
    """The id of a sender's source. Twilio signs the address of `shop`."""
    return "shop" if case.kind == "twilio" else case.kind


@pytest.fixture
def all_sources(make_source: MakeSource) -> None:
    for case in CASES:
        secrets = signing_keys.seal(case.shown(case.secret), timezone.now())
        make_source(case.kind, id=id_of(case), secrets=secrets)


@fuzz
@given(
    case=st.sampled_from(CASES),
    body=sent_bodies,
    content_type=st.sampled_from(["application/json", "application/json", FORM, "text/plain"]),
    headers=some(EXTRA, 3),
    is_right=st.sampled_from([True, True, True, False]),
)
def test_messages_of_all_senders(
    all_sources: None,
    case: Case,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
    is_right: bool,
) -> None:
    own = case.sign(case.secret if is_right else case.other, body, int(time.time()), "1")
    with transaction.atomic():
        answer = Client(raise_request_exception=False).post(
            f"/events?source={id_of(case)}",
            body,
            content_type=content_type,
            headers={**headers, **own},
        )
        transaction.set_rollback(True)
    assert answer.status_code in ((200, 204, 400, 401, 413, 415) if is_right else (401,))
