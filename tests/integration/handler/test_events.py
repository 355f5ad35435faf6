"""Events that rules bring to the Lambda function: each for all triggers that listen, each once."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.demo import DemoAgent
from executions.dispatchers import get_dispatcher
from executions.lambda_handler import EventError, NotStartedError, handler
from executions.models import PendingEvent, TriggerExecution
from moca.aws import clients as aws
from moca.logs import ContextFilter
from moca.times import iso
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_handler import Context, agent
from triggers.models import RunStatus, Trigger

__all__ = ["agent", "function"]

MakeTrigger = Callable[..., Trigger]


def event(**parts: Any) -> dict[str, Any]:
    """What an event is on the bus."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "order.paid",
        "source": "my.shop",
        "account": "123456789012",
        "time": iso(timezone.now()),
        "region": "eu-central-1",
        "resources": [],
        "detail": {"order": {"id": 4711}},
        **parts,
    }


def of_source(source_id: str = "orders", **parts: Any) -> dict[str, Any]:
    return {"_eventSourceId": source_id, "event": event(**parts)}


def of_trigger(trigger: Trigger, **parts: Any) -> dict[str, Any]:
    key = {"userId": trigger.user_id, "triggerId": trigger.pk}
    return {"_trigger": key, "event": event(**parts)}


def runs() -> list[TriggerExecution]:
    return list(TriggerExecution.objects.order_by("id"))


@pytest.fixture
def listen(transactional_db: None, make_trigger: MakeTrigger) -> MakeTrigger:
    """Make an event trigger; `config` is its `eventConfig`."""

    def make(config: dict[str, Any] | None = None, **fields: Any) -> Trigger:
        values = {"type": "event", "schedule_config": None, "overlap_policy": "allow"}
        return make_trigger(
            **{**values, "event_config": config or {"eventSourceId": "orders"}, **fields}
        )

    return make


@pytest.fixture
def invoked(function: Function, agent: DemoAgent) -> Callable[[], list[dict[str, Any]]]:
    """Invoke the handler with what it has sent to itself; returns the answers."""

    def invoke() -> list[dict[str, Any]]:
        sent = [json.loads(request.body) for request in function.requests]
        function.requests.clear()
        return [handler(one, Context()) for one in sent]

    return invoke


class TestFanOut:
    def test_all_that_listen_have_a_run(self, listen: MakeTrigger, function: Function) -> None:
        made = [listen(user_id=user) for user in ("alice", "alice", "bob")]
        handler(of_source(), Context())
        assert {run.trigger_id for run in runs()} == {trigger.pk for trigger in made}

    def test_each_is_an_invocation_of_its_own(
        self, listen: MakeTrigger, function: Function
    ) -> None:
        for _ in range(3):
            listen()
        handler(of_source(), Context())
        kinds = [json.loads(request.body)["detail-type"] for request in function.requests]
        assert kinds == ["Run Requested"] * 3

    def test_agent_gets_the_event(self, listen: MakeTrigger, invoked: Callable[[], Any]) -> None:
        listen(prompt="Order {{ event.detail.order.id }}.")
        handler(of_source(), Context())
        invoked()
        assert "Order 4711." in runs()[0].said.text

    def test_pattern_narrows_the_source(self, listen: MakeTrigger, function: Function) -> None:
        listen({"eventSourceId": "orders", "eventPattern": {"detail-type": ["order.lost"]}})
        handler(of_source(), Context())
        assert runs() == []

    def test_disabled_and_others_do_not_run(self, listen: MakeTrigger, function: Function) -> None:
        listen(enabled=False)
        listen({"eventSourceId": "uploads"})
        handler(of_source(), Context())
        assert runs() == []

    def test_event_of_a_rule_of_the_typescript_service(
        self, listen: MakeTrigger, function: Function
    ) -> None:
        listen()
        handler({**event(), "_eventSourceId": "orders"}, Context())
        assert '"_eventSourceId"' not in runs()[0].event_payload

    def test_event_of_a_triggers_own_rule(self, listen: MakeTrigger, function: Function) -> None:
        mine = listen({"eventPattern": {"source": ["my.shop"]}})
        listen({"eventPattern": {"source": ["my.shop"]}})
        handler(of_trigger(mine), Context())
        assert [run.trigger_id for run in runs()] == [mine.pk]

    def test_trigger_that_listens_to_a_source_by_now(
        self, listen: MakeTrigger, function: Function
    ) -> None:
        """The rule may be there a moment longer than the trigger wants it."""
        handler(of_trigger(listen()), Context())
        assert runs() == []

    def test_one_bad_trigger_stops_no_other(self, listen: MakeTrigger, function: Function) -> None:
        bad, good = listen(user_id="bob"), listen()
        broken = {"eventSourceId": "orders", "eventPattern": {"source": "x"}}
        Trigger.objects.filter(user_id="bob", pk=bad.pk).update(event_config=broken)
        handler(of_source(), Context())
        assert [run.trigger_id for run in runs()] == [good.pk]


class TestOnce:
    def test_event_delivered_twice(self, listen: MakeTrigger, invoked: Callable[[], Any]) -> None:
        listen()
        sent = of_source()
        handler(sent, Context())
        invoked()
        handler(sent, Context())
        assert (len(runs()), invoked()) == (1, [])

    def test_event_of_our_address_has_its_own_id(
        self, listen: MakeTrigger, function: Function
    ) -> None:
        """Put on the bus a second time, it has another of EventBridge's ids."""
        listen()
        sent = {"resources": ["moca-event/abc"], "time": iso(timezone.now())}
        for key in ("1", "2"):
            handler(of_source(id=key, **sent), Context())
        assert len(runs()) == 1

    def test_event_that_an_archive_replays_runs_once_a_replay(
        self, listen: MakeTrigger, function: Function
    ) -> None:
        listen()
        moment = iso(timezone.now())
        mark = {"resources": [f"moca-event/{'a' * 64}"], "time": moment}
        for name in ("", "monday", "monday", "t" * 64):
            handler(of_source(**mark, **({"replay-name": name} if name else {})), Context())
        assert len(runs()) == 3

    @pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "x"])
    @pytest.mark.parametrize("minutes", [1, 59])
    def test_event_of_another_time_delivered_twice(
        self,
        listen: MakeTrigger,
        function: Function,
        monkeypatch: pytest.MonkeyPatch,
        moment: str,
        minutes: int,
    ) -> None:
        listen()
        sent = of_source(time=moment)
        hour = timezone.now().replace(minute=59, second=0)
        for now in (hour, hour + timedelta(minutes=minutes)):
            monkeypatch.setattr(timezone, "now", lambda now=now: now)
            handler(sent, Context())
        assert len(runs()) == 1

    def test_lines_about_a_delivery_name_the_request(
        self, listen: MakeTrigger, function: Function, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):
            listen()
        function.status = 403
        caplog.handler.addFilter(ContextFilter())
        with pytest.raises(NotStartedError):
            handler(of_source(), Context())
        lines = [line for line in caplog.records if line.name == "executions.fan_out"]
        requests = [getattr(line, "requestId", "") for line in lines]
        assert requests == [Context.aws_request_id] * 2

    def test_refused_invocation_is_made_again(
        self, listen: MakeTrigger, function: Function, invoked: Callable[[], Any]
    ) -> None:
        listen()
        sent = of_source()
        function.status = 403
        with pytest.raises(NotStartedError):
            handler(sent, Context())
        function.status = 202
        function.requests.clear()
        handler(sent, Context())
        invoked()
        assert [run.status for run in runs()] == [RunStatus.COMPLETED]

    def test_refused_invocation_is_made_again_where_runs_are_limited(
        self, listen: MakeTrigger, function: Function, invoked: Callable[[], Any]
    ) -> None:
        """The run on record has taken the only place of the hour, which is its own."""
        listen({"eventSourceId": "orders", "maxRunsPerHour": 1})
        sent = of_source()
        function.status = 403
        with pytest.raises(NotStartedError):
            handler(sent, Context())
        function.status = 202
        function.requests.clear()
        handler(sent, Context())
        invoked()
        assert [run.status for run in runs()] == [RunStatus.COMPLETED]

    @pytest.mark.parametrize(
        "fields",
        [
            {"overlap_policy": "skip"},
            {"config": {"eventSourceId": "orders", "maxRunsPerHour": 1}},
        ],
    )
    def test_second_delivery_is_not_counted_as_dropped(
        self, listen: MakeTrigger, function: Function, fields: dict[str, Any]
    ) -> None:
        trigger = listen(**fields)
        sent = of_source()
        for _ in range(2):
            handler(sent, Context())
        trigger.refresh_from_db()
        assert (len(runs()), trigger.skipped_runs) == (1, 0)

    def test_run_that_is_going_is_not_begun_again(
        self, listen: MakeTrigger, function: Function, agent: DemoAgent
    ) -> None:
        listen()
        sent = of_source()
        for _ in range(2):
            handler(sent, Context())
        for request in function.requests:
            handler(json.loads(request.body), Context())
        calls = [request for request in agent.requests if request.path == "/invocations"]
        assert len(calls) == 1


class TestPause:
    @pytest.fixture
    def schedules(
        self, function: Function, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[list[dict[str, Any]]]:
        """What EventBridge Scheduler was told."""
        settings.SCHEDULE_GROUP_NAME = "moca"
        settings.SCHEDULER_ROLE_ARN = "arn:aws:iam::123456789012:role/moca-scheduler"
        told: list[dict[str, Any]] = []
        service = aws.client("scheduler")
        service.meta.events.register(
            "provide-client-params.scheduler.CreateSchedule",
            lambda params, **_: told.append(params),
        )
        service.meta.events.register_first("before-send.scheduler.*", Function().answer)
        yield told
        get_dispatcher.cache_clear()

    @pytest.fixture
    def paused(self, listen: MakeTrigger, schedules: list[dict[str, Any]]) -> Trigger:
        return listen({"eventSourceId": "orders", "debounceSeconds": 60})

    def test_one_schedule_looks_again(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        for number in range(3):
            handler(of_source(id=str(number)), Context())
        assert (len(schedules), runs()) == (1, [])

    def test_schedule_goes_by_itself(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        handler(of_source(), Context())
        sent = schedules[0]
        assert (sent["ActionAfterCompletion"], sent["ScheduleExpression"][:3]) == ("DELETE", "at(")

    def test_event_runs_when_the_pause_is_over(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        for number in range(2):
            handler(of_source(id=str(number), detail={"number": number}), Context())
        PendingEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        handler(json.loads(schedules[0]["Target"]["Input"]), Context())
        assert ['"number": 1' in run.event_payload for run in runs()] == [True]

    def test_earlier_event_that_comes_again_does_not_take_the_place_of_the_latest(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        begun = timezone.now().replace(microsecond=0)
        for number in (1, 2, 1):
            moment = iso(begun + timedelta(seconds=number))
            handler(of_source(id=str(number), time=moment, detail={"n": number}), Context())
        PendingEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        handler(json.loads(schedules[0]["Target"]["Input"]), Context())
        assert ['"n": 2' in run.event_payload for run in runs()] == [True]

    def test_event_without_a_time_that_comes_again_in_the_next_hour_is_no_further_one(
        self, paused: Trigger, schedules: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hour = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        for moment in (hour - timedelta(seconds=5), hour + timedelta(seconds=5)):
            monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
            handler(of_source(time="no time"), Context())
        paused.refresh_from_db()
        assert (PendingEvent.objects.get().events, paused.skipped_runs) == (1, 0)

    def test_event_that_has_run_does_not_take_the_place_of_the_next(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        """The next may have happened before, and have come later."""
        ago = [timezone.now() - timedelta(seconds=each) for each in (1, 2)]
        first, second = (of_source(id=iso(at), time=iso(at)) for at in ago)
        for sent in ([first], [first, second]):
            for each in sent:
                handler(each, Context())
            PendingEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))
            handler(json.loads(schedules[0]["Target"]["Input"]), Context())
        assert len(runs()) == 2

    def test_it_looks_later_while_events_come(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        handler(of_source(), Context())
        answer = handler(json.loads(schedules[0]["Target"]["Input"]), Context())
        assert (answer["status"], len(schedules), runs()) == ("waiting", 2, [])

    def test_reconciler_runs_what_no_schedule_has_looked_at(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        """Else all further events would wait with it for ever."""
        handler(of_source(), Context())
        PendingEvent.objects.update(due_at=timezone.now() - timedelta(minutes=3))
        handler({"detail-type": "Reconcile Schedules"}, Context())
        assert (len(runs()), PendingEvent.objects.count()) == (1, 0)

    def test_nothing_is_left_of_a_deleted_trigger(
        self, paused: Trigger, schedules: list[dict[str, Any]]
    ) -> None:
        handler(of_source(), Context())
        paused.delete()
        PendingEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        handler(json.loads(schedules[0]["Target"]["Input"]), Context())
        assert (PendingEvent.objects.count(), runs()) == (0, [])


@pytest.mark.parametrize(
    "sent",
    [
        {"_eventSourceId": "orders", "event": "x"},
        {"_eventSourceId": "orders", "event": {}},
        {"_eventSourceId": "orders", "event": {"id": "x" * 200}},
        {"_eventSourceId": 1, "event": {"id": "x"}},
        {"_trigger": {"userId": "alice"}, "event": {"id": "x"}},
        {"_trigger": {"userId": "alice", "triggerId": ["x"]}, "event": {"id": "x"}},
        {"event": {"id": "x"}},
    ],
)
def test_malformed_events_are_refused(db: None, sent: Any) -> None:
    with pytest.raises(EventError):
        handler(sent, Context())
