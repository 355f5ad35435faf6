"""Events and patterns that are together more work than is done: told, and nobody else's delay."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import EventState, ReceivedEvent
from executions.fan_out import Distributor
from executions.lambda_handler import handler
from executions.models import Source, TriggerExecution
from tests.conftest import wait_for
from tests.integration.fan_out.conftest import Listen, Send, runs
from tests.integration.fan_out.test_local import take
from tests.integration.handler.test_handler import Context
from tests.integration.scheduler.conftest import make_due
from triggers.models import Trigger

# 100 questions to each of 20,000 objects.
DEAR = {"detail": {"items": {f"n{place}": [{"exists": False}] for place in range(100)}}}
LARGE = {"type": "order.paid", "items": [{}] * 20_000}
MakeSource = Callable[..., Any]


def skipped(trigger: Trigger) -> tuple[int, str]:
    found = Trigger.objects.get(user_id=trigger.user_id, pk=trigger.pk)
    return found.skipped_runs, found.last_skip_reason


def test_trigger_counts_the_event_as_dropped_and_others_run(
    source: MakeSource, send: Send, listen: Listen
) -> None:
    source()
    dear = listen({"eventPattern": DEAR}, user_id="mallory")
    listen()
    send(LARGE)
    take()
    reason = "The event has too many values to compare it with the trigger's pattern: ask for fewer"
    count, told = skipped(dear)
    assert ([run.user_id for run in runs()], count, told.startswith(reason)) == (
        ["alice"],
        1,
        True,
    )


def test_event_is_handled_once(source: MakeSource, send: Send, listen: Listen) -> None:
    source()
    dear = listen({"eventPattern": DEAR, "debounceSeconds": 60})
    send(LARGE)
    take()
    take()
    states = [event.state for event in ReceivedEvent.objects.of_source("shop")]
    assert (states, skipped(dear)[0]) == ([EventState.DONE], 1)


def test_log_names_the_trigger(
    source: MakeSource, send: Send, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    source()
    dear = listen({"eventPattern": DEAR})
    send(LARGE)
    with caplog.at_level(logging.ERROR):
        take()
    found = [(record.triggerId, record.message) for record in caplog.records]  # type: ignore[attr-defined]
    assert [(key, text.startswith("An event was dropped")) for key, text in found] == [
        (dear.pk, True)
    ]


def test_pattern_of_a_source_is_told_of_on_its_triggers(
    source: MakeSource, send: Send, listen: Listen
) -> None:
    source()
    source("dear", kind="bus", pattern=DEAR)
    behind, beside = listen({"eventSourceId": "dear"}), listen()
    send(LARGE)
    take()
    assert "the pattern of the event source" in skipped(behind)[1]
    assert [run.trigger_id for run in runs()] == [beside.pk]


def test_function_counts_it_too(source: MakeSource, listen: Listen) -> None:
    source()
    dear = listen({"eventPattern": DEAR})
    event = {"id": "1", "source": "a", "detail-type": "b", "detail": LARGE}
    handler({"_eventSourceId": "shop", "event": event}, Context())
    assert (runs(), skipped(dear)[0]) == ([], 1)


def test_schedules_do_not_wait_for_patterns(
    source: MakeSource,
    send: Send,
    listen: Listen,
    make_trigger: Callable[..., Trigger],
    scheduler: Callable[..., Any],
) -> None:
    source()
    for number in range(40):
        listen({"eventPattern": DEAR}, user_id="mallory", name=f"Dear {number}")
    send(LARGE)
    made = make_trigger()
    make_due(made, -timedelta(seconds=1))

    def fired() -> list[TriggerExecution]:
        return runs(source=Source.SCHEDULE)

    with scheduler():
        began = time.monotonic()
        run = wait_for(fired)[0]
        was_queued = ReceivedEvent.objects.queued().exists()
        lag = (run.started_at - run.scheduled_at).total_seconds()
        # All patterns take seconds; the schedule fires meanwhile.
        assert (was_queued, lag < 2.0) == (True, True), f"{lag} s, {time.monotonic() - began} s"


def test_event_is_handled_in_slices_and_once(
    source: MakeSource, send: Send, listen: Listen
) -> None:
    source()
    for user in ("alice", "bob", "carol"):
        listen({"eventPattern": {"detail-type": ["order.paid"]}}, user_id=user)
    send({"type": "order.paid"})
    distributor = Distributor(most_steps=1)
    taken = []
    while queued := list(ReceivedEvent.objects.queued()):
        taken.append((distributor.distribute(queued), len(runs())))
    # One pattern a slice, and runs once all are asked.
    assert (len(taken) > 3, set(taken[:-1]), taken[-1]) == (True, {(0, 0)}, (1, 3))


def test_runs_of_events_begin_soon(
    source: MakeSource, send: Send, listen: Listen, scheduler: Callable[..., Any]
) -> None:
    source()
    listen()
    with scheduler():
        send({"type": "order.paid"})
        sent = timezone.now()
        began = wait_for(lambda: [run for run in runs() if run.attempt])[0].started_at
    assert (began - sent).total_seconds() < 2.0
