"""The operators' pages in a real browser: the schedule builder, live output, lists, a telephone."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, Dialog, Page, expect
from pytest_django.live_server_helper import LiveServer

from agents.demo import DemoAgent
from executions.models import TriggerExecution
from executions.runner.manual import run_now
from moca import audit
from moca.authentication.models import Operator, Role
from tests.conftest import make_many, wait_for
from triggers.models import Trigger
from triggers.statistics import PastRun, Statistics

pytestmark = pytest.mark.browser

SignIn = Callable[[Role], Page]
NEW = "/console/triggers/new"
WIDTHS = [390, 1280]
# axe must not fetch style sheets, because the pages' content security policy forbids it.
NO_PRELOAD = {"preload": False}


def fill_in(page: Page) -> None:
    page.goto(NEW)
    page.get_by_label("Name", exact=False).first.fill("Sheep")
    page.get_by_label("Agent *").fill("shepherd")
    page.get_by_label("Prompt *").fill("Count the sheep.")


def save(page: Page) -> Trigger:
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("saved.")).to_be_visible()
    return Trigger.objects.get()


def expression(page: Page) -> str:
    return page.locator("[name=expression]").input_value()


@pytest.fixture
def editor(sign_in: SignIn) -> Page:
    return sign_in(Role.EDITOR)


@pytest.fixture
def some(transactional_db: None) -> list[Trigger]:
    """Three triggers."""
    made = [
        Trigger(
            name=f"Trigger {number}",
            user_id="ann",
            agent_id="shepherd",
            prompt="Count the sheep.",
            schedule_config={"expression": "cron(0 9 * * ? *)"},
        )
        for number in range(3)
    ]
    for trigger in made:
        trigger.save()
    return made


class TestBuilder:
    @pytest.mark.parametrize(
        ("mode", "parts", "expected"),
        [
            ("minutes", {"minutes": "20"}, "rate(20 minutes)"),
            ("hours", {"hours": "1"}, "rate(1 hour)"),
            ("daily", {"time": "07:30"}, "cron(30 7 * * ? *)"),
            ("weekly", {"time": "18:00"}, "cron(0 18 ? * MON *)"),
            ("monthly", {"date": "15"}, "cron(0 9 15 * ? *)"),
            ("monthly", {"month": "last"}, "cron(0 9 L * ? *)"),
            ("monthly", {"month": "nearest", "date": "15"}, "cron(0 9 15W * ? *)"),
            ("monthly", {"month": "nth", "nth": "#2", "weekday": "TUE"}, "cron(0 9 ? * TUE#2 *)"),
            ("monthly", {"month": "nth", "nth": "L", "weekday": "FRI"}, "cron(0 9 ? * FRIL *)"),
            ("once", {"once": "2090-01-31T09:00"}, "at(2090-01-31T09:00:00)"),
        ],
    )
    def test_writes_what_is_saved(
        self, editor: Page, mode: str, parts: dict[str, str], expected: str
    ) -> None:
        fill_in(editor)
        editor.locator("[data-mode]").select_option(mode)
        for name, value in parts.items():
            part = editor.locator(f"[data-part={name}]")
            if name in ("month", "nth", "weekday"):
                part.select_option(value)
            else:
                part.fill(value)
        assert save(editor).schedule_config["expression"] == expected

    def test_weekdays(self, editor: Page) -> None:
        fill_in(editor)
        editor.locator("[data-mode]").select_option("weekly")
        for day in ("Tue", "Wed", "Thu", "Fri"):
            editor.get_by_label(day, exact=True).check()
        assert expression(editor) == "cron(0 9 ? * MON-FRI *)"

    @pytest.mark.parametrize(
        ("written", "mode", "part", "value"),
        [
            ("rate(45 minutes)", "minutes", "minutes", "45"),
            ("cron(5 6 * * ? *)", "daily", "time", "06:05"),
            ("cron(5 6 ? * 2-6 *)", "weekly", "time", "06:05"),
            ("5 6 * * ? *", "daily", "time", "06:05"),
            ("cron(5 6 ? * 1-5 *)", "weekly", "time", "06:05"),
            ("CRON(0 9 31 * ? *)", "monthly", "date", "31"),
            ("cron(0 9 ? * 6L *)", "monthly", "weekday", "FRI"),
            ("at(2090-01-31T09:00:00)", "once", "once", "2090-01-31T09:00"),
            ("cron(0/5 9 * * ? *)", "custom", "time", "09:00"),
        ],
    )
    def test_reads_what_is_written(
        self, editor: Page, written: str, mode: str, part: str, value: str
    ) -> None:
        editor.goto(NEW)
        editor.locator("[name=expression]").fill(written)
        shown = (
            editor.locator("[data-mode]").input_value(),
            editor.locator(f"[data-part={part}]").input_value(),
        )
        assert shown == (mode, value)

    def test_says_nothing_before_something_is_chosen(self, editor: Page) -> None:
        editor.goto(NEW)
        expect(editor.locator("[data-mode]")).to_have_value("")

    def test_shows_what_the_schedule_will_do(self, editor: Page) -> None:
        editor.goto(NEW)
        editor.locator("[name=expression]").fill("cron(0 9 ? * MON-FRI *)")
        editor.get_by_label("Time zone").fill("Asia/Tokyo")
        expect(editor.get_by_text("At 09:00 on weekdays, Tokyo time")).to_be_visible()

    def test_next_runs_in_local_time(self, editor: Page) -> None:
        editor.goto(NEW)
        editor.get_by_label("Time zone").fill("Asia/Tokyo")
        editor.locator("[name=expression]").fill("cron(0 9 * * ? *)")
        # The browser's time zone is UTC.
        expect(editor.locator("time[data-viewer]").first).to_contain_text("00:00 UTC")

    def test_one_of_several_zones_is_taken_by_a_click(self, editor: Page) -> None:
        editor.goto(NEW)
        editor.locator("[name=expression]").fill("cron(0 9 * * ? *)")
        editor.get_by_label("Time zone").fill("IST")
        editor.get_by_role("button", name="Use Asia/Jerusalem").click()
        expect(editor.get_by_text("At 09:00 every day, Jerusalem time")).to_be_visible()

    def test_server_converts_local_times(self, editor: Page) -> None:
        words = "Wed 2027-02-03 04:05 UTC"
        told = json.dumps({"times": ["2027-02-03T04:05:00+00:00"] * 20, "words": [words] * 20})
        editor.route("**/clock?zone=UTC&*", lambda route: route.fulfill(body=told))
        editor.goto(NEW)
        editor.get_by_label("Time zone").fill("Asia/Tokyo")
        editor.locator("[name=expression]").fill("cron(0 9 * * ? *)")
        expect(editor.locator("time[data-viewer]").first).to_have_text(words)

    def test_correction_is_taken_by_a_click(self, editor: Page) -> None:
        editor.goto(NEW)
        editor.locator("[name=expression]").fill("cron(0 9 * * MON *)")
        editor.get_by_role("button", name="Use cron(0 9 ? * MON *)").click()
        expect(editor.get_by_text("At 09:00 on Mondays")).to_be_visible()

    def test_correction_takes_its_zone_along(self, editor: Page) -> None:
        editor.goto(NEW)
        editor.locator("[name=expression]").fill("TZ=Asia/Tokyo 0 9 * * 1-5")
        editor.get_by_role("button", name="Use 0 9 ? * MON-FRI *").click()
        expect(editor.get_by_text("At 09:00 on weekdays, Tokyo time")).to_be_visible()

    def test_second_reading_is_taken_by_a_click(self, editor: Page) -> None:
        editor.goto("/admin/triggers/trigger/add/")
        editor.locator("[name=expression]").fill("0 0 9 * * *")
        editor.get_by_role("button", name="Use 0 9 * * ? *", exact=True).click()
        expect(editor.get_by_text("At 09:00 every day").first).to_be_visible()

    def test_is_in_the_admin_too(self, editor: Page) -> None:
        editor.goto("/admin/triggers/trigger/add/")
        editor.locator("[data-mode]").select_option("hours")
        expect(editor.get_by_text("Every hour").first).to_be_visible()


@pytest.mark.each_database
class TestTrigger:
    def test_wrong_expression_is_not_saved(self, editor: Page) -> None:
        fill_in(editor)
        editor.locator("[name=expression]").fill("cron(0 9 * * MON *)")
        editor.get_by_role("button", name="Save").click()
        expect(editor.get_by_text("Nothing was saved yet.")).to_be_visible()

    def test_edit(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto(f"/console/triggers/{some[0].pk}")
        editor.get_by_role("link", name="Edit").click()
        editor.get_by_label("Name *").fill("Renamed")
        editor.get_by_role("button", name="Save").click()
        expect(editor.get_by_role("heading", name="Renamed")).to_be_visible()

    def test_duplicate(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto(f"/console/triggers/{some[0].pk}")
        editor.get_by_role("link", name="Duplicate").click()
        editor.get_by_role("button", name="Save").click()
        expect(editor.get_by_role("heading", name="Copy of Trigger 0")).to_be_visible()


class TestLeaving:
    """Who leaves a form that holds what is nowhere else is asked first."""

    @pytest.fixture
    def asked(self, editor: Page) -> list[str]:
        kinds: list[str] = []

        def note(dialog: Dialog) -> None:
            kinds.append(dialog.type)
            dialog.accept()

        editor.on("dialog", note)
        return kinds

    @pytest.mark.parametrize("form", [NEW, "/console/events/new"])
    def test_changed_form_asks(self, editor: Page, asked: list[str], form: str) -> None:
        editor.goto(form)
        editor.locator("[name=name]").fill("Sheep")
        editor.get_by_role("link", name="Dashboard").click()
        expect(editor).to_have_title("Dashboard · Moca Triggers")
        assert asked == ["beforeunload"]

    def test_unchanged_form_lets_go(self, editor: Page, asked: list[str]) -> None:
        editor.goto(NEW)
        editor.locator("[name=name]").fill("Sheep")
        editor.locator("[name=name]").fill("")
        editor.get_by_role("link", name="Dashboard").click()
        expect(editor).to_have_title("Dashboard · Moca Triggers")
        assert asked == []

    def test_saved_form_lets_go(self, editor: Page, asked: list[str]) -> None:
        fill_in(editor)
        editor.locator("[name=expression]").fill("rate(1 hour)")
        save(editor)
        assert asked == []

    def test_refused_form_asks(self, editor: Page, asked: list[str]) -> None:
        editor.goto(NEW)
        editor.get_by_role("button", name="Save").click()
        expect(editor.locator("[aria-invalid=true]").first).to_be_visible()
        editor.locator("[name=name]").click()
        editor.get_by_role("link", name="Dashboard").click()
        expect(editor).to_have_title("Dashboard · Moca Triggers")
        assert asked == ["beforeunload"]


@pytest.mark.each_database
class TestList:
    def test_switch(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_role("switch", name="Trigger 1 is enabled").click()
        expect(editor.get_by_text("Trigger 1: disabled.")).to_be_visible()
        switch = editor.get_by_role("switch", name="Trigger 1 is enabled")
        expect(switch).to_have_attribute("aria-checked", "false")

    def test_many_at_once(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_label("Select all on this page").check()
        editor.locator(".bulk").get_by_role("button", name="Disable").click()
        expect(editor.get_by_text("3 disabled.")).to_be_visible()

    def test_delete(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_label("Select Trigger 1").check()
        editor.locator(".bulk").get_by_role("button", name="Delete").click()
        editor.get_by_role("button", name="Delete").click()
        expect(editor.get_by_text("Trigger 1: deleted.")).to_be_visible()

    def test_filter_by_choosing(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_label("State").select_option("disabled")
        expect(editor.get_by_text("No trigger matches.")).to_be_visible()

    def test_a_thousand_are_paged(self, editor: Page) -> None:
        make_many(1000)
        editor.goto("/console/triggers?sort=name")
        for _ in range(24):
            editor.get_by_role("link", name="Next", exact=True).click()
        expect(editor.get_by_role("link", name="T0999")).to_be_visible()

    def test_refreshes_by_itself(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.evaluate("document.getElementById('list').dataset.refresh = 1")
        some[0].name = "Renamed meanwhile"
        audit.save(some[0], by="alice")
        expect(editor.get_by_role("link", name="Renamed meanwhile")).to_be_visible()

    @pytest.mark.parametrize("path", ["", "triggers", "runs", "triggers/{id}", "events"])
    def test_unchanged_page_is_left_alone(
        self, editor: Page, some: list[Trigger], path: str
    ) -> None:
        answers: list[int] = []

        def note(request: Any, status: int) -> None:
            if "hx-request" in request.headers:
                answers.append(status)

        editor.goto(f"/console/{path.format(id=some[0].pk)}")
        editor.on("response", lambda answer: note(answer.request, answer.status))
        mark = (
            "const list = document.getElementById('list'); list.dataset.refresh = 1; list.mark = 1"
        )
        editor.evaluate(mark)
        wait_for(lambda: editor.wait_for_timeout(100) or len(answers) >= 3)
        is_same = editor.evaluate("document.getElementById('list').mark")
        assert (is_same, set(answers)) == (1, {204})

    @pytest.mark.parametrize("path", ["", "triggers", "runs", "triggers/{id}", "events"])
    def test_hidden_page_does_not_refresh(
        self, editor: Page, some: list[Trigger], path: str
    ) -> None:
        asked: list[str] = []
        editor.goto(f"/console/{path.format(id=some[0].pk)}")
        editor.on("request", lambda request: asked.append(request.headers.get("hx-request", "")))
        editor.evaluate(
            "Object.defineProperty(document, 'visibilityState', {value: 'hidden'});"
            "document.getElementById('list').dataset.refresh = 1"
        )
        editor.wait_for_timeout(2500)
        assert "true" not in asked

    def test_run_of_an_agent_appears_by_itself(
        self, editor: Page, some: list[Trigger], scheduler: Callable[..., Any]
    ) -> None:
        editor.goto("/console/runs")
        editor.evaluate("document.getElementById('list').dataset.refresh = 1")
        run_now(some[0], by="alice")
        expect(editor.get_by_text("Waiting")).to_be_visible()
        with scheduler():
            # What comes by htmx looks again after as many seconds as the server says.
            wait_for(lambda: TriggerExecution.objects.get().status == "completed")
            editor.evaluate("document.getElementById('list').dataset.refresh = 1")
            expect(editor.get_by_role("link", name="Completed")).to_be_visible()

    def test_selected_rows_are_not_refreshed(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_label("Select Trigger 1").check()
        editor.evaluate("document.getElementById('list').dataset.refresh = 1")
        editor.wait_for_timeout(2500)
        expect(editor.get_by_label("Select Trigger 1")).to_be_checked()

    def test_keyboard_keeps_its_place(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.locator("#tick-" + some[1].pk).focus()
        editor.keyboard.press("Tab")
        editor.evaluate("document.getElementById('list').dataset.refresh = 1")
        editor.wait_for_timeout(2500)
        expect(editor.get_by_role("link", name="Trigger 1")).to_be_focused()


@pytest.mark.each_database
class TestRun:
    def test_output_arrives_live(
        self, editor: Page, some: list[Trigger], scheduler: Callable[..., Any]
    ) -> None:
        editor.goto(f"/console/triggers/{some[0].pk}")
        editor.get_by_role("button", name="Run now").click()
        execution = TriggerExecution.objects.get()
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        expect(editor.get_by_text("Waiting")).to_be_visible()
        with scheduler():
            expect(editor.get_by_text("You asked me: Count the sheep.").first).to_be_visible()
            wait_for(lambda: TriggerExecution.objects.get().status == "completed")

    def test_hidden_tab_does_not_ask_until_it_is_shown(
        self, editor: Page, some: list[Trigger]
    ) -> None:
        execution = _running(some[0], "one\n")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        asked: list[str] = []
        editor.on("request", lambda request: asked.append(request.url))
        _show(editor, "hidden")
        editor.wait_for_timeout(1500)
        asked.clear()
        editor.wait_for_timeout(2500)
        while_hidden = len(asked)
        _show(editor, "visible")
        editor.wait_for_timeout(500)
        assert (while_hidden, len(asked)) == (0, 1)

    def test_following_stops_where_one_scrolls(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "line\n" * 500)
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        editor.evaluate("document.getElementById('output').scrollTop = 0")
        expect(editor.get_by_role("button", name="Follow")).to_have_attribute(
            "aria-pressed", "false"
        )

    def test_more_is_added_at_the_end(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "one\n")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        TriggerExecution.objects.filter(trigger_id=some[0].pk, pk=execution.pk).update(
            output="one\ntwo\n", output_bytes=8
        )
        expect(editor.locator("#output")).to_have_text("one\ntwo\n")

    def test_tool_of_a_real_run_arrives_live(
        self,
        editor: Page,
        some: list[Trigger],
        scheduler: Callable[..., Any],
        demo_agent: DemoAgent,
    ) -> None:
        named = Trigger.objects.filter(user_id=some[0].user_id, pk=some[0].pk)
        named.update(prompt="Count.\ndemo: stall", max_retries=0)
        with scheduler("ag-ui"):
            execution = run_now(named.get(), by="olga")
            editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
            expect(editor.locator(".tools .tool")).to_have_text("current_time")
            expect(editor.locator(".result")).to_contain_text("Running")
            demo_agent.stopping.set()

    def test_tools_appear_as_they_are_called(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "one\n")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        expect(editor.get_by_role("heading", name="Tools called")).to_be_hidden()
        _has_called(execution, {"name": "search"})
        expect(editor.locator(".tools li")).to_contain_text("search Running")
        _has_called(execution, {"name": "search", "result": "3 found"}, {"name": "<b>read</b>"})
        expect(editor.locator(".tools li .tool")).to_have_text(["search", "<b>read</b>"])

    def test_fold_stays_open_while_tools_are_added(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "one\n", tools=[{"name": "search", "input": '{"q": 1}'}])
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        editor.get_by_text("Input").click()
        found = {"name": "search", "input": '{"q": 1}', "result": "3 found"}
        _has_called(execution, found, {"name": "read"})
        expect(editor.locator(".tools li")).to_have_count(2)
        expect(editor.locator(".tools pre").first).to_be_visible()

    def test_reasoning_appears_folded(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "one\n")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        _record(execution).update(reasoning="Let me see.")
        editor.get_by_text("Reasoning").click()
        _record(execution).update(reasoning="Let me see. There are three.")
        expect(editor.get_by_text("There are three.")).to_be_visible()

    def test_names_are_offered_once_somebody_enters_one(
        self, editor: Page, some: list[Trigger]
    ) -> None:
        editor.goto("/console/runs")
        before = editor.locator("datalist").count()
        editor.get_by_label("Agent", exact=True).focus()
        expect(editor.locator("#agents option")).not_to_have_count(0)
        assert before == 0

    def test_shows_when_a_worker_picks_it_up(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "", attempt=0)
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        expect(editor.get_by_text("Waiting")).to_be_visible()
        TriggerExecution.objects.filter(trigger_id=some[0].pk, pk=execution.pk).update(attempt=1)
        expect(editor.get_by_text("In progress")).to_be_visible()

    def test_time_goes_on_with_the_run(self, editor: Page, some: list[Trigger]) -> None:
        begun = timezone.now() - timedelta(minutes=3)
        execution = _running(some[0], "", started_at=begun)
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        shown = editor.locator("[data-elapsed]")
        expect(shown).to_have_text("3:01")
        expect(shown).to_have_text("3:03")

    def test_replay_of_a_failure(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "", status="failed", error="The agent was away.")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        editor.get_by_role("button", name="Replay").click()
        expect(editor.get_by_text("Waiting for a worker to pick it up.")).to_be_visible()


def _show(page: Page, state: str) -> None:
    """Have the page believe that its tab is hidden, or visible again."""
    page.evaluate(
        """(state) => {
            const told = { value: state, configurable: true };
            Object.defineProperty(document, "visibilityState", told);
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def _running(trigger: Trigger, said: str, **fields: Any) -> TriggerExecution:
    values: dict[str, Any] = {
        "trigger_id": trigger.pk,
        "id": "01990000-0000-7000-8000-000000000001",
        "user_id": trigger.user_id,
        "status": "running",
        "source": "manual",
        "attempt": 1,
        "started_at": timezone.now(),
        "output": said,
        "output_bytes": len(said),
        "ttl": 4_000_000_000,
    }
    return TriggerExecution.objects.create(**{**values, **fields})


def _record(execution: TriggerExecution) -> Any:
    return TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)


def _has_called(execution: TriggerExecution, *tools: dict[str, Any]) -> None:
    _record(execution).update(tools=list(tools))


class TestEndOfTheSession:
    def test_list_leads_to_the_sign_in(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        Operator.objects.get().end_sessions()
        editor.evaluate("document.getElementById('list').dataset.refresh = 1")
        expect(editor.get_by_label("Username")).to_be_visible()

    def test_output_leads_to_the_sign_in(self, editor: Page, some: list[Trigger]) -> None:
        execution = _running(some[0], "one")
        editor.goto(f"/console/triggers/{some[0].pk}/runs/{execution.pk}")
        Operator.objects.get().end_sessions()
        expect(editor.get_by_label("Username")).to_be_visible()

    def test_form_keeps_what_was_entered(self, editor: Page) -> None:
        fill_in(editor)
        Operator.objects.get().end_sessions()
        with editor.expect_response("**/admin/login/**"):
            editor.locator("[name=expression]").fill("rate(1 hour)")
        editor.wait_for_timeout(200)
        expect(editor.get_by_label("Username")).to_have_count(0)


class TestReach:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", WIDTHS)
    def test_axe_finds_nothing(
        self, sign_in: SignIn, some: list[Trigger], scheme: Any, width: int
    ) -> None:
        page = sign_in(Role.ADMIN)
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        execution = _running(
            some[0],
            "said",
            status="failed",
            outcome="limited",
            error="x",
            tools=[{"name": "search", "input": "x" * 2000, "failed": failed} for failed in (0, 1)],
            reasoning="Let me see.",
        )
        found = {}
        for address in (
            "/console/",
            "/console/triggers",
            "/console/triggers?q=nothing",
            NEW,
            f"/console/triggers/{some[0].pk}",
            f"/console/triggers/{some[0].pk}/edit",
            f"/console/triggers/{some[0].pk}/runs/{execution.pk}",
            "/console/runs",
            "/docs",
            "/admin/",
            "/admin/triggers/trigger/",
            f"/admin/triggers/trigger/{some[0].pk}/change/",
            f"/admin/triggers/trigger/{some[0].pk}/history/",
            "/admin/executions/triggerexecution/",
            "/admin/authentication/operator/",
            "/admin/password_change/",
        ):
            page.goto(address)
            violations = Axe().run(page, options=NO_PRELOAD).response["violations"]
            found[address] = [
                (each["id"], each["nodes"][0]["target"], each["nodes"][0]["failureSummary"])
                for each in violations
            ]
        assert {address: wrong for address, wrong in found.items() if wrong} == {}

    @pytest.mark.parametrize("address", ["/admin/login/", "/docs"])
    def test_axe_finds_nothing_for_strangers(self, page: Page, address: str) -> None:
        page.goto(address)
        assert Axe().run(page, options=NO_PRELOAD).response["violations"] == []

    @pytest.mark.parametrize("width", [390, 840, 1160])
    @pytest.mark.parametrize(
        "address", ["/console/", "/console/triggers", NEW, "/console/runs", "trigger", "run"]
    )
    def test_nothing_sticks_out(
        self, editor: Page, some: list[Trigger], address: str, width: int
    ) -> None:
        long = {"name": "Trigger" * 28, "agent_id": "shepherd" * 20, "last_error": "Wrong" * 90}
        noted = {"last_status": "failed", "last_executed_at": timezone.now()}
        tools = [{"name": "search" * 20, "input": "x" * 2000, "result": "y" * 2000, "failed": True}]
        Trigger.objects.update(**long, **noted, consecutive_failures=4)
        editor.set_viewport_size({"width": width, "height": 844})
        pages = {
            "trigger": f"/console/triggers/{some[0].pk}",
            "run": f"/console/triggers/{some[0].pk}/runs/{_running(some[0], 'x', tools=tools).pk}",
        }
        editor.goto(pages.get(address, address))
        assert editor.evaluate("document.documentElement.scrollWidth") <= width

    @pytest.mark.parametrize(
        ("address", "buttons"), [(NEW, ".save"), ("/console/triggers", ".bulk")]
    )
    def test_focus_is_never_under_the_buttons(
        self, editor: Page, some: list[Trigger], address: str, buttons: str
    ) -> None:
        editor.set_viewport_size({"width": 1280, "height": 400})
        editor.goto(address)
        if address != NEW:
            editor.locator("tbody input").first.check()
        hidden = []
        for _ in range(40):
            editor.keyboard.press("Tab")
            hidden.append(editor.evaluate(IS_UNDER, buttons))
        assert hidden == [False] * 40

    def test_keyboard_alone(self, editor: Page, some: list[Trigger]) -> None:
        editor.goto("/console/triggers")
        editor.get_by_role("switch", name="Trigger 2 is enabled").focus()
        editor.keyboard.press("Space")
        expect(editor.get_by_text("Trigger 2: disabled.")).to_be_visible()
        focused = "document.activeElement.getAttribute('aria-label')"
        assert editor.evaluate(focused) == "Trigger 2 is enabled"

    def test_skip_link(self, editor: Page) -> None:
        editor.goto("/console/")
        editor.keyboard.press("Tab")
        expect(editor.get_by_role("link", name="Skip to the content")).to_be_focused()

    def test_local_times(self, browser: Browser, live_server: LiveServer, editor: Page) -> None:
        state = editor.context.storage_state()
        context = browser.new_context(
            base_url=live_server.url, storage_state=state, timezone_id="Asia/Tokyo"
        )
        page = context.new_page()
        page.goto("/console/")
        page.get_by_role("button", name="Local").click()
        expect(page.get_by_role("button", name="Local")).to_have_attribute("aria-pressed", "true")
        times = next(each for each in context.cookies() if each["name"] == "times")
        context.close()
        assert times["value"].strip('"') == "local:Asia/Tokyo"

    def test_theme_is_kept(self, editor: Page) -> None:
        editor.goto("/console/")
        editor.get_by_role("button", name="Light or dark").click()
        editor.reload()
        assert editor.evaluate("document.documentElement.dataset.theme") == "dark"

    def test_viewer_sees_no_buttons(self, sign_in: SignIn, some: list[Trigger]) -> None:
        page = sign_in(Role.VIEWER)
        page.goto("/console/triggers")
        expect(page.get_by_role("switch")).to_have_count(0)

    def test_sign_out(self, editor: Page) -> None:
        editor.goto("/console/")
        editor.get_by_role("button", name="Sign out").click()
        editor.goto("/console/")
        expect(editor.get_by_label("Username")).to_be_visible()

    def test_own_triggers_name_their_operator(self, editor: Page) -> None:
        Trigger(name="Own", user_id=Operator.objects.get().subject).save()
        editor.goto("/console/triggers")
        expect(editor.get_by_role("main").get_by_role("link", name="olga")).to_be_visible()


class TestDrawing:
    """How a browser draws, in figures that `pytest -s` shows."""

    @pytest.fixture
    def fifty(self, transactional_db: None) -> None:
        statistics = Statistics()
        for number in range(20):
            at = timezone.now() - timedelta(hours=number)
            statistics.add(PastRun(f"run {number}", at, 1000 * number, number % 5 == 0))
        make_many(50, statistics=statistics.text())

    @pytest.mark.parametrize("address", ["/console/", "/console/triggers", NEW])
    def test_page_lies_still(self, editor: Page, fifty: None, address: str) -> None:
        editor.goto(address)
        paint, shift = editor.evaluate(PAINT)
        print(f"{address}: largest paint after {paint:.0f} ms, shift {shift:.3f}")  # noqa: T201
        assert shift < 0.1


IS_UNDER = """(buttons) => {
  const bar = document.querySelector(buttons);
  const focused = document.activeElement.getBoundingClientRect();
  return !bar.contains(document.activeElement) && focused.top >= bar.getBoundingClientRect().top;
}"""
PAINT = """() => new Promise((resolve) => {
  let paint = 0, shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) paint = entry.startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve([paint, shift]), 200);
})"""
