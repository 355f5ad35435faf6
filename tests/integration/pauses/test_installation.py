"""The pause of the whole installation: what stops, who may press the switch, and what says so."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions import runner
from executions.maintenance import tidy
from executions.models import TriggerExecution
from executions.runner import Occurrence, Offer, offer
from moca.authentication.models import AuditEntry, Operator, Role
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.scheduler.conftest import make_due
from triggers import pauses
from triggers.models import InstallationPause, LocalSchedule, Trigger

MakeTrigger = Callable[..., Trigger]
HOUR = timedelta(hours=1)


@pytest.fixture
def operator(db: None) -> API:
    """An operator, as the API knows one."""
    Operator.objects.create_operator("olga", subject="olga", role=Role.EDITOR)
    return API("olga")


@pytest.fixture
def paused(db: None) -> InstallationPause:
    return pauses.pause_installation(None, by="olga", note="The agent goes wild.")


def stored(row: Trigger) -> Trigger:
    found: Trigger = Trigger.objects.get(pk=row.pk)
    return found


class TestWhatStops:
    def test_schedules_do_not_run(
        self, paused: InstallationPause, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger()
        runner.start(Occurrence.scheduled(row.user_id, row.pk, timezone.now()))
        assert not TriggerExecution.objects.exists()

    def test_what_is_left_out_is_noted(
        self, paused: InstallationPause, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger()
        runner.start(Occurrence.scheduled(row.user_id, row.pk, timezone.now()))
        assert stored(row).last_skip_reason == "Left out: the whole installation was paused."

    def test_events_are_dropped_and_counted(
        self, paused: InstallationPause, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(type="event", schedule_config=None, event_config={"eventSourceId": "s"})
        offer([Offer.of(row, {"id": "1"}, "1", timezone.now())])
        assert stored(row).skipped_runs == 1

    def test_the_local_scheduler_fires_nothing(
        self, transactional_db: None, scheduler: Callable, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger()
        pauses.pause_installation(None, by="olga")
        make_due(row)
        with scheduler():
            wait_for(lambda: stored(row).skipped_runs)
        assert not TriggerExecution.objects.exists()

    def test_people_may_run_triggers(self, paused: InstallationPause, alice: API) -> None:
        made = alice.create()
        execution = alice.post(f"/triggers/{made['id']}/run").json()["execution"]
        assert runner.resume(made["id"], execution["executionId"])

    def test_triggers_fire_again_when_it_is_over(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        pauses.pause_installation(timezone.now() + HOUR, by="olga")
        later = timezone.now() + 2 * HOUR
        with patch("django.utils.timezone.now", lambda: later):
            assert runner.start(Occurrence.scheduled(row.user_id, row.pk, later))

    @pytest.mark.parametrize("ends", ["by itself", "by a person", "unnoticed"])
    def test_what_was_due_during_a_pause_that_is_over_does_not_run(
        self, make_trigger: MakeTrigger, ends: str
    ) -> None:
        row = make_trigger()
        pauses.pause_installation(timezone.now() + HOUR, by="olga")
        due = timezone.now() + HOUR / 2
        later = timezone.now() + (HOUR * 3 / 4 if ends == "by a person" else HOUR * 5 / 4)
        with patch("django.utils.timezone.now", lambda: later):
            if ends == "by itself":
                pauses.end_due(later)
            elif ends == "by a person":
                pauses.resume_installation(by="olga")
            assert not runner.start(Occurrence.scheduled(row.user_id, row.pk, due))

    def test_what_was_due_before_a_pause_that_is_over_runs(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        due = timezone.now() - HOUR / 4
        pauses.pause_installation(timezone.now() + HOUR, by="olga")
        pauses.resume_installation(by="olga")
        assert runner.start(Occurrence.scheduled(row.user_id, row.pk, due))

    def test_a_scheduler_that_was_down_leaves_it_out(
        self, transactional_db: None, scheduler: Callable, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger()
        pauses.pause_installation(None, by="olga")
        make_due(row)
        pauses.resume_installation(by="olga")
        with scheduler():
            wait_for(lambda: LocalSchedule.objects.get(pk=row.pk).next_run_at > timezone.now())
        assert not TriggerExecution.objects.exists()

    def test_a_scheduler_that_was_down_records_none_of_it_as_missed(
        self, transactional_db: None, scheduler: Callable, make_trigger: MakeTrigger
    ) -> None:
        hourly = {"expression": "cron(0 * * * ? *)"}
        row = make_trigger(schedule_config=hourly, created_at=timezone.now() - 48 * HOUR)
        # Two runs were due before the pause, and eight during it.
        begin = timezone.now().replace(minute=30, second=0, microsecond=0) - 10 * HOUR
        for moment, act in (
            (begin, lambda: pauses.pause_installation(None, by="olga")),
            (begin + 8 * HOUR, lambda: pauses.resume_installation(by="olga")),
        ):
            with patch("django.utils.timezone.now", lambda moment=moment: moment):
                act()
        due = begin.replace(minute=0) - HOUR
        LocalSchedule.objects.filter(pk=row.pk).update(next_run_at=due, due_at=due)
        with scheduler():
            wait_for(lambda: stored(row).skipped_runs == 8)
            wait_for(lambda: LocalSchedule.objects.get(pk=row.pk).next_run_at > timezone.now())
        missed = TriggerExecution.objects.filter(
            trigger_id=row.pk, scheduled_at__lt=begin + 8 * HOUR
        )
        assert sorted(run.scheduled_at for run in missed) == [due, due + HOUR]

    def test_its_end_is_noted_once(self, db: None) -> None:
        pauses.pause_installation(timezone.now() + HOUR, by="olga")
        before = AuditEntry.objects.count()
        later = timezone.now() + 2 * HOUR
        with patch("django.utils.timezone.now", lambda: later):
            for _ in range(2):
                pauses.end_due(later)
        assert AuditEntry.objects.count() == before + 1


class TestCost:
    def test_the_second_firing_does_not_read_it(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(overlap_policy="allow")
        now = timezone.now()
        runner.start(Occurrence.scheduled(row.user_id, row.pk, now))
        with CaptureQueriesContext(connection) as queries:
            runner.start(Occurrence.scheduled(row.user_id, row.pk, now + HOUR))
        assert not [q for q in queries if "installationpause" in str(q).lower()]


class TestDoors:
    def test_an_operator_pauses_by_the_api(self, operator: API) -> None:
        body = {"until": "1h", "note": "Moving."}
        answer = operator.post("/installation/pause", body).json()["pause"]
        assert (answer["pausedBy"], answer["pauseNote"]) == ("olga", "Moving.")

    def test_an_operator_resumes_by_the_api(self, paused: InstallationPause, operator: API) -> None:
        operator.post("/installation/resume")
        assert "pause" not in operator.get("/installation/pause").json()

    def test_other_users_may_not(self, alice: API) -> None:
        response = alice.post("/installation/pause", {})
        assert (response.status_code, InstallationPause.objects.count()) == (403, 0)

    def test_other_users_may_not_resume(self, paused: InstallationPause, alice: API) -> None:
        assert alice.post("/installation/resume").status_code == 403

    def test_a_wrong_end_says_what_to_give(self, operator: API) -> None:
        response = operator.post("/installation/pause", {"until": "soon"})
        assert response.json()["message"].startswith("until: Give 30m, 1h, 2d")

    def test_the_command_pauses_and_resumes(self, db: None) -> None:
        call_command("pause", "--installation", "--note", "Moving.", stdout=StringIO())
        note = InstallationPause.objects.get().pause_note
        call_command("resume", "--installation", stdout=StringIO())
        assert (note, pauses.installation_pause(timezone.now())) == ("Moving.", None)

    def test_it_is_in_the_audit_log(self, paused: InstallationPause) -> None:
        entry = AuditEntry.objects.get(object_id="installation")
        assert (entry.actor, entry.changes["pause_note"]) == ("olga", ["", "The agent goes wild."])

    def test_its_end_is_in_the_audit_log(self, db: None) -> None:
        pauses.pause_installation(timezone.now() + HOUR, by="olga")
        tidy(timezone.now() + 2 * HOUR)
        entry = AuditEntry.objects.order_by("-id").first()
        assert entry is not None
        assert entry.reason_code == "pause_over"

    def test_a_change_of_a_pause_keeps_its_start(self, paused: InstallationPause) -> None:
        changed = pauses.pause_installation(timezone.now() + HOUR, by="otto")
        assert (changed.paused_at, changed.paused_by) == (paused.paused_at, "otto")


class TestPages:
    @pytest.mark.parametrize("page", ["", "triggers", "runs", "events", "agents", "pause"])
    def test_each_has_the_banner(
        self, paused: InstallationPause, editor: Client, page: str
    ) -> None:
        assert "The agent goes wild." in editor.get(f"/console/{page}").content.decode()

    def test_the_admin_has_it_too(self, paused: InstallationPause, editor: Client) -> None:
        assert "The agent goes wild." in editor.get("/admin/").content.decode()

    def test_there_is_none_while_nothing_is_paused(self, editor: Client) -> None:
        assert "Everything is paused." not in editor.get("/console/").content.decode()

    def test_the_switch_pauses(self, editor: Client) -> None:
        editor.post("/console/pause", {"end": "1h", "note": "Moving."})
        assert InstallationPause.objects.get().pause_note == "Moving."

    def test_another_time_is_read(self, editor: Client) -> None:
        editor.post("/console/pause", {"end": "other", "other": "", "note": ""})
        assert not InstallationPause.objects.exists()

    def test_resume_lets_triggers_fire(self, paused: InstallationPause, editor: Client) -> None:
        editor.post("/console/resume")
        assert pauses.installation_pause(timezone.now()) is None

    def test_a_viewer_sees_the_banner_without_the_button(
        self, paused: InstallationPause, viewer: Client
    ) -> None:
        page = viewer.get("/console/").content.decode()
        assert "Everything is paused." in page
        assert "/console/resume" not in page

    @pytest.mark.parametrize("path", ["/console/pause", "/console/resume"])
    def test_a_viewer_may_not_press_it(self, viewer: Client, path: str) -> None:
        assert viewer.post(path, {"end": "1h"}).status_code == 403


class TestPagesOfTriggers:
    def test_the_button_asks_how_long(self, editor: Client, make_trigger: MakeTrigger) -> None:
        page = editor.post("/console/triggers/act", {"action": f"pause:{make_trigger().pk}"})
        assert "Monday 09:00" in page.content.decode()

    def test_chosen_ones_are_paused(self, act: Any, make_trigger: MakeTrigger) -> None:
        rows = [make_trigger(), make_trigger()]
        act("pause", *rows, sure="yes", end="1h", note="Moving.")
        assert [stored(row).pause_note for row in rows] == ["Moving.", "Moving."]

    def test_a_wrong_time_is_shown_at_its_field(self, act: Any, make_trigger: MakeTrigger) -> None:
        page = act("pause", make_trigger(), sure="yes", end="other", other="2020-01-01T09:00")
        assert "This is past: choose a later moment." in page

    def test_the_page_says_until_when_and_why(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger()
        row.pause(timezone.now(), None, by="olga", note="Moving house.")
        row.save()
        page = editor.get(f"/console/triggers/{row.pk}").content.decode()
        assert "By olga, until somebody resumes it. Moving house." in page

    def test_its_changes_say_until_when(self, act: Any, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        act("pause", row, sure="yes", end="", next=f"/console/triggers/{row.pk}")
        page = act("none", row, next=f"/console/triggers/{row.pk}")
        assert "Until somebody resumes" in page
        assert "9999" not in page

    def test_the_list_finds_those_that_a_person_paused(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        row, other = make_trigger(name="Quiet one"), make_trigger(name="Loud one")
        row.pause(timezone.now(), None, by="olga")
        row.save()
        page = editor.get("/console/triggers?state=on-pause").content.decode()
        assert "Quiet one" in page
        assert other.name not in page

    def test_resume_of_chosen_ones(self, act: Any, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        row.pause(timezone.now(), None, by="olga")
        row.save()
        act("resume", row)
        assert stored(row).fires(timezone.now())
