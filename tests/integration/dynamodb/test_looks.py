"""Somebody looks at a run under way: its process writes often, and a look costs little."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.replies import Transcript
from executions import looks, runner
from executions.models import CancelRequest
from executions.runner import CancelWatch, Occurrence, Run, progress
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.console.conftest import viewer
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import RunStatus, Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
__all__ = ["viewer"]
MakeTrigger = Callable[..., Trigger]


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    looks._known.clear()


@pytest.fixture
def run(make_trigger: MakeTrigger) -> Run:
    trigger = make_trigger()
    begun = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
    assert begun is not None
    return begun


def poll(run: Run) -> None:
    CancelWatch(lambda: [run])._poll([run])


def path_of(run: Run) -> str:
    return f"/triggers/{run.trigger.pk}/executions/{run.execution.pk}"


def is_marked(run: Run) -> bool:
    return bool(CancelRequest.objects.filter(pk=f"LOOK#{run.execution.pk}").exists())


@pytest.mark.parametrize("rest", ["", "/output"])
def test_look_by_the_api_is_marked(alice: API, run: Run, rest: str) -> None:
    alice.get(path_of(run) + rest)
    assert is_marked(run)


@pytest.mark.parametrize("rest", ["", "/output"])
def test_look_by_a_page_is_marked(viewer: Client, run: Run, rest: str) -> None:
    viewer.get(f"/console/triggers/{run.trigger.pk}/runs/{run.execution.pk}{rest}")
    assert is_marked(run)


def test_look_at_a_run_that_has_ended_is_not_marked(alice: API, run: Run) -> None:
    runner.close(run.execution, RunStatus.COMPLETED)
    alice.get(path_of(run) + "/output")
    assert not is_marked(run)


def test_many_looks_write_once(alice: API, run: Run, units_written: Measuring) -> None:
    with units_written() as units:
        for _ in range(5):
            alice.get(path_of(run) + "/output")
    # The mark, and its entry in the index.
    assert units == [2]


def test_looks_by_several_processes_write_once(
    alice: API, run: Run, units_written: Measuring
) -> None:
    with units_written() as units:
        for _ in range(5):
            looks._known.clear()
            alice.get(path_of(run) + "/output")
    assert units == [2]


def test_lookers_of_a_minute_add_eighteen_units(
    alice: API, run: Run, units_written: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    with units_written() as units:
        for second in range(60):
            looks._known.clear()
            monkeypatch.setattr(looks.timezone, "now", lambda at=second: now + timedelta(0, at))
            looks.note_look(run.execution)
    assert (len(units), sum(units) <= 18) == (6, True)


def test_marks_are_found_by_the_query_for_requests(
    alice: API, run: Run, requests_made: Counting
) -> None:
    alice.get(path_of(run))
    seen: list[bool] = []
    run.on_look = lambda: seen.append(True)
    with requests_made() as made:
        poll(run)
        poll(run)
    # The second poll finds the same mark.
    assert (made, seen) == (["Query", "Query"], [True])


def test_mark_cancels_nothing(alice: API, run: Run) -> None:
    alice.get(path_of(run))
    poll(run)
    assert (run.cancellation.is_requested, run.look is not None) == (False, True)


def test_mark_keeps_no_request_from_the_run(alice: API, run: Run) -> None:
    alice.get(path_of(run))
    alice.post(path_of(run) + "/cancel")
    run.on_look = None
    poll(run)
    assert run.cancellation.is_requested


def test_run_that_is_looked_at_is_written_as_often_as_at_first(
    alice: API, run: Run, requests_made: Counting
) -> None:
    transcript = Transcript()

    def say() -> None:
        transcript.say("word ")
        transcript.flush()
        noted.note(transcript)

    with progress.Progress(run, 0.2) as noted:
        noted._pause, noted._next = 60.0, time.monotonic() + 60
        say()
        alice.get(path_of(run))
        with requests_made() as made:
            poll(run)
            wait_for(lambda: "UpdateItem" in made, seconds=3)
            for _ in range(20):
                say()
                time.sleep(0.1)
    assert made.count("UpdateItem") >= 4


class Talker:
    """Stands in for `AgentClient`: it says how many seconds have passed, for some seconds."""

    protocol = "ag-ui"

    def invoke(self, *_: Any, on_transcript: Any, **__: Any) -> Any:
        transcript, began = Transcript(), time.monotonic()
        while (passed := time.monotonic() - began) < 11:
            transcript.say(f"{passed:.1f} ")
            transcript.flush()
            on_transcript(transcript)
            time.sleep(0.1)
        return transcript.reply()


def test_who_looks_sees_what_was_said_three_seconds_ago(alice: API, run: Run) -> None:
    def execute() -> None:
        runner.execute(run, Talker())  # type: ignore[arg-type]
        connection.close()

    thread, began, lags = Thread(target=execute), time.monotonic(), []
    thread.start()
    while (passed := time.monotonic() - began) < 10.5:
        said = alice.get(path_of(run) + "/output").json()["text"].split()
        if passed > 6:
            lags.append(passed - float(said[-1]))
        time.sleep(0.3)
    thread.join()
    assert max(lags) < 3


def test_look_that_cannot_be_marked_shows_the_run_all_the_same(
    alice: API, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise looks.DatabaseError

    monkeypatch.setattr(looks, "_mark", refused)
    assert alice.get(path_of(run)).status_code == 200
