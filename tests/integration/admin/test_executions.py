from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import TriggerExecution
from tests.integration.admin.conftest import EXECUTIONS, address
from triggers.models import Trigger

Make = Callable[..., Trigger]
MakeExecution = Callable[..., TriggerExecution]
HOSTILE = "<script>alert(1)</script>"


def listed(client: Client, query: str = "") -> list[str]:
    response = client.get(EXECUTIONS + query)
    return [execution.pk for execution in response.context["cl"].result_list]


def page(client: Client, execution: TriggerExecution) -> str:
    return client.get(f"{address(execution)}/change/").content.decode()


class TestList:
    def test_is_newest_first(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        first, second = make_execution(trigger), make_execution(trigger)
        assert listed(viewer) == [second.pk, first.pk]

    def test_names_the_trigger(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(name="Morning"))
        assert ">Morning</a>" in viewer.get(EXECUTIONS).content.decode()

    def test_keeps_runs_of_deleted_triggers(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger)
        Trigger.objects.all().delete()
        assert ">deleted<" in viewer.get(EXECUTIONS).content.decode()

    def test_shows_the_error_before_the_output(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(), status="failed", error="Timed out.", output="Let me")
        assert 'field-said">Timed out.<' in viewer.get(EXECUTIONS).content.decode()

    def test_shows_lost_runs_as_failed(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        lost = timezone.now() - timedelta(minutes=5)
        make_execution(make_trigger(), status="running", lease_until=lost)
        assert "The process that ran this stopped" in viewer.get(EXECUTIONS).content.decode()

    @pytest.mark.parametrize(
        ("query", "fields"),
        [
            ("?status=failed", {"status": "failed"}),
            ("?source__exact=event", {"source": "event"}),
        ],
    )
    def test_filters(
        self,
        viewer: Client,
        make_trigger: Make,
        make_execution: MakeExecution,
        query: str,
        fields: Any,
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger)
        wanted = make_execution(trigger, **fields)
        assert listed(viewer, query) == [wanted.pk]

    @pytest.mark.parametrize(("status", "shown"), [("failed", ["lost"]), ("running", ["alive"])])
    def test_lost_runs_are_among_the_failed(
        self,
        viewer: Client,
        make_trigger: Make,
        make_execution: MakeExecution,
        status: str,
        shown: list[str],
    ) -> None:
        trigger, now = make_trigger(), timezone.now()
        for key, minutes in (("lost", -5), ("alive", 5)):
            lease = now + timedelta(minutes=minutes)
            make_execution(trigger, id=key, status="running", lease_until=lease)
        assert listed(viewer, f"?status={status}") == shown

    def test_finds_by_the_id_of_the_trigger(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger())
        trigger = make_trigger()
        wanted = make_execution(trigger)
        assert listed(viewer, f"?q={trigger.pk}") == [wanted.pk]

    def test_leads_to_the_page_of_a_run(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        assert f'href="{address(run)}/change/' in viewer.get(EXECUTIONS).content.decode()

    def test_names_the_triggers_of_many_users(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        for number in range(40):
            make_execution(make_trigger(name=f"Of {number}", user_id=f"user-{number}"))
        shown = viewer.get(EXECUTIONS).content.decode()
        assert [n for n in range(40) if f">Of {n}</a>" not in shown] == []

    @pytest.mark.parametrize("user", ["", "one-who-gave-it-away"])
    def test_names_the_trigger_of_a_run_on_which_its_user_is_not_noted(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution, user: str
    ) -> None:
        make_execution(make_trigger(name="Morning"), user_id=user)
        assert ">Morning</a>" in viewer.get(EXECUTIONS).content.decode()

    def test_costs_as_many_queries_with_many_runs_as_with_one(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                listed(viewer)
            return len(captured)

        make_execution(make_trigger())
        few = queries()
        for _ in range(20):
            make_execution(make_trigger())
        assert queries() == few


class TestPage:
    def test_shows_what_the_agent_said(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        said = "Dear all,\nhere it is."
        run = make_execution(make_trigger(), output=said, output_bytes=len(said))
        assert f">{said}</pre>" in page(viewer, run)

    def test_says_how_much_was_left_out(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(
            make_trigger(), output="a" * 65536, output_tail="b", output_bytes=70000
        )
        assert "[... 4463 bytes left out ...]" in page(viewer, run)

    def test_shows_facts(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(
            make_trigger(), duration_ms=200_000, usage={"inputTokens": 12, "outputTokens": 3}
        )
        shown = page(viewer, run)
        assert ("3 min 20 s" in shown, "12 in, 3 out" in shown) == (True, True)

    def test_lays_out_the_event(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), event_payload='{"version":"0"}')
        assert "{&quot;version&quot;: &quot;0&quot;}" in page(viewer, run)

    def test_shows_an_event_that_was_cut(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), event_payload='{"version":')
        assert "{&quot;version&quot;:</pre>" in page(viewer, run)

    def test_escapes_everything(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(
            make_trigger(name=HOSTILE),
            status="failed",
            output=f"</pre>{HOSTILE}",
            error=HOSTILE,
            event_payload=HOSTILE,
            session_id=HOSTILE,
            request_id=HOSTILE,
            user_id=HOSTILE,
            usage={"inputTokens": HOSTILE},
        )
        assert HOSTILE not in page(viewer, run)

    def test_of_a_lost_run_says_so(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        lost = timezone.now() - timedelta(minutes=5)
        run = make_execution(make_trigger(), status="running", lease_until=lost)
        assert "The process that ran this stopped" in page(viewer, run)

    def test_of_a_run_under_way_loads_itself_again(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        lease = timezone.now() + timedelta(minutes=5)
        run = make_execution(make_trigger(), status="running", lease_until=lease)
        assert 'http-equiv="refresh"' in page(viewer, run)

    def test_of_a_deleted_trigger_opens(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        Trigger.objects.all().delete()
        assert "Run of a deleted trigger" in page(viewer, run)

    @pytest.mark.parametrize("user", ["", "one-who-gave-it-away"])
    def test_of_a_run_on_which_its_user_is_not_noted_names_the_trigger(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution, user: str
    ) -> None:
        run = make_execution(make_trigger(name="Morning"), user_id=user)
        assert "Run of Morning" in page(viewer, run)

    @pytest.mark.parametrize("key", ["{run}", "{trigger}:", ":{run}", "{trigger}:{trigger}", "x:y"])
    def test_of_an_incomplete_key_is_not_found(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution, key: str
    ) -> None:
        run = make_execution(make_trigger())
        key = key.format(run=run.pk, trigger=run.trigger_id)
        shown = viewer.get(f"{EXECUTIONS}{quote(key)}/change/", follow=True)
        assert "Perhaps it was deleted?" in shown.content.decode()

    @pytest.mark.parametrize("view", ["change", "delete"])
    def test_changes_nothing(
        self, administrator: Client, make_trigger: Make, make_execution: MakeExecution, view: str
    ) -> None:
        run = make_execution(make_trigger())
        assert administrator.post(f"{address(run)}/{view}/", {"post": "yes"}).status_code == 403


class TestReplay:
    def replay(self, client: Client, run: TriggerExecution, **options: Any) -> Any:
        return client.post(f"{address(run)}/replay/", **options)

    def test_sends_the_event_again(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), event_payload='{"id": "1"}')
        self.replay(editor, run)
        again = TriggerExecution.objects.get(replay_of=run.pk)
        assert (again.source, again.event_payload) == ("replay", '{"id": "1"}')

    def test_leads_to_the_new_run(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        response = self.replay(editor, run)
        again = TriggerExecution.objects.get(replay_of=run.pk)
        assert response["Location"] == f"{address(again)}/change/"

    def test_of_a_busy_trigger_says_so(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        self.replay(editor, run)
        assert "The trigger is running" in self.replay(editor, run, follow=True).content.decode()

    def test_of_a_deleted_trigger_says_so(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        Trigger.objects.all().delete()
        assert "is deleted" in self.replay(editor, run, follow=True).content.decode()

    def test_is_refused_to_viewers(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        assert self.replay(viewer, make_execution(make_trigger())).status_code == 403

    def test_is_not_offered_to_viewers(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        assert "Replay</button>" not in page(viewer, make_execution(make_trigger()))

    def test_needs_the_token_against_forgery(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        editor.handler.enforce_csrf_checks = True
        assert self.replay(editor, make_execution(make_trigger())).status_code == 403
