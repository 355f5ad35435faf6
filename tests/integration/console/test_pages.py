"""The pages of a trigger, of runs, and the dashboard."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.errors import AGENT_SILENT, TIMED_OUT, TOKEN_TIMED_OUT
from executions.failures import LOST, MISSED, NO_MORE_TIME, NOT_PICKED_UP
from executions.models import TriggerExecution
from moca import reasons
from moca.authentication.models import AuditEntry
from moca.ids import occurrence_id
from tests.conftest import make_many
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from triggers.forms import TriggerForm
from triggers.models import RunStatus, Trigger
from triggers.statistics import PastRun, Statistics

MakeExecution = Callable[..., TriggerExecution]
ADMIN = "/admin/executions/triggerexecution/"
KEY = "{0}_3A{1}/change/"
LATE = reasons.columns("error", TIMED_OUT(seconds="600"))
CUT_OFF = reasons.columns("error", TIMED_OUT(seconds="600").adding(NO_MORE_TIME, number=900))
LAST_LATE = reasons.columns("last_error", TIMED_OUT(seconds="600"))
MISSED_RUNS = MISSED(runs="1 run", first="1", last="1")
NINE = datetime(2026, 7, 1, 9, tzinfo=UTC)


def page_of(client: Client, shown: Trigger | TriggerExecution, **query: str) -> str:
    address = f"{TRIGGERS}/{shown.pk}"
    if isinstance(shown, TriggerExecution):
        address = f"{TRIGGERS}/{shown.trigger_id}/runs/{shown.pk}"
    return client.get(address, query).content.decode()


def failed_runs(twice: str, once: str) -> list[PastRun]:
    """Three failed runs, two of them with the first outcome."""
    now = timezone.now()
    return [PastRun("r", now, 1000, True, outcome) for outcome in (twice, twice, once)]


def noted(trigger: Trigger, *runs: PastRun, **fields: Any) -> Trigger:
    """Note runs on a trigger as the runner does, each of 100 tokens."""
    statistics = Statistics()
    for run in runs:
        statistics.add(run, tokens=100)
    fields["statistics"] = statistics.text()
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(**fields)
    return trigger


class TestTrigger:
    def test_next_runs(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config={"expression": "at(2090-05-06T07:08:09)"})
        assert "Sat 2090-05-06 07:08:09 UTC" in page_of(viewer, trigger)

    def test_next_runs_stand_in_the_zone_and_in_utc(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        config = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
        shown = page_of(viewer, make_trigger(schedule_config=config))
        table = shown.partition('class="next-runs"')[2].partition("</table>")[0]
        assert (table.count("09:00 +09:00"), table.count("T00:00:00.000Z")) == (5, 5)

    def test_no_next_runs_while_disabled(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        assert "Not while the trigger is disabled." in page_of(viewer, make_trigger(enabled=False))

    def test_a_schedule_next_to_a_clock_change_is_warned_of(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        config = {"expression": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"}
        shown = page_of(viewer, make_trigger(schedule_config=config))
        assert "it skips the run at 02:30" in shown

    def test_skips_and_sync_errors_are_told(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
            skipped_runs=3,
            last_skip_reason="The run before was still going.",
            last_skipped_at=timezone.now(),
            sync_state="failed",
            sync_error="Quota exceeded.",
        )
        shown = page_of(viewer, trigger)
        assert "The run before was still going." in shown
        assert "Quota exceeded." in shown

    def test_a_duplicate_is_made_by_the_form_that_copies_all(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        address = f"/console/triggers/new?copy={trigger.pk}"
        assert f'href="{address}">Duplicate</a>' in page_of(editor, trigger)

    def test_health_of_thirty_days(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        now = timezone.now()
        runs = [PastRun("r", now, 1000, failed=number == 0) for number in range(4)]
        shown = page_of(viewer, noted(make_trigger(), *runs))
        assert "4 runs in 30 days, 1 failed" in shown

    def test_failures_are_told_apart(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        shown = page_of(viewer, noted(make_trigger(), *failed_runs("timed_out", "refused")))
        assert "3 failed: 2 timed out, 1 refused" in shown

    def test_errors_alone_are_not_told_apart(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        runs = failed_runs("error", "error")
        assert "3 failed:" not in page_of(viewer, noted(make_trigger(), *runs))

    def test_last_runs_say_how_they_ended(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        trigger = noted(make_trigger(), PastRun("r1", timezone.now(), 1, True, "timed_out"))
        assert "<title>Timed out, " in page_of(viewer, trigger)

    @pytest.mark.parametrize(
        ("fields", "remedy"),
        [
            ({"last_outcome": "limited"}, "Raise the limit of tokens"),
            ({"last_outcome": "refused"}, "guardrail of the agent"),
            ({"last_outcome": "timed_out", **LAST_LATE}, "is 600 seconds. Raise it"),
        ],
    )
    def test_advice_stands_beside_the_last_failure(
        self, viewer: Client, make_trigger: MakeTrigger, fields: dict[str, Any], remedy: str
    ) -> None:
        failing = {"last_status": "failed", "consecutive_failures": 1, "last_executed_at": NINE}
        assert remedy in page_of(viewer, noted(make_trigger(), **failing, **fields))

    def test_trigger_that_waits_for_a_person_says_so(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        last = {"last_status": "completed", "last_outcome": "interrupted", "last_execution_id": "r"}
        shown = page_of(viewer, noted(make_trigger(), **last))
        assert "goes on after an answer" in shown

    def test_token_that_did_not_come_is_no_matter_of_the_timeout(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        late = reasons.columns("last_error", TOKEN_TIMED_OUT(seconds="50"))
        last = {"last_status": "failed", "last_outcome": "timed_out", "consecutive_failures": 1}
        assert "is 600 seconds" not in page_of(viewer, noted(make_trigger(), **last, **late))

    def test_each_of_the_last_runs_is_a_link(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = noted(make_trigger(), PastRun("r1", timezone.now(), 1, failed=True))
        assert f'href="{TRIGGERS}/{trigger.pk}/runs/r1"' in page_of(viewer, trigger)

    def test_history(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger, output="Ninety-nine.")
        assert "Ninety-nine." in page_of(viewer, trigger)

    def test_history_is_narrowed(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger, output="Ninety-nine.")
        assert "No run matches." in page_of(viewer, trigger, status="failed")

    def test_history_has_pages(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        runs = [make_execution(trigger) for _ in range(31)]
        address = f"{TRIGGERS}/{trigger.pk}"
        older = viewer.get(address).context["page"].older
        rows = viewer.get(address, {"p": older}).context["rows"]
        assert [row.execution.pk for row in rows] == [runs[0].pk]

    def test_changes_with_values(self, editor: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        AuditEntry.objects.create(
            actor="olga",
            action="updated",
            object_type="triggers.trigger",
            object_id=trigger.pk,
            object_name="x",
            changes={"agent_id": ["shepherd", "goatherd"]},
        )
        shown = page_of(editor, trigger)
        assert "<del>shepherd</del><ins>goatherd</ins>" in shown

    @pytest.mark.sqlite
    @pytest.mark.parametrize(("headers", "reads"), [({}, 1), ({"hx-request": "true"}, 0)])
    def test_changes_are_not_read_anew_all_the_time(
        self, viewer: Client, make_trigger: MakeTrigger, headers: dict[str, str], reads: int
    ) -> None:
        trigger = make_trigger()
        with CaptureQueriesContext(connection) as queries:
            viewer.get(f"{TRIGGERS}/{trigger.pk}", headers=headers)
        assert sum("auditentry" in query["sql"] for query in queries) == reads

    @pytest.mark.parametrize(
        "fields",
        [
            {"prompt": "One: two\n  three #4\n", "tags": ["no"], "description": "\tx \n"},
            {"enabled": False, "pause_after_failures": 3, "overlap_policy": "allow"},
            {"enabled_tools": []},
            {
                "type": "event",
                "schedule_config": None,
                "event_config": {"eventBusName": "bus", "eventPattern": {"source": ["a"]}},
            },
        ],
    )
    def test_yaml_makes_the_same_trigger_by_the_api(
        self, editor: Client, make_trigger: MakeTrigger, fields: dict[str, Any], settings: Any
    ) -> None:
        settings.EVENT_BUSES = ["bus"]
        trigger = make_trigger(**fields)
        shown = editor.get(f"{TRIGGERS}/{trigger.pk}").context["yaml"]
        body = yaml.safe_load(shown)
        made = editor.post("/triggers", body, content_type="application/json").json()["trigger"]
        copy = Trigger.objects.get(pk=made["id"])
        names = {*TriggerForm.Meta.fields, "schedule_config", "event_config"} - {"user_id"}
        differing = [name for name in names if getattr(copy, name) != getattr(trigger, name)]
        assert differing == []

    def test_yaml_comes_with_how_to_import_it(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        shown = page_of(viewer, make_trigger(user_id="u-7"))
        assert "manage.py import_triggers FILE --user u-7" in shown

    def test_curl_survives_quotation_marks(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(prompt='It\'s `x` "y" $z')
        shown: str = viewer.get(f"{TRIGGERS}/{trigger.pk}").context["curl"]
        body = shown.partition(" -d '")[2].removesuffix("'").replace("'\\''", "'")
        assert json.loads(body)["prompt"] == 'It\'s `x` "y" $z'

    def test_trigger_that_another_program_spoiled(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = noted(make_trigger(), schedule_config={"expression": "cron(x)"})
        assert "Cannot fire" in page_of(viewer, trigger)

    @pytest.mark.parametrize("page", ["", "/edit"])
    @pytest.mark.parametrize(
        ("zone", "date"),
        [
            ("Asia/Tokyo", {"endDate": "9999-12-31T23:59:59Z"}),
            ("America/New_York", {"startDate": "0001-01-01T00:00:00Z"}),
        ],
    )
    def test_dates_at_the_ends_of_the_calendar(
        self, editor: Client, make_trigger: MakeTrigger, page: str, zone: str, date: dict[str, str]
    ) -> None:
        config = {"expression": "rate(1 hour)", "timezone": zone, **date}
        trigger = make_trigger(schedule_config=config)
        assert editor.get(f"{TRIGGERS}/{trigger.pk}{page}").status_code == 200

    @pytest.mark.parametrize(
        ("seconds", "words"), [(30, "30 s"), (600, "10 min"), (86_400, "24 h")]
    )
    def test_timeout_in_words(
        self, viewer: Client, make_trigger: MakeTrigger, seconds: int, words: str
    ) -> None:
        page = page_of(viewer, make_trigger(timeout_seconds=seconds))
        assert f"<dt>Timeout</dt><dd>{words}</dd>" in page


class TestRun:
    def test_what_the_agent_said_is_formatted(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), output="**Ninety**", output_bytes=10)
        assert "<strong>Ninety</strong>" in page_of(viewer, run)

    @pytest.mark.parametrize(
        ("fields", "advice"),
        [
            ({**LATE, "reached_agent": True}, "is 600 seconds"),
            ({**CUT_OFF, "reached_agent": True}, "after at most 30 minutes"),
            ({"error": "x", "reached_agent": True}, "part of its work may be done"),
            ({"error": "x", "reached_agent": False}, "a replay repeats no work"),
            (reasons.columns("error", NOT_PICKED_UP()), "Nothing was sent to the agent"),
            (reasons.columns("error", MISSED_RUNS), "Nothing was sent to the agent"),
            ({"error": "x", "outcome": "limited"}, "Raise the limit of tokens"),
            ({"error": "x", "outcome": "refused"}, "guardrail of the agent"),
            (reasons.columns("error", AGENT_SILENT(seconds="9")), "AGENT_IDLE_TIMEOUT_SECONDS"),
        ],
    )
    def test_advice(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        fields: dict[str, Any],
        advice: str,
    ) -> None:
        run = make_execution(make_trigger(), status=RunStatus.FAILED, **fields)
        assert advice in page_of(viewer, run)

    def test_lost_run_shows_as_failed(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), status=RunStatus.RUNNING, lease_until=NINE)
        assert LOST() in page_of(viewer, run)

    def test_says_how_much_was_left_out(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(
            make_trigger(), output="a" * 65536, output_tail="b", output_bytes=70000
        )
        assert "[... 4463 bytes left out ...]" in page_of(viewer, run)

    def test_shows_facts(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(
            make_trigger(), duration_ms=200_000, usage={"inputTokens": 12, "outputTokens": 3}
        )
        shown = page_of(viewer, run)
        assert ("3 min 20 s" in shown, "12 input, 3 output" in shown) == (True, True)

    def test_of_a_run_under_way_loads_itself_again(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        lease = timezone.now() + timedelta(minutes=5)
        run = make_execution(make_trigger(), status="running", lease_until=lease)
        assert 'http-equiv="refresh"' in page_of(viewer, run)

    @pytest.mark.parametrize("user", ["", "one-who-gave-it-away"])
    def test_of_a_run_on_which_its_user_is_not_noted_names_the_trigger(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution, user: str
    ) -> None:
        run = make_execution(make_trigger(name="Morning"), user_id=user)
        assert "Run of Morning" in page_of(viewer, run)

    def test_lateness(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), scheduled_at=NINE - timedelta(seconds=90))
        assert "+ 1 min 30 s" in page_of(viewer, run)

    def test_session_of_the_frontend(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        settings: Any,
    ) -> None:
        settings.SESSION_URL = "https://chat.example/s/{sessionId}"
        run = make_execution(make_trigger(), session_id="a/b?c")
        assert 'href="https://chat.example/s/a%2Fb%3Fc"' in page_of(viewer, run)

    def test_deleted_trigger(
        self, editor: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        run = make_execution(trigger)
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).delete()
        assert "Run of a deleted trigger" in page_of(editor, run)

    @pytest.mark.parametrize(
        ("payload", "shown"),
        [
            ('{"a":1}', '{"a": 1}'),
            ('{"a":"%s","b":1}' % ("x" * 90), '{\n  "a": "%s",\n  "b": 1\n}' % ("x" * 90)),
            ("[" * 9000, "[" * 9000),
            ("x", "x"),
        ],
    )
    def test_event_is_laid_out(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        payload: str,
        shown: str,
    ) -> None:
        run = make_execution(make_trigger(), event_payload=payload)
        address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}"
        assert viewer.get(address).context["payload"] == shown

    def test_output_goes_on_where_it_was(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), output="Ninety-nine.", output_bytes=12)
        address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/output"
        assert viewer.get(address, {"after": "7"}).json() == {
            "text": "nine.",
            "next": 12,
            "done": True,
            "queued": False,
        }

    @pytest.mark.parametrize("after", ["x", "-1", "9" * 30])
    def test_no_number_of_bytes(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution, after: str
    ) -> None:
        run = make_execution(make_trigger())
        address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/output"
        assert viewer.get(address, {"after": after}).status_code == 400

    def test_replay(
        self, editor: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        answer = editor.post(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/replay")
        made = TriggerExecution.objects.get(replay_of=run.pk)
        assert answer["Location"].endswith(f"/runs/{made.pk}")

    def test_replay_sends_the_event_again(
        self, editor: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), event_payload='{"id": "1"}')
        editor.post(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/replay")
        again = TriggerExecution.objects.get(replay_of=run.pk)
        assert (again.source, again.event_payload) == ("replay", '{"id": "1"}')

    def test_replay_of_a_busy_trigger_says_so(
        self, editor: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        address = f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/replay"
        editor.post(address)
        assert "The trigger is running" in editor.post(address, follow=True).content.decode()

    def test_replay_of_a_deleted_trigger_says_so(
        self, editor: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        Trigger.objects.all().delete()
        shown = editor.post(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/replay", follow=True)
        assert "The trigger of this run is deleted." in shown.content.decode()

    @pytest.mark.parametrize("key", ["a/b", "../x"])
    def test_replay_of_what_has_no_page(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        key: str,
    ) -> None:
        run = make_execution(make_trigger(), source="replay", replay_of=key)
        assert f"Replay of {key}</dd>" in page_of(viewer, run)

    def test_viewers_cannot_replay(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        answer = viewer.post(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}/replay")
        assert answer.status_code == 403

    def test_replay_is_not_offered_to_viewers(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        assert "Replay</button>" not in page_of(viewer, make_execution(make_trigger()))

    def test_run_of_another_trigger(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        assert viewer.get(f"{TRIGGERS}/{make_trigger().pk}/runs/{run.pk}").status_code == 404

    def test_all_runs_name_their_triggers(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(name="Count sheep"))
        assert "Count sheep" in viewer.get("/console/runs").content.decode()

    @pytest.mark.parametrize("page", ["/console/runs", TRIGGERS + "/{}"])
    @pytest.mark.parametrize(("status", "shown"), [("failed", 1), ("running", 0)])
    def test_lost_ones_are_among_the_failed(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        page: str,
        status: str,
        shown: int,
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger, status="running", lease_until=NINE)
        rows = viewer.get(page.format(trigger.pk), {"status": status}).context["rows"]
        assert len(rows) == shown

    @pytest.mark.parametrize(
        "page", ["/console/runs", TRIGGERS + "/{0}", TRIGGERS + "/{0}/runs/{1}", ADMIN, ADMIN + KEY]
    )
    def test_status_of_another_program(
        self,
        viewer: Client,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        page: str,
    ) -> None:
        run = make_execution(make_trigger(), status="cancelled")
        shown = viewer.get(page.format(run.trigger_id, run.pk)).content.decode()
        assert ">cancelled</" in shown

    def test_heading_of_the_output_is_plain(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(), output="## Summary")
        assert "<td>Summary</td>" in re.sub(
            "<td [^>]*>", "<td>", viewer.get("/console/runs").content.decode()
        )


class TestDashboard:
    def test_failing_first(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        noted(make_trigger(name="Once"), consecutive_failures=1)
        noted(make_trigger(name="Often"), consecutive_failures=5)
        failing = viewer.get("/console/").context["failing"]
        assert [trigger.name for trigger in failing] == ["Often", "Once"]

    def test_out_of_step(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        noted(make_trigger(), sync_state="failed", sync_error="Throttled.")
        assert "Throttled." in viewer.get("/console/").content.decode()

    def test_all_are_brought_in_step_though_few_are_named(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        triggers = [noted(make_trigger(), sync_state="failed") for _ in range(7)]
        page = editor.get("/console/").content.decode()
        assert all(f'value="{trigger.user_id}:{trigger.pk}"' in page for trigger in triggers)

    def test_what_fires_within_a_day(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger(name="Soon", schedule_config={"expression": "rate(1 hour)"})
        make_trigger(name="Later", schedule_config={"expression": "at(2090-01-01T00:00:00)"})
        make_trigger(name="Off", schedule_config={"expression": "rate(1 hour)"}, enabled=False)
        lines = viewer.get("/console/").context["lines"]
        assert [line.view.trigger.name for line in lines] == ["Soon"]

    def test_rare_ones_stand_before_those_of_each_minute(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(name="Minute", schedule_config={"expression": "rate(1 minute)"})
        make_trigger(name="Hour", schedule_config={"expression": "rate(1 hour)"})
        lines = viewer.get("/console/").context["lines"]
        assert [line.view.trigger.name for line in lines] == ["Hour", "Minute"]

    def test_runs_of_the_last_day(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        now = timezone.now()
        for agent in ("shepherd", "goatherd"):
            runs = [PastRun("r", now - timedelta(days=2), 1, False), PastRun("s", now, 3000, True)]
            noted(make_trigger(agent_id=agent), *runs)
        context = viewer.get("/console/").context
        assert (context["day"].runs, context["day"].failed, context["average"]) == (2, 2, "3 s")

    def test_failures_of_the_last_day_are_told_apart(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        noted(make_trigger(), *failed_runs("timed_out", "lost"))
        noted(make_trigger(), PastRun("r", timezone.now(), 1, failed=True))
        shown = viewer.get("/console/").content.decode()
        assert "4 failed (2 timed out, 1 lost, 1 error)" in shown

    def test_agents(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        now = timezone.now()
        noted(make_trigger(agent_id="goatherd"), PastRun("r", now, 1000, failed=False))
        noted(make_trigger(agent_id="shepherd"), PastRun("r", now, 1000, failed=True))
        agents = viewer.get("/console/").context["overview"].agents
        assert [(agent.name, agent.share_failed) for agent in agents] == [
            ("shepherd", 100),
            ("goatherd", 0),
        ]

    def test_cancelled_runs_are_no_share_of_failures(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        cancelled, good = failed_runs("cancelled", "")[0], PastRun("r", timezone.now(), 1, False)
        noted(make_trigger(agent_id="clerk"), cancelled, good)
        noted(make_trigger(agent_id="idle"), cancelled)
        agents = viewer.get("/console/").context["overview"].agents
        assert {agent.name: agent.share_failed for agent in agents} == {"clerk": 0, "idle": None}

    def test_more_than_it_looks_at(
        self, viewer: Client, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("console.dashboard.MOST", 1)
        make_trigger()
        make_trigger()
        assert "Only the 1 newest triggers" in viewer.get("/console/").content.decode()


@pytest.mark.parametrize(
    ("since", "number"), [("", 4), ("hour", 1), ("day", 2), ("week", 3), ("nonsense", 4)]
)
@pytest.mark.parametrize("page", ["/console/runs", f"{TRIGGERS}/{{id}}"])
def test_runs_of_a_time(
    viewer: Client,
    make_trigger: MakeTrigger,
    make_execution: Any,
    page: str,
    since: str,
    number: int,
) -> None:
    trigger, now = make_trigger(), timezone.now()
    for hours in (0, 2, 30, 24 * 8):
        make_execution(trigger, id=occurrence_id(trigger.pk, now - timedelta(hours=hours)))
    answer = viewer.get(page.format(id=trigger.pk), {"since": since})
    assert len(answer.context["rows"]) == number


class TestPromptOfARun:
    """No run keeps its prompt: it is composed anew, of the trigger and the run's event."""

    @pytest.fixture
    def shown(
        self, viewer: Client, make_trigger: MakeTrigger, make_execution: Any
    ) -> Callable[..., str]:
        def show(started: timedelta = timedelta(seconds=1), **fields: Any) -> str:
            made = make_trigger(prompt="Pack {{ event.detail.box }}.", agent_id="packer")
            event = json.dumps({"source": "shop", "detail": {"box": "the red box"}})
            values = {"event_payload": event, "started_at": made.updated_at + started, **fields}
            run = make_execution(made, **values)
            return viewer.get(f"{TRIGGERS}/{made.pk}/runs/{run.pk}").content.decode()

        return show

    def test_is_shown(self, shown: Callable[..., str]) -> None:
        page = shown()
        assert ("Prompt sent" in page, "Pack the red box." in page) == (True, True)

    def test_of_a_trigger_that_was_changed_since_is_not_passed_for_the_one_sent(
        self, shown: Callable[..., str]
    ) -> None:
        page = shown(started=-timedelta(hours=1))
        assert ("Prompt sent" in page, "Prompt from the trigger as it is now" in page) == (
            False,
            True,
        )

    @pytest.mark.parametrize("fields", [{"attempt": 0, "status": "running"}, {"event_payload": ""}])
    def test_is_left_out_without_what_it_takes(
        self, shown: Callable[..., str], fields: dict[str, Any]
    ) -> None:
        assert "<summary>Prompt" not in shown(**fields)

    def test_harm_in_it_is_text(self, shown: Callable[..., str]) -> None:
        event = json.dumps({"detail": {"box": "<script>alert(1)</script>"}})
        assert "<script>alert(1)" not in shown(event_payload=event)

    @pytest.mark.parametrize("attempt", [1, 3])
    def test_agent_and_attempts(self, shown: Callable[..., str], attempt: int) -> None:
        page = shown(attempt=attempt)
        facts = [">packer</a>", f"<dt>Attempts</dt><dd>{attempt}</dd>"]
        assert [fact in page for fact in facts] == [True, True]


class TestDashboardOfMany:
    """Failing, running and due soon are named; the rest is folded away."""

    @pytest.fixture
    def page(self, viewer: Client) -> str:
        make_many(300)
        some = list(Trigger.objects.filter(user_id="ann").order_by("pk")[:7])
        until = timezone.now() + timedelta(minutes=5)
        for each in some:
            row = Trigger.objects.filter(user_id="ann", pk=each.pk)
            row.update(running_since=timezone.now(), running_until=until)
        return viewer.get("/console/").content.decode()

    def test_running_ones_are_named(self, page: str) -> None:
        part = page[page.index('id="running"') : page.index("</section>", page.index('"running"'))]
        named, folded = part.split('<details id="more-running">')
        counts = [each.count("/console/triggers/") for each in (named, folded)]
        assert (counts, "2 more" in folded) == ([5, 2], True)

    def test_later_ones_are_folded(self, page: str) -> None:
        folded = page[page.index('<details id="later">') :].split("</details>")[0]
        assert ("285 more" in folded, folded.count("<li>")) == (True, 285)

    def test_nothing_running_is_not_told(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger()
        assert "Running now" not in viewer.get("/console/").content.decode()
