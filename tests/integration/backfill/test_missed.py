"""Backfills of missed runs, through the API: what runs, once, and when it stops."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions import runner
from executions.backfill import worker
from executions.backfill.model import Backfill
from executions.models import Source, TriggerExecution
from executions.runner import Occurrence, record_missed
from moca.authentication.models import AuditEntry
from moca.ids import occurrence_id
from moca.times import iso
from tests.integration.api.conftest import API
from triggers import pauses, services
from triggers.models import RunStatus, Trigger

from .conftest import DAY, HOUR, HOURLY, NOW, at, backfilled, happened, run_queued, work_off

MakeTrigger = Callable[..., Trigger]


def ask(api: API, trigger: Trigger, **body: Any) -> dict[str, Any]:
    sent = {"from": iso(NOW - 12 * HOUR), **body}
    with at(NOW):
        response = api.post(f"/triggers/{trigger.pk}/backfill", sent)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def refused(api: API, trigger: Trigger, **body: Any) -> str:
    with at(NOW):
        response = api.post(f"/triggers/{trigger.pk}/backfill", {"from": iso(NOW - DAY), **body})
    assert response.status_code in (400, 409), response.content
    return str(response.json()["message"])


class TestPreview:
    def test_counts_what_has_no_record(self, alice: API, hourly: Trigger) -> None:
        assert ask(alice, hourly, preview=True)["plan"]["count"] == 12

    def test_starts_nothing(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly, preview=True)
        assert not Backfill.objects.of_trigger(hourly.pk).exists()

    def test_leaves_out_what_has_run(
        self, alice: API, hourly: Trigger, make_execution: Callable
    ) -> None:
        make_execution(hourly, id=occurrence_id(hourly.pk, NOW - HOUR / 2))
        assert ask(alice, hourly, preview=True)["plan"]["count"] == 11

    def test_has_what_is_recorded_as_missed(self, alice: API, hourly: Trigger) -> None:
        record_missed(hourly, NOW - 2.5 * HOUR, NOW)
        runs = ask(alice, hourly, preview=True)["plan"]["runs"]
        assert [run["recorded"] for run in runs[-4:]] == [False, True, True, True]

    def test_leaves_out_what_was_due_during_a_pause(self, alice: API, hourly: Trigger) -> None:
        happened(NOW - 6 * HOUR, lambda: services.pause(hourly, until="2h", by="alice"))
        happened(NOW - 3 * HOUR, lambda: pauses.end_due(NOW - 3 * HOUR))
        plan = ask(alice, hourly, preview=True)["plan"]
        assert (plan["count"], plan["leftOut"]) == (10, 2)

    def test_leaves_out_what_was_due_while_disabled(self, alice: API, hourly: Trigger) -> None:
        happened(NOW - 6 * HOUR, lambda: services.disable(hourly, by="alice"))
        happened(NOW - 3 * HOUR, lambda: services.enable(hourly, by="alice"))
        plan = ask(alice, hourly, preview=True)["plan"]
        assert (plan["count"], plan["leftOut"]) == (9, 3)

    def test_leaves_out_what_was_due_while_the_installation_was_paused(
        self, alice: API, hourly: Trigger
    ) -> None:
        happened(NOW - 6 * HOUR, lambda: pauses.pause_installation(None, by="olga"))
        happened(NOW - 4 * HOUR, lambda: pauses.resume_installation(by="olga"))
        assert ask(alice, hourly, preview=True)["plan"]["leftOut"] == 2

    def test_has_what_was_left_out_if_that_is_asked_for(self, alice: API, hourly: Trigger) -> None:
        happened(NOW - 6 * HOUR, lambda: services.pause(hourly, until="2h", by="alice"))
        assert ask(alice, hourly, preview=True, includeLeftOut=True)["plan"]["count"] == 12

    def test_begins_with_the_last_change_of_the_schedule(self, alice: API, hourly: Trigger) -> None:
        def change(trigger: Trigger) -> None:
            trigger.schedule_config = {"expression": "cron(15 * * * ? *)"}

        happened(NOW - 3 * HOUR, lambda: services.change(hourly, change, by="alice"))
        plan = ask(alice, hourly, preview=True)["plan"]
        assert (plan["count"], plan["since"]) == (3, iso(NOW - 3 * HOUR))

    def test_begins_with_the_creation(self, alice: API, make_trigger: MakeTrigger) -> None:
        row = make_trigger(schedule_config=HOURLY, created_at=NOW - 2 * HOUR)
        assert ask(alice, row, preview=True)["plan"]["count"] == 2

    def test_says_what_it_may_cost(
        self, alice: API, hourly: Trigger, make_execution: Callable
    ) -> None:
        usage = {"inputTokens": 100, "outputTokens": 10}
        make_execution(hourly, duration_ms=3000, usage=usage)
        estimate = ask(alice, hourly, preview=True)["plan"]["estimate"]
        assert estimate == {
            "basedOnRuns": 1,
            "durationMs": 36_000,
            "inputTokens": 1200,
            "outputTokens": 120,
            "seconds": 66,
        }


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"from": None}, "from: Give the moment"),
            ({"from": "yesterday"}, "from: Give an ISO 8601 time"),
            ({"to": iso(NOW - 2 * DAY)}, "from: Give a moment that is past, and before"),
            ({"from": iso(NOW + HOUR)}, "from: Give a moment that is past"),
            ({"perMinute": 0}, "perMinute: Give a number from 1 to 600."),
            ({"atOnce": 51}, "atOnce: Give a number from 1 to 50."),
            ({"atOnce": True}, "atOnce: Give a whole number."),
            ({"order": "random"}, "order: Give one of oldest, newest."),
            ({"kind": "all"}, "kind: Give one of missed, failed."),
            ({"executions": ["x"]}, "executions: Only failed runs can be chosen"),
            ({"executions": "x"}, "executions: Give a list of ids"),
            ({"preview": "yes"}, "preview: Give true or false."),
            ({"pace": 5}, "pace: There is no such field"),
        ],
    )
    def test_name_the_field_and_the_remedy(
        self, alice: API, hourly: Trigger, body: dict[str, Any], words: str
    ) -> None:
        assert refused(alice, hourly, **body).startswith(words)

    def test_too_many_runs(self, alice: API, make_trigger: MakeTrigger) -> None:
        row = make_trigger(
            schedule_config={"expression": "cron(* * * * ? *)"}, created_at=NOW - 2 * DAY
        )
        assert refused(alice, row) == (
            "from: These are 1,440 runs, and a backfill takes 1,000 at most: choose moments that "
            "are closer together."
        )

    def test_too_long_a_time(self, alice: API, make_trigger: MakeTrigger) -> None:
        row = make_trigger(
            schedule_config={"expression": "cron(* * * * ? *)"}, created_at=NOW - 30 * DAY
        )
        message = refused(alice, row, **{"from": iso(NOW - 29 * DAY)})
        assert message.startswith("from: More than 20,000 times of the schedule")

    def test_a_trigger_of_events(self, alice: API, make_trigger: MakeTrigger) -> None:
        row = make_trigger(type="event", schedule_config=None, event_config={"eventSourceId": "s"})
        assert refused(alice, row) == "kind: Only a schedule can have missed runs."

    def test_a_disabled_trigger(self, alice: API, hourly: Trigger) -> None:
        Trigger.objects.filter(pk=hourly.pk).update(enabled=False)
        assert refused(alice, hourly, includeLeftOut=True).startswith("The trigger is disabled")

    def test_another_users_trigger(self, bob: API, hourly: Trigger) -> None:
        response = bob.post(f"/triggers/{hourly.pk}/backfill", {"from": iso(NOW - DAY)})
        assert response.status_code == 404

    def test_another_users_backfill(self, alice: API, bob: API, hourly: Trigger) -> None:
        made = ask(alice, hourly)["backfill"]["backfillId"]
        path = f"/triggers/{hourly.pk}/backfills/{made}"
        codes = [bob.get(path).status_code, bob.post(f"{path}/stop").status_code]
        assert codes == [404, 404]


class TestRuns:
    def test_each_missed_occurrence_once(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly)
        with at(NOW):
            work_off()
        assert [run.scheduled_at for run in backfilled(hourly.pk)] == [
            NOW - HOUR / 2 - number * HOUR for number in reversed(range(12))
        ]

    def test_a_second_request_runs_none(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly)
        with at(NOW):
            work_off()
        assert "backfill" not in ask(alice, hourly)

    def test_a_second_request_while_the_first_is_under_way_runs_none(
        self, alice: API, hourly: Trigger
    ) -> None:
        ask(alice, hourly)
        assert ask(alice, hourly)["plan"]["count"] == 0

    def test_the_newest_first(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly, order="newest")
        with at(NOW):
            worker.work(NOW)
        assert [run.scheduled_at for run in backfilled(hourly.pk)] == [NOW - HOUR / 2]

    def test_what_is_recorded_as_missed_becomes_a_run(self, alice: API, hourly: Trigger) -> None:
        with at(NOW):
            record_missed(hourly, NOW - 2.5 * HOUR, NOW)
        ask(alice, hourly)
        with at(NOW):
            work_off()
        statuses = {run.status for run in TriggerExecution.objects.all()}
        assert statuses == {RunStatus.COMPLETED}

    def test_the_event_has_the_due_time(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly, order="newest")
        with at(NOW):
            worker.work(NOW)
        [run] = backfilled(hourly.pk)
        assert f'"time": "{iso(NOW - HOUR / 2)}"' in run.event_payload

    def test_the_api_shows_where_it_comes_from(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly, order="newest")
        with at(NOW):
            worker.work(NOW)
        [run] = alice.get(f"/triggers/{hourly.pk}/executions").json()["executions"]
        assert (run["source"], run["scheduledAt"]) == ("backfill", iso(NOW - HOUR / 2))

    def test_the_scheduler_runs_none_of_them_again(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly, order="newest")
        with at(NOW):
            worker.work(NOW)
            due = NOW - HOUR / 2
            assert runner.start(Occurrence.scheduled(hourly.user_id, hourly.pk, due)) is None

    def test_what_the_scheduler_has_run_meanwhile_is_passed_over(
        self, alice: API, hourly: Trigger, make_execution: Callable
    ) -> None:
        made = ask(alice, hourly, order="newest")["backfill"]
        make_execution(hourly, id=occurrence_id(hourly.pk, NOW - HOUR / 2))
        with at(NOW):
            work_off()
        path = f"/triggers/{hourly.pk}/backfills/{made['backfillId']}"
        found = alice.get(path).json()["backfill"]
        assert (found["skipped"], found["succeeded"], found["state"]) == (1, 11, "done")

    def test_it_is_in_the_audit_log(self, alice: API, hourly: Trigger) -> None:
        made = ask(alice, hourly)["backfill"]["backfillId"]
        entry = AuditEntry.objects.filter(object_id=hourly.pk, action="run").get()
        assert (entry.actor, entry.changes) == (
            "alice",
            {"backfill": ["", made], "runs": ["", 12]},
        )


class TestPace:
    def test_runs_that_may_not_overlap_wait_for_each_other(
        self, alice: API, hourly: Trigger
    ) -> None:
        ask(alice, hourly, atOnce=5, perMinute=600)
        with at(NOW):
            worker.work(NOW)
        assert len(backfilled(hourly.pk)) == 1

    def test_another_run_of_the_trigger_is_waited_for(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly)
        with at(NOW):
            alice.post(f"/triggers/{hourly.pk}/run")
            worker.work(NOW)
        assert backfilled(hourly.pk) == []

    def test_so_many_at_once(self, alice: API, hourly: Trigger) -> None:
        Trigger.objects.filter(pk=hourly.pk).update(overlap_policy="allow")
        ask(alice, hourly, atOnce=5, perMinute=600)
        for seconds in range(1, 5):
            with at(NOW + timedelta(seconds=seconds)):
                worker.work(timezone.now())
        assert len(backfilled(hourly.pk)) == 5

    def test_so_many_in_a_minute(self, alice: API, hourly: Trigger) -> None:
        Trigger.objects.filter(pk=hourly.pk).update(overlap_policy="allow")
        ask(alice, hourly, atOnce=50, perMinute=6)
        for seconds in range(31):
            with at(NOW + timedelta(seconds=seconds)):
                worker.work(timezone.now())
        assert len(backfilled(hourly.pk)) == 4

    def test_the_time_without_a_process_is_made_up_for_by_a_minute(
        self, alice: API, hourly: Trigger
    ) -> None:
        Trigger.objects.filter(pk=hourly.pk).update(overlap_policy="allow")
        ask(alice, hourly, atOnce=50, perMinute=6)
        with at(NOW + HOUR):
            worker.work(timezone.now())
        assert len(backfilled(hourly.pk)) == 7


class TestStops:
    @pytest.fixture
    def started(self, alice: API, hourly: Trigger) -> Backfill:
        ask(alice, hourly)
        with at(NOW):
            worker.work(NOW)
            run_queued()
        return Backfill.objects.of_trigger(hourly.pk).get()

    def go_on(self, started: Backfill) -> Backfill:
        with at(NOW + HOUR):
            worker.work(timezone.now())
        return Backfill.objects.of_trigger(started.trigger_id).get()

    def test_if_the_trigger_is_disabled(self, started: Backfill, hourly: Trigger) -> None:
        services.disable(hourly, by="alice")
        assert self.go_on(started).reason == "The trigger was disabled."

    def test_if_the_trigger_is_paused(self, started: Backfill, hourly: Trigger) -> None:
        with at(NOW):
            services.pause(hourly, until="2d", by="alice")
        assert self.go_on(started).reason_code == "paused_by_person"

    def test_if_the_trigger_is_deleted(self, started: Backfill, hourly: Trigger) -> None:
        services.delete(hourly, by="alice")
        assert self.go_on(started).reason == "The trigger is gone."

    def test_if_a_person_stops_it(self, started: Backfill, alice: API, hourly: Trigger) -> None:
        path = f"/triggers/{hourly.pk}/backfills/{started.pk}/stop"
        answer = alice.post(path).json()["backfill"]
        self.go_on(started)
        assert (answer["reason"], len(backfilled(hourly.pk))) == ("Stopped by alice.", 1)

    def test_what_is_left_may_be_asked_for_again(
        self, started: Backfill, alice: API, hourly: Trigger
    ) -> None:
        alice.post(f"/triggers/{hourly.pk}/backfills/{started.pk}/stop")
        assert ask(alice, hourly)["plan"]["count"] == 11

    def test_it_waits_for_the_end_of_the_installations_pause(
        self, started: Backfill, hourly: Trigger
    ) -> None:
        with at(NOW):
            pauses.pause_installation(None, by="olga")
        self.go_on(started)
        with at(NOW + 2 * HOUR):
            pauses.resume_installation(by="olga")
            work_off()
        assert len(backfilled(hourly.pk)) == 12

    def test_the_list_has_it(self, started: Backfill, alice: API, hourly: Trigger) -> None:
        [found] = alice.get(f"/triggers/{hourly.pk}/backfills").json()["backfills"]
        assert (found["state"], found["total"], found["begun"]) == ("running", 12, 1)


class TestErrors:
    def test_a_broken_backfill_stops_no_other(
        self, alice: API, hourly: Trigger, make_trigger: MakeTrigger
    ) -> None:
        other = make_trigger(schedule_config=HOURLY, created_at=NOW - DAY)
        ask(alice, hourly)
        ask(alice, other)
        Backfill.objects.of_trigger(hourly.pk).update(items=["no time"] * 12)
        with at(NOW):
            worker.work(NOW)
        assert (len(backfilled(hourly.pk)), len(backfilled(other.pk))) == (0, 1)

    def test_a_broken_backfill_is_tried_again_later(self, alice: API, hourly: Trigger) -> None:
        ask(alice, hourly)
        Backfill.objects.of_trigger(hourly.pk).update(items=["no time"] * 12)
        with at(NOW):
            worker.work(NOW)
        assert not Backfill.objects.due(NOW + timedelta(seconds=30))


class TestFailed:
    @pytest.fixture
    def failed(self, hourly: Trigger, make_execution: Callable) -> list[TriggerExecution]:
        return [
            make_execution(
                hourly,
                id=occurrence_id(hourly.pk, due),
                status=RunStatus.FAILED,
                started_at=due,
                scheduled_at=due,
                event_payload='{"time": "2027"}',
            )
            for due in (NOW - 3.5 * HOUR, NOW - 2.5 * HOUR)
        ]

    def test_those_between_two_moments_run_again(
        self, alice: API, hourly: Trigger, failed: list[TriggerExecution]
    ) -> None:
        ask(alice, hourly, kind="failed")
        with at(NOW):
            work_off()
        assert [run.replay_of for run in backfilled(hourly.pk)] == [one.pk for one in failed]

    def test_chosen_ones_run_again(
        self, alice: API, hourly: Trigger, failed: list[TriggerExecution]
    ) -> None:
        ask(alice, hourly, kind="failed", executions=[failed[1].pk, "nothing"], **{"from": None})
        with at(NOW):
            work_off()
        assert [run.replay_of for run in backfilled(hourly.pk)] == [failed[1].pk]

    def test_a_second_request_runs_none(
        self, alice: API, hourly: Trigger, failed: list[TriggerExecution]
    ) -> None:
        for _time in range(2):
            ask(alice, hourly, kind="failed")
            with at(NOW):
                work_off()
        assert len(backfilled(hourly.pk)) == 2

    def test_they_get_the_same_event(
        self, alice: API, hourly: Trigger, failed: list[TriggerExecution]
    ) -> None:
        ask(alice, hourly, kind="failed")
        with at(NOW):
            worker.work(NOW)
        assert backfilled(hourly.pk)[0].event_payload == '{"time": "2027"}'

    def test_what_completed_does_not_run_again(
        self, alice: API, hourly: Trigger, make_execution: Callable
    ) -> None:
        make_execution(hourly, id=occurrence_id(hourly.pk, NOW - HOUR / 2))
        assert ask(alice, hourly, kind="failed")["plan"]["count"] == 0


def test_backfill_is_a_source_of_runs() -> None:
    assert Source.BACKFILL.label == "Backfill"
