"""A pause of a trigger: what does not fire, what fires after it, and what is left on record."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from executions import runner
from executions.maintenance import tidy
from executions.models import TriggerExecution
from executions.runner import Occurrence, Offer, offer
from executions.runner.manual import run_now
from moca.authentication.models import AuditEntry
from tests.integration.api.conftest import API
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers.eventbridge import schedule_of

MakeTrigger = Callable[..., Trigger]
TOKYO = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
BERLIN = {"expression": "cron(0/30 * * * ? *)", "timezone": "Europe/Berlin"}
HOURLY = {"expression": "cron(0 * * * ? *)"}
HOUR = timedelta(hours=1)
# A Saturday.
NOW = datetime(2027, 1, 2, 12, 30, tzinfo=UTC)


def at(moment: datetime) -> Any:
    """Let it be this moment."""
    return patch("django.utils.timezone.now", lambda: moment)


def pause(api: API, trigger_id: str, **body: Any) -> dict[str, Any]:
    response = api.post(f"/triggers/{trigger_id}/pause", body)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()["trigger"]
    return found


def stored(trigger_id: str) -> Trigger:
    found: Trigger = Trigger.objects.get(pk=trigger_id)
    return found


class TestEnd:
    @pytest.mark.parametrize(
        ("until", "schedule", "end"),
        [
            ("1h", TOKYO, "2027-01-02T13:30:00.000Z"),
            ("tomorrow 09:00", TOKYO, "2027-01-03T00:00:00.000Z"),
            ("monday", TOKYO, "2027-01-04T00:00:00.000Z"),
            ("saturday 10:00", TOKYO, "2027-01-09T01:00:00.000Z"),
            ("2027-02-01T09:00", TOKYO, "2027-02-01T00:00:00.000Z"),
            ("2027-02-01T09:00Z", TOKYO, "2027-02-01T09:00:00.000Z"),
            # The clocks go from 02:00 to 03:00.
            ("2027-03-28T02:30", BERLIN, "2027-03-28T01:30:00.000Z"),
            # The clocks go back from 03:00 to 02:00: the first of both.
            ("2027-10-31T02:30", BERLIN, "2027-10-31T00:30:00.000Z"),
        ],
    )
    def test_is_read_by_the_clock_of_the_schedule(
        self, alice: API, until: str, schedule: dict[str, str], end: str
    ) -> None:
        made = alice.create(scheduleConfig=schedule)
        with at(NOW):
            assert pause(alice, made["id"], until=until)["pausedUntil"] == end

    def test_is_read_in_a_zone_that_the_request_names(self, alice: API) -> None:
        made = alice.create(scheduleConfig=TOKYO)
        with at(NOW):
            found = pause(alice, made["id"], until="tomorrow 09:00", timezone="America/New_York")
        assert found["pausedUntil"] == "2027-01-03T14:00:00.000Z"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"until": "soon"}, "until: Give 30m, 1h, 2d"),
            ({"until": "2026-01-01T09:00"}, "until: This is past"),
            ({"until": "2030-01-01T09:00"}, "until: This is more than a year ahead"),
            ({"until": "monday 25:00"}, "until: Give 30m"),
            ({"until": 5}, "until: Give a text."),
            ({"note": "x" * 501}, "note: "),
            ({"timezone": "Mars"}, "timezone: "),
        ],
    )
    def test_a_wrong_request_says_what_to_give(
        self, alice: API, body: dict[str, Any], words: str
    ) -> None:
        made = alice.create()
        with at(NOW):
            response = alice.post(f"/triggers/{made['id']}/pause", body)
        assert response.status_code == 400
        assert response.json()["message"].startswith(words)


class TestPaused:
    def test_is_shown_as_not_enabled_with_who_and_why(self, alice: API) -> None:
        made = alice.create()
        with at(NOW):
            found = pause(alice, made["id"], until="1h", note="The shop is moving.")
        assert [found[name] for name in ("enabled", "pausedBy", "pauseNote")] == [
            False,
            "alice",
            "The shop is moving.",
        ]

    def test_has_its_next_runs_after_the_pause(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            found = pause(alice, made["id"], until="2027-01-03T09:00Z")
        assert found["nextRuns"][0] == "2027-01-03T09:00:00.000Z"

    def test_has_no_next_runs_if_only_a_person_ends_it(self, alice: API) -> None:
        found = pause(alice, alice.create()["id"])
        assert "nextRuns" not in found
        assert "pausedUntil" not in found

    def test_is_no_longer_paused_when_the_end_has_come(self, alice: API) -> None:
        made = alice.create()
        with at(NOW):
            pause(alice, made["id"], until="1h")
        with at(NOW + HOUR):
            found = alice.get(f"/triggers/{made['id']}").json()["trigger"]
        assert found["enabled"] is True
        assert "pausedAt" not in found

    def test_enable_ends_it_as_the_frontend_does(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"])
        found = alice.post(f"/triggers/{made['id']}/enable").json()["trigger"]
        assert found["enabled"] is True

    def test_the_frontend_saves_what_it_was_shown_and_the_pause_stays(self, alice: API) -> None:
        made = alice.create()
        shown = pause(alice, made["id"], until="1h")
        alice("PUT", f"/triggers/{made['id']}", shown | {"name": "Other"})
        row = stored(made["id"])
        assert row.enabled
        assert row.is_paused(timezone.now())

    def test_disable_lasts_longer_than_the_pause(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"], until="1h")
        alice.post(f"/triggers/{made['id']}/disable")
        with at(timezone.now() + 2 * HOUR):
            found = alice.get(f"/triggers/{made['id']}").json()["trigger"]
        assert found["enabled"] is False

    def test_resume_lets_it_fire_at_once(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"])
        found = alice.post(f"/triggers/{made['id']}/resume").json()["trigger"]
        assert found["enabled"] is True

    def test_is_found_among_those_that_do_not_fire(self, alice: API) -> None:
        paused = alice.create(name="paused")
        alice.create(name="other")
        pause(alice, paused["id"])
        found = {
            state: [
                one["name"] for one in alice.get(f"/triggers?enabled={state}").json()["triggers"]
            ]
            for state in ("true", "false")
        }
        assert found == {"true": ["other"], "false": ["paused"]}

    def test_another_users_trigger_is_not_found(self, alice: API, bob: API) -> None:
        made = alice.create()
        assert bob.post(f"/triggers/{made['id']}/pause", {}).status_code == 404

    def test_has_an_audit_entry(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"], until="1h", note="Moving.")
        entry = AuditEntry.objects.filter(object_id=made["id"]).order_by("-id").first()
        assert entry is not None
        assert (entry.actor, entry.changes["pause_note"]) == ("alice", ["", "Moving."])

    def test_may_be_run_by_hand(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"])
        assert alice.post(f"/triggers/{made['id']}/run").status_code == 202

    def test_stays_out_of_files(self, alice: API) -> None:
        made = alice.create()
        pause(alice, made["id"], note="Moving.")
        out = StringIO()
        call_command("export_triggers", stdout=out)
        assert "aus" not in out.getvalue()


class TestOccurrences:
    def test_within_the_pause_does_not_run(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(schedule_config=HOURLY)
        Trigger.objects.filter(pk=row.pk).update(paused_at=NOW, paused_until=NOW + HOUR)
        with at(NOW + 2 * HOUR):
            due = NOW + timedelta(minutes=30)
            assert runner.start(Occurrence.scheduled(row.user_id, row.pk, due)) is None
        assert stored(row.pk).last_skip_reason == "Left out: the trigger was paused."

    def test_at_the_end_of_the_pause_runs(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(schedule_config=HOURLY)
        end = datetime(2027, 1, 2, 14, tzinfo=UTC)
        Trigger.objects.filter(pk=row.pk).update(paused_at=NOW, paused_until=end)
        with at(end):
            assert runner.start(Occurrence.scheduled(row.user_id, row.pk, end))

    def test_the_local_scheduler_waits_for_the_end(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            pause(alice, made["id"], until="2027-01-03T09:00Z")
        row = LocalSchedule.objects.get(pk=made["id"])
        assert row.next_run_at == datetime(2027, 1, 3, 9, tzinfo=UTC)

    def test_the_local_scheduler_waits_for_a_person(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        pause(alice, made["id"])
        assert LocalSchedule.objects.get(pk=made["id"]).next_run_at is None

    def test_after_resuming_the_local_scheduler_goes_on(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            pause(alice, made["id"])
            alice.post(f"/triggers/{made['id']}/resume")
        row = LocalSchedule.objects.get(pk=made["id"])
        assert row.next_run_at == datetime(2027, 1, 2, 13, tzinfo=UTC)

    def test_those_left_out_are_counted_when_it_is_over(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        Trigger.objects.filter(pk=made["id"]).update(created_at=NOW - HOUR)
        with at(NOW):
            pause(alice, made["id"], until="2027-01-02T16:00Z")
        tidy(NOW + 4 * HOUR)
        row = stored(made["id"])
        assert (row.skipped_runs, row.last_skipped_at, row.paused_until) == (
            3,
            datetime(2027, 1, 2, 15, tzinfo=UTC),
            None,
        )

    def test_those_left_out_are_counted_when_a_person_ends_it(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            pause(alice, made["id"])
        with at(NOW + 2 * HOUR):
            alice.post(f"/triggers/{made['id']}/resume")
        assert stored(made["id"]).skipped_runs == 2

    def test_those_left_out_are_not_on_record_as_missed(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            pause(alice, made["id"], until="4h")
        tidy(NOW + 5 * HOUR)
        assert not TriggerExecution.objects.exists()

    def test_the_end_is_in_the_audit_log(self, alice: API) -> None:
        made = alice.create()
        with at(NOW):
            pause(alice, made["id"], until="1h")
        tidy(NOW + 2 * HOUR)
        entry = AuditEntry.objects.filter(object_id=made["id"]).order_by("-id").first()
        assert entry is not None
        assert entry.reason == "The pause was over at 2027-01-02 13:30 UTC."

    def test_the_end_leaves_what_is_due_then(self, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with at(NOW):
            pause(alice, made["id"], until="2027-01-02T14:00Z")
        tidy(datetime(2027, 1, 2, 14, 0, 5, tzinfo=UTC))
        row = LocalSchedule.objects.get(pk=made["id"])
        assert row.next_run_at == datetime(2027, 1, 2, 14, tzinfo=UTC)


class TestEvents:
    def test_are_dropped_and_counted(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(type="event", event_config={"eventSourceId": "s"})
        Trigger.objects.filter(pk=row.pk).update(
            paused_at=timezone.now(), paused_until=timezone.now() + HOUR
        )
        offer([Offer.of(row, {"id": "1"}, "1", timezone.now())])
        found = stored(row.pk)
        assert (found.skipped_runs, found.last_skip_reason_code) == (1, "paused_by_person")

    def test_are_not_debounced(self, make_trigger: MakeTrigger) -> None:
        config = {"eventSourceId": "s", "debounceSeconds": 5}
        row = make_trigger(type="event", event_config=config)
        Trigger.objects.filter(pk=row.pk).update(
            paused_at=timezone.now(), paused_until=timezone.now() + HOUR
        )
        offer([Offer.of(row, {"id": "1"}, "1", timezone.now())])
        assert stored(row.pk).skipped_runs == 1


class TestEventBridge:
    def test_the_schedule_starts_at_the_end(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(schedule_config=HOURLY)
        end = datetime(2027, 1, 3, 9, tzinfo=UTC)
        row.pause(NOW, end, by="alice")
        found = schedule_of(row, NOW)
        assert (found["State"], found["StartDate"]) == ("ENABLED", end - timedelta(seconds=1))

    def test_a_rate_starts_with_its_first_run_after_the_end(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(schedule_config={"expression": "rate(7 hours)"}, created_at=NOW)
        row.pause(NOW, NOW + 10 * HOUR, by="alice")
        assert schedule_of(row, NOW)["StartDate"] == NOW + 14 * HOUR

    def test_the_schedule_is_disabled_until_a_person_resumes(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(schedule_config=HOURLY)
        row.pause(NOW, None, by="alice")
        assert schedule_of(row, NOW)["State"] == "DISABLED"

    def test_a_single_run_within_the_pause_does_not_fire(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(schedule_config={"expression": "at(2027-01-02T15:00:00)"})
        row.pause(NOW, NOW + 10 * HOUR, by="alice")
        assert schedule_of(row, NOW)["State"] == "DISABLED"

    def test_pausing_writes_the_schedule(self, eventbridge: Any, alice: API) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        pause(alice, made["id"])
        found = eventbridge.get_schedule(Name=f"trigger-{made['id']}", GroupName="moca")
        assert found["State"] == "DISABLED"

    def test_a_refusal_leaves_the_trigger_as_it_was(
        self, failing: Callable, alice: API, transactional_db: None
    ) -> None:
        made = alice.create(scheduleConfig=HOURLY)
        with failing("UpdateSchedule", "ThrottlingException"):
            response = alice.post(f"/triggers/{made['id']}/pause", {})
        assert response.status_code == 502
        assert not stored(made["id"]).is_paused(timezone.now())

    def test_a_start_that_is_past_is_no_drift(self, eventbridge: Any, alice: API) -> None:
        from triggers.schedulers import get_scheduler

        made = alice.create(scheduleConfig=HOURLY)
        soon = timezone.now() + timedelta(seconds=1)
        row = stored(made["id"])
        row.pause(timezone.now(), soon, by="alice")
        get_scheduler().update(row)
        with at(soon + HOUR):
            tidy(timezone.now())
            assert get_scheduler().differences(stored(made["id"])) == []


class TestMany:
    def test_those_of_a_tag_are_paused(self, alice: API) -> None:
        alice.create(name="one", tags=["daily"])
        alice.create(name="other")
        response = alice.post("/triggers/pause", {"tag": "daily", "until": "1h"})
        assert response.json()["changed"] == 1
        assert [row.name for row in Trigger.objects.paused(timezone.now())] == ["one"]

    def test_all_means_ones_own(self, alice: API, bob: API) -> None:
        alice.create(), bob.create()
        alice.post("/triggers/pause", {"all": True})
        assert [row.user_id for row in Trigger.objects.paused(timezone.now())] == ["alice"]

    def test_all_are_resumed(self, alice: API) -> None:
        pause(alice, alice.create()["id"])
        assert alice.post("/triggers/resume", {"all": True}).json()["changed"] == 1

    def test_a_request_that_names_none_is_refused(self, alice: API) -> None:
        response = alice.post("/triggers/pause", {})
        assert response.json()["message"] == "tag: Give a tag; or all, which is true."

    def test_a_wrong_end_is_one_error(self, alice: API) -> None:
        alice.create()
        response = alice.post("/triggers/pause", {"all": True, "until": "soon"})
        assert response.status_code == 400


class TestCommand:
    def test_pauses_a_tag(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(tags=["daily"])
        out = StringIO()
        call_command("pause", "--tag", "daily", "--until", "1h", "--note", "Moving.", stdout=out)
        assert (out.getvalue(), stored(row.pk).pause_note) == ("1 paused.\n", "Moving.")

    def test_resumes(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        call_command("pause", row.pk, stdout=StringIO())
        call_command("resume", row.pk, stdout=StringIO())
        assert stored(row.pk).fires(timezone.now())

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "Give ids of triggers, or one of"),
            (["--all", "--tag", "x"], "Give ids of triggers, or one of"),
            (["nothing"], "There is no trigger nothing."),
            (["--all", "--until", "soon"], "Give 30m, 1h, 2d"),
            (["--all", "--timezone", "Mars"], "--timezone: "),
        ],
    )
    def test_a_wrong_call_says_what_to_give(self, db: None, words: list[str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("pause", *words)


def test_a_run_by_hand_is_no_part_of_the_pause(make_trigger: MakeTrigger) -> None:
    row = make_trigger()
    row.pause(timezone.now(), None, by="alice")
    row.save()
    execution = run_now(row, by="alice")
    assert runner.resume(row.pk, execution.pk)


def test_dynamodb_finds_pauses_that_are_over_by_an_index(
    make_trigger: MakeTrigger, django_assert_max_num_queries: Any
) -> None:
    make_trigger()
    with django_assert_max_num_queries(1, connection=connection):
        assert list(Trigger.objects.over(timezone.now())) == []
