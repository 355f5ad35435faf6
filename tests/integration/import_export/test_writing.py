"""Items that we write have the attributes that the TypeScript service reads."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from agents.errors import TIMED_OUT
from executions.models import TriggerExecution
from executions.scheduler import LocalSchedulerProcess
from moca import reasons
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.import_export.conftest import ALICE, Item, Table

# The attributes that its types require.
NEEDED = {"id", "userId", "name", "type", "enabled", "agentId", "prompt", "createdAt", "updatedAt"}


def test_a_schedule_trigger(alice: API, table: Table) -> None:
    made = alice.create(enabledTools=["search"])
    (item,) = table.query("", f"TRIGGER#{ALICE}")
    assert item["SK"] == f"TRIGGER#{made['id']}"
    assert item["GSI1PK"] == "TYPE#schedule"
    assert item["GSI1SK"] == f"USER#{ALICE}#{made['id']}"
    assert not item.keys() & {"GSI2PK", "GSI2SK"}
    assert item.keys() >= NEEDED
    assert item["enabled"] is True
    assert item["enabledTools"] == ["search"]
    assert item["scheduleConfig"] == {"expression": "cron(0 9 * * ? *)"}
    # Empty optional attributes are left out, as it does.
    assert not item.keys() & {"description", "sessionId", "modelId", "lastExecutedAt"}


def test_reasoning_effort(alice: API, table: Table) -> None:
    alice.create(reasoningEffort="off")
    (item,) = table.query("", f"TRIGGER#{ALICE}")
    assert item["reasoningEffort"] == "off"


def test_an_event_trigger(alice: API, table: Table) -> None:
    event = {"eventSourceId": "uploads"}
    made = alice.create(type="event", scheduleConfig=None, eventConfig=event)
    (item,) = table.query("GSI2", "EVENTSOURCE#uploads")
    assert item["GSI2SK"] == f"USER#{ALICE}#TRIGGER#{made['id']}"
    # It reads whole triggers from its two indexes.
    assert item == table.get(item)
    assert table.query("GSI1", "TYPE#event") == [item]
    assert item["eventConfig"] == event


def test_times_are_read_by_javascript_and_sort_with_its_own(alice: API, table: Table) -> None:
    alice.create()
    (item,) = table.query("", f"TRIGGER#{ALICE}")
    for name in ("createdAt", "updatedAt"):
        assert item[name][10] == "T"
        assert item[name].endswith("Z")


def test_an_execution(
    scheduler: Callable[[], AbstractContextManager[LocalSchedulerProcess]],
    alice: API,
    table: Table,
    trigger: Item,
) -> None:
    def ended() -> Any:
        return [each for each in executions(table, trigger) if each["status"] != "running"]

    alice.post(f"/triggers/{trigger['id']}/run")
    with scheduler():
        (item,) = wait_for(ended)
    assert item["SK"] == f"EXECUTION#{item['executionId']}"
    assert item["triggerId"] == trigger["id"]
    assert item["executedAt"].endswith("Z")
    assert item["ttl"] > 1_700_000_000
    assert not {"errorMessage", "errorCode", "errorParams", "warningCode"} & set(item)


def test_a_failed_execution(
    table: Table, trigger: Item, make_execution: Callable[..., Item]
) -> None:
    key = make_execution(trigger)["executionId"]
    rows = TriggerExecution.objects.filter(trigger_id=trigger["id"], pk=key)
    rows.update(error="The agent was away.")
    (item,) = executions(table, trigger)
    assert item["errorMessage"] == "The agent was away."
    assert item["executedAt"] == "2026-03-02T09:00:01.789Z"


def test_the_code_of_a_failure(
    table: Table, trigger: Item, make_execution: Callable[..., Item]
) -> None:
    key = make_execution(trigger)["executionId"]
    rows = TriggerExecution.objects.filter(trigger_id=trigger["id"], pk=key)
    rows.update(**reasons.columns("error", TIMED_OUT(seconds="600")))
    (item,) = executions(table, trigger)
    assert {name: item[name] for name in item if name.startswith("error")} == {
        "errorMessage": "timed out after 600 s",
        "errorCode": "timed_out",
        "errorParams": {"seconds": "600"},
    }


def executions(table: Table, trigger: Item) -> list[Item]:
    return [
        each
        for each in table.query("", f"TRIGGER#{trigger['id']}")
        if each["SK"].startswith("EXECUTION#")
    ]
