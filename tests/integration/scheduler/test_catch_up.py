"""`catchUp`: what a scheduler starts late after it was stopped, and what it records as missed."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.models import TriggerExecution
from tests.conftest import wait_for
from tests.integration.api.conftest import API, alice
from tests.integration.eventbridge.conftest import eventbridge
from triggers.catch_up import MOST_CAUGHT_UP, catches_up_since
from triggers.models import CatchUp, LocalSchedule, Outcome, Trigger
from triggers.schedulers.eventbridge import schedule_of

from .conftest import executions

__all__ = ["alice", "eventbridge"]

MakeTrigger = Callable[..., Trigger]
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def stop_since(trigger: Trigger, hours: int) -> datetime:
    """Set the schedule as a scheduler left it that stopped so many hours ago."""
    [first] = trigger.next_runs(timezone.now() - hours * HOUR, 1)
    LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=first, due_at=first)
    return first


def run() -> list[TriggerExecution]:
    return [one for one in executions() if one.outcome == Outcome.SUCCESS]


def missed() -> list[TriggerExecution]:
    return [one for one in executions() if one.outcome == Outcome.MISSED]


def settled(trigger: Trigger) -> bool:
    """Whether the scheduler has moved the schedule on to what lies ahead."""
    row = LocalSchedule.objects.get(pk=trigger.pk)
    return row.next_run_at > timezone.now()


@pytest.mark.parametrize(
    ("catch_up", "runs", "has_missed"),
    [("recent", 0, True), ("none", 0, True), ("last", 1, True), ("all", 5, False)],
)
def test_after_a_stop(
    trigger: MakeTrigger, scheduler: Callable, catch_up: str, runs: int, has_missed: bool
) -> None:
    # No occurrence is due during the test, nor in the ten minutes before it.
    minute = (timezone.now() - 20 * MINUTE).minute
    made = trigger(expression=f"cron({minute} * * * ? *)", catch_up=catch_up)
    stop_since(made, 5)
    with scheduler():
        wait_for(lambda: settled(made))
        wait_for(lambda: len(run()) >= runs)
    assert (len(run()), bool(missed())) == (runs, has_missed)


def test_the_last_one_is_the_one_that_runs(trigger: MakeTrigger, scheduler: Callable) -> None:
    minute = (timezone.now() - 20 * MINUTE).minute
    made = trigger(expression=f"cron({minute} * * * ? *)", catch_up="last")
    stop_since(made, 5)
    last = made.last_run(timezone.now())
    with scheduler():
        wait_for(run)
    assert run()[0].scheduled_at == last


def test_nothing_late_means_not_even_what_is_recent(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    minute = (timezone.now() - 5 * MINUTE).minute
    made = trigger(expression=f"cron({minute} * * * ? *)", catch_up="none")
    stop_since(made, 1)
    with scheduler():
        wait_for(lambda: settled(made))
        time.sleep(0.5)
    assert run() == []


def test_all_is_bounded(trigger: MakeTrigger) -> None:
    made = trigger(expression="cron(* * * * ? *)", catch_up="all")
    now = timezone.now()
    since = catches_up_since(made, now - 24 * HOUR, now, 10 * MINUTE)
    assert len(made.next_runs(since - MINUTE / 2, 2000)[:MOST_CAUGHT_UP]) == MOST_CAUGHT_UP
    assert now - since <= MOST_CAUGHT_UP * MINUTE


def test_a_trigger_chooses_it_by_the_api(alice: API) -> None:
    assert alice.create(catchUp="last")["catchUp"] == "last"


def test_a_new_trigger_catches_up_what_is_recent(alice: API) -> None:
    assert alice.create()["catchUp"] == "recent"


def test_another_word_says_what_to_give(alice: API) -> None:
    made = alice.create()
    response = alice.patch(f"/triggers/{made['id']}", {"catchUp": "some"})
    assert response.json()["message"] == "catchUp: Give one of recent, none, last, all."


@pytest.mark.parametrize(
    ("catch_up", "retries", "seconds"),
    [
        (CatchUp.RECENT, 3, 600),
        (CatchUp.NONE, 3, 60),
        (CatchUp.LAST, 185, 86_400),
        (CatchUp.ALL, 185, 86_400),
    ],
)
def test_eventbridge_tries_as_long(
    eventbridge: Any, make_trigger: MakeTrigger, catch_up: str, retries: int, seconds: int
) -> None:
    policy = schedule_of(make_trigger(catch_up=catch_up))["Target"]["RetryPolicy"]
    assert policy == {"MaximumRetryAttempts": retries, "MaximumEventAgeInSeconds": seconds}
