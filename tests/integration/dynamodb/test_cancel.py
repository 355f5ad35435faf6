"""What cancelling a run costs, and what it costs the runs that nobody cancels."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions import runner
from executions.failures import CANCELLED
from executions.models import CancelRequest, TriggerExecution
from executions.runner import Occurrence, Run, cancel_run
from executions.runner.cancel import CancelWatch
from tests.integration.api.conftest import API
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import RunStatus, Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
RUNS = 20

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def runs(make_trigger: MakeTrigger) -> list[Run]:
    trigger = make_trigger(overlap_policy="allow")
    made = []
    for number in range(RUNS):
        due = NINE + timedelta(minutes=number)
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
        assert run is not None
        made.append(run)
    return made


def poll(runs: list[Run]) -> None:
    CancelWatch(lambda: runs)._poll(runs)


def record(run: Run) -> TriggerExecution:
    found: TriggerExecution = TriggerExecution.objects.keyed(
        run.execution.trigger_id, run.execution.pk
    ).get()
    return found


def test_poll_is_one_query_for_all_runs(runs: list[Run], requests_made: Counting) -> None:
    with requests_made() as made:
        poll(runs)
    assert made == ["Query"]


def test_poll_is_half_a_unit_at_most_for_all_runs(runs: list[Run], units_read: Measuring) -> None:
    # The service counts half a unit for a query that finds nothing, its emulator nothing at all.
    with units_read() as units:
        poll(runs)
    assert (len(units), sum(units) <= 0.5) == (1, True)


def test_poll_that_finds_a_request_reads_its_row(
    runs: list[Run], requests_made: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_run(record(runs[0]), by="olga")
    monkeypatch.setattr(runner.cancel, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(runner.cancel, "abandon", lambda *_args: None)
    with requests_made() as made:
        poll(runs)
    assert (made[0], len(made), [run.cancelled_by for run in runs[:2]]) == (
        "Query",
        2,
        ["olga", ""],
    )


def test_request_is_two_reads_and_one_transaction(
    alice: API, make_trigger: MakeTrigger, make_execution: Any, requests_made: Counting
) -> None:
    run = make_execution(make_trigger(), status=RunStatus.RUNNING)
    with requests_made() as made:
        alice.post(f"/triggers/{run.trigger_id}/executions/{run.pk}/cancel")
    assert made == ["GetItem", "GetItem", "TransactWriteItems"]


def test_end_of_a_cancelled_run_deletes_its_request_with_the_result(
    runs: list[Run], requests_made: Counting
) -> None:
    execution = cancel_run(record(runs[0]), by="olga")
    with requests_made() as made:
        runner.close(execution, RunStatus.FAILED, error=CANCELLED(name="olga"))
    expected = ["GetItem", "TransactWriteItems", "UpdateItem"]
    assert (made, CancelRequest.objects.count()) == (expected, 0)
