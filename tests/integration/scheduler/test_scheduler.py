"""The scheduler process: what it fires, when, and what it leaves alone."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.models import TriggerExecution
from executions.runner.manual import run_now
from tests.conftest import patient, wait_for
from triggers.models import LocalSchedule, RunStatus, Trigger
from triggers.schedulers.local import start_offset

from .conftest import ended, executions, make_due

MINUTE = timedelta(minutes=1)


def test_due_trigger_fires(trigger: Callable[..., Trigger], scheduler: Callable) -> None:
    made = trigger()
    make_due(made)
    with scheduler():
        assert wait_for(ended)[0].status == RunStatus.COMPLETED


def test_start_is_close_to_the_due_time(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    made = trigger()
    make_due(made, -timedelta(seconds=1.2))
    with scheduler():
        execution = wait_for(ended)[0]
    assert execution.started_at - execution.scheduled_at < timedelta(seconds=patient(0.4))


def test_schedule_moves_on(trigger: Callable[..., Trigger], scheduler: Callable) -> None:
    made = trigger()
    make_due(made)
    with scheduler():
        wait_for(ended)
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at == made.next_runs(timezone.now(), 1)[0]


def test_new_trigger_is_noticed_by_a_running_scheduler(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    with scheduler():
        made = trigger()
        make_due(made)
        assert wait_for(ended)


def test_run_by_hand_is_begun_by_a_running_scheduler(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    with scheduler():
        run_now(trigger(enabled=False), by="alice")
        assert wait_for(ended)[0].status == RunStatus.COMPLETED


def test_disabled_trigger_does_not_fire(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    make_due(trigger(enabled=False))
    make_due(trigger())
    with scheduler():
        wait_for(ended)
    assert TriggerExecution.objects.count() == 1


def test_deleted_trigger_does_not_fire(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    made = trigger()
    row = LocalSchedule.objects.get(pk=made.pk)
    made.delete()
    # A row that a crash left behind.
    row.due_at = row.next_run_at = timezone.now()
    row.save(force_insert=True)
    make_due(trigger())
    with scheduler():
        wait_for(ended)
    assert TriggerExecution.objects.count() == 1


def test_enabling_does_not_fire_at_once(trigger: Callable[..., Trigger]) -> None:
    made = trigger(enabled=False)
    made.enable()
    made.save()
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at > timezone.now()


def test_change_of_the_prompt_leaves_the_schedule_alone(trigger: Callable[..., Trigger]) -> None:
    made = trigger(expression="rate(7 minutes)")
    make_due(made)
    before = LocalSchedule.objects.get(pk=made.pk).next_run_at
    made.prompt = "Other."
    made.save()
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at == before


def test_broken_trigger_stops_no_other(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    broken = trigger()
    Trigger.objects.filter(pk=broken.pk).update(schedule_config={"expression": ["no", "cron"]})
    make_due(broken, MINUTE)
    make_due(trigger())
    with scheduler():
        assert wait_for(ended)[0].status == RunStatus.COMPLETED


def test_due_runs_within_the_window_are_caught_up(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    made = trigger(expression="cron(* * * * ? *)")
    first = timezone.now().replace(second=0, microsecond=0) - 3 * MINUTE
    LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=first, due_at=first)
    with scheduler():
        caught_up = wait_for(lambda: len(ended()) >= 4 and ended(), seconds=20)
    assert {first + n * MINUTE for n in range(4)} <= {e.scheduled_at for e in caught_up}


def test_runs_before_the_window_are_recorded_as_missed(
    trigger: Callable[..., Trigger], scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CATCH_UP_SECONDS = 0
    made = trigger(expression="cron(* * * * ? *)")
    first = timezone.now().replace(second=0, microsecond=0) - 30 * MINUTE
    LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=first, due_at=first)
    with scheduler():
        missed = wait_for(lambda: len(executions(error_code="missed")) >= 30 and executions())
    # Each has a record of its own.
    dues = {execution.scheduled_at for execution in missed}
    assert dues >= {first + minute * MINUTE for minute in range(30)}


def test_missed_runs_of_many_triggers_are_each_on_record(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    # More records than a transaction of DynamoDB takes.
    made = [trigger(expression="cron(0 * * * ? *)") for _ in range(4)]
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for one in made:
        first = hour - timedelta(hours=60)
        LocalSchedule.objects.filter(pk=one.pk).update(next_run_at=first, due_at=first)
    with scheduler():
        wait_for(lambda: len(executions(error_code="missed")) >= 4 * 48)
    counts = Counter(one.trigger_id for one in executions(error_code="missed"))
    assert counts == {one.pk: 48 for one in made}


def test_missed_runs_do_not_count_as_failures(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    made = trigger()
    make_due(made, timedelta(days=1))
    with scheduler():
        wait_for(lambda: executions(error_code="missed"))
    assert Trigger.objects.get(pk=made.pk).consecutive_failures == 0


def test_overlapping_occurrence_is_skipped(
    trigger: Callable[..., Trigger], scheduler: Callable
) -> None:
    made = trigger(prompt=f"x\ndemo: first-byte {patient(2):g}")
    make_due(made)
    with scheduler():
        wait_for(lambda: executions(status=RunStatus.RUNNING))
        make_due(made)
        skipped = wait_for(lambda: Trigger.objects.filter(pk=made.pk, skipped_runs=1).first())
    assert skipped.last_skip_reason_code == "busy"


def test_concurrency_is_bounded(
    trigger: Callable[..., Trigger], scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CONCURRENCY = 2
    for _ in range(5):
        make_due(trigger(prompt="x\ndemo: first-byte 0.3"))
    most = 0
    with scheduler():
        while len(ended()) < 5:
            most = max(most, len(executions(status=RunStatus.RUNNING)))
    assert most == 2


def test_window_spreads_the_start(trigger: Callable[..., Trigger]) -> None:
    made = trigger()
    made.schedule_config = {**made.schedule_config, "flexibleTimeWindowMinutes": 30}
    made.save()
    row = LocalSchedule.objects.get(pk=made.pk)
    assert timedelta(0) <= row.due_at - row.next_run_at < timedelta(minutes=30)


def test_start_late_in_the_window_is_not_missed(
    trigger: Callable[..., Trigger], scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_CATCH_UP_SECONDS = 5
    made = trigger()
    made.schedule_config = {**made.schedule_config, "flexibleTimeWindowMinutes": 1440}
    made.save()
    run_at = timezone.now() - start_offset(made)
    LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=run_at, due_at=timezone.now())
    with scheduler():
        assert wait_for(ended)[0].status == RunStatus.COMPLETED


def test_enabling_revives_a_schedule_that_had_none(trigger: Callable[..., Trigger]) -> None:
    made = trigger()
    # As after a bulk update, which no signal sees, and a turn of the scheduler.
    Trigger.objects.filter(pk=made.pk).update(enabled=False)
    LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=None, due_at=None)
    made = Trigger.objects.get(pk=made.pk)
    made.enable()
    made.save()
    assert LocalSchedule.objects.get(pk=made.pk).next_run_at is not None


@pytest.mark.sqlite  # DynamoDB removes them by itself.
def test_expired_records_are_removed(trigger: Callable[..., Trigger], scheduler: Callable) -> None:
    made = trigger()
    TriggerExecution.objects.create(
        id="old", trigger_id=made.pk, user_id="alice", source="schedule", status="completed",
        started_at=timezone.now(), ttl=int(timezone.now().timestamp()) - 60,
    )  # fmt: skip
    with scheduler():
        wait_for(lambda: not TriggerExecution.objects.filter(trigger_id=made.pk).exists())
    assert not TriggerExecution.objects.exists()


@pytest.mark.parametrize("kind", ["event", "schedule"])
def test_change_of_type_takes_the_schedule_along(
    trigger: Callable[..., Trigger], kind: str
) -> None:
    made = trigger()
    made.type, made.event_config = "event", {"eventSourceId": "s"}
    made.save()
    made.type = kind
    made.save()
    assert LocalSchedule.objects.filter(pk=made.pk).exists() is (kind == "schedule")


def test_end_that_cannot_be_written_is_a_failure_at_once(
    trigger: Callable[..., Trigger], scheduler: Callable, monkeypatch: Any
) -> None:
    make_due(trigger())
    monkeypatch.setattr("executions.runner.write", lambda _: 1 / 0)
    with scheduler():
        assert wait_for(ended)[0].error_code == "internal_error"


def test_more_runs_than_places_break_no_turn_off(
    trigger: Callable[..., Trigger], scheduler: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    """Runs whose start was in doubt come on top of those that the places let begin."""
    for _ in range(3):
        make_due(trigger(prompt="x\ndemo: first-byte 3"))
    with scheduler() as process:
        wait_for(lambda: len(executions(status=RunStatus.RUNNING)) == 3)
        process.concurrency = 1
        time.sleep(1.5)
    assert not [record for record in caplog.records if record.exc_info]


def test_run_that_is_broken_off_keeps_the_warning_of_its_prompt(
    trigger: Callable[..., Trigger], scheduler: Callable, settings: Any
) -> None:
    settings.SCHEDULER_GRACE_SECONDS = 0
    make_due(trigger(prompt="{{ name }}\ndemo: first-byte 6"))
    with scheduler():
        wait_for(lambda: executions(status=RunStatus.RUNNING))
        time.sleep(0.5)
    assert "{{ name }}" in wait_for(ended)[0].warning
