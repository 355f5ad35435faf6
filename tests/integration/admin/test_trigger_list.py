from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import TriggerExecution
from executions.runner.end import settle, write
from moca.authentication.models import AuditEntry
from tests.integration.admin.conftest import EXECUTIONS, TRIGGERS
from triggers.models import LocalSchedule, RunStatus, Trigger

Make = Callable[..., Trigger]


def listed(client: Client, query: str = "") -> list[str]:
    response = client.get(TRIGGERS + query)
    return sorted(trigger.name for trigger in response.context["cl"].result_list)


def text(client: Client, query: str = "") -> str:
    return client.get(TRIGGERS + query).content.decode()


def note(trigger: Trigger, **fields: Any) -> None:
    Trigger.objects.filter(pk=trigger.pk).update(**fields)


def test_triggers_of_all_users_are_listed(viewer: Client, make_trigger: Make) -> None:
    make_trigger(name="A", user_id="alice")
    make_trigger(name="B", user_id="bob")
    assert listed(viewer) == ["A", "B"]


def test_the_schedule_stands_in_words(viewer: Client, make_trigger: Make) -> None:
    make_trigger(
        schedule_config={"expression": "cron(0 9 ? * MON-FRI *)", "timezone": "Asia/Tokyo"}
    )
    assert "At 09:00 on weekdays, Tokyo time" in text(viewer)


def test_the_next_run_has_the_offset_of_the_schedules_zone(
    viewer: Client, make_trigger: Make
) -> None:
    make_trigger(schedule_config={"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"})
    assert "09:00 +09:00" in text(viewer)


def test_a_disabled_trigger_has_no_next_run(viewer: Client, make_trigger: Make) -> None:
    make_trigger(enabled=False)
    assert 'class="field-next_run">\N{EN DASH}<' in text(viewer)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "Enabled"),
        ({"enabled": False}, "Disabled"),
        ({"enabled": False, "paused_reason": "Paused after 3 runs."}, "Paused after 3 runs."),
        ({"sync_state": "failed", "sync_error": "Quota exceeded."}, "Quota exceeded."),
        ({"schedule_config": {"expression": "at(2020-01-01T00:00:00)"}}, "Never fires again"),
        ({"schedule_config": {"expression": "cron(at(x))"}}, "Cannot fire"),
        ({"schedule_config": None}, "Cannot fire"),
        ({"skipped_runs": 4}, "4 skipped"),
    ],
)
def test_the_state_is_told(viewer: Client, make_trigger: Make, fields: Any, word: str) -> None:
    note(make_trigger(), **fields)
    assert word in text(viewer)


def test_the_last_result_links_to_its_run_and_says_why_it_failed(
    viewer: Client, make_trigger: Make
) -> None:
    note(
        make_trigger(),
        last_status="failed",
        last_executed_at=timezone.now(),
        last_execution_id="0198",
        last_error="The agent is away.",
    )
    page = text(viewer)
    assert f'href="{EXECUTIONS}0198/change/"' in page
    assert "The agent is away." in page


def test_the_end_of_a_run_is_noted_for_the_list(
    viewer: Client, make_trigger: Make, make_execution: Callable[..., TriggerExecution]
) -> None:
    runs = [make_execution(make_trigger(), status="running") for _ in range(2)]
    for run in runs:
        settle(run, RunStatus.FAILED, error=f"Reason {run.pk}.")
    write(runs)
    page = text(viewer)
    assert all(f"Reason {run.pk}." in page for run in runs)
    assert all(f'href="{EXECUTIONS}{run.pk}/change/"' in page for run in runs)


def test_a_trigger_that_runs_says_so(viewer: Client, make_trigger: Make) -> None:
    now = timezone.now()
    note(make_trigger(), running_since=now, running_until=now + timedelta(minutes=1))
    assert ">Running<" in text(viewer)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?attention=failing", {"consecutive_failures": 2}),
        ("?attention=paused", {"enabled": False, "paused_reason": "Paused."}),
        ("?attention=out-of-step", {"sync_state": "pending"}),
        ("?attention=skipped", {"skipped_runs": 1}),
        ("?last_result=failed", {"last_status": "failed"}),
        ("?enabled__exact=0", {"enabled": False}),
        ("?type__exact=event", {"type": "event"}),
        ("?q=needle", {"description": "A Needle in it"}),
        ("?q=needle", {"agent_id": "needle"}),
        ("?q=needle", {"user_id": "needle"}),
    ],
)
def test_filters_and_search_find(
    viewer: Client, make_trigger: Make, query: str, fields: Any
) -> None:
    make_trigger(name="other")
    note(make_trigger(name="wanted"), **fields)
    assert listed(viewer, query) == ["wanted"]


def test_search_finds_by_the_whole_id(viewer: Client, make_trigger: Make) -> None:
    make_trigger(name="other")
    wanted = make_trigger(name="wanted")
    assert listed(viewer, f"?q={wanted.pk}") == ["wanted"]


def test_an_empty_list_says_what_to_do(editor: Client) -> None:
    assert "There are no triggers yet. <a" in text(editor)


def test_no_match_offers_the_way_back(viewer: Client, make_trigger: Make) -> None:
    make_trigger()
    assert "Nothing matches." in text(viewer, "?q=zzz")


def test_names_and_errors_are_escaped(viewer: Client, make_trigger: Make) -> None:
    hostile = "<script>alert(1)</script>"
    note(
        make_trigger(name=hostile, description=hostile, agent_id=hostile, user_id=hostile),
        last_status="failed",
        last_executed_at=timezone.now(),
        last_error=hostile,
        paused_reason=hostile,
        sync_state="failed",
        sync_error=hostile,
        skipped_runs=1,
        last_skip_reason=hostile,
        enabled=False,
    )
    assert "<script>alert" not in text(viewer)


def queries(client: Client) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(TRIGGERS)
    return len(captured)


def test_a_long_list_costs_as_many_queries_as_a_short_one(
    viewer: Client, make_trigger: Make
) -> None:
    for number in range(10):
        make_trigger(name=str(number))
    short = queries(viewer)
    for number in range(90):
        make_trigger(name=str(number))
    assert queries(viewer) == short


class TestActions:
    def act(self, client: Client, action: str, *triggers: Trigger) -> str:
        data = {"action": action, "_selected_action": [trigger.pk for trigger in triggers]}
        response = client.post(TRIGGERS, data, follow=True)
        return " ".join(str(message) for message in response.context["messages"])

    def test_disable_tells_the_sum(self, editor: Client, make_trigger: Make) -> None:
        some = [make_trigger(), make_trigger(), make_trigger(enabled=False)]
        assert self.act(editor, "disable", *some) == "2 disabled, 1 already disabled."

    def test_disable_stops_the_schedule(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        self.act(editor, "disable", trigger)
        assert LocalSchedule.objects.get(pk=trigger.pk).due_at is None

    def test_enable_forgives_the_failures(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger(enabled=False)
        note(trigger, consecutive_failures=3, paused_reason="Paused.")
        self.act(editor, "enable", trigger)
        trigger.refresh_from_db()
        assert (trigger.enabled, trigger.consecutive_failures, trigger.paused_reason) == (
            True,
            0,
            "",
        )

    def test_what_never_fires_again_is_not_enabled(
        self, editor: Client, make_trigger: Make
    ) -> None:
        over = make_trigger(name="Over", enabled=False)
        note(over, schedule_config={"expression": "at(2020-01-01T00:00:00)"})
        told = self.act(editor, "enable", make_trigger(enabled=False), over)
        assert told.startswith("1 enabled, 1 could not be: Over: This never fires again")

    def test_actions_are_on_record(self, editor: Client, make_trigger: Make) -> None:
        self.act(editor, "disable", make_trigger())
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.changes) == ("editor-operator", {"enabled": [True, False]})

    def test_run_now_starts_a_run_of_each(self, editor: Client, make_trigger: Make) -> None:
        assert self.act(editor, "run_now", make_trigger(), make_trigger()) == "2 started."

    def test_run_now_says_which_trigger_is_busy(self, editor: Client, make_trigger: Make) -> None:
        busy = make_trigger(name="Busy")
        self.act(editor, "run_now", busy)
        told = self.act(editor, "run_now", busy, make_trigger())
        assert told.startswith("1 started, 1 could not be: Busy: The trigger is running")

    def test_many_refusals_still_fit_a_message(self, editor: Client, make_trigger: Make) -> None:
        busy = [make_trigger(name=f"Busy {number}" + "x" * 150) for number in range(20)]
        self.act(editor, "run_now", *busy)
        assert "and 17 more." in self.act(editor, "run_now", *busy)

    @pytest.mark.parametrize("action", ["enable", "disable", "run_now", "delete_selected"])
    def test_a_viewer_has_no_actions(self, viewer: Client, make_trigger: Make, action: str) -> None:
        trigger = make_trigger(enabled=action != "enable")
        before = Trigger.objects.values().get()
        self.act(viewer, action, trigger)
        assert (Trigger.objects.values().get(), AuditEntry.objects.count()) == (before, 0)
