"""What runs that wait for a person cost: the requests of each operation."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from executions import runner
from executions.agent_records.lookup import record_of
from executions.runner import Occurrence
from tests.integration.answers.conftest import (
    NINE,
    Ask,
    MakeTrigger,
    ask,
    clients,
    values_for,
)
from tests.integration.console.conftest import viewer
from tests.integration.dynamodb.conftest import Counting

__all__ = ["ask", "clients", "viewer"]

READ, WRITE = "GetItem", "TransactWriteItems"


@pytest.mark.parametrize("prompt", ["Count.", "Pay.\ndemo: ask"])
def test_run_that_asks_costs_what_any_run_costs(
    make_trigger: MakeTrigger, clients: object, requests_made: Counting, prompt: str
) -> None:
    trigger = make_trigger(prompt=prompt)
    # A process looks the record of an agent up once a minute. Here it has just done so.
    record_of(trigger.agent_id)
    with requests_made() as made:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        runner.execute(run, clients("ag-ui"))  # type: ignore[operator]
    # A question is on record with the result, in one transaction.
    result = WRITE if "ask" in prompt else "UpdateItem"
    assert made == [READ, "PutItem", "UpdateItem", result, "UpdateItem"]


def test_answer_is_one_read_and_one_transaction(ask: Ask, requests_made: Counting) -> None:
    asked = ask()
    with requests_made() as made:
        runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    # The trigger; that the run still waits, and that no other run holds the trigger, is a
    # condition of the transaction.
    assert made == [READ, READ, READ, WRITE]


def test_nothing_that_waits_is_one_query(ask: Ask, requests_made: Counting) -> None:
    ask()
    with requests_made() as made:
        runner.end_unanswered(timezone.now() + timedelta(hours=1))
    assert made == ["Query"]


def test_dashboard_reads_what_waits_by_one_query(
    viewer: Client, ask: Ask, make_trigger: MakeTrigger, requests_made: Counting
) -> None:
    # One trigger alone is read in another way.
    make_trigger()
    make_trigger()
    counts = []
    for asks in (0, 3, 3):
        for _ in range(asks):
            ask()
        with requests_made() as made:
            viewer.get("/console/")
        counts.append([made.count(name) for name in ("Query", "BatchGetItem")])
    nothing, some, more = counts
    assert (some, more) == ([nothing[0], nothing[1] + 1], some)
