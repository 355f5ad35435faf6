"""Which messages of GitHub are one event: it signs their bodies, and neither ids nor times."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from tests.integration.events.conftest import Later, MakeSource, Send, stored

DISPATCH = {"action": "start", "inputs": {}, "ref": "refs/heads/main", "workflow": "release.yml"}


def deliver(send: Send, delivery: str, event: str = "workflow_dispatch", **body: Any) -> list[Any]:
    """The ids of a delivery's events, and whether they are known."""
    headers = {"X-GitHub-Delivery": delivery, "X-GitHub-Event": event}
    answer = send({**DISPATCH, **body}, "github", headers=headers)
    return [(each["id"], each["duplicate"]) for each in answer.json()["events"]]


@pytest.mark.parametrize("event", ["workflow_dispatch", "repository_dispatch", "member"])
def test_same_body_again_is_another_event(
    make_source: MakeSource, send: Send, later: Later, event: str
) -> None:
    make_source("github")
    deliver(send, "1", event)
    later(seconds=11)
    assert ([known for _, known in deliver(send, "2", event)], len(stored())) == ([False], 2)


def test_redelivery_is_known_for_days(make_source: MakeSource, send: Send, later: Later) -> None:
    make_source("github")
    (first,) = deliver(send, "1")
    later(days=6)
    assert (deliver(send, "1"), len(stored())) == ([(first[0], True)], 1)


def test_replay_under_another_id_is_the_event_that_came(
    make_source: MakeSource, send: Send, later: Later
) -> None:
    make_source("github")
    (first,) = deliver(send, "1")
    later(seconds=9)
    assert (deliver(send, "2"), len(stored())) == ([(first[0], True)], 1)


def test_replays_do_not_lengthen_the_window(
    make_source: MakeSource, send: Send, later: Later
) -> None:
    make_source("github")
    deliver(send, "1")
    later(seconds=9)
    deliver(send, "2")
    later(seconds=11)
    assert [known for _, known in deliver(send, "3")] == [False]


def test_window_begins_anew_with_each_event(
    make_source: MakeSource, send: Send, later: Later
) -> None:
    make_source("github")
    deliver(send, "1")
    later(seconds=11)
    (second,) = deliver(send, "2")
    later(seconds=9)
    assert deliver(send, "3") == [(second[0], True)]


def test_redelivery_after_others_of_the_same_body(
    make_source: MakeSource, send: Send, later: Later
) -> None:
    make_source("github")
    (first,) = deliver(send, "1")
    later(seconds=11)
    deliver(send, "2")
    later(seconds=11)
    assert (deliver(send, "1"), len(stored())) == ([(first[0], True)], 2)


@pytest.mark.parametrize(("seconds", "known"), [(0, False), (3600, True)])
def test_window_is_a_setting_of_the_source(
    make_source: MakeSource, send: Send, later: Later, seconds: int, known: bool
) -> None:
    make_source("github", replay_seconds=seconds)
    deliver(send, "1")
    later(seconds=5 if not known else 3000)
    assert [each for _, each in deliver(send, "2")] == [known]


def test_another_body_is_another_event(make_source: MakeSource, send: Send) -> None:
    make_source("github")
    deliver(send, "1")
    assert [known for _, known in deliver(send, "2", ref="refs/heads/next")] == [False]


def test_same_body_at_another_source_is_another(make_source: MakeSource, send: Send) -> None:
    make_source("github")
    make_source("github", id="other")
    deliver(send, "1")
    headers = {"X-GitHub-Delivery": "2"}
    answer = send(DISPATCH, "github", source="other", headers=headers)
    assert answer.json()["events"][0]["duplicate"] is False


def test_message_without_a_delivery_is_known_by_its_body(
    make_source: MakeSource, send: Send, later: Later
) -> None:
    make_source("github")
    send(DISPATCH, "github")
    later(days=1)
    assert send(DISPATCH, "github").json()["events"][0]["duplicate"] is True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ids", [["1"] * 8, list("12345678")])
def test_at_the_same_moment_one_is_an_event(
    make_source: MakeSource, send: Send, ids: list[str]
) -> None:
    make_source("github")

    def message(delivery: str) -> bool:
        try:
            return bool(deliver(send, delivery)[0][1])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(message, ids))
    assert (sorted(told), len(stored())) == ([False] + [True] * 7, 1)
