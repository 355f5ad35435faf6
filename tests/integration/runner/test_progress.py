"""What the record of a run says while its agent is at work, and after the run broke off."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from django.conf import settings
from django.db import DataError
from django.utils import timezone

from agents.demo import DemoAgent
from agents.loop import AgentLoop
from agents.masking import Mask
from agents.protocols import PROTOCOLS, read_answer
from agents.replies import Transcript
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence, Run, start
from executions.runner import progress as progress_module
from executions.runner.manual import run_now
from executions.runner.progress import Progress
from tests.conftest import wait_for
from triggers.models import Process, RunStatus, Trigger

MakeTrigger = Callable[..., Trigger]
Scheduler = Callable[..., AbstractContextManager[Any]]
Update = Callable[..., int]
END = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["executions.runner.execute"], "FLUSH_SECONDS", 0.3)
    monkeypatch.setattr(progress_module, "RETRY_SECONDS", 0.3)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was written to records while their runs were under way."""
    made: list[dict[str, Any]] = []
    update: Update = TriggerExecution.objects.update_keyed

    def noted(keys: Any, values: dict[str, Any], **options: Any) -> int:
        if "output" in values and "status" not in values:
            made.append(values)
        return update(keys, values, **options)

    monkeypatch.setattr(TriggerExecution.objects, "update_keyed", noted)
    return made


@pytest.fixture
def stalled(
    scheduler: Scheduler, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> Iterator[TriggerExecution]:
    """A run whose agent has called a tool, and is silent from then on."""
    trigger = make_trigger(prompt="Count.\ndemo: stall", max_retries=0)
    with scheduler("ag-ui"):
        yield run_now(trigger, by="alice")
        demo_agent.stopping.set()


def _record(execution: TriggerExecution) -> TriggerExecution:
    return TriggerExecution.objects.get(trigger_id=execution.trigger_id, pk=execution.pk)


def test_tool_is_on_record_while_the_agent_is_silent(stalled: TriggerExecution) -> None:
    found = wait_for(lambda: (record := _record(stalled)).tools and record)
    assert (found.status, found.tools[0]["name"]) == (RunStatus.RUNNING, "current_time")


def test_text_is_on_record_while_the_agent_is_silent(stalled: TriggerExecution) -> None:
    found = wait_for(lambda: (record := _record(stalled)).output and record)
    assert (found.status, found.output[:6]) == (RunStatus.RUNNING, "Hello!")


def test_nothing_is_written_twice(writes: list[dict[str, Any]], stalled: TriggerExecution) -> None:
    wait_for(lambda: writes)
    time.sleep(1)
    assert len(writes) == 1


@pytest.fixture
def _first_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    save, tries = progress_module._save, []

    def refused_once(run: Run, values: dict[str, Any]) -> bool | None:
        tries.append(values)
        return None if len(tries) == 1 else save(run, values)

    monkeypatch.setattr(progress_module, "_save", refused_once)


@pytest.mark.usefixtures("_first_write_is_refused")
def test_write_is_tried_again_although_the_agent_is_silent(stalled: TriggerExecution) -> None:
    assert wait_for(lambda: _record(stalled).tools)


def test_lost_run_keeps_its_tools(stalled: TriggerExecution) -> None:
    wait_for(lambda: _record(stalled).tools)
    Process.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    runner.close_lost(timezone.now())
    lost = _record(stalled)
    assert (lost.outcome, lost.tools[0]["name"]) == ("lost", "current_time")


def test_run_that_a_fault_breaks_off_keeps_its_tools(
    scheduler: Scheduler, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = AgentLoop.invoke

    async def broken(agents: AgentLoop, *args: Any, **options: Any) -> NoReturn:
        await invoke(agents, *args, **options)
        raise ValueError

    monkeypatch.setattr(AgentLoop, "invoke", broken)
    with scheduler("ag-ui"):
        execution = run_now(make_trigger(max_retries=0), by="alice")
        wait_for(lambda: _record(execution).status == RunStatus.FAILED)
    assert [tool["name"] for tool in _record(execution).tools or []] == ["current_time"]


@pytest.fixture
def noted(make_trigger: MakeTrigger) -> list[Progress]:
    """Two runs whose agents have called a tool that no write has noted yet."""
    made = []
    for _ in range(2):
        trigger = make_trigger()
        run = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
        assert run is not None
        progress, transcript = Progress(run, 60), Transcript()
        transcript.call("t1", "clock", "{}")
        progress.note(transcript)
        made.append(progress)
    return made


def test_several_runs_are_written_in_one_transaction(
    noted: list[Progress], django_assert_num_queries: Any
) -> None:
    if settings.TEST_DATABASE == "dynamodb":
        pytest.skip("its transactions cost twice, so tests/integration/dynamodb expects none")
    with django_assert_num_queries(4) as asked:
        progress_module.write_and_log(noted)
    begins = [each["sql"].split()[0] for each in asked.captured_queries]
    tools = [_record(each.run.execution).tools[0]["name"] for each in noted]
    assert (begins, tools) == (["SAVEPOINT", "UPDATE", "UPDATE", "RELEASE"], ["clock", "clock"])


def test_run_whose_piece_is_invalid_keeps_no_other_from_its_write(
    noted: list[Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    update = progress_module._update

    def failing(run: Run, values: dict[str, Any]) -> bool:
        if run is noted[0].run:
            raise DataError
        return update(run, values)

    monkeypatch.setattr(progress_module, "_update", failing)
    progress_module.write_and_log(noted)
    assert [_record(each.run.execution).tools is None for each in noted] == [True, False]


def test_run_that_was_closed_is_told_so_beside_others(noted: list[Progress]) -> None:
    execution = noted[0].run.execution
    runner.close(_record(execution), RunStatus.FAILED, error="Closed elsewhere.")
    progress_module.write_and_log(noted)
    assert [each.note(Transcript()) for each in noted] == [False, True]


def test_secret_in_the_input_of_a_tool_is_masked_while_it_comes() -> None:
    secret, seen = "s3cret-of-the-request", []
    call = {"type": "TOOL_CALL_START", "toolCallId": "1", "toolCallName": "fetch"}
    pieces = [{"type": "TOOL_CALL_ARGS", "toolCallId": "1", "delta": each} for each in secret]
    read_answer(
        [f"data: {json.dumps(event)}\n\n".encode() for event in (call, *pieces, END)],
        "text/event-stream",
        mask=Mask([secret]),
        protocol=PROTOCOLS["ag-ui"],
        on_transcript=lambda transcript: seen.append(transcript.so_far().tools),
    )
    assert max(len(tool.input) for tools in seen for tool in tools) < 8
