"""The list of triggers: its rows, filters, order and bulk actions."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from tests.conftest import make_many
from tests.integration.console.conftest import ACT, TRIGGERS, Act, MakeTrigger, ticked
from triggers import chains
from triggers.models import FOREVER, Process, ProcessKind, Trigger
from triggers.pauses import installation_pause
from triggers.statistics import PastRun, Statistics


def names(client: Client, **query: str) -> list[str]:
    """The names of the triggers on the page, from the top."""
    return [row.trigger.name for row in client.get(TRIGGERS, query).context["rows"]]


def note(trigger: Trigger, **fields: Any) -> None:
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(**fields)


def follow(make_trigger: MakeTrigger, pattern: dict[str, Any]) -> Trigger:
    return make_trigger(
        name="Second", type="event", schedule_config=None, event_config={"eventPattern": pattern}
    )


class TestShown:
    def test_schedule_in_words(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger()
        assert "At 09:00" in viewer.get(TRIGGERS).content.decode()

    @pytest.mark.parametrize(
        ("kinds", "words"),
        [
            (chains.ONLY_COMPLETED, "After completed runs of First"),
            (chains.ONLY_FAILED, "After failed runs of First"),
            (chains.EITHER, "After completed or failed runs of First"),
        ],
    )
    def test_chain_in_words(
        self, viewer: Client, make_trigger: MakeTrigger, kinds: tuple[str, ...], words: str
    ) -> None:
        first = make_trigger(name="First")
        follow(make_trigger, chains.pattern_after(first.pk, kinds))
        page = viewer.get(TRIGGERS).content.decode()
        shown = f'<a href="{TRIGGERS}/{first.pk}">{words}</a>' in page
        assert (shown, "moca.triggers" in page) == (True, False)

    def test_page_of_a_chain_has_the_same_words(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        first = make_trigger(name="First")
        second = follow(make_trigger, chains.pattern_after(first.pk, chains.ONLY_FAILED))
        page = viewer.get(f"{TRIGGERS}/{second.pk}").content.decode()
        assert ">After failed runs of First</a>" in page

    @pytest.mark.parametrize("more", [{"tags": ["daily"]}, {"triggerId": ["a", "b"]}])
    def test_chain_that_words_cannot_say(
        self, viewer: Client, make_trigger: MakeTrigger, more: dict[str, Any]
    ) -> None:
        pattern = chains.pattern_after(make_trigger(name="First").pk, chains.ONLY_COMPLETED)
        follow(make_trigger, {**pattern, "detail": {**pattern["detail"], **more}})
        assert "moca.triggers" in viewer.get(TRIGGERS).content.decode()

    def test_chain_after_a_deleted_trigger(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        follow(make_trigger, chains.pattern_after("gone", chains.ONLY_COMPLETED))
        assert "moca.triggers" in viewer.get(TRIGGERS).content.decode()

    def test_chain_names_no_trigger_of_another_user(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        other = make_trigger(name="First", user_id="bob")
        follow(make_trigger, chains.pattern_after(other.pk, chains.ONLY_COMPLETED))
        assert "runs of First" not in viewer.get(TRIGGERS).content.decode()

    def test_end_of_a_pause(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        end = datetime(2099, 2, 1, 7, 13, tzinfo=UTC)
        note(make_trigger(), paused_at=timezone.now(), paused_until=end, paused_by="ann")
        assert ">Sun 2099-02-01 07:13 " in viewer.get(TRIGGERS).content.decode()

    def test_pause_without_an_end(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        note(make_trigger(), paused_at=timezone.now(), paused_until=FOREVER, paused_by="ann")
        assert "until <time" not in viewer.get(TRIGGERS).content.decode()

    def test_owner_by_name(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(user_id=Operator.objects.get().subject)
        assert ">viewer-operator</a>" in viewer.get(TRIGGERS).content.decode()

    def test_last_runs(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        statistics = Statistics()
        for failed in (False, True):
            statistics.add(PastRun("r", datetime(2026, 7, 1, tzinfo=UTC), 1000, failed))
        note(make_trigger(), statistics=statistics.text())
        assert "Last 2 runs: 1 failed" in viewer.get(TRIGGERS).content.decode()

    def test_reason_of_the_last_failure(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        note(make_trigger(), last_status="failed", last_error="The agent was away.")
        assert "The agent was away." in viewer.get(TRIGGERS).content.decode()

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"last_status": "failed", "last_outcome": "timed_out"}, "Timed out"),
            ({"last_status": "completed", "last_outcome": "interrupted"}, "Waits for a person"),
            ({"last_status": "completed", "last_outcome": "success"}, "Completed"),
            ({"last_status": "failed"}, "Failed"),
        ],
    )
    def test_how_the_last_run_ended(
        self, viewer: Client, make_trigger: MakeTrigger, fields: dict[str, str], word: str
    ) -> None:
        note(make_trigger(), last_executed_at=timezone.now(), **fields)
        assert f">{word}</a>" in viewer.get(TRIGGERS).content.decode()

    def test_a_run_that_is_going(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        now = timezone.now()
        note(make_trigger(), running_since=now, running_until=now + timedelta(minutes=1))
        assert "Running" in viewer.get(TRIGGERS).content.decode()

    @pytest.mark.parametrize("tags", [7, True, {"wool": 1}, "wool"])
    def test_tags_that_are_no_list(
        self, viewer: Client, make_trigger: MakeTrigger, tags: Any
    ) -> None:
        trigger = make_trigger()
        note(trigger, tags=tags)
        pages = [viewer.get(page) for page in (TRIGGERS, f"{TRIGGERS}/{trigger.pk}")]
        assert not any('class="tag"' in page.content.decode() for page in pages)

    def test_empty_list_leads_to_the_form(self, editor: Client) -> None:
        assert "Create the first trigger" in editor.get(TRIGGERS).content.decode()


class TestNarrowed:
    @pytest.mark.parametrize(
        ("query", "fields"),
        [
            ({"q": "SHEEP"}, {"name": "Count sheep"}),
            ({"q": "wool"}, {"description": "for the wool"}),
            ({"state": "disabled"}, {"enabled": False}),
            ({"state": "failing"}, {"consecutive_failures": 2}),
            ({"state": "paused"}, {"enabled": False, "paused_reason": "x"}),
            ({"state": "out-of-step"}, {"sync_state": "failed"}),
            ({"state": "skipped"}, {"skipped_runs": 1}),
            ({"agent": "shepherd"}, {"agent_id": "shepherd"}),
            ({"user": "bob"}, {"user_id": "bob"}),
            ({"tag": "farm"}, {"tags": ["wool", "farm"]}),
            ({"tag": "FARM"}, {"tags": ["farm"]}),
            ({"tag": "羊"}, {"tags": ["羊"]}),
        ],
    )
    def test_only_what_matches(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        query: dict[str, str],
        fields: dict[str, Any],
    ) -> None:
        make_trigger(name="Other", tags=["farmer"], last_status="completed")
        made = make_trigger(**{"name": "Wanted", "last_status": "completed", **fields})
        assert names(viewer, **query) == [made.name]

    def test_whole_id(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(name="Other")
        assert names(viewer, q=make_trigger(name="Wanted").pk) == ["Wanted"]

    def test_never_run(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(name="Old", last_status="failed")
        make_trigger(name="New")
        assert names(viewer, state="never") == ["New"]

    def test_nonsense_narrows_nothing(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(name="A")
        assert names(viewer, state="x", type="y", sort="z", p="older.") == ["A"]

    def test_a_tag_narrows_further(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(tags=["wool"])
        page = viewer.get(TRIGGERS, {"state": "enabled", "p": ""}).content.decode()
        assert 'href="?state=enabled&amp;tag=wool"' in page

    @pytest.mark.parametrize(("field", "value"), [("agent", "shepherd"), ("tag", "wool")])
    def test_a_field_offers_the_values_in_use(
        self, viewer: Client, make_trigger: MakeTrigger, field: str, value: str
    ) -> None:
        make_trigger(agent_id="shepherd", tags=["wool"])
        page = viewer.get(TRIGGERS).content.decode()
        offered = page.partition(f'<datalist id="{field}s">')[2].partition("</datalist>")[0]
        assert offered == f'<option value="{value}"></option>'

    @pytest.mark.parametrize(("field", "value"), [("agent", "shep herd"), ("tag", "羊")])
    def test_a_field_shows_what_was_chosen(self, viewer: Client, field: str, value: str) -> None:
        page = viewer.get(TRIGGERS, {field: value}).content.decode()
        assert f'name="{field}" value="{value}"' in page

    def test_agents_are_not_read_again_for_the_list_alone(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(agent_id="shepherd")
        answer = viewer.get(TRIGGERS, headers={"HX-Request": "true"})
        assert answer.context["agents"] == []

    def test_a_filter_can_be_taken_away(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        page = viewer.get(TRIGGERS, {"agent": "a", "state": "failing"}).content.decode()
        assert 'href="?state=failing"' in page


class TestOrder:
    @pytest.fixture
    def three(self, make_trigger: MakeTrigger) -> None:
        for name, hour, failures in (("b", 3, 0), ("C", 1, 5), ("a", 2, 1)):
            make_trigger(
                name=name,
                schedule_config={"expression": f"at(2090-01-01T{hour:02}:00:00)"},
                last_status="failed",
                last_executed_at=datetime(2026, 7, 1, hour, tzinfo=UTC),
                consecutive_failures=failures,
            )

    @pytest.mark.parametrize(
        ("order", "expected"),
        [("", "aCb"), ("name", "abC"), ("next", "Cab"), ("last", "baC"), ("failures", "Cab")],
    )
    def test_order(self, viewer: Client, three: None, order: str, expected: str) -> None:
        assert "".join(names(viewer, sort=order)) == expected

    @pytest.mark.parametrize("order", ["", "name"])
    def test_pages_hold_each_once(
        self, viewer: Client, make_trigger: MakeTrigger, order: str
    ) -> None:
        make_many(120)
        seen: list[str] = []
        address = ""
        for _ in range(3):
            page = viewer.get(TRIGGERS, {"sort": order, "p": address}).context
            seen += [row.trigger.name for row in page["rows"]]
            address = page["page"].older
        assert (sorted(seen), address) == ([f"T{number:04}" for number in range(120)], "")

    @pytest.mark.parametrize("address", ["9" * 5000, "-1", "1.5", "x", "older.x"])
    def test_nonsense_leads_to_the_first_page(
        self, viewer: Client, make_trigger: MakeTrigger, address: str
    ) -> None:
        make_trigger(name="A")
        assert names(viewer, sort="name", p=address) == ["A"]

    def test_a_page_that_is_no_more_says_so(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        make_trigger()
        page = viewer.get(TRIGGERS, {"sort": "name", "p": "40"}).content.decode()
        assert "Nothing is left on this page." in page

    def test_the_page_before(self, viewer: Client) -> None:
        make_many(60)
        first = viewer.get(TRIGGERS).context
        second = viewer.get(TRIGGERS, {"p": first["page"].older}).context
        again = viewer.get(TRIGGERS, {"p": second["page"].newer}).context
        assert [row.trigger.pk for row in again["rows"]] == [
            row.trigger.pk for row in first["rows"]
        ]

    def test_too_many_to_order(
        self, viewer: Client, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("console.trigger_list.SORTABLE", 1)
        make_trigger(name="a")
        make_trigger(name="b")
        page = viewer.get(TRIGGERS, {"sort": "name"})
        assert "More than 1 triggers match" in page.content.decode()


class TestActions:
    def test_disable(self, act: Act, make_trigger: MakeTrigger) -> None:
        made = [make_trigger(name=f"T{n}") for n in range(2)]
        assert "2 disabled." in act("disable", *made)

    def test_enable(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(enabled=False)
        act("enable", trigger)
        assert Trigger.objects.get(pk=trigger.pk).enabled

    def test_button_of_one_row(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger, other = make_trigger(), make_trigger()
        act(f"disable:{trigger.pk}", other)
        enabled = {each.pk: each.enabled for each in Trigger.objects.all()}
        assert enabled == {trigger.pk: False, other.pk: True}

    def test_run(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        act("run", trigger)
        assert TriggerExecution.objects.get().trigger_id == trigger.pk

    def test_run_of_a_busy_trigger_says_so(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        act("run", trigger)
        assert "The trigger is running" in act("run", trigger)

    def test_run_of_several_asks_first(self, act: Act, make_trigger: MakeTrigger) -> None:
        made = [make_trigger(name=f"T{number}") for number in range(3)]
        hold = {
            "running_since": timezone.now(),
            "running_until": timezone.now() + timedelta(hours=1),
        }
        Trigger.objects.filter(user_id=made[0].user_id, pk=made[0].pk).update(**hold)
        shown = act("run", *made)
        asked = ["Run these 2 triggers now?", "This trigger will not run: it is running"]
        runs = [TriggerExecution.objects.of_trigger(each).count() for each in made]
        assert ([each in shown for each in asked], runs) == ([True, True], [0, 0, 0])

    def test_run_of_several(self, act: Act, make_trigger: MakeTrigger) -> None:
        made = [make_trigger(name=f"T{number}") for number in range(3)]
        act("run", *made, sure="yes")
        runs = [TriggerExecution.objects.of_trigger(each).count() for each in made]
        assert runs == [1, 1, 1]

    def test_is_not_done_by_following_a_link(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        status = editor.get(ACT, {"action": f"run:{trigger.pk}"}).status_code
        assert (status, TriggerExecution.objects.of_trigger(trigger).count()) == (302, 0)

    def test_delete_asks_first(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(name="Dear to me")
        shown = act("delete", trigger)
        assert "Delete this trigger?" in shown
        assert Trigger.objects.filter(pk=trigger.pk).exists()

    def test_delete(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        act("delete", trigger, sure="yes")
        assert not Trigger.objects.filter(pk=trigger.pk).exists()

    def test_what_cannot_be_enabled_is_named(self, act: Act, make_trigger: MakeTrigger) -> None:
        broken = make_trigger(name="Broken", enabled=False)
        note(broken, schedule_config={"expression": "cron(x)"})
        assert "1 could not be: Broken" in act("enable", broken)

    def test_change_is_on_record(self, act: Act, make_trigger: MakeTrigger) -> None:
        act("disable", make_trigger())
        assert AuditEntry.objects.get().actor == "editor-operator"

    @pytest.mark.parametrize(
        ("action", "expected"),
        [("", "Choose what to do."), ("disable", "Select triggers first.")],
    )
    def test_nothing_chosen(self, act: Act, action: str, expected: str) -> None:
        assert expected in act(action)

    def test_somebody_was_faster(self, act: Act, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).delete()
        assert "Somebody has deleted it." in act("disable", trigger)

    @pytest.mark.parametrize(
        "nonsense", ["", ":", "x:", ":x", "x" * 3000, "x" * 3000 + ":x", "\0:x"]
    )
    def test_nonsense_is_ticked(self, editor: Client, nonsense: str) -> None:
        page = editor.post(ACT, {"action": "delete", "id": [nonsense]}, follow=True)
        assert "Somebody has deleted it." in page.content.decode()

    @pytest.mark.parametrize("page", ["https://evil.example", "//evil.example", "javascript:x"])
    def test_goes_back_to_no_other_site(
        self, editor: Client, make_trigger: MakeTrigger, page: str
    ) -> None:
        data = {"action": "disable", "id": [ticked(make_trigger())], "next": page}
        assert editor.post(f"{TRIGGERS}/act", data)["Location"] == TRIGGERS


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "45 triggers"),
        ("?type=schedule", "45 triggers"),
        ("?sort=name", "45 triggers"),
        ("?q=T0001", "1 trigger"),
        ("?agent=other&sort=name", "41 triggers"),
    ],
)
def test_total(viewer: Client, query: str, words: str) -> None:
    make_many(4)
    make_many(41, agent_id="other")
    if query == "?q=T0001":
        Trigger.objects.filter(agent_id="other").update(name="Other")
    assert f'<p class="fine">{words}</p>' in viewer.get(TRIGGERS + query).content.decode()


def test_total_that_takes_all_rows_to_know_is_not_told(viewer: Client) -> None:
    make_many(41, agent_id="other")
    assert viewer.get(f"{TRIGGERS}?agent=other").context["total"] is None


@pytest.mark.parametrize("action", ["delete", "run"])
def test_language_can_be_changed_while_the_page_asks(
    editor: Client, make_trigger: MakeTrigger, action: str
) -> None:
    data = {"action": action, "id": [ticked(make_trigger()), ticked(make_trigger())]}
    asking = editor.post(ACT, data)
    here = {"language": "ja", "next": asking.wsgi_request.get_full_path()}
    assert editor.post("/console/language", here, follow=True).status_code == 200


def test_total_is_written_as_numbers_are(viewer: Client) -> None:
    with patch("console.trigger_list._total", return_value=1000):
        make_many(1)
        assert "1,000 triggers" in viewer.get(TRIGGERS).content.decode()


def test_more_than_are_counted(viewer: Client) -> None:
    make_many(5)
    with patch("console.trigger_list.SORTABLE", 4):
        assert "More than 4 triggers" in viewer.get(TRIGGERS).content.decode()


def test_columns_sort(viewer: Client) -> None:
    make_many(2)
    page = viewer.get(f"{TRIGGERS}?sort=name").content.decode()
    sorts = re.findall(r'<th scope="col"( aria-sort="\w+")?><a href="\?sort=(\w+)">', page)
    expected = [(' aria-sort="ascending"', "name"), ("", "next"), ("", "last")]
    assert sorts == expected


@pytest.mark.sqlite
@pytest.mark.parametrize("number", [1, 60])
def test_reads_do_not_grow_with_the_list(
    viewer: Client, number: int, django_assert_num_queries: Any
) -> None:
    # As if this process knew, as it does for seconds, that nothing is paused.
    installation_pause(timezone.now())
    make_many(number)
    # The operator, the triggers, the names of their users, and the agents to choose from; for the
    # page's version the changes, the running runs and the newest ones; and how many there are.
    with django_assert_num_queries(8):
        viewer.get(TRIGGERS)


@pytest.mark.sqlite
@pytest.mark.parametrize("number", [1, 30])
def test_names_of_followed_triggers_are_one_read(
    viewer: Client, make_trigger: MakeTrigger, number: int, django_assert_num_queries: Any
) -> None:
    installation_pause(timezone.now())
    for each in range(number):
        first = make_trigger(name=f"First {each}", user_id=f"user-{each % 3}")
        pattern = chains.pattern_after(first.pk, chains.ONLY_COMPLETED)
        make_many(1, user_id=first.user_id, type="event", event_config={"eventPattern": pattern})
    Trigger.objects.filter(type="event").update(hears_runs=True)
    # The same as without chains, the event sources, and the followed triggers.
    with django_assert_num_queries(10):
        viewer.get(TRIGGERS)


def test_last_run_of_a_clock_that_was_ahead_is_not_said_to_come(
    viewer: Client, make_trigger: MakeTrigger
) -> None:
    pk = make_trigger().pk
    ahead = timezone.now() + timedelta(hours=3)
    Trigger.objects.filter(pk=pk).update(last_executed_at=ahead, last_status="completed")
    assert "hours ahead of the clock" in viewer.get(TRIGGERS).content.decode()


class TestRunNowWithoutAScheduler:
    def test_says_that_the_run_waits(self, act: Act, make_trigger: MakeTrigger) -> None:
        page = act("run", make_trigger(name="Report"))
        assert ("Report: queued." in page, "manage.py runscheduler" in page) == (True, True)

    def test_says_so_of_a_scheduler_that_died(self, act: Act, make_trigger: MakeTrigger) -> None:
        self._scheduler(seen_at=timezone.now() - timedelta(minutes=10))
        assert "No scheduler is alive." in act("run", make_trigger())

    def test_a_scheduler_that_is_alive_starts_it(self, act: Act, make_trigger: MakeTrigger) -> None:
        self._scheduler(seen_at=timezone.now())
        page = act("run", make_trigger(name="Report"))
        assert ("Report: started." in page, "No scheduler is alive." in page) == (True, False)

    @staticmethod
    def _scheduler(**fields: Any) -> None:
        row = Process.of_this(ProcessKind.SCHEDULER)
        Process.objects.replace(row)
        Process.objects.filter(pk=row.pk).update(**fields)
