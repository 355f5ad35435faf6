"""One pass over triggers and schedules makes them equal, and tells what it did."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from executions.diagnosis import diagnose
from moca.authentication.models import AuditEntry, Operator, Role
from moca.reconcile import Action
from tests.integration.eventbridge.conftest import GROUP, Failing
from triggers.models import SyncState, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers.eventbridge import schedule_of

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def service(transactional_db: None, eventbridge: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(seconds=-1))
    return eventbridge


def name_of(trigger: Trigger) -> str:
    return f"trigger-{trigger.pk}"


def names(service: Any) -> list[str]:
    return [each["Name"] for each in service.list_schedules(GroupName=GROUP)["Schedules"]]


def test_nothing_to_do(service: Any, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert reconcile() == []


def test_missing_schedule_is_made(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    reconcile()
    assert names(service) == [name_of(trigger)]


def test_schedule_of_a_deleted_trigger_goes(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    reconcile()
    assert names(service) == []


def test_young_schedule_without_a_trigger_stays(
    service: Any, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(minutes=5))
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    reconcile()
    assert names(service) == [name_of(trigger)]


def test_young_schedule_without_a_trigger_is_reported(
    service: Any, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(minutes=5))
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    output = StringIO()
    call_command("sync_schedules", "--format=json", stdout=output)
    reason = "it has no trigger, and is removed once it is 5 minutes old"
    wait = {"kind": "wait", "what": "schedule", "id": trigger.pk, "reason": reason}
    assert json.loads(output.getvalue()) == [wait]


def test_young_schedule_without_a_trigger_is_counted_in_the_table(
    service: Any, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(minutes=5))
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    output = StringIO()
    call_command("sync_schedules", "--dry-run", stdout=output)
    assert output.getvalue().splitlines()[-1] == "1 left to a later pass"


def findings(subject: str) -> list[str]:
    return [f"{each.verdict}: {each.text}" for each in diagnose() if each.subject == subject]


def test_doctor_tells_of_a_schedule_without_a_trigger(
    service: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
    text = f"warn: 1 schedules have no trigger, such as that of {trigger.pk}."
    assert text in findings("scheduler")


def test_doctor_tells_of_triggers_that_are_not_in_step(
    service: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(sync_state=SyncState.PENDING)
    text = "warn: 1 triggers say that their schedules are not in step."
    assert text in findings("scheduler")


def test_other_schedules_of_the_group_stay(service: Any, make_trigger: MakeTrigger) -> None:
    service.create_schedule(Name="other", GroupName=GROUP, **schedule_of(make_trigger()))
    reconcile()
    assert "other" in names(service)


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


def test_schedule_that_has_fired_is_not_made_again(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(schedule_config={"expression": "at(2099-01-31T09:00:00)"})
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    past = {"expression": f"at({timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S})"}
    Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(schedule_config=past)
    assert reconcile() == []


def test_dry_run_changes_nothing(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    found = reconcile(dry_run=True)
    assert (found, names(service)) == (
        [Action("create", "schedule", trigger.pk, "was missing")],
        [],
    )


def test_failure_is_noted_on_the_trigger(
    service: Any, make_trigger: MakeTrigger, failing: Failing
) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    with failing("CreateSchedule", "ServiceQuotaExceededException", 402):
        reconcile()
    trigger.refresh_from_db()
    assert (trigger.sync_state, trigger.sync_error_code) == (SyncState.FAILED, "scheduler_full")


def test_failure_is_forgotten_when_in_step(service: Any, make_trigger: MakeTrigger) -> None:
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
    assert name_of(good) in names(service)


def test_command_prints_what_it_did(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    out = StringIO()
    call_command("sync_schedules", "--format=json", stdout=out)
    assert json.loads(out.getvalue()) == [
        {"kind": "create", "what": "schedule", "id": trigger.pk, "reason": "was missing"}
    ]


def test_command_says_when_all_is_in_step(service: Any, make_trigger: MakeTrigger) -> None:
    make_trigger()
    out = StringIO()
    call_command("sync_schedules", stdout=out)
    assert out.getvalue().strip() == "All schedules and rules are in step."


def test_command_fails_where_schedules_cannot_be_listed(service: Any, failing: Failing) -> None:
    with (
        failing("ListSchedules", "AccessDeniedException", 403),
        pytest.raises(CommandError, match="SCHEDULER_ROLE_ARN"),
    ):
        call_command("sync_schedules")


def test_another_group_is_brought_in_step(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.create_schedule_group(Name="another")
    call_command("sync_schedules", "--group=another", stdout=StringIO())
    schedule = service.get_schedule(Name=f"trigger-{trigger.pk}", GroupName="another")
    assert schedule["State"] == "ENABLED"


def test_group_that_is_not_there_is_noted_on_no_trigger(
    service: Any, make_trigger: MakeTrigger
) -> None:
    made = make_trigger()
    with pytest.raises(CommandError, match="--group nope"):
        call_command("sync_schedules", "--group=nope")
    assert Trigger.objects.get(pk=made.pk).sync_state == SyncState.SYNCED


def test_group_needs_the_service(db: None) -> None:
    with pytest.raises(CommandError, match="TRIGGER_LAMBDA_ARN"):
        call_command("sync_schedules", "--group=another")


def test_local_schedules_are_kept_in_step_too(
    transactional_db: None, make_trigger: MakeTrigger
) -> None:
    from triggers.models import LocalSchedule

    trigger = make_trigger()
    LocalSchedule.objects.filter(pk=trigger.pk).delete()
    assert [action.kind for action in reconcile()] == ["create"]


def test_operator_brings_a_ticked_trigger_in_step(
    service: Any, make_trigger: MakeTrigger, client: Client
) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    client.force_login(Operator.objects.create_operator("ed", password=None, role=Role.EDITOR))
    data = {"action": "synchronize", "_selected_action": [trigger.pk], "index": "0"}
    client.post("/admin/triggers/trigger/", data)
    assert names(service) == [name_of(trigger)]


def test_failure_is_on_record_once(
    service: Any, make_trigger: MakeTrigger, failing: Failing
) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    with failing("CreateSchedule", "ServiceQuotaExceededException", 402):
        reconcile()
        reconcile()
    (entry,) = AuditEntry.objects.filter(object_id=trigger.pk)
    assert (entry.actor, entry.changes, "quota" in entry.reason) == (
        "system: reconciler",
        {"sync_state": ["synced", "failed"]},
        True,
    )


def test_repair_is_on_record(service: Any, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    service.delete_schedule(Name=name_of(trigger), GroupName=GROUP)
    reconcile()
    (entry,) = AuditEntry.objects.filter(object_id=trigger.pk)
    assert (entry.actor, entry.reason) == ("system: reconciler", "The schedule was missing.")
