"""What an address costs the database, and what senders may rely on when many send at once."""

import json
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import signing_keys, sources
from events.models import EventSource, ReceivedEvent
from tests.conftest import wait_for
from tests.integration.events.conftest import (
    OTHER,
    SECRET,
    MakeSource,
    Send,
    event_id,
    signed,
    statements,
    stored,
)
from tests.integration.run.test_slow_clients import Served

SENDERS = 6

pytestmark = pytest.mark.sqlite


@contextmanager
def locked() -> Iterator[None]:
    """Hold SQLite's lock for writers, as the scheduler process does."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def at_once(calls: list[Callable[[], Any]], meanwhile: Callable[[], Any]) -> list[Any]:
    """Make calls in threads while the database is locked; returns their answers."""

    def call(one: Callable[[], Any]) -> Any:
        try:
            return one()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SENDERS) as pool:
        with locked():
            made: list[Future[Any]] = [pool.submit(call, one) for one in calls]
            time.sleep(0.5)
            meanwhile_found = meanwhile()
            assert not any(one.done() for one in made), meanwhile_found
        return [one.result() for one in made]


class TestStatements:
    def test_an_event_is_one_statement_in_one_transaction(
        self, transactional_db: None, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send({"n": 1}, key="first")
        with CaptureQueriesContext(connection) as made:
            send({"n": 2}, key="second")
        words = [query["sql"].split()[0] for query in made.captured_queries]
        assert words == ["BEGIN", "INSERT", "COMMIT"]

    def test_a_github_event_looks_for_its_body_too(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source("github")
        send({"n": 1}, "github", headers={"X-GitHub-Delivery": "a"})
        with statements() as made:
            send({"n": 2}, "github", headers={"X-GitHub-Delivery": "b"})
        assert made == ["SELECT", "INSERT"]


class TestSimultaneous:
    def test_no_sender_has_an_answer_before_the_commit(
        self, transactional_db: None, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send({"n": 0}, key="first")
        calls = [lambda n=n: send({"n": n}, key=f"m{n}").status_code for n in range(SENDERS)]
        answers = at_once(calls, lambda: len(stored()))
        assert (answers, len(stored())) == ([200] * SENDERS, SENDERS + 1)

    def test_those_that_waited_share_a_transaction(
        self,
        transactional_db: None,
        make_source: MakeSource,
        send: Send,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_source()
        send({"n": 0}, key="first")
        sizes: list[int] = []
        insert = type(ReceivedEvent.objects.all()).bulk_create

        def counted(self: Any, rows: Any, *rest: Any, **more: Any) -> Any:
            sizes.append(len(rows))
            return insert(self, rows, *rest, **more)

        monkeypatch.setattr(type(ReceivedEvent.objects.all()), "bulk_create", counted)
        calls = [lambda n=n: send({"n": n}, key=f"m{n}").status_code for n in range(SENDERS)]
        at_once(calls, list)
        assert sizes == [SENDERS]

    def test_the_same_event_is_stored_once(
        self, transactional_db: None, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send({"n": 0}, key="first")
        calls = [lambda: send({"n": 1}, key="same").json()["events"][0]] * SENDERS
        answers = at_once(calls, list)
        found = Counter((one["id"], one["duplicate"]) for one in answers)
        same = event_id("same")
        assert found == {(same, False): 1, (same, True): SENDERS - 1}

    def test_one_that_is_known_stops_no_other(
        self, transactional_db: None, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send({"n": 0}, key="m0")
        calls = [
            lambda n=n: send({"n": n}, key=f"m{n}").json()["events"][0]["duplicate"]
            for n in range(SENDERS)
        ]
        assert at_once(calls, list) == [True] + [False] * (SENDERS - 1)

    def test_a_failure_is_the_answer_to_all_of_the_group(
        self,
        transactional_db: None,
        make_source: MakeSource,
        send: Send,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_source()
        send({"n": 0}, key="first")
        monkeypatch.setattr("events.storing.LOCK_SECONDS", 0.2)
        with locked(), ThreadPoolExecutor(SENDERS) as pool:
            calls = [pool.submit(send, {"n": n}, key=f"m{n}") for n in range(SENDERS)]
            codes = {one.result().status_code for one in calls}
        assert (codes, send({"n": 9}, key="later").status_code) == ({503}, 200)


class TestKilled:
    def test_what_was_answered_with_200_is_on_record(
        self, transactional_db: None, make_source: MakeSource, tmp_path: Path
    ) -> None:
        make_source()
        # The other process has to open the secret of the source.
        served, taken = Served(tmp_path, SECRET_KEY=settings.SECRET_KEY), []
        url = f"{served.url}/events?source=shop"

        def send_until_it_ends(sender: int) -> None:
            with httpx.Client() as client:
                for number in range(10_000):
                    key, body = f"{sender}-{number}", json.dumps({"n": number}).encode()
                    headers = signed("webhook", SECRET, body, key, int(time.time()))
                    headers["Content-Type"] = "application/json"
                    try:
                        answer = client.post(url, content=body, headers=headers)
                    except httpx.TransportError:
                        return
                    if answer.is_success:
                        taken.append(answer.json()["events"][0]["id"])

        threads = [
            threading.Thread(target=send_until_it_ends, args=[one]) for one in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(taken) > 100)
        finally:
            served.process.send_signal(signal.SIGKILL)
            served.process.communicate()
        for thread in threads:
            thread.join()
        lost = set(taken) - set(ReceivedEvent.objects.values_list("pk", flat=True))
        assert (len(taken) > 100, lost) == (True, set())


class TestKeptSource:
    def test_a_secret_that_was_ended_counts_at_once(
        self, make_source: MakeSource, send: Send
    ) -> None:
        source = make_source()
        before = send({"n": 1}, key="a").status_code
        source.secrets = signing_keys.seal(OTHER, timezone.now())
        source.save()
        assert (before, send({"n": 2}, key="b").status_code) == (200, 401)

    def test_a_deleted_source_is_gone_at_once(self, make_source: MakeSource, send: Send) -> None:
        source = make_source()
        before = send({"n": 1}, key="a").status_code
        source.delete()
        assert (before, send({"n": 2}, key="b").status_code) == (200, 401)

    def test_another_process_sees_a_change_some_seconds_later(
        self, make_source: MakeSource, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_source()
        send({"n": 1}, key="a")
        # An update sends no signal, as the save of another process sends none here.
        secrets = signing_keys.seal(OTHER, timezone.now())
        EventSource.objects.filter(pk="shop").update(secrets=secrets)
        codes = [send({"n": 2}, key="b").status_code]
        clock = time.monotonic() + sources.KEPT_SECONDS
        monkeypatch.setattr("moca.kept.time.monotonic", lambda: clock)
        codes.append(send({"n": 3}, key="c").status_code)
        assert codes == [200, 401]

    def test_a_new_source_is_known_at_once(self, make_source: MakeSource, send: Send) -> None:
        before = send({"n": 1}, key="a").status_code
        make_source()
        assert (before, send({"n": 1}, key="a").status_code) == (401, 200)
