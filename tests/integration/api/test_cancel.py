"""The route that cancels a run."""

from collections.abc import Callable
from typing import Any

import pytest

from executions import runner
from executions.models import CancelRequest, TriggerExecution
from tests.integration.api.conftest import API
from triggers.models import RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]


@pytest.fixture
def trigger(make_trigger: Callable[..., Trigger]) -> Trigger:
    return make_trigger()


@pytest.fixture
def running(trigger: Trigger, make_execution: MakeExecution) -> TriggerExecution:
    return make_execution(trigger, status=RunStatus.RUNNING)


def cancel(api: API, execution: TriggerExecution) -> Any:
    return api.post(f"/triggers/{execution.trigger_id}/executions/{execution.pk}/cancel")


def test_run_under_way_goes_on_until_its_process_notices(
    alice: API, running: TriggerExecution
) -> None:
    response = cancel(alice, running)
    execution = response.json()["execution"]
    assert (response.status_code, execution["status"], "cancelRequestedAt" in execution) == (
        202,
        "running",
        True,
    )


def test_second_request_is_accepted(alice: API, running: TriggerExecution) -> None:
    first, second = cancel(alice, running), cancel(alice, running)
    assert (second.status_code, second.json()["execution"]) == (202, first.json()["execution"])


def test_run_that_waits_ends_at_once(alice: API, trigger: Trigger) -> None:
    made = alice.post(f"/triggers/{trigger.pk}/run").json()["execution"]
    path = f"/triggers/{trigger.pk}/executions/{made['executionId']}"
    execution = alice.post(f"{path}/cancel").json()["execution"]
    assert (execution["status"], execution["error"]) == ("failed", "Cancelled by alice.")


def test_run_that_has_ended_is_a_conflict(
    alice: API, trigger: Trigger, make_execution: MakeExecution
) -> None:
    response = cancel(alice, make_execution(trigger))
    assert (response.status_code, response.json()["code"]) == (409, "RUN_ENDED")


def test_run_of_another_user_is_not_found(bob: API, running: TriggerExecution) -> None:
    assert cancel(bob, running).status_code == 404


def test_run_of_another_user_is_not_cancelled(bob: API, running: TriggerExecution) -> None:
    cancel(bob, running)
    assert not CancelRequest.objects.exists()


def test_unknown_run_is_not_found(alice: API, trigger: Trigger) -> None:
    path = f"/triggers/{trigger.pk}/executions/0194b0a9-51d0-7c11-8a6e-90f3b7d2c415/cancel"
    assert alice.post(path).status_code == 404


def test_caller_without_a_token_is_refused(nobody: API, running: TriggerExecution) -> None:
    assert cancel(nobody, running).status_code == 401


def test_record_says_when_it_was_asked_for_afterwards_too(
    alice: API, running: TriggerExecution
) -> None:
    cancel(alice, running)
    running.refresh_from_db(from_queryset=TriggerExecution.objects.filter(pk=running.pk))
    runner.close(running, RunStatus.COMPLETED)
    path = f"/triggers/{running.trigger_id}/executions/{running.pk}"
    assert "cancelRequestedAt" in alice.get(path).json()["execution"]
