"""What is kept of messages that were refused: lines in the log, and the last few of a source."""

import json
from typing import Any

import pytest

from events import rejections, sources
from tests.integration.events.conftest import ORDER, OTHER, SECRET, Later, MakeSource, Send

UNSIGNED = {"webhook-signature": ""}


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of refused messages."""
    texts = [record.getMessage() for record in log.records]
    return [text for text in texts if text.startswith("Event refused")]


def kept() -> list[dict[str, Any]]:
    """What is kept of the shop's rejections."""
    source = sources.find("shop")
    assert source is not None
    rows = rejections.recent(source)
    return [{"code": row.code, "requestId": row.request_id, "times": row.times} for row in rows]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"headers": UNSIGNED}, "header"),
        ({"headers": {"webhook-timestamp": "now"}}, "timestamp"),
        ({"secret": OTHER}, "signature"),
        ({"ago": 400}, "stale"),
        ({"body": b"{"}, "body"),
        ({"content_type": "text/plain"}, "content-type"),
        ({"body": {"a": "x" * 262_100}}, "size"),
    ],
)
class TestReason:
    def test_is_logged(
        self,
        make_source: MakeSource,
        send: Send,
        caplog: pytest.LogCaptureFixture,
        sent: dict[str, Any],
        code: str,
    ) -> None:
        make_source()
        send(**{"body": ORDER, **sent})
        assert lines(caplog) == [f"Event refused: source shop, kind webhook, reason {code}"]

    def test_is_kept(
        self, make_source: MakeSource, send: Send, sent: dict[str, Any], code: str
    ) -> None:
        make_source()
        answer = send(**{"body": ORDER, **sent})
        told = [(each["code"], each["requestId"], each["times"]) for each in kept()]
        assert told == [(code, answer.json()["requestId"], 1)]


def test_source_without_a_secret(make_source: MakeSource, send: Send) -> None:
    make_source(secrets=[])
    send(ORDER)
    assert kept()[0]["code"] == "no-secret"


@pytest.mark.parametrize(
    ("source", "shown"),
    [("nobody", "nobody"), ("a" * 3000, "a" * 36), ("a%0Ab", "?"), ("%F0%9F%99%82", "?")],
)
def test_address_without_a_source_is_logged_as_such(
    db: None, send: Send, caplog: pytest.LogCaptureFixture, source: str, shown: str
) -> None:
    rejections._tallies.clear()
    send(ORDER, source=source)
    assert lines(caplog) == [f"Event refused: source {shown}, kind none, reason no-source"]


def test_line_has_the_request(
    make_source: MakeSource, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    make_source()
    answer = send(ORDER, headers=UNSIGNED)
    (record,) = [each for each in caplog.records if each.name == "events.rejections"]
    assert vars(record)["requestId"] == answer.json()["requestId"]


def test_flood_is_few_lines(
    make_source: MakeSource, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    make_source()
    for _ in range(rejections.LINES + 30):
        send(ORDER, headers=UNSIGNED)
    assert len(lines(caplog)) == rejections.LINES


def test_next_line_says_how_many_were_left_out(
    make_source: MakeSource,
    send: Send,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_source()
    for _ in range(rejections.LINES + 30):
        send(ORDER, headers=UNSIGNED)
    monkeypatch.setattr(rejections, "PERIOD_SECONDS", 0.0)
    send(ORDER, headers=UNSIGNED)
    assert lines(caplog)[-1].endswith("; 30 more were not logged")


def test_any_number_of_addresses_is_few_lines(
    db: None, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    rejections._tallies.clear()
    for number in range(rejections.LINES + 30):
        send(ORDER, source=f"nobody-{number}")
    assert (len(lines(caplog)), len(rejections._tallies)) == (rejections.LINES, 1)


def test_flood_is_one_write(make_source: MakeSource, send: Send) -> None:
    make_source()
    for _ in range(10):
        send(ORDER, headers=UNSIGNED)
    assert [each["times"] for each in kept()] == [1]


def test_later_refusal_says_how_many_came_between(
    make_source: MakeSource, send: Send, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_source()
    for _ in range(10):
        send(ORDER, headers=UNSIGNED)
    later(seconds=10)
    monkeypatch.setattr(rejections, "WRITE_SECONDS", 0.0)
    send(ORDER, secret=OTHER)
    assert [(each["code"], each["times"]) for each in kept()] == [("signature", 10), ("header", 1)]


def test_other_processes_write_no_more_often(
    make_source: MakeSource, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_source()
    send(ORDER, headers=UNSIGNED)
    rejections._tallies.clear()
    send(ORDER, headers=UNSIGNED)
    assert len(kept()) == 1


def test_few_are_kept(
    make_source: MakeSource, send: Send, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_source()
    monkeypatch.setattr(rejections, "WRITE_SECONDS", 0.0)
    for number in range(rejections.MOST + 3):
        later(seconds=number + 1)
        send(ORDER, headers=UNSIGNED)
    assert len(kept()) == rejections.MOST


def test_open_forms_are_not_made_stale(make_source: MakeSource, send: Send) -> None:
    source = make_source()
    send(ORDER, headers=UNSIGNED)
    source.name = "The shop"
    source.save()
    assert (source.version, len(kept())) == (2, 1)


class TestConfigured:
    @pytest.fixture(autouse=True)
    def configured(self, db: None, settings: Any) -> Any:
        entry = {"id": "shop", "name": "Shop", "secrets": [SECRET]}
        settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
        rejections._tallies.clear()
        yield
        sources.configured.cache_clear()

    def test_refusals_are_kept(self, send: Send) -> None:
        send(ORDER, headers=UNSIGNED)
        assert [each["code"] for each in kept()] == ["header"]
