"""Lines of concurrency keys where a Lambda function runs triggers."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from agents.demo import DemoAgent
from executions import runner
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from executions.runner import Occurrence
from executions.runner.lines import repair
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_handler import Context, agent, event_of, runs_of
from tests.integration.lines.test_lines import arrive, line_of, listen
from triggers.models import RunStatus, Trigger

__all__ = ["agent", "function", "listen"]

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def trigger(transactional_db: None, make_trigger: MakeTrigger) -> Trigger:
    return make_trigger(overlap_policy="buffer_one")


def sent(function: Function) -> list[dict[str, Any]]:
    found = [json.loads(request.body) for request in function.requests]
    function.requests.clear()
    return found


def begun(trigger: Trigger) -> runner.Run:
    """A run under way in another process, which began a minute ago."""
    due = timezone.now() - timedelta(minutes=1)
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    assert run is not None
    return run


def test_a_schedule_that_finds_no_place_waits(
    trigger: Trigger, function: Function, agent: DemoAgent
) -> None:
    begun(trigger)
    answer = handler(event_of(trigger), Context())
    states = sorted(run.attempt for run in runs_of(trigger))
    assert (answer["status"], states, sent(function)) == ("skipped", [0, 1], [])


def test_the_end_invokes_the_function_for_the_next(
    trigger: Trigger, function: Function, agent: DemoAgent
) -> None:
    run = begun(trigger)
    handler(event_of(trigger), Context())
    runner.close(run.execution, RunStatus.COMPLETED)
    for event in sent(function):
        handler(event, Context())
    assert {each.status for each in runs_of(trigger)} == {RunStatus.COMPLETED}


def test_a_place_that_could_not_be_told_is_told_again(
    trigger: Trigger, function: Function, agent: DemoAgent
) -> None:
    run = begun(trigger)
    handler(event_of(trigger), Context())
    function.status = 500
    runner.close(run.execution, RunStatus.COMPLETED)
    function.status = 202
    function.requests.clear()
    repair(timezone.now() + timedelta(minutes=3))
    for event in sent(function):
        handler(event, Context())
    assert {each.status for each in runs_of(trigger)} == {RunStatus.COMPLETED}


def test_events_wait_for_the_same_customer(
    listen: MakeTrigger, function: Function, agent: DemoAgent
) -> None:
    trigger = listen(concurrency_key="{{ event.detail.customer }}")
    for customer in ("ann", "ann", "bob"):
        arrive(trigger, customer=customer)
    assert len(sent(function)) == 2


@pytest.mark.dynamodb
def test_many_at_the_same_moment_get_the_places_that_there_are(
    make_trigger: MakeTrigger, function: Function
) -> None:
    trigger = make_trigger(overlap_policy="allow", max_concurrent=2)
    now = timezone.now()

    def fire(number: int) -> bool:
        try:
            due = now + timedelta(seconds=number)
            occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, due)
            return runner.start(occurrence) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(fire, range(8)))
    line = line_of(trigger)
    records = TriggerExecution.objects.filter(trigger_id=trigger.pk).count()
    assert (sum(started), len(line.holders), line.waiting, records) == (2, 2, 6, 8)
