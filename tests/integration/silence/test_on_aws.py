"""On AWS, each pass of the handler's maintenance finds occurrences that nothing has started."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from executions import lambda_handler, runner
from executions.alarms import Alarm
from executions.models import TriggerExecution
from executions.passes import watch
from executions.runner import Occurrence
from moca.ids import first_id
from tests.integration.eventbridge.conftest import Failing, eventbridge, failing
from tests.integration.handler.test_handler import Context
from tests.integration.silence.conftest import DAY, HOUR, MINUTE, kinds, told
from triggers.models import Process, RunStatus, Trigger
from triggers.schedulers.base import SchedulerError

__all__ = ["eventbridge", "failing"]

MakeTrigger = Callable[..., Trigger]

RECONCILE = {"detail-type": "Reconcile Schedules"}
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
PASS = 15 * MINUTE


def run(trigger: Trigger, due: datetime) -> None:
    """Start the run of an occurrence and end it, as the function on AWS does."""
    begun = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    assert begun is not None
    runner.close(begun.execution, RunStatus.COMPLETED)


def passes(since: datetime, until: datetime) -> None:
    """Make all passes of the maintenance between two times."""
    now = since
    while now <= until:
        watch(now, list(Trigger.objects.all()))
        now += PASS


@pytest.fixture
def hourly(eventbridge: Any, make_trigger: MakeTrigger) -> Trigger:
    """A trigger of each hour, which has been there for long."""
    trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
    days_ago = NOON - 9 * DAY
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
        created_at=days_ago, updated_at=days_ago
    )
    return trigger


def test_occurrence_that_nothing_started_is_told_once(hourly: Trigger) -> None:
    passes(NOON, NOON + DAY)
    assert len(told(hourly)) == 1


def test_no_alarm_if_each_has_run(hourly: Trigger) -> None:
    for hour in range(6):
        run(hourly, NOON + hour * HOUR)
    passes(NOON, NOON + 5 * HOUR + 30 * MINUTE)
    assert told(hourly) == []


def test_run_under_way_is_no_silence(hourly: Trigger) -> None:
    runner.start(Occurrence.scheduled(hourly.user_id, hourly.pk, NOON))
    passes(NOON, NOON + 30 * MINUTE)
    assert told(hourly) == []


def test_run_of_a_person_is_not_that_of_the_schedule(hourly: Trigger) -> None:
    TriggerExecution.objects.create(
        id=first_id(NOON + MINUTE),
        trigger_id=hourly.pk,
        user_id=hourly.user_id,
        source="manual",
        started_at=NOON + MINUTE,
        ttl=2**40,
    )
    passes(NOON, NOON + 30 * MINUTE)
    assert kinds(trigger_id=hourly.pk) == ["silent"]


def test_one_that_was_skipped_among_others_is_told(hourly: Trigger) -> None:
    for hour in (0, 2, 3):
        run(hourly, NOON + hour * HOUR)
    passes(NOON, NOON + 3 * HOUR)
    assert [f"due at {NOON + HOUR:%Y-%m-%d %H:%M}" in each for each in told(hourly)] == [True]


def test_alarm_closes_when_it_fires_again(hourly: Trigger) -> None:
    passes(NOON, NOON + 30 * MINUTE)
    run(hourly, NOON + HOUR)
    passes(NOON + 45 * MINUTE, NOON + HOUR + 30 * MINUTE)
    assert kinds() == []


def test_schedule_that_was_changed_meanwhile_is_not_expected_at_its_new_times(
    eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(schedule_config={"expression": "cron(0 0 1 1 ? *)"})
    trigger.schedule_config = {"expression": "cron(* * * * ? *)"}
    trigger.save()
    now = timezone.now()
    watch(now, [trigger])
    assert told(trigger) == []


def test_disabled_trigger_is_silent_without_an_alarm(hourly: Trigger) -> None:
    Trigger.objects.filter(user_id=hourly.user_id, pk=hourly.pk).update(enabled=False)
    passes(NOON, NOON + DAY)
    assert told(hourly) == []


def test_paused_trigger_is_silent_without_an_alarm(hourly: Trigger) -> None:
    Trigger.objects.filter(user_id=hourly.user_id, pk=hourly.pk).update(
        paused_at=NOON - HOUR, paused_until=NOON + 2 * DAY
    )
    passes(NOON, NOON + DAY)
    assert told(hourly) == []


def test_alarm_closes_when_the_trigger_is_paused(hourly: Trigger) -> None:
    passes(NOON, NOON + 30 * MINUTE)
    Trigger.objects.filter(user_id=hourly.user_id, pk=hourly.pk).update(
        paused_at=NOON, paused_until=NOON + 2 * DAY
    )
    passes(NOON + 45 * MINUTE, NOON + HOUR)
    assert kinds() == []


def test_alarm_of_a_deleted_trigger_closes(hourly: Trigger) -> None:
    passes(NOON, NOON + 30 * MINUTE)
    Trigger.objects.get(pk=hourly.pk).delete()
    passes(NOON + 45 * MINUTE, NOON + HOUR)
    assert not Alarm.objects.exists()


def test_pass_leaves_a_sign_of_life(eventbridge: Any) -> None:
    lambda_handler.handler(RECONCILE, Context())
    (row,) = Process.objects.all()
    assert (row.kind, row.is_alive(timezone.now() + 30 * MINUTE)) == ("maintenance", True)


def test_passes_that_stay_away_are_noticed(eventbridge: Any, client: Any) -> None:
    lambda_handler.handler(RECONCILE, Context())
    ago = timezone.now() - HOUR
    Process.objects.update(seen_at=ago)
    answer = client.get("/health?deep=1")
    assert (answer.status_code, answer.json()["checks"]["process"]) == (503, "error")


def test_pass_watches_even_if_eventbridge_cannot_be_listed(
    failing: Failing, make_trigger: MakeTrigger
) -> None:
    with failing("ListSchedules", "ThrottlingException", 429), pytest.raises(SchedulerError):
        lambda_handler.handler(RECONCILE, Context())
    assert Process.objects.count() == 1
