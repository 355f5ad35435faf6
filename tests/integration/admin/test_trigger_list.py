import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.utils import quote
from django.db import NotSupportedError, connection
from django.test import Client
from django.utils import timezone

from executions.models import TriggerExecution
from executions.runner.complete import set_result, write
from moca.authentication.models import AuditEntry
from moca.ids import new_id
from tests.integration.admin.conftest import EXECUTIONS, TRIGGERS, address, overtaken
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
    trigger = make_trigger()
    note(
        trigger,
        last_status="failed",
        last_executed_at=timezone.now(),
        last_execution_id="0198",
        last_error="The agent is away.",
    )
    page = text(viewer)
    assert f'href="{EXECUTIONS}{quote(f"{trigger.pk}:0198")}/change/"' in page
    assert "The agent is away." in page


def test_the_end_of_a_run_is_noted_for_the_list(
    viewer: Client, make_trigger: Make, make_execution: Callable[..., TriggerExecution]
) -> None:
    runs = [make_execution(make_trigger(), status="running") for _ in range(2)]
    for run in runs:
        set_result(run, RunStatus.FAILED, error=f"Reason {run.pk}.")
    write(runs)
    page = text(viewer)
    assert all(f"Reason {run.pk}." in page for run in runs)
    assert all(f'href="{address(run)}/change/"' in page for run in runs)


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


@pytest.mark.parametrize("as_typed", [str, str.upper, " {} ".format])
def test_search_finds_by_the_whole_id(
    viewer: Client, make_trigger: Make, as_typed: Callable[[str], str]
) -> None:
    make_trigger(name="other")
    wanted = make_trigger(name="wanted")
    assert listed(viewer, f"?q={as_typed(wanted.pk)}") == ["wanted"]


def test_search_finds_by_the_whole_id_of_a_user(viewer: Client, make_trigger: Make) -> None:
    user = new_id()
    make_trigger(name="other", description=user)
    make_trigger(name="wanted", user_id=user)
    assert listed(viewer, f"?q={user}") == ["wanted"]


def test_search_finds_an_id_that_stands_elsewhere(viewer: Client, make_trigger: Make) -> None:
    agent = new_id()
    make_trigger(name="other")
    make_trigger(name="wanted", agent_id=agent)
    assert listed(viewer, f"?q={agent}") == ["wanted"]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("user:bob", ["Evening", "Morning"]),
        ("user:bob eve", ["Evening"]),
        ("EVE user:bob", ["Evening"]),
        ('user:"bob" eve', ["Evening"]),
        ('user:"bob smith"', ["Of two words"]),
        ("user:b", []),
        ("user:bob user:alice", []),
    ],
)
def test_search_narrows_to_a_user(
    viewer: Client, make_trigger: Make, search: str, names: list[str]
) -> None:
    make_trigger(name="Evening", user_id="alice")
    make_trigger(name="Morning", user_id="bob")
    make_trigger(name="Evening", user_id="bob")
    make_trigger(name="Of two words", user_id="bob smith")
    assert listed(viewer, f"?{urlencode({'q': search})}") == names


@pytest.mark.parametrize("user", ["bob", "bob smith"])
def test_a_user_leads_to_the_triggers_of_the_same(
    viewer: Client, make_trigger: Make, user: str
) -> None:
    make_trigger(name="other")
    make_trigger(name="wanted", user_id=user)
    link = re.findall(r'<a class="fine" href="[^"?]*([^"]*)"', text(viewer))[0]
    assert listed(viewer, unescape(link)) == ["wanted"]


@pytest.mark.sqlite
def test_a_search_through_too_much_says_how_to_narrow_it(
    viewer: Client, make_trigger: Make
) -> None:
    make_trigger()

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if "LIKE" in sql:
            raise NotSupportedError("more than 10000 rows")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse):
        assert "Too many triggers to look through: choose a type" in text(viewer, "?q=x")


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

    def test_what_has_left_the_page_since_is_acted_on(
        self, editor: Client, make_trigger: Make
    ) -> None:
        ticked = make_trigger()
        for _ in range(50):
            make_trigger()
        assert self.act(editor, "disable", ticked) == "1 disabled."

    def test_rows_that_are_not_ticked_stay(self, editor: Client, make_trigger: Make) -> None:
        make_trigger()
        data = {"action": "disable", "select_across": "1", "index": "0"}
        editor.post(TRIGGERS, data)
        assert Trigger.objects.get().enabled

    def test_an_unknown_action_is_refused(self, editor: Client, make_trigger: Make) -> None:
        assert self.act(editor, "explode", make_trigger()) == "No action selected."

    @pytest.mark.sqlite
    def test_one_that_somebody_else_changes_at_the_moment_does_not_stop_the_others(
        self, editor: Client, make_trigger: Make
    ) -> None:
        some = [make_trigger(name="Busy"), make_trigger()]
        with overtaken("UPDATE", some[0].pk):
            told = self.act(editor, "disable", *some)
        assert told.startswith("1 disabled, 1 could not be: Busy: somebody else changed")

    @pytest.mark.sqlite
    def test_a_deletion_that_fails_leaves_the_others_deleted(
        self, editor: Client, make_trigger: Make
    ) -> None:
        some = [make_trigger(name="Busy"), make_trigger()]
        data = {
            "action": "delete_selected",
            "post": "yes",
            "_selected_action": [trigger.pk for trigger in some],
        }
        with overtaken("DELETE", some[0].pk):
            editor.post(TRIGGERS, data)
        assert [trigger.name for trigger in Trigger.objects.all()] == ["Busy"]

    @pytest.mark.parametrize("action", ["enable", "disable", "run_now", "delete_selected"])
    def test_a_viewer_has_no_actions(self, viewer: Client, make_trigger: Make, action: str) -> None:
        trigger = make_trigger(enabled=action != "enable")
        before = Trigger.objects.values().get()
        self.act(viewer, action, trigger)
        assert (Trigger.objects.values().get(), AuditEntry.objects.count()) == (before, 0)
