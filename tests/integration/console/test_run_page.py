"""The page of a run: what the agent said, did and thought, how it ended, and what it was sent."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.utils import timezone

from agents.replies import KEPT_TOOLS
from executions.models import TriggerExecution
from moca import audit
from moca.authentication.models import AuditEntry
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from triggers import services
from triggers.models import Outcome, RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]
Shown = Callable[..., str]
HARM = "<script>alert(1)</script>\"'<img src=x onerror=alert(1)>"
CLOCK: dict[str, Any] = {
    "id": "t1",
    "name": "current_time",
    "input": '{"zone": "UTC"}',
    "atMs": 1204,
    "result": "noon",
    "tookMs": 380,
}
LEASE = timedelta(minutes=5)


@pytest.fixture
def shown(viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution) -> Shown:
    """The page of a run with these fields, in one line."""

    def show(**fields: Any) -> str:
        if fields.get("status") == "running":
            fields.setdefault("lease_until", timezone.now() + LEASE)
        run = make_execution(make_trigger(), **fields)
        page = viewer.get(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}").content.decode()
        return " ".join(page.split())

    return show


class TestTools:
    def test_name_and_times(self, shown: Shown) -> None:
        assert (
            '<strong class="tool">current_time</strong> <span class="fine">after 1.2 s · '
            "took 380 ms</span>"
        ) in shown(tools=[CLOCK])

    def test_order_is_that_of_the_calls(self, shown: Shown) -> None:
        tools = [{**CLOCK, "name": name} for name in ("b", "c", "a")]
        assert re.findall(r'<strong class="tool">(\w)', shown(tools=tools)) == ["b", "c", "a"]

    def test_input_that_is_json_is_laid_out(self, shown: Shown) -> None:
        given = json.dumps({"a": "x" * 70, "b": 1})
        assert '<pre tabindex="0">{ &quot;a&quot;: ' in shown(tools=[{**CLOCK, "input": given}])

    def test_failed_one_says_so(self, shown: Shown) -> None:
        assert 'current_time</strong> <span class="badge bad">Failed</span>' in shown(
            tools=[{**CLOCK, "failed": True}]
        )

    def test_one_under_way_says_so(self, shown: Shown) -> None:
        tool = {name: CLOCK[name] for name in ("id", "name", "input", "atMs")}
        assert 'current_time</strong> <span class="badge busy">Running</span>' in shown(
            tools=[tool], status="running"
        )

    def test_one_that_never_returned_says_so(self, shown: Shown) -> None:
        tool = {name: CLOCK[name] for name in ("id", "name", "input", "atMs")}
        assert 'current_time</strong> <span class="badge off">No result</span>' in shown(
            tools=[tool]
        )

    def test_number_of_failures(self, shown: Shown) -> None:
        page = shown(tools=[CLOCK, {**CLOCK, "failed": True}])
        assert '2 calls, <strong class="bad">1 failed</strong>' in page

    def test_says_that_more_calls_may_not_be_kept(self, shown: Shown) -> None:
        assert "Only the first 100 calls are kept." in shown(tools=[CLOCK] * KEPT_TOOLS)

    def test_without_any_the_panel_is_hidden(self, shown: Shown) -> None:
        assert '<section class="panel" aria-labelledby="tools-head" data-part="tools" hidden>' in (
            shown()
        )

    @pytest.mark.parametrize(
        "tools",
        [
            "text",
            {"a": 1},
            ["text", None],
            [{}],
            [{"name": 1, "input": {"a": 1}, "result": [], "atMs": "x", "tookMs": True}],
            [{"name": None, "atMs": -1, "tookMs": 1.5, "result": None}],
        ],
    )
    def test_those_of_another_program_do_no_harm(self, shown: Shown, tools: Any) -> None:
        assert "Agent output" in shown(tools=tools)

    @pytest.mark.parametrize("part", ["name", "input", "result", "id"])
    @pytest.mark.parametrize("harm", [HARM, json.dumps({HARM: [HARM]})])
    def test_harm_in_them_is_text(self, shown: Shown, part: str, harm: str) -> None:
        page = shown(tools=[{**CLOCK, part: harm}])
        assert ("<script>alert" in page, "<img src=x" in page) == (False, False)

    def test_harm_in_them_is_text_while_the_run_is_under_way(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        tools = [{**CLOCK, "name": HARM, "input": HARM, "result": HARM}]
        run = make_execution(make_trigger(), tools=tools, reasoning=HARM)
        address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/output"
        html = viewer.get(address, {"digest": "old"}).json()["activity"]
        assert ("&lt;script&gt;" in html, "<script>alert" in html) == (True, False)


def test_reasoning_stands_apart_from_the_output(shown: Shown) -> None:
    page = shown(output="Ninety.", output_bytes=7, reasoning="Let me count.")
    said, _, thought = page.partition('data-part="reasoning"')
    assert ("Ninety." in said, "Let me count." in said, "Let me count." in thought) == (
        True,
        False,
        True,
    )


class TestLive:
    @pytest.fixture
    def ask(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> Callable[..., dict[str, Any]]:
        run = make_execution(make_trigger(), status="running", tools=[CLOCK])

        def answer(**query: str) -> dict[str, Any]:
            address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/output"
            found: dict[str, Any] = viewer.get(address, query).json()
            return found

        return answer

    def test_new_tools_come_with_the_output(self, ask: Callable[..., dict[str, Any]]) -> None:
        assert "current_time" in ask(digest="old")["activity"]

    def test_known_tools_do_not_come_again(self, ask: Callable[..., dict[str, Any]]) -> None:
        assert "activity" not in ask(digest=ask(digest="old")["digest"])

    def test_page_that_shows_none_gets_none(self, ask: Callable[..., dict[str, Any]]) -> None:
        assert "activity" not in ask()


class TestEnding:
    @pytest.mark.parametrize(
        ("outcome", "status", "badge"),
        [
            (Outcome.REFUSED, "failed", '<span class="badge bad">Refused</span>'),
            (Outcome.TIMED_OUT, "failed", '<span class="badge bad">Timed out</span>'),
            (Outcome.CANCELLED, "failed", '<span class="badge off">Cancelled</span>'),
            (
                Outcome.INTERRUPTED,
                "completed",
                '<span class="badge warn">Waits for a person</span>',
            ),
        ],
    )
    def test_stands_beside_the_status(
        self, shown: Shown, outcome: Outcome, status: str, badge: str
    ) -> None:
        page = shown(outcome=outcome, status=status)
        assert f"{RunStatus(status).label}</span> {badge}" in page

    @pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.ERROR])
    def test_is_left_out_where_the_status_says_it(self, shown: Shown, outcome: Outcome) -> None:
        status = "completed" if outcome == Outcome.SUCCESS else "failed"
        result = shown(outcome=outcome, status=status).partition('class="result"')[2]
        assert result.partition("</p>")[0].count('class="badge') == 1

    @pytest.mark.parametrize("page", ["/console/runs", TRIGGERS + "/{}"])
    def test_stands_in_the_lists(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution, page: str
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger, status="failed", outcome=Outcome.REFUSED)
        listed = viewer.get(page.format(trigger.pk)).content.decode()
        assert '<span class="badge bad">Refused</span></th>' in listed

    @pytest.mark.parametrize("page", ["/console/runs", TRIGGERS + "/{}"])
    @pytest.mark.parametrize("outcome", ["refused", "timed_out", "lost", "success", "error"])
    def test_lists_are_narrowed_to_one(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        page: str,
        outcome: str,
    ) -> None:
        trigger = make_trigger()
        for each in ("refused", "timed_out", "error"):
            make_execution(trigger, status="failed", outcome=each)
        make_execution(trigger, outcome="success")
        # Lost, and no process has closed it yet.
        make_execution(trigger, status="running", lease_until=timezone.now() - LEASE)
        answer = viewer.get(page.format(trigger.pk), {"outcome": outcome})
        assert [row.execution.shown_outcome for row in answer.context["rows"]] == [outcome]


def test_runs_are_narrowed_to_an_agent(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
) -> None:
    trigger = make_trigger()
    made = [make_execution(trigger, agent_id=agent) for agent in ("clerk", "cook", "clerk")]
    rows = viewer.get("/console/runs", {"agent": "clerk"}).context["rows"]
    assert [row.execution.pk for row in rows] == [made[2].pk, made[0].pk]


def test_agents_are_offered(viewer: Client, make_trigger: MakeTrigger) -> None:
    make_trigger(agent_id="clerk")
    assert '<option value="clerk">' in viewer.get("/console/runs/offers").content.decode()


def test_names_are_offered_to_operators_only(client: Client) -> None:
    assert client.get("/console/runs/offers").status_code == 302


class TestFacts:
    def test_agent_is_the_one_of_the_run(self, shown: Shown) -> None:
        assert 'triggers?agent=clerk">clerk</a></dd>' in shown(agent_id="clerk")

    def test_agent_of_an_old_record_is_that_of_the_trigger(self, shown: Shown) -> None:
        assert 'reporter</a> <span class="fine">From the trigger as it is now</span>' in shown()

    def test_tokens_of_the_cache(self, shown: Shown) -> None:
        usage = {"inputTokens": 9, "outputTokens": 2, "cacheReadTokens": 7000}
        assert "<dd>7,000 read, 0 written</dd>" in shown(usage=usage)

    @pytest.mark.parametrize("usage", [{"inputTokens": 9, "outputTokens": 2}, "x", None])
    def test_without_a_cache_there_is_no_row(self, shown: Shown, usage: Any) -> None:
        assert "Tokens in the cache" not in shown(usage=usage)


class TestPromptOfItsTime:
    """The trigger has changed since the run: its audit entries know the prompt of that time."""

    EVENT: ClassVar = json.dumps({"source": "shop", "detail": {"box": "the red box"}})

    @pytest.fixture
    def old(self, make_trigger: MakeTrigger) -> Trigger:
        """A trigger that was made and last changed an hour ago."""
        trigger = make_trigger(prompt="Pack {{ event.detail.box }}.", include_context=False)
        hour_ago = timezone.now() - timedelta(hours=1)
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(updated_at=hour_ago)
        trigger.refresh_from_db()
        return trigger

    @pytest.fixture
    def page(self, viewer: Client, old: Trigger, make_execution: MakeExecution) -> Shown:
        def show(ago: timedelta = timedelta(minutes=10), **fields: Any) -> str:
            fields = {"event_payload": self.EVENT, "started_at": timezone.now() - ago, **fields}
            run = make_execution(old, **fields)
            found = viewer.get(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}").content.decode()
            return " ".join(found.split())

        return show

    def change(self, trigger: Trigger, **values: Any) -> None:
        def apply(found: Trigger) -> None:
            for name, value in values.items():
                setattr(found, name, value)

        services.change(trigger, apply, by="olga")

    def test_is_shown(self, old: Trigger, page: Shown) -> None:
        self.change(old, prompt="Throw it away.")
        self.change(old, prompt="Sell it.")
        shown = page()
        assert (
            "Prompt sent</summary>" in shown,
            '<pre tabindex="0">Pack the red box.</pre>' in shown,
        ) == (
            True,
            True,
        )

    def test_says_that_the_trigger_has_changed(self, old: Trigger, page: Shown) -> None:
        self.change(old, prompt="Throw it away.")
        assert "This is its prompt of that time." in page()

    def test_of_between_two_changes(self, old: Trigger, page: Shown) -> None:
        self.change(old, prompt="Keep {{ event.detail.box }}.")
        entries = AuditEntry.objects.filter(object_id=old.pk)
        first = entries.get()
        early = timezone.now() - timedelta(minutes=30)
        first.delete()
        AuditEntry.objects.create(
            id=audit.first_id(early),
            at=early,
            actor="olga",
            action="updated",
            object_type="triggers.trigger",
            object_id=old.pk,
            object_name="x",
            changes=first.changes,
        )
        self.change(old, prompt="Throw it away.")
        assert '<pre tabindex="0">Keep the red box.</pre>' in page()

    def test_with_the_name_and_the_section_of_its_time(self, old: Trigger, page: Shown) -> None:
        self.change(old, include_context=True, name="New name")
        assert '<pre tabindex="0">Pack the red box.</pre>' in page()

    def test_another_change_leaves_it_alone(self, old: Trigger, page: Shown) -> None:
        self.change(old, max_retries=1)
        shown = page()
        assert ("Prompt sent</summary>" in shown, "has changed since" in shown) == (True, False)

    def test_change_within_seconds_of_the_start_is_doubtful(
        self, old: Trigger, page: Shown
    ) -> None:
        self.change(old, prompt="Throw it away.")
        assert "Prompt that was probably sent" in page(ago=timedelta())

    def test_long_one_is_shown_whole(self, old: Trigger, page: Shown) -> None:
        long = "\u7f8a" * 50_000
        Trigger.objects.filter(user_id=old.user_id, pk=old.pk).update(prompt=long)
        old.refresh_from_db()
        self.change(old, prompt=long[1:])
        assert f'<pre tabindex="0">{long}</pre>' in page()

    def test_run_soon_after_a_change_has_the_new_one(self, old: Trigger, page: Shown) -> None:
        self.change(old, prompt="Keep {{ event.detail.box }}.")
        shown = page(ago=-timedelta(seconds=3))
        assert ("Prompt sent</summary>" in shown, "Keep the red box." in shown) == (True, True)

    def test_change_without_an_entry_is_not_known(self, old: Trigger, page: Shown) -> None:
        self.change(old, prompt="Throw it away.")
        AuditEntry.objects.all().delete()
        assert "the recorded changes do not say which prompt was sent." in page()

    def test_behind_too_many_changes_is_not_known(self, old: Trigger, page: Shown) -> None:
        for number in range(audit.MOST_READ + 1):
            self.change(old, max_retries=number % 2 + 1)
        assert "Prompt from the trigger as it is now" in page()

    def test_of_a_deleted_trigger_is_not_known(self, old: Trigger, page: Shown) -> None:
        key = old.pk
        services.delete(old, by="olga")
        old.pk = key
        assert "The prompt sent is not known: its trigger is deleted." in page()

    def test_without_its_whole_event_is_not_known(self, page: Shown) -> None:
        assert "The prompt sent is not known: its event is not kept whole." in page(
            event_payload='{"detail": {"a'
        )

    def test_of_a_run_that_never_began_is_not_mentioned(self, page: Shown) -> None:
        assert (
            "rompt" not in page(attempt=0, status="failed", outcome="missed").partition("<main")[2]
        )

    def test_of_a_run_that_did_not_reach_the_agent_was_not_sent(self, page: Shown) -> None:
        shown = page(status="failed", error="x", reached_agent=False)
        assert ("Prompt of this run" in shown, "Prompt sent" in shown) == (True, False)
