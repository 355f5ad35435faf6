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
from moca.display import NOTHING
from tests.integration.admin.conftest import EXECUTIONS, address
from triggers.models import Trigger
from triggers.pauses import installation_pause

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

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"status": "failed", "outcome": "refused"}, "Refused"),
            ({"status": "failed", "error_code": "timed_out"}, "Timed out"),
            ({"status": "running"}, NOTHING),
            ({"status": "of another program"}, NOTHING),
        ],
    )
    def test_shows_the_outcome(
        self,
        viewer: Client,
        make_trigger: Make,
        make_execution: MakeExecution,
        fields: dict[str, str],
        word: str,
    ) -> None:
        run = make_execution(make_trigger(), agent_id="clerk", **fields)
        shown = viewer.get(EXECUTIONS).content.decode()
        cells = (f'field-shown_outcome">{word}<' in shown, 'field-agent_id">clerk<' in shown)
        assert (*cells, "Outcome:" in page(viewer, run)) == (True, True, True)

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
            ("?outcome=refused", {"status": "failed", "outcome": "refused"}),
            ("?outcome=timed_out", {"status": "failed", "error_code": "timed_out"}),
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

        # As if this process knew, as it does for seconds, that nothing is paused.
        installation_pause(timezone.now())
        make_execution(make_trigger())
        few = queries()
        for _ in range(20):
            make_execution(make_trigger())
        assert queries() == few


class TestPage:
    def test_shows_the_row_as_it_is(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), output="Ninety", event_payload='{"version":')
        shown = page(viewer, run)
        assert ("Ninety" in shown, "{&quot;version&quot;:" in shown) == (True, True)

    def test_leads_to_the_operators_page(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger())
        assert f'href="/console/triggers/{run.trigger_id}/runs/{run.pk}"' in page(viewer, run)

    def test_of_a_run_without_an_operators_page_opens(
        self, viewer: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        run = make_execution(make_trigger(), id="a/b")
        assert "View on site" not in page(viewer, run)

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
