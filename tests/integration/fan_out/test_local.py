"""Events on one machine: from a source's address to the runs of all triggers that listen."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.test import Client
from django.utils import timezone

from agents.demo import DemoAgent
from events import sources
from events.models import EventSource, EventState, ReceivedEvent
from executions.dispatchers.local import LocalDispatcher
from executions.fan_out import distribute
from executions.models import PendingEvent, QueuedRun, TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from tests.conftest import wait_for
from tests.integration.fan_out.conftest import Listen, Send, runs
from tests.integration.scheduler.conftest import make_due
from triggers.models import RunStatus, Trigger

CLOUD = {"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "order.paid", "data": {}}
PAID = {"type": "order.paid", "order": {"id": 4711}}

MakeSource = Callable[..., Any]


def take() -> None:
    """Do what the scheduler process does with the events that wait."""
    while queued := list(ReceivedEvent.objects.queued()[:100]):
        distribute(queued)


def listeners() -> list[str]:
    """Whose triggers have run."""
    return sorted(run.user_id for run in runs())


class TestWhoRuns:
    def test_all_that_listen(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        for user in ("alice", "alice", "bob"):
            listen(user_id=user)
        send(PAID)
        take()
        assert listeners() == ["alice", "alice", "bob"]

    def test_not_the_disabled(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        listen(enabled=False)
        send(PAID)
        take()
        assert runs() == []

    def test_not_those_of_another_source(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        source("other")
        listen({"eventSourceId": "other"})
        send(PAID)
        take()
        assert runs() == []

    @pytest.mark.parametrize(("wanted", "number"), [("order.paid", 1), ("order.lost", 0)])
    def test_pattern_narrows_the_source(
        self, source: MakeSource, send: Send, listen: Listen, wanted: str, number: int
    ) -> None:
        source()
        listen({"eventPattern": {"detail-type": [wanted]}})
        send(PAID)
        take()
        assert len(runs()) == number

    def test_pattern_of_the_source_narrows_it(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source(pattern={"detail": {"order": {"id": [1]}}})
        listen()
        send(PAID)
        take()
        assert runs() == []

    def test_pattern_on_the_bus(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        listen({"eventSourceId": None, "eventPattern": {"source": ["webhook.shop"]}})
        send(PAID)
        take()
        assert listeners() == ["alice"]

    def test_pattern_on_another_bus(
        self, source: MakeSource, send: Send, listen: Listen, settings: Any
    ) -> None:
        settings.EVENT_BUSES = ["other"]
        source()
        pattern = {"eventPattern": {"source": ["webhook.shop"]}, "eventBusName": "other"}
        listen({"eventSourceId": None, **pattern})
        send(PAID)
        take()
        assert runs() == []

    def test_source_of_a_bus(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        source("paid", kind="bus", pattern={"detail-type": ["order.paid"]})
        listen({"eventSourceId": "paid"})
        send(PAID)
        take()
        assert listeners() == ["alice"]

    def test_one_bad_trigger_stops_no_other(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        bad = listen(user_id="bob")
        listen()
        broken = {"eventSourceId": "shop", "eventPattern": {"source": "no list"}}
        Trigger.objects.filter(user_id="bob", pk=bad.pk).update(event_config=broken)
        send(PAID)
        take()
        assert listeners() == ["alice"]

    def test_trigger_whose_run_cannot_be_put_on_record_stops_no_other(
        self, source: MakeSource, send: Send, listen: Listen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source()
        listen()
        bad = listen(user_id="bob")
        listen()
        dispatch_all = LocalDispatcher.dispatch_all

        def fail(self: LocalDispatcher, runs: Sequence[TriggerExecution]) -> None:
            if bad.pk in {run.trigger_id for run in runs}:
                raise DataError("too large")
            dispatch_all(self, runs)

        monkeypatch.setattr(LocalDispatcher, "dispatch_all", fail)
        send(PAID)
        take()
        states = [event.state for event in ReceivedEvent.objects.of_source("shop")]
        assert (listeners(), states) == (["alice", "alice"], [EventState.FAILED])

    def test_source_with_a_broken_pattern_stops_no_other(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        source("broken", kind="bus", pattern={"source": ["x"]})
        EventSource.objects.filter(pk="broken").update(pattern={"source": "no list"})
        listen()
        send(PAID)
        take()
        assert listeners() == ["alice"]


class TestOnce:
    def test_event_sent_twice(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        listen()
        for _ in range(2):
            send(PAID, key="msg-1")
            take()
        assert len(runs()) == 1

    def test_event_handled_twice(self, source: MakeSource, send: Send, listen: Listen) -> None:
        """As after a process that died when only some of the runs were on record."""
        source()
        for _ in range(3):
            listen()
        send(PAID)
        take()
        lost = runs()[0].pk
        for model in (TriggerExecution, QueuedRun):
            model.objects.filter(pk=lost)._raw_delete("default")
        ReceivedEvent.objects.of_source("shop").update(state=EventState.QUEUED)
        take()
        assert (len(runs()), QueuedRun.objects.count()) == (3, 3)

    def test_event_that_another_process_has(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        listen()
        send(PAID)
        seen = list(ReceivedEvent.objects.queued())
        take()
        distribute(seen)
        assert len(runs()) == 1

    def test_more_triggers_than_one_transaction_takes(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        first = listen()
        for number in range(119):
            values = {"name": f"T{number}", "user_id": f"u{number}", "type": "event"}
            Trigger(**values, event_config=first.event_config, overlap_policy="allow").save()
        send(PAID)
        take()
        assert len({run.trigger_id for run in runs()}) == 120


class TestBadEvents:
    def test_unreadable_event_stops_no_other(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        listen()
        for _ in range(2):
            send(PAID)
        first = ReceivedEvent.objects.queued()[0]
        ReceivedEvent.objects.filter(pk=first.pk).update(envelope="{")
        take()
        states = sorted(event.state for event in ReceivedEvent.objects.of_source("shop"))
        assert (states, len(runs())) == ([EventState.DONE, EventState.FAILED], 1)

    def test_event_that_the_record_cannot_hold(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        trigger = listen()
        send({**PAID, "note": "ä" * 105_000})
        take()
        trigger.refresh_from_db()
        assert (runs(), trigger.skipped_runs, trigger.last_skip_reason_code) == (
            [],
            1,
            "event_too_large",
        )


class TestStorms:
    def test_runs_beyond_the_limit_are_dropped_and_counted(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        trigger = listen({"maxRunsPerHour": 2})
        for _ in range(5):
            send(PAID)
        take()
        trigger.refresh_from_db()
        told = trigger.skipped_runs, trigger.last_skip_reason_code
        assert (len(runs()), told) == (2, (3, "too_many_events"))

    def test_limit_is_on_record_once_an_hour(
        self, source: MakeSource, send: Send, listen: Listen, client: Client
    ) -> None:
        source()
        trigger = listen({"maxRunsPerHour": 2})
        for _ in range(2):
            for _ in range(3):
                send(PAID)
            take()
        entry = AuditEntry.objects.get(object_id=trigger.pk)
        told = (entry.actor, entry.action, "maxRunsPerHour is 2." in entry.reason)
        client.force_login(Operator.objects.create_operator("vera"))
        page = client.get(f"/console/triggers/{trigger.pk}").content.decode()
        assert (told, "2 so far" in page, entry.reason in page) == (
            ("system: events", "held back", True),
            True,
            True,
        )

    def test_limit_holds_for_an_hour(self, source: MakeSource, send: Send, listen: Listen) -> None:
        source()
        trigger = listen({"maxRunsPerHour": 1})
        send(PAID)
        take()
        earlier = timezone.now() - timedelta(hours=1, seconds=1)
        Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(hour_began_at=earlier)
        send(PAID)
        take()
        assert len(runs()) == 2

    def test_event_during_a_run_is_dropped_where_runs_may_not_overlap(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        trigger = listen(overlap_policy="skip")
        for _ in range(3):
            send(PAID)
        take()
        trigger.refresh_from_db()
        assert (len(runs()), trigger.skipped_runs) == (1, 2)

    def test_events_that_follow_each_other_run_once_with_the_latest(
        self, source: MakeSource, send: Send, listen: Listen, scheduler: Any
    ) -> None:
        source()
        listen({"debounceSeconds": 1}, prompt="Order {{ event.detail.order.id }}.")
        for number in range(3):
            send({**PAID, "order": {"id": number}})
        with scheduler():
            wait_for(lambda: [run for run in runs() if run.status == RunStatus.COMPLETED])
        assert ['"id": 2' in run.event_payload for run in runs()] == [True]

    def test_waiting_event_that_cannot_be_read_stops_no_other(
        self, source: MakeSource, send: Send, listen: Listen, scheduler: Any
    ) -> None:
        source()
        bad = listen({"debounceSeconds": 1})
        good = listen({"debounceSeconds": 1})
        send(PAID)
        take()
        PendingEvent.objects.filter(pk=bad.pk).update(envelope="{", due_at=timezone.now())
        with scheduler():
            wait_for(lambda: [run for run in runs() if run.trigger_id == good.pk])
        assert {run.trigger_id for run in runs()} == {good.pk}

    def test_merged_events_are_counted(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        trigger = listen({"debounceSeconds": 60})
        for _ in range(3):
            send(PAID)
        take()
        trigger.refresh_from_db()
        assert (runs(), trigger.skipped_runs) == ([], 2)

    def test_trigger_that_is_disabled_meanwhile_does_not_run(
        self, source: MakeSource, send: Send, listen: Listen, scheduler: Any
    ) -> None:
        source()
        trigger = listen({"debounceSeconds": 1})
        send(PAID)
        take()
        trigger.disable()
        trigger.save()
        with scheduler():
            wait_for(lambda: Trigger.objects.get(user_id="alice", pk=trigger.pk).skipped_runs)
        assert runs() == []


class TestSchedules:
    @pytest.fixture
    def due(self, transactional_db: None) -> Trigger:
        """A trigger whose schedule is due."""
        every = {"expression": "rate(1 hour)"}
        values = {"user_id": "bob", "name": "Hourly", "agent_id": "clerk", "prompt": "Count."}
        trigger = Trigger(**values, schedule_config=every)
        trigger.save()
        make_due(trigger)
        return trigger

    def test_events_that_wait_for_a_free_place_let_schedules_before(
        self,
        source: MakeSource,
        send: Send,
        listen: Listen,
        due: Trigger,
        scheduler: Any,
        settings: Any,
    ) -> None:
        settings.SCHEDULER_CONCURRENCY = 1
        source()
        listen()
        for _ in range(5):
            send(PAID)
        take()
        with scheduler():
            begun = wait_for(lambda: list(TriggerExecution.objects.filter(attempt=1)))
        assert min(begun, key=lambda run: run.started_at).trigger_id == due.pk

    def test_schedules_fire_where_events_cannot_be_taken(
        self,
        source: MakeSource,
        send: Send,
        due: Trigger,
        scheduler: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError

        monkeypatch.setattr(sources, "all_sources", fail)
        source()
        send(PAID)
        with scheduler():
            assert wait_for(lambda: runs(trigger_id=due.pk))


class TestRun:
    def test_agent_gets_the_event_in_the_prompt(
        self,
        source: MakeSource,
        send: Send,
        listen: Listen,
        scheduler: Any,
        demo_agent: DemoAgent,
    ) -> None:
        source()
        listen(prompt='Order {{ event.detail.order.id }}, a {{ event["detail-type"] }}.')
        send(PAID)
        with scheduler():
            wait_for(lambda: [run for run in runs() if run.status == RunStatus.COMPLETED])
        assert "Order 4711, a order.paid." in runs()[0].said.text

    def test_patterns_and_prompts_reach_what_a_cloudevent_says_besides(
        self,
        source: MakeSource,
        send: Send,
        listen: Listen,
        scheduler: Any,
        demo_agent: DemoAgent,
    ) -> None:
        source()
        for tenant in ("acme", "other"):
            pattern = {"detail": {"cloudevent": {"tenant": [tenant]}}}
            listen({"eventPattern": pattern}, prompt="For {{ event.detail.cloudevent.tenant }}.")
        send({**CLOUD, "tenant": "acme"})
        with scheduler():
            wait_for(lambda: [run for run in runs() if run.status == RunStatus.COMPLETED])
        assert ["For acme." in run.said.text for run in runs()] == [True]

    def test_source_of_the_run_is_the_event(
        self, source: MakeSource, send: Send, listen: Listen
    ) -> None:
        source()
        listen()
        send(PAID)
        take()
        assert [run.source for run in runs()] == ["event"]

    @pytest.mark.sqlite
    def test_fifty_triggers_cost_little_more_than_one(
        self, source: MakeSource, send: Send, listen: Listen, django_assert_max_num_queries: Any
    ) -> None:
        source()
        first = listen()
        for number in range(49):
            values = {"name": f"T{number}", "user_id": "bob", "type": "event"}
            Trigger(**values, event_config=first.event_config, overlap_policy="allow").save()
        send(PAID)
        with django_assert_max_num_queries(14):
            take()
