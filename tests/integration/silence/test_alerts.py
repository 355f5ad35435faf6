"""Alarms reach people as alerts: one for a trigger, also if no scheduler is alive to deliver it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from alerts import courier
from alerts.happenings import Happening
from alerts.models import Delivery, Happened
from executions import runner, watch
from executions.deadlines import enforce
from executions.models import TriggerExecution
from executions.runner import Occurrence
from executions.silence import look
from executions.watch import beside_the_web_server
from tests.conftest import wait_for
from tests.integration.alerts.conftest import MakeRule, handle_all, make_rule, told
from tests.integration.silence.conftest import DAY, DUE, HOUR, MINUTE, process, set_due
from triggers.models import Process, Trigger

__all__ = ["make_rule"]

MakeTrigger = Callable[..., Trigger]
HOURLY = {"expression": "cron(0 * * * ? *)"}


def test_trigger_that_did_not_run_is_one_alert(
    make_rule: MakeRule, make_trigger: MakeTrigger, stopped: Process
) -> None:
    make_rule(Happening.MISSED)
    set_due(make_trigger(schedule_config=HOURLY), DUE)
    for hour in range(1, 25):
        look(DUE + hour * HOUR)
    assert told() == ["missed"]


def test_scheduler_that_is_back_after_a_day_tells_nothing_twice(
    make_rule: MakeRule, make_trigger: MakeTrigger, scheduler: Callable[..., Any]
) -> None:
    make_rule(Happening.MISSED)
    due = (timezone.now() - DAY).replace(minute=0, second=0, microsecond=0)
    for number in range(3):
        set_due(make_trigger(name=f"T{number}", schedule_config=HOURLY), due)
    process(due - MINUTE)
    look(timezone.now())
    handle_all()
    with scheduler():
        wait_for(lambda: TriggerExecution.objects.filter(outcome="missed").count() >= 3 * 23)
    assert told() == []


def test_late_run(make_rule: MakeRule, make_trigger: MakeTrigger, db: None) -> None:
    make_rule(Happening.LATE, Happening.MISSED)
    set_due(make_trigger(schedule_config=HOURLY), DUE)
    process(DUE + HOUR)
    look(DUE + HOUR)
    [row] = Happened.objects.waiting()
    assert (row.kind, row.params["minutes"]) == ("late", 60)


def test_run_that_takes_too_long_is_named(make_rule: MakeRule, make_trigger: MakeTrigger) -> None:
    make_rule(Happening.TOO_LONG)
    trigger = make_trigger(run_within_seconds=60)
    run = runner.start(Occurrence.scheduled("alice", trigger.pk, timezone.now()), lease=HOUR)
    assert run is not None
    enforce(timezone.now() + 2 * MINUTE)
    [row] = Happened.objects.waiting()
    assert (row.kind, row.execution_id) == ("too_long", run.execution.pk)


def test_web_server_tells_and_delivers_that_no_scheduler_is_alive(
    transactional_db: None, make_rule: MakeRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watch, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(courier, "POLL_SECONDS", 0.1)
    make_rule(Happening.NO_SCHEDULER)
    process(timezone.now() - HOUR)
    with beside_the_web_server():
        delivery = wait_for(lambda: Delivery.objects.first())
    assert delivery is not None
