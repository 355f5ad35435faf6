"""Rules that event sources and triggers have in EventBridge, and what if a call fails."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from django.utils import timezone

from alerts.happenings import Happening
from alerts.models import Rule
from events import services, signing_keys
from events.buses import BusError, eventbridge, get_bus
from events.models import EventSource, ReceivedEvent
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from moca import audit
from moca.authentication.models import AuditEntry
from moca.aws import clients as aws
from moca.reconcile import Action
from tests.integration.alerts.conftest import told
from tests.integration.api.conftest import API, VALID
from tests.integration.eventbridge.conftest import LAMBDA, QUEUE, roll_back_after
from tests.integration.fan_out.conftest import post_signed
from tests.integration.handler.test_handler import Context
from tests.signing import SECRET
from triggers.models import SyncState, Trigger
from triggers.reconcile import reconcile

MakeTrigger = Callable[..., Trigger]
OWN = {"eventPattern": {"source": ["my.app"]}}


@pytest.fixture
def rules(eventbridge: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto's EventBridge. AddPermission on the handler's function succeeds."""
    settings.EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
    settings.EVENT_SOURCES_CONFIG = ""
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(seconds=-1))
    monkeypatch.setattr("moca.reconcile.COMMIT_SECONDS", 0.0)
    aws.client("lambda").meta.events.register_first("before-send.lambda.AddPermission", _granted)
    eventbridge_permission().cache_clear()
    yield aws.client("events")
    eventbridge_permission().cache_clear()
    get_bus.cache_clear()


@pytest.fixture
def permitted(rules: Any) -> Callable[[], list[Any]]:
    """Records the permissions that are added to the function from now on."""

    def listen() -> list[Any]:
        sent: list[Any] = []
        aws.client("lambda").meta.events.register(
            "provide-client-params.lambda.AddPermission", lambda params, **_: sent.append(params)
        )
        return sent

    return listen


def eventbridge_permission() -> Any:
    return eventbridge._permit


def _granted(request: Any, **_: Any) -> AWSResponse:
    raw = type("Raw", (), {"stream": lambda self, **_: iter([b"{}"])})()
    return AWSResponse(request.url, 201, {}, raw)


def refusing(service: Any, operation: str, code: str, *, about: bytes = b"") -> Callable[[], None]:
    """Let calls of an operation fail if their body contains a text; returns what ends that."""

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        if about not in request.body:
            return None
        body = json.dumps({"__type": code, "message": "The service says no."}).encode()
        raw = type("Raw", (), {"stream": lambda self, **_: iter([body])})()
        return AWSResponse(request.url, 400, {"x-amzn-errortype": code}, raw)

    name = f"before-send.{service.meta.service_model.service_name}.{operation}"
    service.meta.events.register_first(name, answer)
    return lambda: service.meta.events.unregister(name, answer)


def counted(service: Any) -> list[str]:
    """Records the operations that are called from now on."""
    calls: list[str] = []
    service.meta.events.register(
        "before-send.events.*", lambda event_name, **_: calls.append(event_name.rpartition(".")[2])
    )
    return calls


def names(service: Any, bus: str = "default") -> list[str]:
    return [rule["Name"] for rule in service.list_rules(EventBusName=bus)["Rules"]]


def on(service: Any, trigger: Any, bus: str = "default") -> dict[str, Any]:
    key = trigger["id"] if isinstance(trigger, dict) else trigger.pk
    found: dict[str, Any] = service.describe_rule(Name=f"trigger-{key}", EventBusName=bus)
    return found


def pattern_of_source(service: Any) -> Any:
    """The pattern of the rule that the source "shop" has."""
    return json.loads(service.describe_rule(Name="source-shop")["EventPattern"])


def event_trigger(alice: API, **config: Any) -> dict[str, Any]:
    return alice.create(type="event", scheduleConfig=None, eventConfig={**OWN, **config})


def source(**fields: Any) -> EventSource:
    made = EventSource(**{"id": "shop", "name": "Shop", **fields})
    made.secrets = signing_keys.seal(SECRET, timezone.now())
    audit.save(made, by="ann")
    return made


def bus_source(**fields: Any) -> EventSource:
    return source(**{"kind": "bus", "pattern": {"source": ["my.shop"]}, **fields})


@pytest.fixture
def alice(rules: Any) -> API:
    return API("alice")


class TestRuleOfATrigger:
    def test_pattern_and_state(self, alice: API, rules: Any) -> None:
        rule = on(rules, event_trigger(alice))
        assert (json.loads(rule["EventPattern"]), rule["State"]) == (
            OWN["eventPattern"],
            "ENABLED",
        )

    def test_target_is_whole(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        targets = rules.list_targets_by_rule(Rule=f"trigger-{made['id']}")["Targets"]
        [target] = targets
        template = target.pop("InputTransformer")["InputTemplate"]
        added = f'"_trigger": {{"userId": "alice", "triggerId": "{made["id"]}"}}'
        assert (added in template, target) == (
            True,
            {
                "Id": "moca-handler",
                "Arn": LAMBDA,
                "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 3600},
                "DeadLetterConfig": {"Arn": QUEUE},
            },
        )

    def test_disabled(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        alice.post(f"/triggers/{made['id']}/disable")
        assert on(rules, made)["State"] == "DISABLED"

    def test_disabling_is_two_calls(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        calls = counted(rules)
        alice.post(f"/triggers/{made['id']}/disable")
        assert calls == ["ListTargetsByRule", "PutRule"]

    def test_listening_to_a_source_is_no_call(self, alice: API, rules: Any) -> None:
        bus_source()
        calls = counted(rules)
        alice.create(type="event", scheduleConfig=None, eventConfig={"eventSourceId": "shop"})
        assert calls == []

    def test_other_changes_are_no_call(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        calls = counted(rules)
        alice.patch(f"/triggers/{made['id']}", {"prompt": "Other."})
        assert calls == []

    def test_is_deleted_with_its_trigger(self, alice: API, rules: Any) -> None:
        alice("DELETE", f"/triggers/{event_trigger(alice)['id']}")
        assert names(rules) == []

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "schedule", "scheduleConfig": VALID["scheduleConfig"]},
            {"eventConfig": {"eventSourceId": "shop"}},
        ],
    )
    def test_is_deleted_when_it_is_not_needed(self, alice: API, rules: Any, body: Any) -> None:
        source()
        alice.patch(f"/triggers/{event_trigger(alice)['id']}", body)
        assert [name for name in names(rules) if name.startswith("trigger-")] == []

    def test_moves_to_another_bus(self, alice: API, rules: Any, settings: Any) -> None:
        settings.EVENT_BUSES = ["other"]
        rules.create_event_bus(Name="other")
        made = event_trigger(alice)
        alice.patch(f"/triggers/{made['id']}", {"eventConfig": {"eventBusName": "other"}})
        assert (names(rules), names(rules, "other")) == ([], [f"trigger-{made['id']}"])

    def test_lets_rules_invoke_the_handler(self, alice: API, rules: Any, permitted: Any) -> None:
        sent = permitted()
        event_trigger(alice)
        event_trigger(alice)
        assert sent == [
            {
                "FunctionName": LAMBDA,
                "StatementId": "moca-event-rules",
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": "arn:aws:events:eu-central-1:123456789012:rule/*",
            }
        ]


class TestRefusals:
    """The service refuses: nothing is stored, here or there."""

    @pytest.mark.parametrize("operation", ["PutRule", "PutTargets"])
    def test_trigger_is_not_created(self, alice: API, rules: Any, operation: str) -> None:
        allow = refusing(rules, operation, "LimitExceededException")
        body = {**VALID, "type": "event", "scheduleConfig": None, "eventConfig": OWN}
        status = alice.post("/triggers", body).status_code
        allow()
        assert (status, Trigger.objects.count(), names(rules)) == (502, 0, [])

    def test_change_is_not_stored(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        allow = refusing(rules, "PutRule", "ThrottlingException")
        alice.patch(f"/triggers/{made['id']}", {"eventConfig": {"eventPattern": {"source": ["x"]}}})
        allow()
        kept = alice.get(f"/triggers/{made['id']}").json()["trigger"]["eventConfig"]
        assert (kept, json.loads(on(rules, made)["EventPattern"])) == (OWN, OWN["eventPattern"])

    def test_missing_bus_is_named(self, alice: API, rules: Any, settings: Any) -> None:
        settings.EVENT_BUSES = ["*"]
        config = {**OWN, "eventBusName": "nowhere"}
        body = {**VALID, "type": "event", "scheduleConfig": None, "eventConfig": config}
        answer = alice.post("/triggers", body)
        assert (answer.status_code, "nowhere" in answer.json()["message"]) == (502, True)

    def test_trigger_stays_if_its_rule_cannot_be_deleted(self, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        allow = refusing(rules, "DeleteRule", "ConcurrentModificationException")
        status = alice("DELETE", f"/triggers/{made['id']}").status_code
        allow()
        assert (status, Trigger.objects.count()) == (502, 1)
        assert len(rules.list_targets_by_rule(Rule=f"trigger-{made['id']}")["Targets"]) == 1

    def test_source_is_not_created(self, rules: Any) -> None:
        allow = refusing(rules, "PutTargets", "LimitExceededException")
        with pytest.raises(BusError, match="no room"):
            bus_source()
        allow()
        assert (EventSource.objects.count(), names(rules)) == (0, [])

    def test_rule_of_another_service_is_not_taken_over(self, rules: Any) -> None:
        rules.put_rule(Name="source-shop", EventPattern='{"source": ["theirs"]}')
        other = {"Id": "1", "Arn": LAMBDA.replace("moca", "other")}
        rules.put_targets(Rule="source-shop", Targets=[other])
        with pytest.raises(BusError, match="another service"):
            bus_source()
        assert "theirs" in rules.describe_rule(Name="source-shop")["EventPattern"]


class TestLostAnswers:
    """The service does its work, but its answer is lost."""

    def test_trigger_whose_rule_cannot_be_restored_says_so(self, alice: API, rules: Any) -> None:
        trigger = event_trigger(alice, **OWN)
        lose(rules, "PutRule")
        alice.post(f"/triggers/{trigger['id']}/disable")
        found = Trigger.objects.get(user_id="alice", pk=trigger["id"])
        assert (found.enabled, found.sync_state) == (True, SyncState.PENDING)

    def test_refused_source_is_not_restored(self, rules: Any) -> None:
        refusing(rules, "PutRule", "ValidationException")
        calls = counted(rules)
        with pytest.raises(BusError):
            bus_source()
        assert calls.count("DeleteRule") == 0


def lose(service: Any, operation: str) -> Callable[[], None]:
    """Lose the answers to an operation; returns what ends that."""

    def after(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://events")

    name = f"after-call.events.{operation}"
    service.meta.events.register(name, after)
    return lambda: service.meta.events.unregister(name, after)


class TestFailedCommit:
    """The commit fails after the rule was written: the rule is restored from the row."""

    def test_rule_of_a_new_source_is_removed(self, rules: Any) -> None:
        roll_back_after(bus_source)
        assert names(rules) == []

    def test_rule_of_a_changed_source_is_restored(self, rules: Any) -> None:
        made = bus_source()
        made.pattern = {"source": ["other"]}
        roll_back_after(made.save)
        assert pattern_of_source(rules) == {"source": ["my.shop"]}

    def test_rule_of_a_deleted_source_is_restored(self, rules: Any) -> None:
        roll_back_after(bus_source().delete)
        assert names(rules) == ["source-shop"]

    def test_rule_is_restored_if_the_audit_entry_fails(
        self, rules: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = bus_source()
        made.pattern = {"source": ["other"]}
        monkeypatch.setattr("moca.audit.note", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            services.save(made, by="ann")
        assert pattern_of_source(rules) == {"source": ["my.shop"]}

    def test_rule_is_restored_if_the_answer_to_a_deletion_is_lost(self, rules: Any) -> None:
        made = bus_source()
        end = lose(rules, "DeleteRule")
        with pytest.raises(BusError):
            services.delete(made, by="ann")
        end()
        assert names(rules) == ["source-shop"]


class TestRuleOfASource:
    def test_bus(self, rules: Any) -> None:
        bus_source()
        assert pattern_of_source(rules) == {"source": ["my.shop"]}

    def test_source_with_an_address_is_matched_by_its_resource(self, rules: Any) -> None:
        source(pattern={"detail-type": ["order.paid"]})
        assert pattern_of_source(rules) == {
            "detail-type": ["order.paid"],
            "resources": ["moca-event-source/shop"],
        }

    def test_names_the_source(self, rules: Any) -> None:
        bus_source()
        [target] = rules.list_targets_by_rule(Rule="source-shop")["Targets"]
        assert '"_eventSourceId": "shop"' in target["InputTransformer"]["InputTemplate"]

    def test_follows_a_change(self, rules: Any) -> None:
        made = bus_source()
        made.pattern = {"source": ["other"]}
        audit.save(made, by="ann")
        assert pattern_of_source(rules) == {"source": ["other"]}

    def test_moves_to_another_bus(self, rules: Any) -> None:
        rules.create_event_bus(Name="other")
        made = bus_source()
        made.bus_name = "other"
        audit.save(made, by="ann")
        assert (names(rules), names(rules, "other")) == ([], ["source-shop"])

    def test_is_deleted_with_the_source(self, rules: Any) -> None:
        audit.delete(bus_source(), by="ann")
        assert names(rules) == []

    def test_source_of_the_settings_has_one_after_a_pass(self, rules: Any, settings: Any) -> None:
        settings.EVENT_SOURCES_CONFIG = (
            '[{"id": "s3", "name": "S", "eventPattern": {"source": ["a"]}}]'
        )
        assert (reconcile(), names(rules)) == (
            [Action("create", "rule", "s3", "was missing")],
            ["source-s3"],
        )

    def test_source_of_the_settings_without_a_pattern_has_none(
        self, rules: Any, settings: Any
    ) -> None:
        settings.EVENT_SOURCES_CONFIG = '[{"id": "s3", "name": "S"}]'
        assert (reconcile(), names(rules)) == ([], [])


class TestPass:
    """One pass makes rules equal to triggers and sources, and returns what it did."""

    def test_nothing_to_do(self, transactional_db: None, alice: API) -> None:
        bus_source()
        event_trigger(alice)
        assert reconcile() == []

    def test_missing_rule_is_created(self, transactional_db: None, alice: API, rules: Any) -> None:
        made = event_trigger(alice)
        get_bus().drop(f"trigger-{made['id']}")
        assert (reconcile(), names(rules)) == (
            [Action("create", "rule", made["id"], "was missing")],
            [f"trigger-{made['id']}"],
        )

    def test_rule_of_a_deleted_trigger_is_deleted(
        self, transactional_db: None, alice: API, rules: Any
    ) -> None:
        event_trigger(alice)
        Trigger.objects.filter(user_id="alice")._raw_delete("default")
        assert ([action.kind for action in reconcile()], names(rules)) == (["delete"], [])

    def test_orphaned_rule_of_a_source_is_deleted(self, transactional_db: None, rules: Any) -> None:
        bus_source()
        EventSource.objects.filter(pk="shop")._raw_delete("default")
        assert ([action.kind for action in reconcile()], names(rules)) == (["delete"], [])

    def test_repair_of_a_source_is_on_record(self, transactional_db: None, rules: Any) -> None:
        bus_source()
        get_bus().drop("source-shop")
        reconcile()
        EventSource.objects.filter(pk="shop")._raw_delete("default")
        reconcile()
        found = AuditEntry.objects.filter(object_type="events.eventsource", object_id="shop")
        by_system = found.exclude(actor="ann").order_by("id")
        assert [(entry.actor, entry.reason) for entry in by_system] == [
            ("system: reconciler", "The rule was missing."),
            ("system: reconciler", "The rule was removed, since its event source is gone."),
        ]

    def test_drift_of_a_source_is_told_once_a_day(self, transactional_db: None, rules: Any) -> None:
        Rule.objects.create(name="All", channel_id="x", kinds=[Happening.OUT_OF_STEP])
        bus_source()
        get_bus().drop("source-shop")
        undo = refusing(rules, "PutRule", "AccessDeniedException")
        reconcile()
        reconcile()
        undo()
        reconcile()
        assert told() == ["out_of_step", "out_of_step"]

    def test_rules_of_others_stay(self, transactional_db: None, rules: Any) -> None:
        rules.put_rule(Name="trigger-of-theirs", EventPattern='{"source": ["theirs"]}')
        reconcile()
        assert names(rules) == ["trigger-of-theirs"]

    @pytest.mark.parametrize(
        ("part", "value"),
        [("EventPattern", '{"source": ["wrong"]}'), ("State", "DISABLED")],
    )
    def test_differing_rule_is_updated(
        self, transactional_db: None, alice: API, rules: Any, part: str, value: str
    ) -> None:
        name = f"trigger-{event_trigger(alice)['id']}"
        before = rules.describe_rule(Name=name)
        same = {key: before[key] for key in ("EventPattern", "State")}
        rules.put_rule(Name=name, **{**same, part: value})
        reconcile()
        assert rules.describe_rule(Name=name)[part] == before[part]

    def test_lost_target_comes_back(self, transactional_db: None, alice: API, rules: Any) -> None:
        name = f"trigger-{event_trigger(alice)['id']}"
        rules.remove_targets(Rule=name, Ids=["moca-handler"])
        reconcile()
        assert len(rules.list_targets_by_rule(Rule=name)["Targets"]) == 1

    def test_failure_is_noted_on_the_trigger(
        self, transactional_db: None, alice: API, rules: Any
    ) -> None:
        made = event_trigger(alice)
        get_bus().drop(f"trigger-{made['id']}")
        allow = refusing(rules, "PutRule", "LimitExceededException")
        reconcile()
        allow()
        trigger = Trigger.objects.get(user_id="alice", pk=made["id"])
        assert (trigger.sync_state, trigger.sync_error_code) == (SyncState.FAILED, "bus_full")

    def test_function_that_was_created_again_gets_the_permission(
        self, transactional_db: None, rules: Any, permitted: Any
    ) -> None:
        bus_source()
        sent = permitted()
        reconcile()
        assert [params["StatementId"] for params in sent] == ["moca-event-rules"]

    def test_dry_run_adds_no_permission(
        self, transactional_db: None, rules: Any, permitted: Any
    ) -> None:
        bus_source()
        sent = permitted()
        reconcile(dry_run=True)
        assert sent == []

    @pytest.mark.parametrize("what", ["source", "trigger"])
    def test_rule_whose_row_is_about_to_be_written_stays(
        self,
        transactional_db: None,
        rules: Any,
        make_trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
        what: str,
    ) -> None:
        values = {"type": "event", "schedule_config": None, "event_config": OWN}
        row = bus_source() if what == "source" else make_trigger(**values)
        before = names(rules)
        type(row).objects.filter(pk=row.pk)._raw_delete("default")
        # Another process commits the row while the pass waits.
        monkeypatch.setattr(time, "sleep", lambda _: row.save_base(raw=True, force_insert=True))
        reconcile()
        assert names(rules) == before != []

    def test_second_target_is_removed(self, transactional_db: None, rules: Any) -> None:
        """It would deliver each event to the function twice."""
        bus_source()
        again = {"Id": "again", "Arn": LAMBDA}
        rules.put_targets(Rule="source-shop", EventBusName="default", Targets=[again])
        reconcile()
        found = rules.list_targets_by_rule(Rule="source-shop", EventBusName="default")
        assert [each["Id"] for each in found["Targets"]] == ["moca-handler"]

    def test_dry_run_changes_nothing(self, transactional_db: None, rules: Any) -> None:
        bus_source()
        get_bus().drop("source-shop")
        assert ([a.kind for a in reconcile(dry_run=True)], names(rules)) == (["create"], [])


class TestWhatArrives:
    """Events on moto's bus, as a rule delivers them to a queue in place of the handler."""

    @pytest.fixture
    def queue(self, rules: Any) -> Any:
        queues = aws.client("sqs")
        return queues, queues.create_queue(QueueName="handler")["QueueUrl"]

    @pytest.fixture
    def arrived(self, rules: Any, queue: Any, settings: Any) -> Callable[[], list[Any]]:
        queues, url = queue
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        settings.TRIGGER_LAMBDA_ARN = arn["Attributes"]["QueueArn"]

        def read() -> list[Any]:
            found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            return [json.loads(message["Body"]) for message in found.get("Messages", ())]

        return read

    def put(self, rules: Any, **entry: Any) -> None:
        event = {"Source": "my.shop", "DetailType": "order.paid", "Detail": '{"id": 4711}'}
        rules.put_events(Entries=[{**event, **entry}])

    def test_event_of_a_source(self, rules: Any, arrived: Any) -> None:
        bus_source()
        self.put(rules)
        [sent] = arrived()
        event = sent["event"]
        sent = sent["_eventSourceId"], event["detail-type"], event["detail"]
        assert sent == ("shop", "order.paid", {"id": 4711})

    def test_signed_event_reaches_its_trigger(
        self, rules: Any, arrived: Any, make_trigger: MakeTrigger
    ) -> None:
        source()
        config = {"eventSourceId": "shop"}
        trigger = make_trigger(type="event", schedule_config=None, event_config=config)
        post_signed({"order": {"id": 4711}})
        [sent] = arrived()
        handler(sent, Context())
        payloads = [run.event_payload for run in TriggerExecution.objects.of_trigger(trigger)]
        assert ["4711" in payload for payload in payloads] == [True]

    def test_event_is_delivered_later_if_its_sender_does_not_retry(
        self, transactional_db: None, rules: Any, arrived: Any
    ) -> None:
        source()
        allow = refusing(rules, "PutEvents", "InternalException")
        refused = post_signed({"order": {"id": 4711}})
        allow()
        # moto delivered the refused event, too.
        arrived()
        ago = timezone.now() - timedelta(minutes=2)
        ReceivedEvent.objects.of_source("shop").update(received_at=ago)
        handler({"detail-type": "Reconcile Schedules"}, Context())
        assert (refused.status_code, [sent["_eventSourceId"] for sent in arrived()]) == (
            503,
            ["shop"],
        )

    def test_event_that_the_bus_never_takes_blocks_no_other(
        self, transactional_db: None, rules: Any, arrived: Any
    ) -> None:
        """A call that contains such an event fails as a whole."""
        source()
        allow = refusing(rules, "PutEvents", "InternalException")
        for name in ("poison", "pill"):
            post_signed({"name": name})
        allow()
        refusing(rules, "PutEvents", "ValidationException", about=b"poison")
        rows = ReceivedEvent.objects.of_source("shop")
        rows.update(received_at=timezone.now() - timedelta(minutes=2))
        handler({"detail-type": "Reconcile Schedules"}, Context())
        assert sorted(row.state for row in rows) == ["done", "queued"]

    def test_event_of_no_source(self, rules: Any, arrived: Any) -> None:
        bus_source()
        self.put(rules, Source="other")
        assert arrived() == []
