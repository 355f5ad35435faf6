"""What the page of a run and the filters of runs ask of DynamoDB."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents.replies import Transcript
from executions.models import TriggerExecution
from executions.runner import Occurrence, progress, start
from moca.ids import uuid7
from tests.conftest import wait_for
from tests.integration.console.conftest import MakeTrigger, viewer
from tests.integration.dynamodb.conftest import Counting
from triggers import services
from triggers.models import Process, Trigger

__all__ = ["viewer"]

MakeExecution = Callable[..., TriggerExecution]
READ = "GetItem"
# The operator; the run; the trigger.
PAGE = [READ, READ, READ]
EVENT = '{"source": "shop"}'


def page_of(client: Client, run: TriggerExecution) -> Any:
    return client.get(f"/console/triggers/{run.trigger_id}/runs/{run.pk}")


def test_page_of_a_run_is_a_read_for_each_row(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution,
    requests_made: Counting,
) -> None:  # fmt: skip
    started = timezone.now() + timedelta(minutes=1)
    run = make_execution(make_trigger(), event_payload=EVENT, started_at=started)
    with requests_made() as made:
        page_of(viewer, run)
    assert made == PAGE


@pytest.mark.parametrize("changes", [1, 20])
def test_prompt_of_its_time_is_one_query_more(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution,
    requests_made: Counting, changes: int,
) -> None:  # fmt: skip
    trigger = make_trigger()
    run = make_execution(
        trigger, event_payload=EVENT, started_at=timezone.now() - timedelta(hours=1)
    )
    for number in range(changes):
        services.change(trigger, lambda row, v=f"{number}": setattr(row, "prompt", v), by="o")
    with requests_made() as made:
        page_of(viewer, run)
    assert made == [*PAGE, "Query"]


def test_look_at_a_run_under_way_reads_its_row_and_what_was_said(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution,
    requests_made: Counting,
) -> None:  # fmt: skip
    lease = timezone.now() + timedelta(minutes=1)
    run = make_execution(make_trigger(), status="running", lease_until=lease, tools=[{"name": "a"}])
    path = f"/console/triggers/{run.trigger_id}/runs/{run.pk}/output?digest=old"
    with requests_made() as first:
        viewer.get(path)
    with requests_made() as made:
        viewer.get(path)
    # The first look is marked.
    assert (first, made) == ([READ, READ, "Query", READ, "PutItem"], [READ, READ, "Query"])


@pytest.fixture
def many(make_trigger: MakeTrigger) -> Trigger:
    """A trigger with more runs than a page has, of which one was refused by another agent."""
    trigger = make_trigger()
    runs = [
        TriggerExecution(
            id=uuid7(1_780_000_000_000 + number, bytes(10)),
            trigger_id=trigger.pk,
            user_id=trigger.user_id,
            agent_id="cook" if number else "clerk",
            status="completed" if number else "failed",
            outcome="success" if number else "refused",
            source="schedule",
            started_at=timezone.now(),
            ttl=4_000_000_000,
        )
        for number in range(80)
    ]
    for start_at in range(0, 80, 40):
        TriggerExecution.objects.bulk_create(runs[start_at : start_at + 40])
    return trigger


@pytest.mark.parametrize("query", [{"outcome": "refused"}, {"agent": "clerk"}])
def test_filters_cost_what_that_of_the_status_costs(
    viewer: Client, many: Trigger, requests_made: Counting, query: dict[str, str]
) -> None:
    with requests_made() as of_status:
        viewer.get("/console/runs", {"status": "failed"})
    with requests_made() as of_lost:  # which lost runs show as failed, too
        Process.objects.by_lease(timezone.now())
    with requests_made() as made:
        rows = viewer.get("/console/runs", query).context["rows"]
    assert (len(rows), sorted(made + of_lost)) == (1, sorted(of_status))


def test_progress_is_one_write(make_trigger: MakeTrigger, requests_made: Counting) -> None:
    trigger = make_trigger()
    run = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
    assert run is not None
    transcript = Transcript()
    with requests_made() as made, progress.Progress(run, 0) as noted:
        transcript.call("t1", "clock", "{}")
        noted.note(transcript)
        wait_for(lambda: made)
        for _ in range(5):
            noted.note(transcript)
            time.sleep(2 * progress.TICK_SECONDS)
    assert made == ["UpdateItem"]


def test_several_runs_are_written_without_a_transaction(
    make_trigger: MakeTrigger, requests_made: Counting
) -> None:
    notes, transcript = [], Transcript()
    transcript.call("t1", "clock", "{}")
    for _ in range(2):
        trigger = make_trigger()
        run = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
        assert run is not None
        notes.append(progress.Progress(run, 60))
        notes[-1].note(transcript)
    with requests_made() as made:
        progress.write_and_log(notes)
    assert made == ["UpdateItem", "UpdateItem"]


def test_pauses_between_writes_grow(make_trigger: MakeTrigger, requests_made: Counting) -> None:
    trigger = make_trigger()
    run = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
    assert run is not None
    transcript = Transcript()
    with requests_made() as made, progress.Progress(run, 0.2) as noted:
        for _ in range(60):
            transcript.say("word ")
            transcript.flush()
            noted.note(transcript)
            time.sleep(0.05)
    # After 0.2, 0.6, 1.4 and 3 seconds, rather than every 0.2 seconds.
    assert 2 <= made.count("PutItem") <= 4
