"""What events that come in ask of DynamoDB, and what is known of them there."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.dynamodb.faults import fault, lost_answer, refusal, times
from tests.integration.dynamodb.conftest import Counting
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    ORDER,
    SECRET,
    MakeSource,
    Send,
    make_source,
    send,
    signed,
    stored,
)

__all__ = ["make_source", "send"]


def test_event_is_one_read_and_one_write(
    make_source: MakeSource, send: Send, requests_made: Counting
) -> None:
    make_source()
    with requests_made() as made:
        send(ORDER)
    assert made == ["GetItem", "PutItem"]


def test_batch_is_one_read_and_one_write(
    make_source: MakeSource, send: Send, requests_made: Counting
) -> None:
    make_source()
    with requests_made() as made:
        send([{**CLOUD, "id": str(each)} for each in range(50)], content_type=BATCHED)
    assert made == ["GetItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, ["PutItem", "GetItem"]),
        (50, ["TransactWriteItems", "BatchGetItem"]),
    ],
)
def test_known_events_are_one_read_more(
    make_source: MakeSource,
    send: Send,
    requests_made: Counting,
    number: int,
    expected: list[str],
) -> None:
    make_source()
    batch = [{**CLOUD, "id": str(each)} for each in range(number)]
    send(batch, content_type=BATCHED, ago=5)
    with requests_made() as made:
        send(batch, content_type=BATCHED)
    assert made == expected


def test_batch_with_a_known_event_writes_the_others(make_source: MakeSource, send: Send) -> None:
    make_source()
    send(CLOUD, key="msg_1")
    send([{**CLOUD, "id": f"B-{each}"} for each in range(10)] + [CLOUD], content_type=BATCHED)
    assert len(stored()) == 11


@pytest.mark.parametrize("number", [1, 12])
def test_table_that_refuses_leaves_nothing(
    make_source: MakeSource, send: Send, number: int
) -> None:
    make_source()
    batch = [{**CLOUD, "id": str(each)} for each in range(number)]
    with fault(connection, writes(lambda _: refusal("AccessDeniedException"))):
        answer = send(batch, content_type=BATCHED)
    assert (answer.status_code, stored()) == (503, [])


def test_message_is_taken_when_it_is_sent_again(make_source: MakeSource, send: Send) -> None:
    make_source()
    body = json.dumps(ORDER).encode()
    own = signed("webhook", SECRET, body, "msg_1", int(time.time()))
    with fault(connection, writes(lambda _: refusal("AccessDeniedException"))):
        send(body, headers=own)
    assert (send(body, headers=own).status_code, len(stored())) == (200, 1)


@pytest.mark.parametrize("number", [1, 12])
def test_write_whose_answer_was_lost_is_no_replay(
    make_source: MakeSource, send: Send, number: int
) -> None:
    make_source()
    batch = [{**CLOUD, "id": str(each)} for each in range(number)]
    with fault(connection, writes(lost_answer)):
        answer = send(batch, content_type=BATCHED)
    assert (answer.status_code, len(stored())) == (200, number)


def writes(fail: Callable[..., Any]) -> Any:
    """Have the next write fail."""
    return times(1, "PutItem", "TransactWriteItems")(fail)
