"""What a page of `GET /executions` costs: requests and read units."""

from collections.abc import Callable
from typing import Any

import pytest

from executions.models import TriggerExecution
from moca.ids import uuid7
from tests.integration.api.conftest import API
from tests.integration.dynamodb.conftest import Counting, Measuring
from triggers.models import Trigger

LIST = "/executions"
PAGE = ["Query", "BatchGetItem"]
# A row of less than 4 KB is one unit, and one row is read to know whether more follow. The keys of
# some 20 rows are half a unit.
COSTS: dict[str, tuple[list[str], float]] = {
    LIST: (PAGE, 21.5),
    f"{LIST}?limit=100": (["Query", "BatchGetItem", "GetItem"], 103),
    # A filter looks at 500 rows at the most, in ten rounds, if nothing matches.
    f"{LIST}?status=failed": (PAGE * 10, 519),
    f"{LIST}?outcome=refused": (PAGE * 10, 519),
    f"{LIST}?agentId=nobody": (PAGE * 10, 519),
}


@pytest.fixture
def history(make_trigger: Callable[..., Trigger]) -> None:
    """600 small runs of three triggers of alice, and as many of bob."""
    for user in ("alice", "bob"):
        triggers = [make_trigger(user_id=user) for _ in range(3)]
        runs = [
            TriggerExecution(
                id=uuid7(1_780_000_000_000 + number, bytes(10)),
                trigger_id=triggers[number % 3].pk,
                user_id=user,
                source="schedule",
                status="completed",
                started_at="2027-01-04T09:00:00Z",
                ttl=4_000_000_000,
            )
            for number in range(600)
        ]
        for start in range(0, len(runs), 100):
            TriggerExecution.objects.bulk_create(runs[start : start + 100])


@pytest.mark.parametrize("path", COSTS)
def test_requests(history: None, alice: API, requests_made: Counting, path: str) -> None:
    with requests_made() as requests:
        alice.get(path)
    assert requests == COSTS[path][0]


@pytest.mark.parametrize("path", COSTS)
def test_read_units(history: None, alice: API, units_read: Measuring, path: str) -> None:
    with units_read() as units:
        alice.get(path)
    assert sum(units) == COSTS[path][1]


def test_page_costs_the_same_further_on(history: None, alice: API, units_read: Measuring) -> None:
    costs: list[float] = []
    token = ""
    for _page in range(4):
        with units_read() as units:
            answer: dict[str, Any] = alice.get(f"{LIST}?nextToken={token}").json()
        costs.append(sum(units))
        token = answer["nextToken"]
    assert costs[1:] == [costs[1]] * 3


def test_large_outputs_count(
    alice: API, make_trigger: Callable[..., Trigger], make_execution: Any, units_read: Measuring
) -> None:
    trigger = make_trigger()
    for _ in range(3):
        make_execution(trigger, output="x" * 20_000)
    with units_read() as units:
        alice.get(LIST)
    # Each is read whole, five units, though the answer leaves the output out.
    assert sum(units) == 3 * 5 + 0.5
