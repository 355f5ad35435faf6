"""What the product changes by itself is among the changes, by whom and why."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import maintenance, runner
from executions.failures import NOT_INVOKED, OVERTAKEN, SHUT_DOWN
from executions.models import PendingEvent, TriggerExecution
from executions.runner import Occurrence
from executions.runner.manual import run_now
from moca import audit
from moca.authentication.models import APIToken, AuditEntry, Operator
from moca.sentences import Reason
from triggers.models import LocalSchedule, RunStatus, Trigger
from triggers.reconcile import reconcile, reconcile_one
from triggers.schedulers.local import put_right

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Fire = Callable[..., TriggerExecution]


@pytest.fixture
def fire(demo_agent: DemoAgent) -> Iterator[Fire]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:

        def fire(trigger: Trigger, due: datetime = NINE) -> TriggerExecution:
            run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
            assert run is not None
            return runner.execute(run, client)

        yield fire


def entries(key: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(object_id=key).order_by("-id"))


def told(key: str) -> list[tuple[str, str, str]]:
    """Who did what and why, the latest first."""
    return [(entry.actor, entry.action, entry.reason) for entry in entries(key)]


def page_of(trigger: Trigger) -> str:
    client = Client()
    client.force_login(Operator.objects.create_operator("vera"))
    return client.get(f"/console/triggers/{trigger.pk}").content.decode()


class TestPause:
    WHY = "Paused, since 2 runs in a row had failed: pauseAfterFailures is 2."

    @pytest.fixture
    def paused(self, make_trigger: MakeTrigger, fire: Fire) -> Trigger:
        trigger = make_trigger(prompt="x\ndemo: fail out of paper", pause_after_failures=2)
        fire(trigger)
        fire(trigger, NINE + timedelta(hours=1))
        return trigger

    def test_is_on_record(self, paused: Trigger) -> None:
        assert told(paused.pk) == [("system: runner", "updated", self.WHY)]

    def test_values_are_those_of_the_pause_alone(self, paused: Trigger) -> None:
        changes = entries(paused.pk)[0].changes
        assert (changes["enabled"], sorted(changes)) == (
            [True, False],
            ["enabled", "paused_reason"],
        )

    def test_is_among_the_changes_of_the_page(self, paused: Trigger) -> None:
        shown = page_of(paused)
        assert ("system: runner" in shown, self.WHY in shown) == (True, True)

    def test_is_in_the_history_of_the_admin(self, paused: Trigger) -> None:
        client = Client()
        client.force_login(Operator.objects.create_operator("vera"))
        path = f"/admin/triggers/trigger/{paused.pk}/history/"
        assert self.WHY in client.get(path).content.decode()

    def test_is_on_no_other_page(self, paused: Trigger, make_trigger: MakeTrigger) -> None:
        assert self.WHY not in page_of(make_trigger(user_id="bob"))

    def test_pause_that_is_not_written_leaves_no_line(
        self, make_trigger: MakeTrigger, fire: Fire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: fail", pause_after_failures=1)
        save = Trigger.save

        def failing(self: Trigger, **options: Any) -> None:
            save(self, **options)
            raise ZeroDivisionError

        monkeypatch.setattr(Trigger, "save", failing)
        with pytest.raises(ZeroDivisionError):
            fire(trigger)
        assert entries(trigger.pk) == []


def test_firing_leaves_no_line(make_trigger: MakeTrigger, fire: Fire) -> None:
    trigger = make_trigger(pause_after_failures=2)
    fire(trigger)
    assert entries(trigger.pk) == []


class TestLostRun:
    def test_is_on_record(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        run = runner.start(Occurrence.scheduled("alice", trigger.pk, NINE))
        assert run is not None
        runner.close_lost(timezone.now() + timedelta(minutes=2))
        (entry,) = entries(trigger.pk)
        assert (entry.actor, entry.action, entry.changes, "stopped before" in entry.reason) == (
            "system: housekeeping",
            "closed",
            {"execution": ["", run.execution.pk]},
            True,
        )

    def test_run_that_nobody_took_is_on_record(self, make_trigger: MakeTrigger) -> None:
        execution = run_now(make_trigger(), by="alice")
        runner.close_lost(timezone.now() + timedelta(hours=2))
        assert [actor for actor, *_ in told(execution.trigger_id)] == [
            "system: housekeeping",
            "alice",
        ]


class TestClosedByTheProduct:
    @pytest.mark.parametrize(
        "reason",
        [SHUT_DOWN(), OVERTAKEN(), NOT_INVOKED(error="AccessDenied")],
        ids=lambda r: r.code.name,
    )
    def test_is_on_record(self, make_trigger: MakeTrigger, reason: Reason) -> None:
        trigger = make_trigger()
        run = runner.start(Occurrence.scheduled("alice", trigger.pk, NINE))
        assert run is not None
        runner.abandon(run, reason)
        assert told(trigger.pk) == [("system: housekeeping", "closed", str(reason))]


class TestCorrections:
    """What was written while the clock was ahead, or while the database was away."""

    def test_schedule(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        row = LocalSchedule.objects.get(pk=trigger.pk)
        put_right(row, trigger, timezone.now())
        assert [entry[:2] for entry in told(trigger.pk)] == [("system: scheduler", "repaired")]

    def test_schedule_that_another_process_moved_leaves_no_line(
        self, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        row = LocalSchedule.objects.get(pk=trigger.pk)
        row.next_run_at = NINE
        assert (put_right(row, trigger, timezone.now()), told(trigger.pk)) == (False, [])

    def test_lease(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        run = runner.start(
            Occurrence.scheduled("alice", trigger.pk, NINE), lease=timedelta(days=365)
        )
        assert run is not None
        maintenance.end_far_leases(timezone.now())
        assert [entry[:2] for entry in told(trigger.pk)] == [("system: housekeeping", "repaired")]

    def test_debounce(self, make_trigger: MakeTrigger) -> None:
        config = {"eventSourceId": "orders", "debounceSeconds": 5}
        trigger = make_trigger(type="event", event_config=config, schedule_config=None)
        far = timezone.now() + timedelta(days=365)
        event = {"trigger_id": trigger.pk, "user_id": "alice", "execution_id": "e"}
        PendingEvent.objects.create(**event, envelope="{}", first_at=NINE, last_at=NINE, due_at=far)
        maintenance.end_far_debounces(timezone.now())
        assert [entry[:2] for entry in told(trigger.pk)] == [("system: housekeeping", "repaired")]

    def test_result_of_a_run_that_was_held_for_lost(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        run = runner.start(Occurrence.scheduled("alice", trigger.pk, NINE))
        assert run is not None
        runner.close_lost(timezone.now() + timedelta(minutes=2))
        runner.set_result(run.execution, RunStatus.COMPLETED)
        runner.write([run.execution], waited=True)
        assert [entry[:2] for entry in told(trigger.pk)] == [
            ("system: runner", "repaired"),
            ("system: housekeeping", "closed"),
        ]


@pytest.mark.sqlite  # DynamoDB removes them by itself.
def test_removed_tokens_are_on_record(db: None) -> None:
    APIToken.objects.create(user_id="alice", expires_at=NINE, ttl=1)
    maintenance.tidy(timezone.now())
    (entry,) = AuditEntry.objects.all()
    assert (entry.object_type, entry.changes) == ("authentication.apitoken", {"removed": ["", 1]})


@pytest.mark.sqlite  # DynamoDB removes them by itself.
class TestExpiry:
    def expire(self, trigger: Trigger, number: int) -> None:
        for each in range(number):
            TriggerExecution.objects.create(
                id=f"{trigger.pk[:8]}-{each}", trigger_id=trigger.pk, user_id="alice",
                source="schedule", status="completed", started_at=timezone.now(), ttl=1,
            )  # fmt: skip
        maintenance.tidy(timezone.now())

    def test_is_one_line_a_day(self, make_trigger: MakeTrigger) -> None:
        self.expire(make_trigger(), 3)
        self.expire(make_trigger(), 2)
        (entry,) = AuditEntry.objects.all()
        assert (entry.actor, entry.action, entry.changes, "EXECUTION_TTL_DAYS" in entry.reason) == (
            "system: housekeeping",
            "deleted",
            {"removed": ["", 5]},
            True,
        )

    def test_nothing_removed_is_no_line(self, db: None) -> None:
        maintenance.tidy(timezone.now())
        assert not AuditEntry.objects.exists()


class TestReconciler:
    def test_repair_is_on_record(self, transactional_db: None, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        LocalSchedule.objects.filter(pk=trigger.pk).delete()
        reconcile()
        assert told(trigger.pk) == [("system: reconciler", "repaired", "The schedule was missing.")]

    def test_command_is_named(self, transactional_db: None, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        LocalSchedule.objects.filter(pk=trigger.pk).update(spec={})
        call_command("sync_schedules", verbosity=0)
        assert told(trigger.pk) == [
            ("system: sync_schedules", "repaired", "The schedule differs in spec.")
        ]

    def test_orphan_is_on_record_by_its_id(
        self, transactional_db: None, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
        reconcile()
        assert told(trigger.pk) == [
            (
                "system: reconciler",
                "repaired",
                "The schedule was removed, since its trigger is gone.",
            )
        ]

    def test_dry_run_and_a_pass_without_work_leave_no_line(
        self, transactional_db: None, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        reconcile()
        LocalSchedule.objects.filter(pk=trigger.pk).delete()
        reconcile(dry_run=True)
        assert entries(trigger.pk) == []

    def test_repair_that_a_person_asks_for_is_theirs(
        self, transactional_db: None, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        LocalSchedule.objects.filter(pk=trigger.pk).delete()
        reconcile_one(trigger, by="olga")
        assert [actor for actor, *_ in told(trigger.pk)] == ["olga"]


def test_no_person_can_pass_for_the_product(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    trigger.name = "Other"
    audit.save(trigger, by="system: runner")
    assert told(trigger.pk)[0][0] == "user system: runner"


def test_samples_are_by_their_command(db: None) -> None:
    Operator.objects.create_operator("olga")
    call_command("create_samples", "olga", verbosity=0)
    assert {entry.actor for entry in AuditEntry.objects.all()} == {"system: create_samples"}
