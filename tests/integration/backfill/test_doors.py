"""Backfills by the page and by the command, and with the processes that work them off."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from agents.demo import DemoAgent
from executions import lambda_handler
from executions.backfill import worker
from executions.backfill.model import Backfill
from executions.models import TriggerExecution
from executions.runner import record_missed
from moca.times import iso
from tests.conftest import wait_for
from tests.integration.handler.test_handler import Context, agent
from triggers.models import LocalSchedule, RunStatus, Trigger

from .conftest import DAY, HOUR, NOW, at, backfilled, work_off

__all__ = ["agent"]

MakeTrigger = Callable[..., Trigger]


def page_of(trigger: Trigger) -> str:
    return f"/console/triggers/{trigger.pk}"


def form(**changes: Any) -> dict[str, Any]:
    values = {
        "kind": "missed",
        "since": iso(NOW - 12 * HOUR),
        "until": iso(NOW),
        "per_minute": 600,
        "at_once": 1,
    }
    return {**values, **changes}


class TestPage:
    def test_previews(self, editor: Client, hourly: Trigger) -> None:
        page = editor.post(f"{page_of(hourly)}/backfill", form(preview="yes")).content.decode()
        assert "<strong>12 runs</strong>" in page
        assert not Backfill.objects.of_trigger(hourly.pk).exists()

    def test_starts(self, editor: Client, hourly: Trigger) -> None:
        page = editor.post(f"{page_of(hourly)}/backfill", form(start="yes"), follow=True)
        assert "12 runs will be made up for." in page.content.decode()

    def test_a_second_press_starts_none(self, editor: Client, hourly: Trigger) -> None:
        for _press in range(2):
            page = editor.post(f"{page_of(hourly)}/backfill", form(start="yes"), follow=True)
        assert "There is nothing to run" in page.content.decode()
        assert Backfill.objects.of_trigger(hourly.pk).count() == 1

    def test_reads_times_by_the_clock_of_the_schedule(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        config = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
        row = make_trigger(schedule_config=config, created_at=NOW - 5 * DAY)
        day = f"{NOW - 2 * DAY:%Y-%m-%d}"
        wanted = form(preview="yes", since=f"{day}T09:00", until=f"{day}T09:00:30")
        page = editor.post(f"{page_of(row)}/backfill", wanted).content.decode()
        assert "<strong>1 run</strong>" in page

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"since": "soon"}, "Give a date and time"),
            ({"since": ""}, "This field is required."),
            ({"until": "2020-01-01T09:00"}, "Give a moment that is past, and before the other"),
            ({"at_once": 0}, "greater than or equal to 1"),
        ],
    )
    def test_shows_what_is_wrong_at_its_field(
        self, editor: Client, hourly: Trigger, changes: dict[str, Any], words: str
    ) -> None:
        page = editor.post(f"{page_of(hourly)}/backfill", form(preview="yes", **changes))
        assert words in page.content.decode()

    def test_a_disabled_trigger_is_refused(self, editor: Client, make_trigger: MakeTrigger) -> None:
        row = make_trigger(enabled=False, created_at=NOW - 5 * DAY)
        wanted = form(start="yes", since=iso(NOW - 3 * DAY), with_left_out="on")
        page = editor.post(f"{page_of(row)}/backfill", wanted).content.decode()
        assert "The trigger is disabled or paused" in page

    def test_stop(self, editor: Client, hourly: Trigger) -> None:
        editor.post(f"{page_of(hourly)}/backfill", form(start="yes"))
        made = Backfill.objects.of_trigger(hourly.pk).get()
        page = editor.post(f"{page_of(hourly)}/backfills/{made.pk}/stop", follow=True)
        assert "Stopped by " in page.content.decode()

    def test_a_viewer_may_not(self, viewer: Client, hourly: Trigger) -> None:
        assert viewer.post(f"{page_of(hourly)}/backfill", form(start="yes")).status_code == 403


class TestTriggersPage:
    @pytest.fixture
    def missed(self, make_trigger: MakeTrigger) -> Trigger:
        """An hourly trigger that nobody fired for twelve hours."""
        now = timezone.now()
        row = make_trigger(
            schedule_config={"expression": "cron(0 * * * ? *)"}, created_at=now - 12 * HOUR
        )
        record_missed(row, row.next_runs(now - 12 * HOUR, 1)[0], now)
        return row

    def test_offers_to_run_what_was_missed(self, editor: Client, missed: Trigger) -> None:
        page = editor.get(page_of(missed)).content.decode()
        assert re.search(r"1[12] runs were missed", page)

    def test_one_press_runs_them_and_a_second_none(self, editor: Client, missed: Trigger) -> None:
        number = self.press(editor, missed)
        work_off()
        assert number in (11, 12)
        assert len(backfilled(missed.pk)) == number
        assert "were missed" not in editor.get(page_of(missed)).content.decode()

    def press(self, editor: Client, trigger: Trigger) -> int:
        """Send the form of the page; returns how many runs it says."""
        page = editor.get(page_of(trigger)).content.decode()
        found = re.search(r"(\d+) runs? w(as|ere) missed", page)
        assert found
        names = ("kind", "since", "per_minute", "at_once")
        fields = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in names}
        sent = {name: match[1] for name, match in fields.items() if match}
        editor.post(f"{page_of(trigger)}/backfill", {**sent, "start": "yes"})
        return int(found[1])

    def test_says_nothing_if_none_was_missed(self, editor: Client, hourly: Trigger) -> None:
        assert "was missed" not in editor.get(page_of(hourly)).content.decode()


class TestCommand:
    def call(self, trigger: Trigger, *words: str) -> str:
        out = StringIO()
        call_command("backfill", trigger.pk, *words, stdout=out)
        return out.getvalue()

    def test_previews(self, hourly: Trigger) -> None:
        said = self.call(hourly, "--from", iso(NOW - 3 * HOUR), "--to", iso(NOW), "--preview")
        assert "3 runs, done in about" in said
        assert not Backfill.objects.of_trigger(hourly.pk).exists()

    def test_starts_lists_and_stops(self, hourly: Trigger) -> None:
        self.call(hourly, "--from", iso(NOW - 3 * HOUR), "--to", iso(NOW))
        key = Backfill.objects.of_trigger(hourly.pk).get().pk
        said = self.call(hourly, "--stop", key)
        assert (said, "stopped  0 of 3 begun" in self.call(hourly, "--list")) == (
            "Stopped.\n",
            True,
        )

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "--from: Give the moment"),
            (["--from", "2026-01-01T00:00Z", "--at-once", "99"], "--at-once: Give a number"),
            (["--stop", "nothing"], "There is no backfill nothing"),
        ],
    )
    def test_a_wrong_call_says_what_to_give(
        self, hourly: Trigger, words: list[str], message: str
    ) -> None:
        with pytest.raises(CommandError, match=message):
            self.call(hourly, *words)


def test_a_stopped_scheduler_a_click_and_a_second_click(
    transactional_db: None, scheduler: Callable, editor: Client, make_trigger: MakeTrigger
) -> None:
    now = timezone.now()
    minute = (now - timedelta(minutes=20)).minute
    row = make_trigger(
        schedule_config={"expression": f"cron({minute} * * * ? *)"}, created_at=now - DAY
    )
    first = row.next_runs(now - 5 * HOUR, 1)[0]
    LocalSchedule.objects.filter(pk=row.pk).update(next_run_at=first, due_at=first)
    pages = TestTriggersPage()
    with scheduler():
        wait_for(lambda: TriggerExecution.objects.filter(error_code="missed").exists())
        number = pages.press(editor, row)
        Backfill.objects.of_trigger(row.pk).filter(state="running").update(per_minute=600)
        wait_for(lambda: Backfill.objects.of_trigger(row.pk).get().state == "done", 60)
    assert [run.status for run in backfilled(row.pk)] == [RunStatus.COMPLETED] * number
    assert "missed" not in editor.get(page_of(row)).content.decode().partition("<h2")[0]


def test_on_aws_each_run_begins_the_next(
    transactional_db: None, agent: DemoAgent, alice: Any, hourly: Trigger, settings: Any
) -> None:
    settings.DISPATCHER = "executions.dispatchers.aws_lambda.LambdaDispatcher"
    invoked: list[str] = []
    with (
        patch("executions.dispatchers.aws_lambda._invoke", lambda each: invoked.append(each.pk)),
        at(NOW),
    ):
        sent = {"from": iso(NOW - 3 * HOUR), "perMinute": 600}
        alice.post(f"/triggers/{hourly.pk}/backfill", sent)
        event = {"detail-type": "Run Requested", "detail": {}}
        for number in range(3):
            with at(NOW + timedelta(seconds=1 + number)):
                detail = {"triggerId": hourly.pk, "executionId": invoked[number]}
                lambda_handler.handler({**event, "detail": detail}, Context())
    assert [run.status for run in backfilled(hourly.pk)] == [RunStatus.COMPLETED] * 3


def test_on_aws_maintenance_goes_on(
    transactional_db: None, alice: Any, hourly: Trigger, settings: Any
) -> None:
    with at(NOW):
        alice.post(f"/triggers/{hourly.pk}/backfill", {"from": iso(NOW - 3 * HOUR)})
        lambda_handler.handler({"detail-type": "Reconcile Schedules"}, Context())
    assert len(backfilled(hourly.pk)) == 1


def test_a_run_that_failed_counts_as_failed(hourly: Trigger, alice: Any) -> None:
    with at(NOW):
        alice.post(f"/triggers/{hourly.pk}/backfill", {"from": iso(NOW - HOUR)})
        worker.work(NOW)
    run = backfilled(hourly.pk)[0]
    TriggerExecution.objects.keyed(hourly.pk, run.pk).update(status=RunStatus.FAILED)
    with at(NOW + HOUR):
        worker.work(timezone.now())
    made = Backfill.objects.of_trigger(hourly.pk).get()
    assert (made.failed, made.state) == (1, "done")
