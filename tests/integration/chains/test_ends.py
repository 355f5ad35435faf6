"""The end of a run as an event, and the runs of the triggers that hear of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import AgentClient
from events.models import EventSource, ReceivedEvent
from executions import runner
from executions.failures import INTERNAL_ERROR
from executions.models import TriggerExecution
from executions.runner import Occurrence, close, start
from executions.runner.cancel import cancel_run
from executions.runner.ends import chain_of
from executions.runner.manual import run_now
from tests.integration.admin.conftest import viewer
from tests.integration.api.conftest import alice
from tests.integration.chains.conftest import Make, RunIt, after, ends, runs_of
from triggers import chains
from triggers.models import RunStatus, Trigger

__all__ = ["alice", "viewer"]


class TestWhoHears:
    def test_the_trigger_that_names_it(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        second = trigger("Second", **after(first))
        run_it(first)
        assert [run.status for run in runs_of(second)] == [RunStatus.COMPLETED]

    def test_not_for_another_result(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        second = trigger("Second", **after(first, kinds=["Execution Failed"]))
        run_it(first)
        assert runs_of(second) == []

    def test_not_those_of_another_user(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        other = trigger("Spy", user_id="bob", **after(triggerName=["First"]))
        trigger("Second", **after(first))
        run_it(first)
        assert runs_of(other) == []

    def test_not_a_pattern_that_takes_everything(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        config = {"eventPattern": {"source": [{"prefix": ""}]}}
        broad = trigger("Broad", **{**after(), "event_config": config})
        trigger("Second", **after(first))
        run_it(first)
        assert runs_of(broad) == []

    def test_by_an_event_source(self, trigger: Make, run_it: RunIt) -> None:
        made = EventSource(
            id="runs", name="Runs", kind="bus", pattern={"source": ["moca.triggers"]}
        )
        made.save()
        config = {"eventSourceId": "runs", "eventPattern": {"detail": {"triggerName": ["First"]}}}
        second = trigger("Second", **{**after(), "event_config": config})
        run_it(trigger())
        assert len(runs_of(second)) == 1

    def test_not_while_it_is_disabled(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        second = trigger("Second", **after(first), enabled=False)
        run_it(first)
        assert (runs_of(second), ends()) == ([], [])


class TestWhatItSays:
    def test_prompt_has_the_output(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger(prompt="Count the sheep.")
        second = trigger("Second", prompt="Read: {{ event.detail.output }}", **after(first))
        said = run_it(first).said.text.splitlines()[0]
        (run,) = runs_of(second)
        assert run.said.text.splitlines()[0].partition("Read: ")[2] == said

    def test_json_is_a_value(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        second = trigger("Second", prompt="{{ event.detail.value.x }}", **after(first))
        _finish(first, '```json\n{"x": [1, 2]}\n```')
        assert (ends()[0]["detail"]["value"], len(runs_of(second))) == ({"x": [1, 2]}, 0)

    def test_no_value_in_a_text(self, trigger: Make) -> None:
        first = trigger()
        trigger("Second", **after(first))
        _finish(first, "NaN")
        assert "value" not in ends()[0]["detail"]

    def test_a_long_output_is_cut(self, trigger: Make) -> None:
        first = trigger()
        trigger("Second", **after(first))
        _finish(first, "\x01" * 60_000)
        (event,) = ends()
        assert (event["detail"]["outputCut"], len(event["detail"]["output"]) > 10_000) == (
            True,
            True,
        )

    def test_of_a_failure(self, trigger: Make) -> None:
        first = trigger(tags=["nightly"])
        trigger("Second", **after(first))
        run = start(Occurrence.scheduled(first.user_id, first.pk, timezone.now()))
        assert run is not None
        close(run.execution, RunStatus.FAILED, error=INTERNAL_ERROR())
        (event,) = ends()
        detail = event["detail"]
        assert (event["detail-type"], detail["error"]["code"], detail["tags"]) == (
            "Execution Failed",
            "internal_error",
            ["nightly"],
        )

    def test_of_a_cancelled_run(self, trigger: Make) -> None:
        first = trigger()
        trigger("Second", **after(first))
        cancel_run(run_now(first, by="ann"), by="ann")
        assert [event["detail-type"] for event in ends()] == ["Execution Cancelled"]

    def test_of_a_lost_run(self, trigger: Make) -> None:
        first = trigger()
        trigger("Second", **after(first))
        due = timezone.now()
        start(Occurrence.scheduled(first.user_id, first.pk, due), lease=timedelta(seconds=-1))
        runner.close_lost(timezone.now())
        assert [event["detail"]["outcome"] for event in ends()] == ["lost"]

    def test_a_replay_goes_on_and_says_so(self, trigger: Make, run_it: RunIt) -> None:
        first = trigger()
        second = trigger("Second", **after(first))
        run_it(first, replayed=run_it(first))
        sources = sorted(event["detail"]["source"] for event in ends())
        assert (sources, len(runs_of(second))) == (["manual", "replay"], 2)


class TestOnce:
    def test_the_end_and_its_event_are_one_write(self, trigger: Make, client: AgentClient) -> None:
        first = trigger()
        trigger("Second", **after(first))
        _finish(first, "done")
        record = runs_of(first)[0]
        # Another process that wrote the same end finds it written.
        record.status = RunStatus.RUNNING
        close(record, RunStatus.COMPLETED)
        assert len(ends()) == 1

    @pytest.mark.sqlite
    def test_nobody_listens_and_nothing_is_paid(self, trigger: Make) -> None:
        first = trigger()
        trigger("Of another", user_id="bob", **after(triggerName=["First"]))
        chains.writes_of_a_run()
        run = start(Occurrence.scheduled(first.user_id, first.pk, timezone.now()))
        assert run is not None
        with CaptureQueriesContext(connection) as queries:
            close(run.execution, RunStatus.COMPLETED)
        # The transaction's two ends, the record, the trigger as it is read and as it is written.
        assert (len(queries), ReceivedEvent.objects.count()) == (5, 0)


class TestDepth:
    def test_ends_at_the_limit_and_says_why(
        self, trigger: Make, run_it: RunIt, settings: Any
    ) -> None:
        settings.CHAIN_DEPTH_LIMIT = 2
        first = trigger()
        # The loop is made past the rules, as two requests at the same moment could.
        second = trigger("Second", **after(first))
        third = trigger("Third", **after(second))
        fourth = trigger("Fourth", **after(third))
        run_it(first)
        fourth.refresh_from_db()
        assert (len(runs_of(third)), len(runs_of(fourth)), fourth.last_skip_reason_code) == (
            1,
            0,
            "chain_too_deep",
        )

    def test_a_loop_that_nobody_saw_ends(self, trigger: Make, run_it: RunIt, settings: Any) -> None:
        settings.CHAIN_DEPTH_LIMIT = 3
        first = trigger()
        config = {"eventPattern": {"source": ["moca.triggers"]}}
        Trigger.objects.filter(user_id=first.user_id, pk=first.pk).update(
            type="event", event_config=config, hears_runs=True, overlap_policy="allow"
        )
        chains.forget()
        first.refresh_from_db()
        run_it(first)
        assert len(runs_of(first)) == 4

    def test_a_sender_cannot_say_that_it_is_deep(self, trigger: Make) -> None:
        sent = {"source": "webhook.shop", "detail": {"chain": {"depth": 99}}}
        assert chain_of(sent).depth == 0


class TestCause:
    def test_api_says_it(self, trigger: Make, run_it: RunIt, alice: Any) -> None:
        first = trigger()
        second = trigger("Second", **after(first))
        cause = run_it(first)
        (run,) = runs_of(second)
        answer = alice.get(f"/triggers/{second.pk}/executions/{run.pk}").json()["execution"]
        assert answer["causedBy"] == {
            "executionId": cause.pk,
            "triggerId": first.pk,
            "triggerName": "First",
        }

    def test_pages_link_both(self, trigger: Make, run_it: RunIt, viewer: Client) -> None:
        first = trigger()
        second = trigger("Second", **after(first))
        cause = run_it(first)
        (run,) = runs_of(second)
        pages = [
            viewer.get(reverse("console:run", args=[each.trigger_id, each.pk])).content.decode()
            for each in (cause, run)
        ]
        assert (str(run.pk) in pages[0], str(cause.pk) in pages[1]) == (True, True)


def _finish(trigger: Trigger, output: str) -> TriggerExecution:
    """Run a trigger with an agent that says this."""
    run = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
    assert run is not None
    run.execution.output = output[:65536]
    run.execution.output_bytes = len(output.encode())
    close(run.execution, RunStatus.COMPLETED)
    return run.execution
