"""What a pass of the maintenance on AWS reads to notice silence: nothing for each trigger."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions import runner
from executions.passes import watch
from executions.runner import Occurrence
from executions.silence import look
from tests.conftest import make_many
from tests.integration.dynamodb.conftest import Counting, Measuring
from tests.integration.silence.conftest import process
from triggers.models import RunStatus, Trigger

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOURLY = {"expression": "cron(0 * * * ? *)"}
# The maintenance's row, the open alarms (twice), and the runs under way; then one write of the row,
# and whether there is an alarm that nothing fires.
REQUESTS = ["GetItem", "Query", "Query", "Query", "UpdateItem", "GetItem"]


def make(number: int) -> list[Trigger]:
    """Triggers that have run at noon."""
    days_ago = NOON - timedelta(days=9)
    make_many(number, schedule_config=HOURLY, agent_id="a", prompt="p", created_at=days_ago)
    found = list(Trigger.objects.all())
    for trigger in found:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NOON))
        assert run is not None
        runner.close(run.execution, RunStatus.COMPLETED)
    return list(Trigger.objects.all())


@pytest.mark.parametrize("number", [1, 20])
def test_pass_costs_the_same_for_many_triggers(
    settings: Any, requests_made: Counting, number: int
) -> None:
    settings.TRIGGER_LAMBDA_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    triggers = make(number)
    watch(NOON, triggers)
    with requests_made() as names:
        watch(NOON + timedelta(minutes=15), triggers)
    assert names == REQUESTS


def test_units_of_a_pass(settings: Any, units_read: Measuring) -> None:
    settings.TRIGGER_LAMBDA_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    triggers = make(20)
    watch(NOON, triggers)
    with units_read() as units:
        watch(NOON + timedelta(minutes=15), triggers)
    assert sum(units) <= 6


def test_look_on_one_machine(requests_made: Counting) -> None:
    make(20)
    process(NOON)
    with requests_made() as names:
        look(NOON)
    assert names == ["Query"] * 3
