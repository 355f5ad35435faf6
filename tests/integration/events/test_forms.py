"""What senders send, and the envelope that is stored of it."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from events.models import ReceivedEvent
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    ORDER,
    STRUCTURED,
    MakeSource,
    Send,
    event_id,
    stored,
)

AT = "2027-01-31T09:00:00.000Z"
SECONDS = 1801386000
CE = {
    "ce-specversion": "1.0",
    "ce-id": "A-1",
    "ce-source": "/shop",
    "ce-type": "order.paid",
    "ce-time": "2027-01-31T09:00:00Z",
}
CLOUD_KEY = json.dumps(["/shop", "A-1"])
ENVELOPE = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "Order Paid",
    "source": "my.shop",
    "account": "123456789012",
    "time": "2027-01-31T10:00:00+01:00",
    "region": "eu-central-1",
    "resources": ["arn:aws:s3:::orders"],
    "detail": {"order": 4711},
}
GITHUB = {"action": "opened", "repository": {"full_name": "octo/shop"}}
SLACK = {
    "type": "event_callback",
    "event_id": "Ev1",
    "event_time": SECONDS,
    "event": {"type": "app_mention", "text": "hello"},
}
STRIPE = {
    "id": "evt_1",
    "object": "event",
    "type": "invoice.paid",
    "created": SECONDS,
    "livemode": False,
    "data": {"object": {"id": "in_1"}},
}


def envelope(key: str, *resources: str, **parts: Any) -> dict[str, Any]:
    """The whole of what is to be stored."""
    return {
        "version": "0",
        "id": "A-1",
        "detail-type": "order.paid",
        "source": "/shop",
        "account": "",
        "time": AT,
        "region": "us-east-1",
        "resources": [*resources, "moca-event-source/shop", f"moca-event/{event_id(key)}"],
        "detail": {"order": 4711},
        **{name.replace("_", "-"): value for name, value in parts.items()},
    }


def kept(**attributes: Any) -> dict[str, Any]:
    """Where the attributes of a CloudEvent stand that have no place of their own."""
    return {"cloudevent": attributes}


def body_key(document: Any) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


FORMS: dict[str, tuple[str, Any, str, dict[str, str], dict[str, Any]]] = {
    "EventBridge": (
        "webhook",
        ENVELOPE,
        "application/json",
        {},
        envelope(
            "msg_1",
            "arn:aws:s3:::orders",
            id=ENVELOPE["id"],
            detail_type="Order Paid",
            source="my.shop",
        ),
    ),
    "structured": ("webhook", CLOUD, STRUCTURED, {}, envelope(CLOUD_KEY)),
    "structured, with a subject": (
        "webhook",
        {**CLOUD, "subject": "orders/4711"},
        f"{STRUCTURED}; charset=utf-8",
        {},
        envelope(CLOUD_KEY, "orders/4711"),
    ),
    "a CloudEvent that is sent as JSON": (
        "webhook",
        CLOUD,
        "application/json",
        {},
        envelope(CLOUD_KEY),
    ),
    "structured, of a text": (
        "webhook",
        {**CLOUD, "datacontenttype": "application/xml", "data": "<order/>"},
        STRUCTURED,
        {},
        envelope(CLOUD_KEY, detail={"data": "<order/>", **kept(datacontenttype="application/xml")}),
    ),
    "structured, with extensions": (
        "webhook",
        {
            **CLOUD,
            "dataschema": "https://example.com/order.json",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "sequence": 7,
            "sampled": True,
            "absent": None,
        },
        STRUCTURED,
        {},
        envelope(
            CLOUD_KEY,
            detail={
                "order": 4711,
                **kept(
                    dataschema="https://example.com/order.json",
                    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    sequence=7,
                    sampled=True,
                ),
            },
        ),
    ),
    "structured, with data that has such a part": (
        "webhook",
        {**CLOUD, "tenant": "acme", "data": {"cloudevent": 1}},
        STRUCTURED,
        {},
        envelope(CLOUD_KEY, detail={"cloudevent": 1}),
    ),
    "structured, without data": (
        "webhook",
        {name: value for name, value in CLOUD.items() if name != "data"},
        STRUCTURED,
        {},
        envelope(CLOUD_KEY, detail={}),
    ),
    "structured, with null": (
        "webhook",
        {**CLOUD, "data": None, "subject": None},
        STRUCTURED,
        {},
        envelope(CLOUD_KEY, detail={"data": None}),
    ),
    "structured, of JSON in base64": (
        "webhook",
        {
            **{name: value for name, value in CLOUD.items() if name != "data"},
            "datacontenttype": "application/vnd.shop+json",
            "data_base64": "eyJvcmRlciI6IDQ3MTF9",
        },
        STRUCTURED,
        {},
        envelope(
            CLOUD_KEY, detail={"order": 4711, **kept(datacontenttype="application/vnd.shop+json")}
        ),
    ),
    "structured, of bytes": (
        "webhook",
        {
            **{name: value for name, value in CLOUD.items() if name != "data"},
            "datacontenttype": "image/png",
            "data_base64": "iVBORw==",
        },
        STRUCTURED,
        {},
        envelope(
            CLOUD_KEY, detail={"data_base64": "iVBORw==", **kept(datacontenttype="image/png")}
        ),
    ),
    "structured, with small letters in its time": (
        "webhook",
        {**CLOUD, "time": "2027-01-31t09:00:00.000000001z"},
        STRUCTURED,
        {},
        envelope(CLOUD_KEY),
    ),
    "binary": ("webhook", {"order": 4711}, "application/json", CE, envelope("msg_1")),
    "binary, percent-encoded": (
        "webhook",
        {"order": 4711},
        "application/json",
        {
            **CE,
            "ce-type": "Euro%20%E2%82%AC%20%F0%9F%98%80",
            "ce-subject": r'"an \"order\" %c3%a9"',
        },
        envelope("msg_1", 'an "order" \u00e9', detail_type="Euro \u20ac \U0001f600"),
    ),
    "binary, of a text": (
        "webhook",
        b"<order/>",
        "application/xml",
        CE,
        envelope("msg_1", detail={"data": "<order/>", **kept(datacontenttype="application/xml")}),
    ),
    # The SDKs of CloudEvents for Python and npm send a text so.
    "binary, of a text that is called JSON": (
        "webhook",
        b"The shop is open.",
        "application/json; charset=utf-8",
        CE,
        envelope("msg_1", detail={"data": "The shop is open."}),
    ),
    "binary, of bytes": (
        "webhook",
        b"\x89PNG",
        "image/png",
        CE,
        envelope("msg_1", detail={"data_base64": "iVBORw==", **kept(datacontenttype="image/png")}),
    ),
    "binary, with extensions": (
        "webhook",
        {"order": 4711},
        "application/json",
        {**CE, "ce-tenant": "Caf%C3%A9", "ce-dataschema": "https://example.com/order.json"},
        envelope(
            "msg_1",
            detail={
                "order": 4711,
                **kept(tenant="Caf\u00e9", dataschema="https://example.com/order.json"),
            },
        ),
    ),
    "binary, in Latin-1": (
        "webhook",
        {"order": 4711},
        "application/json",
        {**CE, "ce-subject": "Caf\u00e9", "ce-type": "\u00ff"},
        envelope("msg_1", "Caf\u00e9", detail_type="\u00ff"),
    ),
    "binary, in UTF-8 that is not encoded": (
        "webhook",
        {"order": 4711},
        "application/json",
        # As servers read the bytes of a header.
        {**CE, "ce-subject": "Caf\u00e9 \u20ac%21".encode().decode("latin-1")},
        envelope("msg_1", "Caf\u00e9 \u20ac!"),
    ),
    "binary, from a gateway that reads UTF-8": (
        "webhook",
        {"order": 4711},
        "application/json",
        {**CE, "ce-subject": "\u5e97"},
        envelope("msg_1", "\u5e97"),
    ),
    "binary, without data": ("webhook", b"", "", CE, envelope("msg_1", detail={})),
    "Slack": (
        "slack",
        SLACK,
        "application/json",
        {},
        envelope("Ev1", id="Ev1", source="slack.com", detail_type="app_mention", detail=SLACK),
    ),
    "Stripe": (
        "stripe",
        STRIPE,
        "application/json; charset=utf-8",
        {},
        envelope(
            "evt_1", id="evt_1", source="stripe.com", detail_type="invoice.paid", detail=STRIPE
        ),
    ),
    "Stripe, a thin event": (
        "stripe",
        {**STRIPE, "object": "v2.core.event", "created": "2027-01-31T09:00:00.000Z"},
        "application/json",
        {},
        envelope(
            "evt_1",
            id="evt_1",
            source="stripe.com",
            detail_type="invoice.paid",
            detail={**STRIPE, "object": "v2.core.event", "created": AT},
        ),
    ),
}
# Whose time is that of their coming.
TIMELESS: dict[str, tuple[str, Any, dict[str, str], dict[str, Any]]] = {
    "any object": (
        "webhook",
        ORDER,
        {},
        envelope("msg_1", id="msg_1", source="webhook.shop", detail=ORDER),
    ),
    "an object without a type": (
        "webhook",
        {"order": 4711},
        {},
        envelope("msg_1", id="msg_1", source="webhook.shop", detail_type="Webhook"),
    ),
    "a list": (
        "webhook",
        [1, CLOUD],
        {},
        envelope(
            "msg_1",
            id="msg_1",
            source="webhook.shop",
            detail_type="Webhook",
            detail={"data": [1, CLOUD]},
        ),
    ),
    "CloudEvents of another version": (
        "webhook",
        {**CLOUD, "specversion": "0.3"},
        {},
        envelope(
            "msg_1", id="msg_1", source="webhook.shop", detail={**CLOUD, "specversion": "0.3"}
        ),
    ),
    "GitHub": (
        "github",
        GITHUB,
        {"X-GitHub-Event": "issues", "X-GitHub-Delivery": "72d3162e"},
        envelope(
            body_key(GITHUB),
            "octo/shop",
            id="72d3162e",
            source="github.com",
            detail_type="issues",
            detail=GITHUB,
        ),
    ),
    "Slack, of itself": (
        "slack",
        {"type": "app_rate_limited", "minute_rate_limited": SECONDS},
        {},
        envelope(
            body_key({"type": "app_rate_limited", "minute_rate_limited": SECONDS}),
            id=body_key({"type": "app_rate_limited", "minute_rate_limited": SECONDS}),
            source="slack.com",
            detail_type="app_rate_limited",
            detail={"type": "app_rate_limited", "minute_rate_limited": SECONDS},
        ),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_envelope(make_source: MakeSource, send: Send, form: str) -> None:
    kind, body, content_type, headers, expected = FORMS[form]
    make_source(kind)
    answer = send(body, kind, content_type=content_type, headers=headers)
    assert (answer.status_code, stored()) == (200, [expected])


@pytest.mark.parametrize("form", TIMELESS)
def test_envelope_without_a_time(make_source: MakeSource, send: Send, form: str) -> None:
    kind, body, headers, expected = TIMELESS[form]
    make_source(kind)
    answer = send(body, kind, headers=headers)
    assert (answer.status_code, stored()) == (200, [{**expected, "time": stored()[0]["time"]}])


def test_event_without_a_time_has_that_of_its_coming(make_source: MakeSource, send: Send) -> None:
    make_source()
    send(ORDER)
    age = timezone.now() - datetime.fromisoformat(stored()[0]["time"])
    assert 0 <= age.total_seconds() < 60


@pytest.mark.parametrize("said", ["2027-01-31T09:00:00Z", "2027-01-31t10:00:00.000+01:00"])
def test_webhook_says_when_it_happened(make_source: MakeSource, send: Send, said: str) -> None:
    make_source()
    send({**ORDER, "timestamp": said})
    assert stored()[0]["time"] == AT


@pytest.mark.parametrize("said", ["yesterday", "", 1801386000, None, "2027-01-31T09:00:00", [AT]])
def test_timestamp_that_is_no_time_is_that_of_its_coming(
    make_source: MakeSource, send: Send, said: Any
) -> None:
    make_source()
    answer = send({**ORDER, "timestamp": said})
    age = timezone.now() - datetime.fromisoformat(stored()[0]["time"])
    assert (answer.status_code, 0 <= age.total_seconds() < 60) == (200, True)


def test_answer_names_the_event(make_source: MakeSource, send: Send) -> None:
    make_source()
    answer = send(ORDER).json()
    assert (answer["events"], answer["metadata"]["count"]) == (
        [{"id": event_id("msg_1"), "duplicate": False}],
        1,
    )


@pytest.mark.parametrize("content_type", [BATCHED, "application/json"])
def test_batch_is_an_event_each_in_its_order(
    make_source: MakeSource, send: Send, content_type: str
) -> None:
    make_source()
    send([{**CLOUD, "id": f"A-{n}"} for n in range(50)], content_type=content_type)
    assert [each["id"] for each in stored()] == [f"A-{n}" for n in range(50)]


def test_batch_may_be_empty(make_source: MakeSource, send: Send) -> None:
    make_source()
    answer = send([], content_type=BATCHED)
    assert (answer.status_code, answer.json()["events"], stored()) == (200, [], [])


def test_event_that_stands_twice_in_a_batch_is_one(make_source: MakeSource, send: Send) -> None:
    make_source()
    answer = send([CLOUD, {**CLOUD, "id": "A-2"}, CLOUD], content_type=BATCHED).json()
    assert ([each["duplicate"] for each in answer["events"]], len(stored())) == (
        [False, False, True],
        2,
    )


def test_marks_of_a_sender_are_removed(make_source: MakeSource, send: Send) -> None:
    make_source()
    forged = ["moca-event-source/bank", "moca-event/0", "moca-event-source/shop", "mine"]
    send({**ENVELOPE, "resources": forged})
    assert stored()[0]["resources"] == [
        "mine",
        "moca-event-source/shop",
        f"moca-event/{event_id('msg_1')}",
    ]


@pytest.mark.parametrize("subject", ["moca-event-source/bank", "moca-event/0"])
def test_marks_in_a_subject_are_removed(make_source: MakeSource, send: Send, subject: str) -> None:
    make_source()
    send({**CLOUD, "subject": subject}, content_type=STRUCTURED)
    assert subject not in stored()[0]["resources"]


def test_slack_reads_its_challenge_back(make_source: MakeSource, send: Send) -> None:
    make_source("slack")
    answer = send({"type": "url_verification", "challenge": "3eZbrw1a", "token": "t"}, "slack")
    assert (answer.status_code, answer.json()["challenge"], stored()) == (200, "3eZbrw1a", [])


def test_time_that_is_no_time_is_passed_over_of_a_provider(
    make_source: MakeSource, send: Send
) -> None:
    make_source("stripe")
    answer = send({**STRIPE, "created": 10**17}, "stripe")
    assert (answer.status_code, stored()[0]["time"][:2]) == (200, "20")


def test_row_goes_after_seven_days(make_source: MakeSource, send: Send) -> None:
    make_source()
    send(ORDER)
    row = ReceivedEvent.objects.of_source("shop")[0]
    days = (datetime.fromtimestamp(row.ttl, UTC) - row.received_at).total_seconds() / 86400
    assert days == pytest.approx(7, abs=0.001)
