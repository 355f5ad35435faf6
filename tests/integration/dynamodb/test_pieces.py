"""What the agent of a run under way says is written as pieces: their cost, and their readers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import Output
from agents.replies import Transcript
from executions import runner, spool
from executions.models import OutputPiece, TriggerExecution
from executions.pieces import fold_in
from executions.runner import Occurrence, Run, progress
from executions.runner.execute import FLUSH_SECONDS
from tests.integration.api.conftest import API
from tests.integration.console.conftest import viewer
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import RunStatus, Trigger

__all__ = ["viewer"]
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
LEASE = timedelta(minutes=30)
KB = 1024
# Two bytes, so that cuts fall within characters.
LETTER = "é"
MakeTrigger = Callable[..., Trigger]


class Talk:
    """A run whose agent talks, and whose writes happen when they are told to."""

    def __init__(self, run: Run) -> None:
        self.run, self.transcript = run, Transcript()
        self.progress = progress.Progress(run, FLUSH_SECONDS)
        self.progress._transcript = self.transcript

    def say(self, text: str) -> None:
        self.transcript.say(text)
        self.transcript.flush()

    def write(self, text: str = "") -> None:
        if text:
            self.say(text)
        progress.write_and_log([self.progress])

    @property
    def said(self) -> Output:
        return self.transcript.so_far().output

    @property
    def record(self) -> TriggerExecution:
        execution = self.run.execution
        found: TriggerExecution = TriggerExecution.objects.keyed(
            execution.trigger_id, execution.pk
        ).get()
        return found

    @property
    def folded(self) -> TriggerExecution:
        record = self.record
        fold_in(record)
        return record


@pytest.fixture
def talk(make_trigger: MakeTrigger) -> Talk:
    trigger = make_trigger()
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE), lease=LEASE)
    assert run is not None
    return Talk(run)


def same(one: Output, other: Output) -> bool:
    return (one.head, one.tail, one.total_bytes) == (other.head, other.tail, other.total_bytes)


@pytest.mark.parametrize(
    "sizes",
    [
        [0.1, 0.2],
        [1, 62.9, 0.05, 0.05, 3],
        [70, 60],
        [65, 30, 30, 30, 30],
        [1, 200, 1],
        [10, 300, 70, 0.1],
    ],
)
def test_pieces_make_up_the_output(talk: Talk, sizes: list[float]) -> None:
    for size in sizes:
        talk.write(LETTER * round(size * KB / 2) + ".")
    assert same(talk.folded.said, talk.said)


def test_end_of_a_long_output_is_read_from_its_end(talk: Talk, units_read: Measuring) -> None:
    for number in range(30):
        talk.write(f"{number} " + "x" * 30 * KB)
    record = talk.record
    with units_read() as units:
        fold_in(record)
    assert (same(record.said, talk.said), sum(units) > 0) == (True, True)


def test_record_has_the_beginning_meanwhile(talk: Talk) -> None:
    talk.write("First words. " + "x" * 4 * KB)
    record = talk.record
    assert (record.output[:12], len(record.output), record.reached_agent) == (
        "First words.",
        200,
        True,
    )


def test_write_costs_what_is_new(talk: Talk, units_written: Measuring) -> None:
    talk.write("x" * 100 * KB)
    with units_written() as units:
        talk.write("y" * 500)
    assert units == [1]


def test_write_of_text_alone_is_a_read_and_a_write(talk: Talk, requests_made: Counting) -> None:
    talk.write("x" * KB)
    with requests_made() as made:
        talk.write("y" * KB)
    assert " ".join(made) == "GetItem PutItem"


def test_run_that_another_process_has_closed_is_told_so_by_text(talk: Talk) -> None:
    talk.write("x" * KB)
    runner.close(talk.record, RunStatus.FAILED, error="Closed elsewhere.")
    talk.write("y")
    assert not talk.progress.note(talk.transcript)


def test_repeated_write_loses_nothing(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    talk.write("x" * KB)
    # The service has written it, and its answer was lost.
    monkeypatch.setattr(talk.progress, "settle", lambda *_: talk.progress._lock.release())
    talk.write("y" * KB)
    monkeypatch.undo()
    talk.write("z" * KB)
    talk.write("!")
    assert same(talk.folded.said, talk.said)


def test_units_of_half_an_hour_that_says_128_kilobytes(
    talk: Talk, units_written: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    noted = talk.progress = progress.Progress(talk.run, FLUSH_SECONDS)
    noted._transcript = talk.transcript
    with units_written() as units:
        for _ in range(1800):
            clock[0] += 1
            talk.say("word " * 14)
            if clock[0] >= noted._next:
                talk.write()
        monkeypatch.undo()
        talk.run.execution.set_output(talk.said)
        runner.set_result(talk.run.execution, RunStatus.COMPLETED)
        runner.write([talk.run.execution], known={talk.run.trigger.pk: talk.run.trigger})
    # To write the whole record each time took 1,969. The end alone takes 126.
    assert (len(units), sum(units) <= 285) == (38, True)


def test_api_shows_a_run_under_way(alice: API, talk: Talk) -> None:
    talk.write("x" * 2 * KB)
    talk.write("The latest.")
    path = f"/triggers/{talk.run.trigger.pk}/executions/{talk.run.execution.pk}"
    whole = alice.get(path).json()["execution"]["output"]
    rest = alice.get(f"{path}/output?after={2 * KB}").json()
    assert (whole == talk.said.text, rest["text"], rest["next"]) == (
        True,
        "The latest.",
        2 * KB + 11,
    )


def test_page_shows_a_run_under_way(viewer: Client, talk: Talk) -> None:
    talk.write("x" * 2 * KB)
    talk.write("The latest.")
    path = f"/console/triggers/{talk.run.trigger.pk}/runs/{talk.run.execution.pk}"
    rest = viewer.get(f"{path}/output", {"after": 2 * KB}).json()
    assert (rest["text"], "The latest." in viewer.get(path).content.decode()) == (
        "The latest.",
        True,
    )


def test_lost_run_keeps_what_was_written(talk: Talk) -> None:
    talk.write("x" * 100 * KB)
    talk.write("The latest.")
    runner.close_lost(timezone.now() + 2 * LEASE)
    record = talk.record
    assert (record.outcome, same(record.said, talk.said)) == ("lost", True)


def test_lost_run_is_shown_with_what_was_written(alice: API, talk: Talk) -> None:
    talk.write("x" * 2 * KB + "The latest.")
    rows = TriggerExecution.objects.keyed(talk.run.trigger.pk, talk.run.execution.pk)
    rows.update(lease_until=timezone.now() - LEASE)
    path = f"/triggers/{talk.run.trigger.pk}/executions/{talk.run.execution.pk}/output"
    shown = alice.get(path).json()
    assert (shown["status"], shown["text"][-11:]) == ("failed", "The latest.")


def test_abandoned_run_keeps_what_was_written(talk: Talk) -> None:
    talk.write("x" * 2 * KB + "The latest.")
    runner.abandon(talk.run, "The process stops.")
    assert talk.record.output[-11:] == "The latest."


def test_end_that_a_file_kept_without_output_keeps_what_was_written(
    talk: Talk, settings: Any, tmp_path: Any
) -> None:
    settings.DATA_DIR = tmp_path
    talk.write("x" * 2 * KB + "The latest.")
    end = talk.record
    runner.set_result(end, RunStatus.FAILED, error="The process stops.")
    spool.add(end, spool.WITHOUT_OUTPUT)
    spool.drain()
    assert (talk.record.status, talk.record.output[-11:]) == ("failed", "The latest.")


def test_second_attempt_shows_nothing_of_the_first(talk: Talk) -> None:
    talk.write("x" * 2 * KB)
    record = talk.record
    record.attempt += 1
    assert OutputPiece.objects.of_attempt(record).count() == 0


def test_output_of_a_release_before_is_shown(talk: Talk) -> None:
    record = talk.record
    record.output, record.output_bytes = "Said before.", 12
    fold_in(record)
    assert record.said.text == "Said before."
