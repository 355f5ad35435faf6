"""What the page of a source shows of the messages that its address rejected."""

import json
from typing import Any

import pytest
from django.test import Client

from events import rejections, seen, sources
from events.models import EventSource, SeenMessage
from tests.integration.console.conftest import viewer
from tests.integration.events.conftest import ORDER, OTHER, SECRET, MakeSource, Send

__all__ = ["viewer"]

# A header with a secret, and what must not be stored of it.
SECRETS = {
    "Authorization": ("Bearer abcdefghijklmnop", "abcdefghijklmnop"),
    "Cookie": ("sessionid=0123456789", "0123456789"),
    "X-Gitlab-Token": ("glptt-short", "glptt-short"),
    "X-Api-Key": ("a b c d e f", "a b c d e f"),
    "X-Hub-Signature-256": ("sha256=" + "ab" * 32, "ab" * 32),
    "X-Acme-Proof": ("v1=" + "cd" * 32, "cd" * 32),
    "X-Amz-Security-Stuff": ("IQoJb3JpZ2luX2VjEJr//////////wEaCXVz", "IQoJb3JpZ2luX2Vj"),
}


def last() -> SeenMessage:
    source = sources.find("shop")
    assert source is not None
    return rejections.recent(source)[0]


def shown(client: Client) -> str:
    return " ".join(client.get("/console/events/shop").content.decode().split())


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_in_headers_are_not_stored(make_source: MakeSource, send: Send, name: str) -> None:
    make_source()
    value, secret = SECRETS[name]
    send(ORDER, secret=OTHER, headers={name: value})
    headers = dict(last().headers)
    assert (
        secret in json.dumps(headers),
        f"({len(value)} characters)" in headers[name.lower()],
    ) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("X-GitHub-Event", "pull_request"),
        ("User-Agent", "GitHub-Hookshot/044aadd"),
        ("X-Shopify-Topic", "orders/create"),
    ],
)
def test_other_headers_are_shown(
    viewer: Client, make_source: MakeSource, send: Send, name: str, value: str
) -> None:
    make_source()
    send(ORDER, secret=OTHER, headers={name: value})
    assert f"<code>{name.lower()}</code></th><td><code>{value}</code>" in shown(viewer)


def test_form_of_a_signature_is_shown(make_source: MakeSource, send: Send) -> None:
    make_source("github")
    send(ORDER, "github", secret=OTHER)
    assert dict(last().headers)["x-hub-signature-256"] == "sha256=••• (71 characters)"


class TestBody:
    def test_of_a_stranger_is_not_kept(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        send({"name": "Alice"}, secret=OTHER)
        row = last()
        assert (row.start, row.size, len(row.digest), row.media_type) == (
            "",
            17,
            64,
            "application/json",
        )

    def test_of_a_sender_with_the_secret_is_kept(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        send(b'{"name": "Alice"')
        assert last().start == '{"name": "Alice"'

    def test_that_an_sns_source_cannot_read_is_not_kept(
        self, make_source: MakeSource, send: Send
    ) -> None:
        arn = "arn:aws:sns:eu-central-1:123456789012:orders"
        make_source("sns", secrets=[])
        send(b"not verified", headers={"x-amz-sns-topic-arn": arn})
        assert (last().code, last().start) == ("body", "")

    def test_is_cut(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        send(b'{"name": "' + "ä".encode() * 10_000)
        assert len(last().start) == rejections.MAX_START + 1


def test_a_page_of_a_stranger_is_text(viewer: Client, make_source: MakeSource, send: Send) -> None:
    make_source()
    send(b"<script>alert(1)</script>", headers={"User-Agent": "<img src=x onerror=alert(2)>"})
    page = shown(viewer)
    assert (
        "<script>alert" in page,
        "<img src=x" in page,
        "&lt;script&gt;alert(1)" in page,
        "&lt;img src=x onerror=alert(2)&gt;" in page,
    ) == (False, False, True, True)


def test_many_long_headers_are_cut(make_source: MakeSource, send: Send) -> None:
    make_source()
    many = {f"X-{number:03}-Type": "x y " * 500 for number in range(60)}
    send(ORDER, secret=OTHER, headers=many)
    row = last()
    assert (len(row.headers), max(len(text) for _, text in row.headers)) == (
        seen.MAX_HEADERS,
        seen.MAX_VALUE + 1,
    )


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"headers": {"webhook-signature": ""}}, "Check that the sender signs its messages"),
        ({"headers": {"webhook-timestamp": "now"}}, "The signed time is malformed"),
        ({"secret": OTHER}, "Enter the same secret at the sender and here"),
        ({"ago": 400}, "Check the sender&#x27;s clock"),
        ({"body": b"{"}, "Have the sender send JSON"),
        ({"content_type": "text/plain"}, "Choose application/json at the sender"),
        ({"body": {"a": "x" * 262_100}}, "Have the sender send less in one message"),
    ],
)
def test_each_reason_has_its_remedy(
    viewer: Client, make_source: MakeSource, send: Send, sent: dict[str, Any], words: str
) -> None:
    make_source()
    send(**{"body": ORDER, **sent})
    assert words in shown(viewer)


def test_messages_go_with_their_source(make_source: MakeSource, send: Send) -> None:
    source = make_source()
    send(ORDER, secret=OTHER)
    source.delete()
    assert not SeenMessage.objects.of("shop", "rejected")[:1]


def test_other_processes_show_those_of_a_source_in_the_settings(
    viewer: Client, send: Send, settings: Any
) -> None:
    entry = {"id": "shop", "name": "Shop", "secrets": [SECRET]}
    settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
    rejections._tallies.clear()
    send(ORDER, secret=OTHER)
    # Another process knows nothing of what this one has counted.
    rejections._tallies.clear()
    page = shown(viewer)
    del settings.EVENT_SOURCES_CONFIG
    assert "Enter the same secret at the sender and here" in page


def test_a_database_that_is_away_changes_no_answer(
    make_source: MakeSource, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def fail(*_: Any) -> None:
        raise OperationalError("disk I/O error")

    make_source()
    monkeypatch.setattr(seen, "keep", fail)
    assert send(ORDER, secret=OTHER).status_code == 401


def test_source_made_again_has_none_of_the_one_before(make_source: MakeSource, send: Send) -> None:
    make_source()
    send(ORDER, secret=OTHER)
    kept = list(SeenMessage.objects.of("shop", "rejected"))
    EventSource.objects.get(pk="shop").delete()
    source = make_source()
    for row in kept:
        row.save(force_insert=True)
    assert rejections.recent(source) == []
