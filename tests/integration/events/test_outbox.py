"""Where events go on from their address: on record, to the bus, and what is told if they cannot."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from django.db import OperationalError, connection, connections
from django.utils import timezone

from events.models import EventState, ReceivedEvent
from events.outbox import publish_overdue
from moca.aws import clients as aws
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    ORDER,
    SECRET,
    MakeSource,
    Send,
    signed,
    statements,
    stored,
)

BATCH = [{**CLOUD, "id": f"A-{number:02}"} for number in range(12)]


def states() -> list[str]:
    return [row.state for row in reversed(ReceivedEvent.objects.of_source("shop"))]


class TestDatabase:
    @pytest.mark.sqlite
    @pytest.mark.parametrize("number", [1, 50])
    def test_events_are_one_read_and_one_write(
        self, make_source: MakeSource, send: Send, number: int
    ) -> None:
        make_source()
        with statements() as made:
            send([{**CLOUD, "id": str(each)} for each in range(number)], content_type=BATCHED)
        assert made == ["SELECT", "INSERT"]

    @pytest.mark.sqlite
    @pytest.mark.parametrize("number", [1, 50])
    def test_known_events_of_a_known_source_are_one_write_and_one_read(
        self, make_source: MakeSource, send: Send, number: int
    ) -> None:
        make_source()
        batch = [{**CLOUD, "id": str(each)} for each in range(number)]
        send(batch, content_type=BATCHED, ago=5)
        with statements() as made:
            send(batch, content_type=BATCHED)
        assert made == ["INSERT", "SELECT"]

    @pytest.mark.sqlite
    @pytest.mark.parametrize("headers", [{"webhook-signature": ""}, {"webhook-id": "other"}])
    def test_forged_events_of_a_known_source_are_nothing(
        self, make_source: MakeSource, send: Send, headers: dict[str, str]
    ) -> None:
        make_source()
        with statements() as first:
            send(ORDER, headers=headers)
        with statements() as made:
            send(ORDER, headers=headers)
        # The first is kept for the source's page, and none of the next seconds.
        assert (first, made) == (["SELECT", "SELECT", "INSERT", "SELECT"], [])

    @pytest.mark.sqlite
    def test_database_that_is_away(self, make_source: MakeSource, send: Send) -> None:
        make_source()

        def fail(*_: Any) -> Any:
            raise OperationalError("disk I/O error")

        with connection.execute_wrapper(fail):
            answer = send(ORDER)
        assert (answer.status_code, answer["Retry-After"], stored()) == (503, "1", [])

    @pytest.mark.sqlite
    def test_database_that_goes_away_between(self, make_source: MakeSource, send: Send) -> None:
        make_source()

        def fail(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("INSERT"):
                raise OperationalError("database is locked")
            return execute(sql, *rest)

        with connection.execute_wrapper(fail):
            answer = send(BATCH, content_type=BATCHED)
        assert (answer.status_code, stored()) == (503, [])

    @pytest.mark.sqlite
    def test_event_is_taken_when_it_is_sent_again(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        body = json.dumps(ORDER).encode()
        own = signed("webhook", SECRET, body, "msg_1", int(time.time()))

        def fail(*_: Any) -> Any:
            raise OperationalError("disk I/O error")

        with connection.execute_wrapper(fail):
            send(body, headers=own)
        assert (send(body, headers=own).status_code, states()) == (200, ["queued"])


@pytest.mark.django_db(transaction=True)
def test_same_events_at_the_same_moment_are_each_one(make_source: MakeSource, send: Send) -> None:
    make_source()

    def message(number: int) -> list[bool]:
        try:
            answer = send(BATCH, content_type=BATCHED, key=f"msg_{number}")
            return [each["duplicate"] for each in answer.json()["events"]]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(message, range(8)))
    assert (min(told), sorted(told)[1:], len(stored())) == (
        [False] * 12,
        [[True] * 12] * 7,
        12,
    )


class TestEventBridge:
    @pytest.fixture
    def bus(self, moto: None, make_source: MakeSource, settings: Any) -> "Bus":
        """The bus that a source's events are put on, which may be told to refuse them."""
        make_source()
        settings.EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
        return Bus()

    def test_event_is_put_on_the_bus(self, bus: "Bus", send: Send) -> None:
        send({**CLOUD, "data": {"name": "\u5e97"}})
        (entry,) = bus.entries
        assert (
            entry["EventBusName"],
            entry["Source"],
            entry["DetailType"],
            json.loads(entry["Detail"]),
            entry["Time"].isoformat(),
            entry["Resources"],
        ) == (
            "default",
            "/shop",
            "order.paid",
            {"name": "\u5e97"},
            "2027-01-31T09:00:00+00:00",
            stored()[0]["resources"],
        )

    def test_event_on_the_bus_is_done(self, bus: "Bus", send: Send) -> None:
        send(ORDER)
        assert states() == [EventState.DONE]

    @pytest.fixture
    def large(self, bus: "Bus", settings: Any) -> "Bus":
        """The bus, in a service that takes what a bus does."""
        settings.MAX_EVENT_BYTES = 1_000_000
        return bus

    @pytest.mark.parametrize("size", [300_000, 400_000, 990_000])
    def test_large_event_is_put_there_whole(self, large: "Bus", send: Send, size: int) -> None:
        send({"text": "x" * size})
        (entry,) = large.entries
        assert (len(json.loads(entry["Detail"])["text"]), states()) == (size, ["done"])

    def test_larger_event_is_refused(self, large: "Bus", send: Send) -> None:
        answer = send({"text": "x" * 999_900})
        told = "which is what an event bus takes" in answer.json()["message"]
        assert (answer.status_code, told, large.entries) == (413, True, [])

    def test_row_says_that_it_has_not_all(self, large: "Bus", send: Send) -> None:
        send({"text": "x" * 400_000})
        said = "The event has 400,304 bytes: of more than 350,000, no detail is kept."
        assert stored()[0]["detail"] == {"moca-cut": said}

    @pytest.mark.parametrize("ago", [0, 5])
    def test_large_event_goes_on_when_it_is_sent_again(
        self, large: "Bus", send: Send, ago: int
    ) -> None:
        large.refuses_all()
        send({"text": "x" * 400_000})
        large.takes_all()
        before = states()
        del large.entries[:]
        answer = send({"text": "x" * 400_000}, ago=ago)
        (told,) = answer.json()["events"]
        whole = [len(entry["Detail"]) for entry in large.entries]
        assert (told["duplicate"], before, states(), whole) == (
            False,
            ["failed"],
            ["done"],
            [400_012],
        )

    def test_large_event_never_goes_on_without_its_detail(self, large: "Bus", send: Send) -> None:
        large.refuses_all()
        send({"text": "x" * 400_000})
        large.takes_all()
        del large.entries[:]
        assert (publish_overdue(timezone.now() + timedelta(hours=1)), large.entries) == (0, [])

    def test_known_event_is_not_put_there_again(self, bus: "Bus", send: Send) -> None:
        send(ORDER, ago=5)
        answer = send(ORDER)
        assert (answer.json()["events"][0]["duplicate"], len(bus.entries)) == (True, 1)

    def test_same_message_again_is_not_put_there_again(self, bus: "Bus", send: Send) -> None:
        own = bus.message(ORDER)
        send(ORDER, headers=own)
        assert (send(ORDER, headers=own).status_code, len(bus.entries)) == (200, 1)

    def test_bus_that_refuses(self, bus: "Bus", send: Send) -> None:
        bus.refuses_all()
        answer = send(ORDER)
        assert (answer.status_code, answer["Retry-After"], states()) == (503, "5", ["queued"])

    def test_reason_is_logged_and_not_told(
        self, bus: "Bus", send: Send, caplog: pytest.LogCaptureFixture
    ) -> None:
        bus.refuses_all()
        told = send(ORDER).content.decode()
        assert ("AccessDenied" in caplog.text, "AccessDenied" in told) == (True, False)

    @pytest.mark.parametrize("ago", [0, 5])
    def test_event_is_taken_when_it_is_sent_again(self, bus: "Bus", send: Send, ago: int) -> None:
        own = bus.message(ORDER)
        bus.refuses_all()
        send(ORDER, headers=own)
        bus.takes_all()
        # Byte for byte, or signed anew.
        answer = send(ORDER, headers=own if not ago else {}, ago=ago)
        assert (answer.json()["events"][0]["duplicate"], states()) == (False, ["done"])

    def test_rest_of_a_batch_is_taken_when_it_is_sent_again(self, bus: "Bus", send: Send) -> None:
        own = bus.message(BATCH)
        bus.refuses(3)
        first = send(BATCH, content_type=BATCHED, headers=own)
        bus.takes_all()
        again = send(BATCH, content_type=BATCHED, headers=own)
        assert (first.status_code, again.status_code, set(states())) == (503, 200, {"done"})

    def test_only_the_rest_is_put_there_then(self, bus: "Bus", send: Send) -> None:
        own = bus.message(BATCH)
        bus.refuses(3)
        send(BATCH, content_type=BATCHED, headers=own)
        bus.takes_all()
        del bus.entries[:]
        send(BATCH, content_type=BATCHED, headers=own)
        # The fourth of the first ten, and those of the second call, which was not made.
        assert len(bus.entries) == 3

    def test_message_is_known_when_all_of_it_has_gone_on(self, bus: "Bus", send: Send) -> None:
        own = bus.message(BATCH)
        bus.refuses(3)
        send(BATCH, content_type=BATCHED, headers=own)
        bus.takes_all()
        send(BATCH, content_type=BATCHED, headers=own)
        told = send(BATCH, content_type=BATCHED, headers=own).json()["events"]
        assert {each["duplicate"] for each in told} == {True}


class Bus:
    """What is put on the event bus, and answers in its place."""

    NAME = "before-send.events.PutEvents"

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.client = aws.client("events")
        self.client.meta.events.register("provide-client-params.events.PutEvents", self._note)
        self._answer: Any = None

    def message(self, document: Any) -> dict[str, str]:
        """A message's signature, to send it byte for byte again."""
        return signed("webhook", SECRET, json.dumps(document).encode(), "msg_1", int(time.time()))

    def refuses_all(self) -> None:
        body = {"__type": "AccessDeniedException", "message": "no"}
        self._answers(400, body, {"x-amzn-ErrorType": "AccessDeniedException"})

    def refuses(self, place: int) -> None:
        """Refuse one entry of ten."""
        entries: list[dict[str, str]] = [{"EventId": str(each)} for each in range(10)]
        entries[place] = {"ErrorCode": "InternalFailure", "ErrorMessage": "busy"}
        self._answers(200, {"FailedEntryCount": 1, "Entries": entries}, {})

    def takes_all(self) -> None:
        self.client.meta.events.unregister(self.NAME, self._answer)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self.entries += params["Entries"]

    def _answers(self, status: int, body: Any, headers: dict[str, str]) -> None:
        text = json.dumps(body).encode()

        def answer(**_: Any) -> AWSResponse:
            raw = type("Raw", (), {"stream": lambda self, **_: iter([text])})()
            return AWSResponse("", status, headers, raw)

        self._answer = answer
        self.client.meta.events.register_first(self.NAME, answer)
