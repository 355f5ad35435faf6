"""Triggers of the TypeScript service run: manually at once, by schedule after `adopt_table`."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.core.management import call_command
from django.utils import timezone

from executions.models import TriggerExecution
from executions.scheduler import LocalSchedulerProcess
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.import_export.conftest import ALICE, Item, Table
from triggers.models import LocalSchedule, RunStatus

Running = Callable[[], AbstractContextManager[LocalSchedulerProcess]]


def completed(trigger: Item) -> TriggerExecution | None:
    found = TriggerExecution.objects.filter(trigger_id=trigger["id"])
    return next((each for each in found if each.status == RunStatus.COMPLETED), None)


def test_run_now(scheduler: Running, alice: API, table: Table, trigger: Item) -> None:
    response = alice.post(f"/triggers/{trigger['id']}/run")
    assert response.status_code == 202, response.content
    with scheduler():
        execution = wait_for(lambda: completed(trigger))
    assert execution.user_id == ALICE
    now = table.get(trigger)
    assert now is not None
    assert now["lastStatus"] == "completed"
    assert now["lastExecutedAt"] > trigger["lastExecutedAt"]
    assert now["legacyFlag"] == trigger["legacyFlag"]
    assert now["scheduleConfig"] == trigger["scheduleConfig"]


def test_a_run_of_the_other_service_is_replayed(
    scheduler: Running, alice: API, trigger: Item, make_execution: Callable[..., Item]
) -> None:
    old = make_execution(trigger)
    path = f"/triggers/{trigger['id']}/executions/{old['executionId']}/replay"
    response = alice.post(path)
    assert response.status_code == 202, response.content
    with scheduler():
        execution = wait_for(
            lambda: TriggerExecution.objects.filter(
                trigger_id=trigger["id"],
                pk=response.json()["execution"]["executionId"],
                status=RunStatus.COMPLETED,
            ).first()
        )
    assert execution.replay_of == old["executionId"]


def test_it_fires_by_schedule_once_adopted(scheduler: Running, trigger: Item) -> None:
    call_command("adopt_table")
    now = timezone.now()
    LocalSchedule.objects.filter(pk=trigger["id"]).update(next_run_at=now, due_at=now)
    with scheduler():
        execution = wait_for(lambda: completed(trigger))
    assert execution.source == "schedule"
