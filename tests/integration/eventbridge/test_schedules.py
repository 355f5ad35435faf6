"""Schedules that triggers have in EventBridge Scheduler: what is sent, and what if it fails."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from django.db import connection
from django.test import Client
from django.utils import timezone

from executions.models import TriggerExecution
from executions.runner.complete import close
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.times import iso
from tests.integration.admin.conftest import TRIGGERS, editor, form_data
from tests.integration.api.conftest import API
from tests.integration.eventbridge.conftest import (
    GROUP,
    LAMBDA,
    QUEUE,
    ROLE,
    Failing,
    roll_back_after,
    schedule_names,
)
from triggers.bulk import act_on_each
from triggers.models import RunStatus, SyncState, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers import SchedulerError
from triggers.services import disable

__all__ = ["editor"]

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def alice(eventbridge: Any) -> API:
    return API("alice")


def schedule(service: Any, trigger_id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.get_schedule(Name=f"trigger-{trigger_id}", GroupName=GROUP)
    return found


def details(service: Any, trigger_id: str) -> dict[str, Any]:
    """The details of the event that a schedule sends."""
    found: dict[str, Any] = json.loads(schedule(service, trigger_id)["Target"]["Input"])["detail"]
    return found


class TestWhatIsSent:
    def test_expression_and_zone(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        config = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
        made = schedule(eventbridge, make_trigger(schedule_config=config).pk)
        sent = made["ScheduleExpression"], made["ScheduleExpressionTimezone"]
        assert sent == ("cron(0 9 * * ? *)", "Asia/Tokyo")

    def test_target_is_whole(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        target = schedule(eventbridge, make_trigger().pk)["Target"]
        del target["Input"]
        assert target == {
            "Arn": LAMBDA,
            "RoleArn": ROLE,
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
            "DeadLetterConfig": {"Arn": QUEUE},
        }

    def test_event_names_the_trigger_and_the_time_of_delivery(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        event = json.loads(schedule(eventbridge, trigger.pk)["Target"]["Input"])
        sent = event["time"], event["detail"]["triggerId"], event["detail"]["userId"]
        assert sent == ("<aws.scheduler.scheduled-time>", trigger.pk, "alice")

    def test_window(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        config = {"expression": "rate(1 hour)", "flexibleTimeWindowMinutes": 15}
        made = schedule(eventbridge, make_trigger(schedule_config=config).pk)
        assert made["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}

    def test_dates(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        now = timezone.now().replace(microsecond=0)
        start, end = now + timedelta(days=1), now + timedelta(days=9)
        config = {"expression": "rate(1 hour)", "startDate": iso(start), "endDate": iso(end)}
        made = schedule(eventbridge, make_trigger(schedule_config=config).pk)
        assert (made["StartDate"], made["EndDate"]) == (start, end)

    def test_schedule_that_fires_once_is_deleted_by_the_service(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        made = make_trigger(schedule_config={"expression": "at(2099-01-31T09:00:00)"})
        assert schedule(eventbridge, made.pk)["ActionAfterCompletion"] == "DELETE"

    def test_event_trigger_has_none(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        config = {"eventSourceId": "orders"}
        make_trigger(type="event", schedule_config=None, event_config=config)
        assert schedule_names(eventbridge) == []


class TestChanges:
    def test_disabled_trigger_is_a_disabled_schedule(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        alice.post(f"/triggers/{made['id']}/disable")
        assert schedule(eventbridge, made["id"])["State"] == "DISABLED"

    def test_new_prompt_reaches_the_schedule(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        assert details(eventbridge, made["id"])["prompt"] == "Other."

    @pytest.mark.parametrize(
        ("field", "value"),
        [("reasoningEffort", "high"), ("modelId", "m"), ("workingDirectory", "/w")],
    )
    def test_option_of_the_agent_reaches_the_schedule(
        self, alice: API, eventbridge: Any, field: str, value: str
    ) -> None:
        made = alice.create()
        alice.patch(f"/triggers/{made['id']}", {field: value})
        assert details(eventbridge, made["id"])[field] == value

    def test_field_outside_of_the_schedule_is_no_call(self, alice: API, failing: Failing) -> None:
        made = alice.create()
        with failing("UpdateSchedule", "InternalServerException", 500) as calls:
            alice.patch(f"/triggers/{made['id']}", {"description": "Other"})
        assert calls == []

    def test_deleted_trigger_has_no_schedule(self, alice: API, eventbridge: Any) -> None:
        alice("DELETE", f"/triggers/{alice.create()['id']}")
        assert schedule_names(eventbridge) == []

    def test_type_event_deletes_the_schedule(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        body = {"type": "event", "eventConfig": {"eventSourceId": "orders"}}
        alice.patch(f"/triggers/{made['id']}", body)
        assert schedule_names(eventbridge) == []

    def test_missing_schedule_is_made_by_an_update(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        eventbridge.delete_schedule(Name=f"trigger-{made['id']}", GroupName=GROUP)
        alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        assert schedule_names(eventbridge) == [f"trigger-{made['id']}"]

    def test_missing_schedule_does_not_stop_a_deletion(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        eventbridge.delete_schedule(Name=f"trigger-{made['id']}", GroupName=GROUP)
        assert alice("DELETE", f"/triggers/{made['id']}").status_code == 200


REFUSALS = [
    ("ValidationException", 400, "says no"),
    ("ServiceQuotaExceededException", 402, "quota"),
    ("AccessDeniedException", 403, "SCHEDULER_ROLE_ARN"),
]


class TestRefusal:
    """The service refuses: the trigger stays as it was, and the caller gets the reason."""

    @pytest.mark.parametrize(("code", "status", "words"), REFUSALS)
    def test_caller_gets_the_reason(
        self, alice: API, failing: Failing, code: str, status: int, words: str
    ) -> None:
        made = alice.create()
        with failing("UpdateSchedule", code, status):
            response = alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        assert (response.status_code, words in response.json()["message"]) == (502, True)

    def test_changed_trigger_is_as_before(self, alice: API, failing: Failing) -> None:
        made = alice.create()
        with failing("UpdateSchedule", "ValidationException"):
            alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        assert alice.get(f"/triggers/{made['id']}").json()["trigger"]["prompt"] == "Report."

    def test_new_trigger_is_not_stored(self, alice: API, failing: Failing) -> None:
        with failing("CreateSchedule", "ValidationException"):
            alice.post("/triggers", {"name": "x"})
            alice.post("/triggers", _body())
        assert alice.get("/triggers").json()["triggers"] == []

    def test_trigger_to_be_deleted_stays(self, alice: API, failing: Failing) -> None:
        made = alice.create()
        with failing("DeleteSchedule", "ValidationException"):
            alice("DELETE", f"/triggers/{made['id']}")
        assert alice.get(f"/triggers/{made['id']}").status_code == 200


def _body() -> dict[str, Any]:
    return {
        "name": "Report",
        "type": "schedule",
        "agentId": "reporter",
        "prompt": "Report.",
        "scheduleConfig": {"expression": "rate(1 hour)"},
    }


class TestFailedCommit:
    """The commit fails after the schedule was written: the schedule is restored."""

    def test_changed_schedule_is_restored(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        trigger.prompt = "Other."
        roll_back_after(trigger.save)
        assert details(eventbridge, trigger.pk)["prompt"] == "Report."

    def test_new_schedule_is_removed(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        roll_back_after(make_trigger)
        assert schedule_names(eventbridge) == []

    def test_deleted_schedule_is_made_again(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        name = f"trigger-{trigger.pk}"
        roll_back_after(trigger.delete)
        assert schedule_names(eventbridge) == [name]

    def test_call_whose_answer_was_lost_is_undone(
        self, alice: API, eventbridge: Any, failing: Failing
    ) -> None:
        made = alice.create()
        after: list[Any] = []

        def lose(**_: Any) -> None:
            if not after:
                after.append(True)
                raise ReadTimeoutError(endpoint_url="https://scheduler")

        eventbridge.meta.events.register("after-call.scheduler.UpdateSchedule", lose)
        response = alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        prompt = details(eventbridge, made["id"])["prompt"]
        assert (response.status_code, prompt) == (502, "Report.")

    def test_trigger_whose_schedule_cannot_be_restored_says_so(
        self, alice: API, eventbridge: Any
    ) -> None:
        made = alice.create()
        lost_from_now_on(eventbridge)
        alice.post(f"/triggers/{made['id']}/disable")
        found = Trigger.objects.get(user_id="alice", pk=made["id"])
        assert (found.enabled, found.sync_state) == (True, SyncState.PENDING)

    def test_schedule_that_cannot_be_restored_is_among_the_changes(
        self, alice: API, eventbridge: Any
    ) -> None:
        made = alice.create()
        lost_from_now_on(eventbridge)
        alice.post(f"/triggers/{made['id']}/disable")
        entry = AuditEntry.objects.filter(object_id=made["id"]).order_by("-id")[0]
        assert (entry.actor, entry.reason_code) == ("system: reconciler", "drift_noted")

    def test_next_pass_repairs_a_schedule_that_could_not_be_restored(
        self, transactional_db: None, alice: API, eventbridge: Any
    ) -> None:
        made = alice.create()
        clear = lost_from_now_on(eventbridge)
        alice.post(f"/triggers/{made['id']}/disable")
        clear()
        reconcile()
        found = Trigger.objects.get(user_id="alice", pk=made["id"])
        state = schedule(eventbridge, made["id"])["State"]
        assert (found.sync_state, state) == (SyncState.SYNCED, "ENABLED")

    def test_trigger_whose_deletion_was_lost_says_so(self, alice: API, eventbridge: Any) -> None:
        made = alice.create()
        lost_from_now_on(eventbridge, "DeleteSchedule", "UpdateSchedule")
        alice("DELETE", f"/triggers/{made['id']}")
        found = Trigger.objects.get(user_id="alice", pk=made["id"])
        assert found.sync_state == SyncState.PENDING

    def test_trigger_of_an_operator_action_whose_answer_was_lost_says_so(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        triggers = [make_trigger(), make_trigger()]
        lost_from_now_on(eventbridge)
        act_on_each(triggers, partial(disable, by="ed"))
        states = Trigger.objects.filter(user_id="alice").values_list("sync_state", flat=True)
        assert list(states) == ["pending", "pending"]

    def test_trigger_that_was_to_be_paused_after_a_failure_says_so(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(pause_after_failures=1)
        execution = TriggerExecution(
            id="e1",
            trigger_id=trigger.pk,
            user_id="alice",
            started_at=timezone.now(),
            ttl=2**31,
        )
        execution.save(force_insert=True)
        lost_from_now_on(eventbridge)
        with suppress(SchedulerError):
            close(execution, RunStatus.FAILED, error="Down.")
        found = Trigger.objects.get(user_id="alice", pk=trigger.pk)
        assert (found.enabled, found.sync_state) == (True, SyncState.PENDING)

    def test_clear_refusal_is_neither_restored_nor_logged_as_a_failure(
        self, alice: API, failing: Failing, caplog: pytest.LogCaptureFixture
    ) -> None:
        made = alice.create()
        with failing("UpdateSchedule", "ServiceQuotaExceededException", 402) as calls:
            alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        failures = [record for record in caplog.records if record.name.startswith("triggers")]
        assert (len(calls), failures) == (1, [])

    def test_failed_change_of_the_owner_keeps_the_schedule(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        name = f"trigger-{trigger.pk}"
        trigger.user_id = "bob"
        roll_back_after(trigger.save)
        assert schedule_names(eventbridge) == [name]


def lost_from_now_on(eventbridge: Any, *operations: str) -> Callable[[], None]:
    """Lose the answer to the next call, and all calls after it; returns what ends that."""
    calls: list[str] = []
    is_clear: list[bool] = []

    def before(**_: Any) -> None:
        calls.append("")
        if not is_clear and len(calls) > 1:
            raise ConnectTimeoutError(endpoint_url="https://scheduler")

    def after(**_: Any) -> None:
        if not is_clear:
            raise ReadTimeoutError(endpoint_url="https://scheduler")

    for operation in operations or ("UpdateSchedule",):
        eventbridge.meta.events.register_first(f"before-call.scheduler.{operation}", before)
        eventbridge.meta.events.register(f"after-call.scheduler.{operation}", after)
    return lambda: is_clear.append(True)


class TestFailedCommitOfAnAdminPage:
    """The commit of an admin page fails: the schedule is restored, and the page is shown again."""

    @pytest.mark.sqlite
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("page", ["change", "delete"])
    def test_schedule_is_what_is_stored(
        self, eventbridge: Any, make_trigger: MakeTrigger, editor: Client, page: str
    ) -> None:
        trigger = make_trigger()
        data = {**form_data(trigger, prompt="Other."), "post": "yes"}
        refusal = ConflictError("TransactionCanceledException")
        with patch.object(connection, "commit", side_effect=refusal):
            editor.post(f"{TRIGGERS}{trigger.pk}/{page}/", data)
        assert details(eventbridge, trigger.pk)["prompt"] == "Report."

    def test_lost_answer_to_a_deletion(
        self, eventbridge: Any, make_trigger: MakeTrigger, editor: Client
    ) -> None:
        trigger = make_trigger()
        name = f"trigger-{trigger.pk}"

        def lose(**_: Any) -> None:
            raise ReadTimeoutError(endpoint_url="https://scheduler")

        eventbridge.meta.events.register("after-call.scheduler.DeleteSchedule", lose)
        editor.post(f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"})
        assert schedule_names(eventbridge) == [name]
