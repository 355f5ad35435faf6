"""Bodies that are no events: each is refused with what is wrong and where, and leaves no trace."""

import json
import time
from typing import Any

import pytest

from events.webhooks import cloudevents
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    ORDER,
    STRUCTURED,
    MakeSource,
    Send,
    stored,
)

JSON = "application/json"
ENVELOPE = {"source": "my.shop", "detail-type": "Order Paid", "detail": {}}
KIB = 1024
LIMIT = 256 * KIB


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


# The form, the body, and the field that the answer names.
WRONG: dict[str, tuple[str, str, Any, str]] = {
    "nothing": ("webhook", JSON, b" ", ""),
    "no JSON": ("webhook", JSON, b"order=4711", ""),
    "no UTF-8": ("webhook", JSON, b'{"a": "\xff"}', ""),
    "half of it": ("webhook", JSON, b'{"a": ', ""),
    "NaN": ("webhook", JSON, b'{"a": NaN}', ""),
    "Infinity": ("webhook", JSON, b'{"a": -Infinity}', ""),
    "a key twice": ("webhook", JSON, b'{"a": 1, "b": {"c": 1, "c": 1}}', ""),
    "a NUL": ("webhook", JSON, b'{"a": {"b": "\\u0000"}}', "a.b"),
    "half a character": ("webhook", JSON, b'{"a": "\\ud83d"}', "a"),
    "a large number": ("webhook", JSON, {"a": {"b": 1e40}}, "a.b"),
    "a whole number that EventBridge does not take": ("webhook", JSON, {"a": 2**63}, ""),
    "a number of 400 digits": ("webhook", JSON, b'{"a": 1' + b"0" * 400 + b"}", ""),
    "a number of 5,000 digits": ("webhook", JSON, b'{"a": 1' + b"0" * 5000 + b"}", ""),
    "deep nesting": ("webhook", JSON, b'{"a":' * 40 + b"1" + b"}" * 40, ".".join("a" * 32)),
    "very deep nesting": ("webhook", JSON, b"[" * 100_000, ""),
    "no source": ("webhook", STRUCTURED, without(CLOUD, "source"), "source"),
    "no id": ("webhook", STRUCTURED, without(CLOUD, "id"), "id"),
    "no type": ("webhook", STRUCTURED, without(CLOUD, "type"), "type"),
    "no version": ("webhook", STRUCTURED, without(CLOUD, "specversion"), "specversion"),
    "another version": ("webhook", STRUCTURED, {**CLOUD, "specversion": "0.3"}, "specversion"),
    "an id that is a number": ("webhook", STRUCTURED, {**CLOUD, "id": 1}, "id"),
    "an empty id": ("webhook", JSON, {**CLOUD, "id": ""}, "id"),
    "a long id": ("webhook", STRUCTURED, {**CLOUD, "id": "x" * 257}, "id"),
    "a long type": ("webhook", STRUCTURED, {**CLOUD, "type": "x" * 129}, "type"),
    "a subject that is a number": ("webhook", STRUCTURED, {**CLOUD, "subject": 1}, "subject"),
    "a long subject": ("webhook", STRUCTURED, {**CLOUD, "subject": "x" * 2049}, "subject"),
    "a long type of data": (
        "webhook",
        STRUCTURED,
        {**CLOUD, "datacontenttype": "x" * 2049},
        "datacontenttype",
    ),
    "a long extension": ("webhook", STRUCTURED, {**CLOUD, "tenant": ["x" * 2049]}, "tenant"),
    "a long time": ("webhook", STRUCTURED, {**CLOUD, "time": "2" * 257}, "time"),
    "a long extension in a batch": (
        "webhook",
        BATCHED,
        [CLOUD, {**CLOUD, "tenant": "x" * 2049}],
        "[1].tenant",
    ),
    "bad base64": (
        "webhook",
        STRUCTURED,
        {**without(CLOUD, "data"), "data_base64": "%"},
        "data_base64",
    ),
    "base64 of bad JSON": (
        "webhook",
        STRUCTURED,
        {**without(CLOUD, "data"), "datacontenttype": JSON, "data_base64": "ew=="},
        "data_base64",
    ),
    "a list for an event": ("webhook", STRUCTURED, [1], ""),
    "an event for a list": ("webhook", BATCHED, CLOUD, ""),
    "a batch of 51": ("webhook", BATCHED, [CLOUD] * 51, ""),
    "a batch of 51 as JSON": ("webhook", JSON, [CLOUD] * 51, ""),
    "a batch with a text": ("webhook", BATCHED, [CLOUD, "x"], "[1]"),
    "a batch with a bad event": ("webhook", BATCHED, [CLOUD, {**CLOUD, "id": 1}], "[1].id"),
    "an envelope's source": ("webhook", JSON, {**ENVELOPE, "source": ""}, "source"),
    "an envelope's detail": ("webhook", JSON, {**ENVELOPE, "detail": [1]}, "detail"),
    "an envelope's resources": ("webhook", JSON, {**ENVELOPE, "resources": "x"}, "resources"),
    "one of an envelope's resources": (
        "webhook",
        JSON,
        {**ENVELOPE, "resources": ["a", 1]},
        "resources",
    ),
    "a long resource": ("webhook", JSON, {**ENVELOPE, "resources": ["x" * 2049]}, "resources"),
    "an envelope's type": (
        "webhook",
        JSON,
        {**ENVELOPE, "detail-type": "x" * 129},
        "detail-type",
    ),
    "an envelope's id": ("webhook", JSON, {**ENVELOPE, "id": 5}, "id"),
    **{
        f"the time {text!r}": ("webhook", JSON, {**ENVELOPE, "time": text}, "time")
        for text in ("now", "", 1801386000, "2027-01-31T09:00:00", "2027-02-30T09:00:00Z", [])
    },
    "a time before all": (
        "webhook",
        STRUCTURED,
        {**CLOUD, "time": "0001-01-01T00:00:00+14:00"},
        "time",
    ),
    **{
        f"the source {text}": ("webhook", JSON, {**ENVELOPE, "source": text}, "source")
        for text in (
            "aws.s3",
            "AWS.s3",
            "moca.triggers",
            "webhook.bank",
            "github.com",
            "slack.com",
            "Stripe.com",
        )
    },
    "a CloudEvent of AWS": ("webhook", STRUCTURED, {**CLOUD, "source": "aws.s3"}, "source"),
    "a list of GitHub": ("github", JSON, [1], ""),
    "a text of Slack": ("slack", JSON, '"url_verification"', ""),
    "a challenge of no text": (
        "slack",
        JSON,
        {"event_id": 5, "type": "url_verification"},
        "event_id",
    ),
    "an event of Slack without its id": ("slack", JSON, {"event_id": ""}, "event_id"),
    "an event of Stripe without its id": ("stripe", JSON, {"type": "invoice.paid"}, "id"),
    "an event of Stripe without its type": ("stripe", JSON, {"id": "evt_1"}, "type"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_body(make_source: MakeSource, send: Send, name: str) -> None:
    kind, content_type, body, field = WRONG[name]
    make_source(kind)
    answer = send(body, kind, content_type=content_type)
    told = [each["field"] for each in answer.json().get("details", [])]
    assert (answer.status_code, told, stored()) == (400, [field], [])


def test_field_is_named_once(make_source: MakeSource, send: Send) -> None:
    make_source()
    answer = send({"a": {"b": 1e40}})
    assert answer.json()["message"] == "a.b: The number is too large."


CE = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "order.paid"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ce-specversion", "0.3"),
        ("ce-id", ""),
        ("ce-type", ""),
        ("ce-source", "aws.s3"),
        ("ce-time", "now"),
        ("ce-type", "%C0%A0"),
        ("ce-type", "%00"),
        ("ce-subject", "%E9"),
        ("ce-subject", "x" * 2049),
        ("ce-dataschema", "x" * 2049),
        ("ce-tenant", "x" * 2049),
        ("ce-tenant", "%00"),
        ("Content-Type", "x/" + "y" * 2049),
    ],
)
def test_wrong_attribute(make_source: MakeSource, send: Send, name: str, text: str) -> None:
    make_source()
    answer = send(ORDER, headers={**CE, name: text})
    told = [each["field"] for each in answer.json()["details"]]
    field = "ce-datacontenttype" if name == "Content-Type" else name
    assert (answer.status_code, told, stored()) == (400, [field], [])


def test_binary_event_with_broken_json(make_source: MakeSource, send: Send) -> None:
    make_source()
    answer = send(b'{"order": 47', content_type="application/json", headers=CE)
    assert (answer.status_code, stored()) == (400, [])


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        *((kind, "text/plain") for kind in ("webhook", "github", "slack", "stripe")),
        *((kind, STRUCTURED) for kind in ("github", "slack", "stripe")),
        ("github", "application/x-www-form-urlencoded"),
        ("webhook", "multipart/form-data; boundary=x"),
        ("webhook", "application/cloudevents+avro"),
        ("webhook", ""),
        ("webhook", ";"),
        ("webhook", "application/json, text/plain"),
    ],
)
def test_wrong_type(make_source: MakeSource, send: Send, kind: str, content_type: str) -> None:
    make_source(kind)
    answer = send({"id": "1", "event_id": "1", "type": "x"}, kind, content_type=content_type)
    assert (answer.status_code, stored()) == (415, [])


def test_type_that_is_taken_is_told(make_source: MakeSource, send: Send) -> None:
    make_source("github")
    answer = send(b"payload=%7B%7D", "github", content_type="application/x-www-form-urlencoded")
    assert answer.json()["message"] == "Send the body as application/json."


class TestSize:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":"' + b"x" * LIMIT + b'"}',
            # Too large with what is put around it.
            b'{"a":"' + b"x" * (LIMIT - 100) + b'"}',
            # Too large in the form in which it goes on.
            b'{"a":[' + b",".join([b"1e15"] * 30_000) + b"]}",
        ],
    )
    def test_too_large(self, make_source: MakeSource, send: Send, body: bytes) -> None:
        make_source()
        assert (send(body).status_code, stored()) == (413, [])

    def test_large(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        assert send({"a": "x" * 250 * KIB}).status_code == 200

    def test_batch_that_is_too_large_is_refused_whole(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        batch = [{**CLOUD, "id": str(n), "data": "x" * 5100} for n in range(50)]
        assert len(json.dumps(batch)) < LIMIT
        assert (send(batch, content_type=BATCHED).status_code, stored()) == (413, [])

    def test_size_is_looked_at_before_the_source(self, db: None, send: Send) -> None:
        assert send(b"x" * (LIMIT + 1)).status_code == 413


@pytest.mark.parametrize(
    "media_type",
    ["x/" + "+" * 100_000, "/" * 100_000, "a/" + "json+" * 25_000, "/+" * 50_000 + "json"],
)
def test_type_of_data_is_read_in_linear_time(media_type: str) -> None:
    def seconds(text: str) -> float:
        took = []
        for _ in range(3):
            began = time.process_time()
            cloudevents._is_json(text)
            took.append(time.process_time() - began)
        return min(took)

    # A million characters, of which a quadratic search would make hours.
    assert seconds(media_type * 10) < 0.5


def test_long_type_of_data_is_answered_at_once(make_source: MakeSource, send: Send) -> None:
    make_source()
    event = {name: value for name, value in CLOUD.items() if name != "data"}
    began = time.process_time()
    # Neither JSON nor said to be.
    answer = send({**event, "datacontenttype": "/" * 120_000, "data_base64": "ew=="})
    assert (answer.status_code, time.process_time() - began < 5) == (400, True)
