"""What the pages and the health check tell of silence."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from executions.alarms import Alarm
from executions.silence import look
from moca.authentication.models import Operator
from tests.integration.silence.conftest import DAY, HOUR, MINUTE, kinds, process, set_due
from triggers.models import Process, Trigger

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    client.force_login(Operator.objects.create_operator("vera"))
    return client


def page(client: Client, path: str) -> str:
    return client.get(path).content.decode()


@pytest.fixture
def silent(make_trigger: MakeTrigger) -> Trigger:
    """A trigger that should have run an hour ago, while its scheduler was dead."""
    trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
    due = timezone.now() - HOUR
    set_due(trigger, due)
    process(due - MINUTE)
    return trigger


class TestHealth:
    def test_is_well_while_a_scheduler_lives(self, client: Client, db: None) -> None:
        process(timezone.now())
        answer = client.get("/health?deep=1")
        assert (answer.status_code, answer.json()["checks"]["process"]) == (200, "ok")

    def test_names_the_part_that_is_dead(self, client: Client, db: None) -> None:
        process(timezone.now() - HOUR)
        answer = client.get("/health?deep=1")
        assert (answer.status_code, answer.json()["checks"]) == (
            503,
            {"database": "ok", "scheduler": "ok", "process": "error"},
        )

    def test_raises_the_alarm(self, client: Client, db: None) -> None:
        process(timezone.now() - HOUR)
        client.get("/health?deep=1")
        assert kinds() == ["no_process"]

    def test_stays_dead_after_its_row_is_gone(self, client: Client, db: None) -> None:
        process(timezone.now() - HOUR)
        client.get("/health?deep=1")
        Process.objects.all().delete()
        assert client.get("/health?deep=1").status_code == 503

    def test_shallow_reads_nothing(
        self, client: Client, db: None, django_assert_num_queries: Any
    ) -> None:
        process(timezone.now() - HOUR)
        with django_assert_num_queries(0):
            assert client.get("/health").status_code == 200


class TestDashboard:
    def test_says_that_nothing_fires(self, viewer: Client, silent: Trigger) -> None:
        assert "No scheduler is alive" in page(viewer, "/console/")

    def test_raises_the_alarm_itself(self, viewer: Client, silent: Trigger) -> None:
        page(viewer, "/console/")
        assert kinds() == ["no_process"]

    def test_says_nothing_while_one_is_alive(self, viewer: Client, silent: Trigger) -> None:
        process(timezone.now())
        assert "No scheduler is alive" not in page(viewer, "/console/")

    def test_names_triggers_that_are_silent(self, viewer: Client, silent: Trigger) -> None:
        look(timezone.now())
        assert "Did not run" in page(viewer, "/console/")

    def test_says_that_the_monitor_cannot_be_called(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        make_trigger()
        row = process(timezone.now())
        Process.objects.filter(pk=row.pk).update(call_error="The answer was HTTP 404.")
        assert "The answer was HTTP 404." in page(viewer, "/console/")

    def test_many_alarms_are_folded(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        due = timezone.now() - DAY
        process(due)
        for number in range(7):
            set_due(make_trigger(name=f"T{number}"), due)
        look(timezone.now())
        assert "2 more" in page(viewer, "/console/")


class TestTrigger:
    def test_says_why_it_is_silent(self, viewer: Client, silent: Trigger) -> None:
        look(timezone.now())
        # Once as its state, and once among its changes.
        assert page(viewer, f"/console/triggers/{silent.pk}").count("has not started") == 2

    def test_says_when_the_next_run_is_expected(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
        assert "expected by" in page(viewer, f"/console/triggers/{trigger.pk}")

    def test_alarms_of_others_are_not_shown(
        self, viewer: Client, silent: Trigger, make_trigger: MakeTrigger
    ) -> None:
        look(timezone.now())
        other = make_trigger(user_id="bob")
        assert "has not started" not in page(viewer, f"/console/triggers/{other.pk}")

    def test_shows_its_deadlines(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(run_within_seconds=45, on_deadline="cancel")
        assert "45 seconds, or be cancelled" in page(viewer, f"/console/triggers/{trigger.pk}")


def test_alarm_about_a_trigger_is_found_by_its_id(make_trigger: MakeTrigger) -> None:
    trigger, now = make_trigger(), timezone.now()
    for key in (f"{trigger.pk}-due", f"{trigger.pk}-long-e", f"{trigger.pk}0-due", "process"):
        Alarm(id=key, kind="late", since=now, raised_at=now, reason="r").save()
    found = {alarm.pk for alarm in Alarm.objects.about_trigger(trigger.pk)}
    assert found == {f"{trigger.pk}-due", f"{trigger.pk}-long-e"}
