"""One pass makes schedules equal to triggers; the command and operators start it."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from executions.doctor import diagnose
from moca.authentication.models import AuditEntry, Operator, Role
from moca.reconcile import Action
from tests.integration.eventbridge.conftest import GROUP, Failing, schedule_names
from triggers.models import LocalSchedule, SyncState, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers.eventbridge import schedule_of

MakeTrigger = Callable[..., Trigger]
SetAge = Callable[[timedelta], None]


@pytest.fixture
def orphan_age(monkeypatch: pytest.MonkeyPatch) -> SetAge:
    """Set from which age on the reconciler deletes schedules without a trigger."""
    return partial(monkeypatch.setattr, "triggers.reconcile.ORPHAN_AGE")


@pytest.fixture
def service(transactional_db: None, eventbridge: Any, orphan_age: SetAge) -> Any:
    orphan_age(timedelta(seconds=-1))
    return eventbridge


@pytest.fixture
def orphan(service: Any, make_trigger: MakeTrigger) -> Trigger:
    """A trigger that was deleted, although its schedule is still there."""
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    return trigger


@pytest.fixture
def unscheduled(service: Any, make_trigger: MakeTrigger) -> Trigger:
    """A trigger whose schedule is missing."""
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    return trigger


def name_of(trigger: Trigger) -> str:
    return f"trigger-{trigger.pk}"


def test_nothing_to_do(service: Any, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert reconcile() == []


def test_missing_schedule_is_created(service: Any, unscheduled: Trigger) -> None:
    reconcile()
    assert schedule_names(service) == [name_of(unscheduled)]


@pytest.mark.parametrize("effort", ["off", "max"])
def test_a_schedule_of_the_other_service_gets_the_reasoning_effort(
    service: Any, make_trigger: MakeTrigger, effort: str
) -> None:
    trigger = make_trigger(reasoning_effort=effort)
    schedule = schedule_of(trigger)
    detail = {"triggerId": trigger.pk, "reasoningEffort": "medium"}
    schedule["Target"]["Input"] = json.dumps({"detail": detail})
    service.update_schedule(Name=name_of(trigger), GroupName=GROUP, **schedule)
    reconcile()
    text = service.get_schedule(Name=name_of(trigger), GroupName=GROUP)["Target"]["Input"]
    assert json.loads(text)["detail"]["reasoningEffort"] == effort


def test_orphan_is_deleted(service: Any, orphan: Trigger) -> None:
    reconcile()
    assert schedule_names(service) == []


def test_young_orphan_stays(service: Any, orphan: Trigger, orphan_age: SetAge) -> None:
    orphan_age(timedelta(minutes=5))
    reconcile()
    assert schedule_names(service) == [name_of(orphan)]


def test_young_orphan_is_reported(orphan: Trigger, orphan_age: SetAge) -> None:
    orphan_age(timedelta(minutes=5))
    output = StringIO()
    call_command("sync_schedules", "--format=json", stdout=output)
    reason = "it has no trigger, and is removed once it is 5 minutes old"
    wait = {"kind": "wait", "what": "schedule", "id": orphan.pk, "reason": reason}
    assert json.loads(output.getvalue()) == [wait]


def test_young_orphan_is_counted_in_the_table(orphan: Trigger, orphan_age: SetAge) -> None:
    orphan_age(timedelta(minutes=5))
    output = StringIO()
    call_command("sync_schedules", "--dry-run", stdout=output)
    assert output.getvalue().splitlines()[-1] == "1 left to a later pass"


def findings(subject: str) -> list[str]:
    return [f"{each.verdict}: {each.text}" for each in diagnose() if each.subject == subject]


def test_doctor_reports_an_orphan(orphan: Trigger) -> None:
    text = f"warn: 1 schedules have no trigger, such as that of {orphan.pk}."
    assert text in findings("scheduler")


def test_doctor_reports_triggers_that_are_marked_as_drifted(
    service: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(sync_state=SyncState.PENDING)
    text = "warn: 1 triggers say that their schedules are not synced."
    assert text in findings("scheduler")


def test_other_schedules_of_the_group_stay(service: Any, make_trigger: MakeTrigger) -> None:
    service.create_schedule(Name="other", GroupName=GROUP, **schedule_of(make_trigger()))
    reconcile()
    assert "other" in schedule_names(service)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("ScheduleExpression", "rate(9 days)"),
        ("ScheduleExpressionTimezone", "Asia/Tokyo"),
        ("State", "DISABLED"),
    ],
)
def test_differing_schedule_is_updated(
    service: Any, make_trigger: MakeTrigger, part: str, value: str
) -> None:
    trigger = make_trigger()
    wrong = {**schedule_of(trigger), part: value}
    service.update_schedule(Name=name_of(trigger), GroupName=GROUP, **wrong)
    reconcile()
    found = service.get_schedule(Name=name_of(trigger), GroupName=GROUP)
    assert found[part] == schedule_of(trigger)[part]


def test_schedule_that_has_fired_is_not_created_again(
    service: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(schedule_config={"expression": "at(2099-01-31T09:00:00)"})
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    past = {"expression": f"at({timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S})"}
    Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(schedule_config=past)
    assert reconcile() == []


def test_dry_run_changes_nothing(service: Any, unscheduled: Trigger) -> None:
    found = reconcile(dry_run=True)
    assert (found, schedule_names(service)) == (
        [Action("create", "schedule", unscheduled.pk, "was missing")],
        [],
    )


def test_failure_is_noted_on_the_trigger(
    service: Any, unscheduled: Trigger, failing: Failing
) -> None:
    with failing("CreateSchedule", "ServiceQuotaExceededException", 402):
        reconcile()
    unscheduled.refresh_from_db()
    noted = unscheduled.sync_state, unscheduled.sync_error_code
    assert noted == (SyncState.FAILED, "scheduler_full")


def test_failure_is_cleared_when_the_schedule_is_equal(
    service: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    row = Trigger.objects.filter(user_id="alice", pk=trigger.pk)
    row.update(sync_state=SyncState.FAILED, sync_error="x")
    reconcile()
    trigger.refresh_from_db()
    assert (trigger.sync_state, trigger.sync_error) == (SyncState.SYNCED, "")


def test_one_bad_trigger_does_not_stop_the_others(service: Any, make_trigger: MakeTrigger) -> None:
    bad, good = make_trigger(), make_trigger()
    broken = {"expression": "cron(x)"}
    Trigger.objects.filter(user_id="alice", pk=bad.pk).update(schedule_config=broken)
    for trigger in (bad, good):
        service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    reconcile()
    assert name_of(good) in schedule_names(service)


def test_command_prints_what_it_did(service: Any, unscheduled: Trigger) -> None:
    out = StringIO()
    call_command("sync_schedules", "--format=json", stdout=out)
    assert json.loads(out.getvalue()) == [
        {"kind": "create", "what": "schedule", "id": unscheduled.pk, "reason": "was missing"}
    ]


def test_command_says_when_there_is_nothing_to_repair(
    service: Any, make_trigger: MakeTrigger
) -> None:
    make_trigger()
    out = StringIO()
    call_command("sync_schedules", stdout=out)
    assert out.getvalue().strip() == "All schedules and rules are synced."


def test_command_fails_if_schedules_cannot_be_listed(service: Any, failing: Failing) -> None:
    with (
        failing("ListSchedules", "AccessDeniedException", 403),
        pytest.raises(CommandError, match="SCHEDULER_ROLE_ARN"),
    ):
        call_command("sync_schedules")


def test_another_group_is_reconciled(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.create_schedule_group(Name="another")
    call_command("sync_schedules", "--group=another", stdout=StringIO())
    schedule = service.get_schedule(Name=f"trigger-{trigger.pk}", GroupName="another")
    assert schedule["State"] == "ENABLED"


def test_missing_group_is_noted_on_no_trigger(service: Any, make_trigger: MakeTrigger) -> None:
    made = make_trigger()
    with pytest.raises(CommandError, match="--group nope"):
        call_command("sync_schedules", "--group=nope")
    assert Trigger.objects.get(pk=made.pk).sync_state == SyncState.SYNCED


def test_group_needs_the_service(db: None) -> None:
    with pytest.raises(CommandError, match="TRIGGER_LAMBDA_ARN"):
        call_command("sync_schedules", "--group=another")


def test_local_schedules_are_reconciled_too(
    transactional_db: None, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    LocalSchedule.objects.filter(pk=trigger.pk).delete()
    assert [action.kind for action in reconcile()] == ["create"]


def test_operator_reconciles_a_ticked_trigger(
    service: Any, unscheduled: Trigger, client: Client
) -> None:
    client.force_login(Operator.objects.create_operator("ed", password=None, role=Role.EDITOR))
    data = {"action": "synchronize", "_selected_action": [unscheduled.pk], "index": "0"}
    client.post("/admin/triggers/trigger/", data)
    assert schedule_names(service) == [name_of(unscheduled)]


def test_failure_gets_one_audit_entry(service: Any, unscheduled: Trigger, failing: Failing) -> None:
    with failing("CreateSchedule", "ServiceQuotaExceededException", 402):
        reconcile()
        reconcile()
    (entry,) = AuditEntry.objects.filter(object_id=unscheduled.pk)
    assert (entry.actor, entry.changes, "quota" in entry.reason) == (
        "system: reconciler",
        {"sync_state": ["synced", "failed"]},
        True,
    )


def test_repair_gets_an_audit_entry(service: Any, unscheduled: Trigger) -> None:
    reconcile()
    (entry,) = AuditEntry.objects.filter(object_id=unscheduled.pk)
    assert (entry.actor, entry.reason) == ("system: reconciler", "The schedule was missing.")
