"""What a run costs in write units, and what is left if its process dies between two writes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.replies import Transcript
from executions import runner
from executions.agent_records.lookup import record_of
from executions.models import TriggerExecution
from executions.runner import Occurrence, Run, progress
from executions.runner.execute import FLUSH_SECONDS
from executions.runner.manual import run_now
from tests.dynamodb.faults import fault, lost_answer, refusal
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import RunStatus, Trigger
from triggers.statistics import Statistics

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEASE = timedelta(minutes=30)
MINUTE = 60
KILOBYTE = "word " * 205

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def client(demo_agent: DemoAgent) -> Iterator[AgentClient]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as agent:
        yield agent


def begin(trigger: Trigger, due: datetime = NINE) -> Run | None:
    return runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due), lease=LEASE)


def end(run: Run, output: str = "All is well.") -> None:
    run.execution.output, run.execution.output_bytes = output, len(output)
    runner.set_result(run.execution, RunStatus.COMPLETED)
    runner.write([run.execution], known={run.trigger.pk: run.trigger})


def stored(trigger: Trigger) -> Trigger:
    return Trigger.objects.get(user_id=trigger.user_id, pk=trigger.pk)


def record(run: Run) -> TriggerExecution:
    found: TriggerExecution = TriggerExecution.objects.keyed(run.trigger.pk, run.execution.pk).get()
    return found


def counted(trigger: Trigger) -> list[str]:
    return [run.execution_id for run in Statistics.read(stored(trigger).statistics).runs]


class Died(BaseException):
    """The process is gone: nothing catches this."""


def dying_before(number: int) -> Any:
    """Have the process die before its write of a number, counted from 0."""
    writes = []

    def decide(operation: str, body: Any, send: Any) -> Any:
        if operation in ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"):
            writes.append(operation)
            if len(writes) > number:
                raise Died
        return None

    return fault(connection, decide)


def refused(send: Callable[[], Any]) -> Any:
    """The service is down: nothing is written."""
    return refusal("InternalServerError", status=500)


def lost_for_good(send: Callable[[], Any]) -> Any:
    """The service writes, and each of its answers gets lost."""
    return lost_answer(send)


def test_units_of_a_firing(make_trigger: MakeTrigger, units_written: Measuring) -> None:
    trigger = make_trigger()
    with units_written() as units:
        run = begin(trigger)
        assert run is not None
        end(run)
    # The record and three indexes, the trigger and one index; the record, which leaves one index;
    # the trigger and its index.
    assert units == [4, 2, 2, 2]


def test_requests_of_a_firing(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger()
    record_of(trigger.agent_id)
    with requests_made() as made:
        run = begin(trigger)
        assert run is not None
        runner.execute(run, client)
    assert made == ["GetItem", "PutItem", "UpdateItem", "UpdateItem", "UpdateItem"]


def test_units_of_a_run_of_a_minute_that_says_four_kilobytes(
    make_trigger: MakeTrigger, units_written: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    trigger, transcript = make_trigger(), Transcript()
    with units_written() as units:
        run = begin(trigger)
        assert run is not None
        monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
        noted = progress.Progress(run, FLUSH_SECONDS)
        due = clock[0] + FLUSH_SECONDS
        while clock[0] < 1000 + MINUTE:
            clock[0] += 1
            transcript.say(KILOBYTE[:70])
            transcript.flush()
            noted._transcript = transcript
            if clock[0] >= due:
                progress.write_and_log([noted])
                due = noted._next
        monkeypatch.undo()
        end(run, transcript.so_far().output.head)
    # Four at its start and end, and a row of each of four writes, of which two change the record.
    assert (len(units), sum(units) <= 24) == (10, True)


def test_crash_after_the_record_leaves_a_lost_run_and_a_free_trigger(
    make_trigger: MakeTrigger,
) -> None:
    trigger = make_trigger()
    with pytest.raises(Died), dying_before(1):
        begin(trigger)
    occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)
    assert (runner.start(occurrence), begin(trigger, NINE + HOUR) is not None) == (None, True)


def test_crash_after_the_record_is_closed_as_lost(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    with pytest.raises(Died), dying_before(1):
        begin(trigger)
    runner.close_lost(timezone.now() + LEASE + HOUR)
    found = TriggerExecution.objects.of_trigger(trigger).get()
    assert (found.outcome, counted(trigger)) == ("lost", [found.pk])


def test_crash_before_the_record_leaves_nothing(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    with pytest.raises(Died), dying_before(0):
        begin(trigger)
    assert begin(trigger) is not None


@pytest.fixture
def half_ended(make_trigger: MakeTrigger) -> Run:
    """A run whose process died after the record's result, before the note on the trigger."""
    run = begin(make_trigger())
    assert run is not None
    with pytest.raises(Died), dying_before(1):
        end(run)
    return run


def test_crash_keeps_the_result(half_ended: Run) -> None:
    found = record(half_ended)
    assert (found.status, found.output) == (RunStatus.COMPLETED, "All is well.")


def test_trigger_held_by_an_ended_run_fires_next_time(half_ended: Run) -> None:
    following = begin(half_ended.trigger, NINE + HOUR)
    row = stored(half_ended.trigger)
    assert (following is not None, row.skipped_runs, row.last_execution_id) == (
        True,
        0,
        half_ended.execution.pk,
    )


def test_second_delivery_notes_what_the_first_did_not(half_ended: Run) -> None:
    assert (begin(half_ended.trigger), counted(half_ended.trigger)) == (
        None,
        [half_ended.execution.pk],
    )


def test_second_delivery_of_an_overlapping_run_notes_it_once(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(overlap_policy="allow")
    run = begin(trigger)
    assert run is not None
    with pytest.raises(Died), dying_before(1):
        end(run)
    again = [begin(trigger) for _ in range(3)]
    assert (again, counted(trigger)) == ([None] * 3, [run.execution.pk])


def test_second_delivery_of_a_queued_run_notes_what_the_first_did_not(
    make_trigger: MakeTrigger,
) -> None:
    queued = run_now(make_trigger(), by="olga")
    run = runner.resume(queued.trigger_id, queued.pk, lease=LEASE)
    assert run is not None
    with pytest.raises(Died), dying_before(1):
        end(run)
    again = [runner.resume(queued.trigger_id, queued.pk) for _ in range(2)]
    row = stored(run.trigger)
    assert (again, row.running_since, counted(row)) == ([None] * 2, None, [queued.pk])


def test_refused_hold_leaves_no_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    others: list[Thread] = []

    def hold() -> None:
        rows = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
        rows.update(running_since=timezone.now(), running_until=timezone.now() + LEASE)
        connection.close()

    def decide(operation: str, body: Any, send: Any) -> Any:
        if operation == "UpdateItem" and not others:
            # Another process holds the trigger at this very moment.
            others.append(Thread(target=hold))
            others[0].start()
            others[0].join()
        return None

    with fault(connection, decide):
        run = begin(trigger)
    runs = TriggerExecution.objects.of_trigger(trigger).count()
    assert (run, runs, stored(trigger).skipped_runs) == (None, 0, 1)


@pytest.mark.parametrize("fails", [refused, lost_for_good])
def test_outage_at_the_hold_leaves_the_occurrence_to_the_next_delivery(
    make_trigger: MakeTrigger, fails: Callable[[Any], Any]
) -> None:
    trigger = make_trigger()

    def decide(operation: str, body: Any, send: Any) -> Any:
        return fails(send) if operation == "UpdateItem" else None

    with pytest.raises(runner.UncertainStartError), fault(connection, decide):
        begin(trigger)
    assert begin(trigger) is not None


def test_outage_between_the_result_and_its_note_is_made_good_by_the_retry(
    make_trigger: MakeTrigger,
) -> None:
    run = begin(make_trigger())
    assert run is not None
    sent: list[str] = []

    def decide(operation: str, body: Any, send: Any) -> Any:
        sent.append(operation)
        return refused(send) if len(sent) > 1 else None

    with pytest.raises(OperationalError), fault(connection, decide):
        end(run)
    runner.write([run.execution], known={run.trigger.pk: run.trigger})
    row = stored(run.trigger)
    assert (row.last_status, row.running_since, counted(row)) == (
        RunStatus.COMPLETED,
        None,
        [run.execution.pk],
    )


def test_change_by_an_operator_during_the_run_loses_no_note(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    run = begin(trigger)
    assert run is not None
    edited = stored(trigger)
    edited.name = "Renamed"
    edited.save()
    end(run)
    row = stored(trigger)
    assert (row.name, row.running_since, counted(trigger)) == ("Renamed", None, [run.execution.pk])


def test_run_whose_trigger_is_deleted_meanwhile_keeps_its_result(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    run = begin(trigger)
    assert run is not None
    stored(trigger).delete()
    end(run)
    assert record(run).status == RunStatus.COMPLETED
