"""How a run ended, and what its record keeps of the answer beside the text."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents import AgentClient, CachedTokens, ClientCredentials, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import runner
from executions.failures import LOST, MISSED
from executions.models import Source, TriggerExecution
from executions.runner import Occurrence
from moca import reasons
from triggers.models import Outcome, RunStatus, Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Run = Callable[..., TriggerExecution]


@pytest.fixture
def run(demo_agent: DemoAgent, make_trigger: MakeTrigger) -> Run:
    """Run a prompt with a protocol to its end, and read the record back."""

    tokens = CachedTokens(
        ClientCredentials(domain=demo_agent.url, client_id="demo", client_secret="demo")
    )

    def ended(
        prompt: str, protocol: str = "ag-ui", *, seconds: float = 30, **fields: Any
    ) -> TriggerExecution:
        trigger = make_trigger(prompt=prompt, include_context=False, max_retries=0, **fields)
        occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)
        started = runner.start(occurrence)
        assert started is not None
        with AgentClient(demo_agent.url, tokens, protocol=PROTOCOLS[protocol]) as client:
            runner.execute(started, client, time_limit=seconds)
        return TriggerExecution.objects.get(pk=started.execution.pk)

    return ended


@pytest.mark.parametrize(
    ("prompt", "outcome"),
    [
        ("Count.", Outcome.SUCCESS),
        ("Count.\ndemo: ask Shall I pay?", Outcome.INTERRUPTED),
        ("Count.\ndemo: guardrail", Outcome.REFUSED),
        ("Count.\ndemo: max-tokens", Outcome.LIMITED),
        ("Count.\ndemo: cancelled", Outcome.CANCELLED),
        ("Count.\ndemo: fail", Outcome.ERROR),
    ],
)
def test_outcome_is_on_record(run: Run, prompt: str, outcome: Outcome) -> None:
    assert run(prompt).outcome == outcome


def test_time_out_is_an_outcome(run: Run) -> None:
    assert run("Count.\ndemo: slow 30", seconds=0.5).outcome == Outcome.TIMED_OUT


def test_run_that_waits_for_a_person_has_completed(run: Run) -> None:
    assert run("Count.\ndemo: ask Shall I pay?").status == RunStatus.COMPLETED


def test_question_is_on_record(run: Run) -> None:
    (question,) = run("Count.\ndemo: ask Shall I pay?").questions
    assert question["text"] == "Shall I pay?"


def test_tools_are_on_record(run: Run) -> None:
    (tool,) = run("Count.").tools
    assert (tool["name"], "UTC" in tool["result"]) == ("current_time", True)


def test_agent_is_on_record(run: Run) -> None:
    assert run("Count.", agent_id="clerk").agent_id == "clerk"


def test_id_of_a_task_is_on_record(run: Run) -> None:
    assert run("Count.", "a2a").task_id


class TestOfOldRecords:
    """Records of earlier editions have no outcome of their own."""

    @pytest.fixture
    def make_old(self, make_trigger: MakeTrigger) -> Callable[..., TriggerExecution]:
        trigger = make_trigger()

        def make(status: RunStatus, error: str = "") -> TriggerExecution:
            execution = TriggerExecution(
                id="old",
                trigger_id=trigger.pk,
                user_id=trigger.user_id,
                status=status,
                source=Source.SCHEDULE,
                started_at=NINE,
                ttl=1,
            )
            reasons.put(execution, "error", error)
            execution.save(force_insert=True)
            return execution

        return make

    CASES = (
        (RunStatus.COMPLETED, "", Outcome.SUCCESS),
        (RunStatus.FAILED, LOST(), Outcome.LOST),
        (RunStatus.FAILED, MISSED(runs="1 run", first="1", last="1"), Outcome.MISSED),
        (RunStatus.FAILED, "The agent failed.", Outcome.ERROR),
    )

    @pytest.mark.parametrize(("status", "error", "outcome"), CASES)
    def test_outcome_is_shown(
        self,
        make_old: Callable[..., TriggerExecution],
        status: RunStatus,
        error: str,
        outcome: Outcome,
    ) -> None:
        assert make_old(status, error).ending == outcome

    @pytest.mark.parametrize(("status", "error", "outcome"), CASES)
    def test_old_record_is_found_under_its_outcome_only(
        self,
        make_old: Callable[..., TriggerExecution],
        status: RunStatus,
        error: str,
        outcome: Outcome,
    ) -> None:
        old = make_old(status, error)
        of_trigger = TriggerExecution.objects.filter(trigger_id=old.trigger_id)
        found = [each for each in Outcome if of_trigger.ended_as(each).exists()]
        assert found == [outcome]


def test_run_that_its_process_cuts_off_says_that_the_end_is_not_known(run: Run) -> None:
    execution = run("Count.\ndemo: slow 30", seconds=0.5, timeout_seconds=3600)
    assert execution.error == (
        "timed out after 0.5 s; its process had no more time, though the trigger allows 3600 s; "
        f"the request was sent, and how the agent's work in the session {execution.session_id} "
        "ended is not known"
    )


def test_run_that_was_cut_off_before_it_was_sent_does_not_say_that_it_was(run: Run) -> None:
    assert "was sent" not in run("Count.", seconds=0, timeout_seconds=3600).error


def test_agent_that_falls_silent_is_not_said_to_lack_the_time_of_a_process(
    demo_agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=3600)
    started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
    assert started is not None
    tokens = FixedToken(demo_agent.issue_token())
    with AgentClient(demo_agent.url, tokens, idle_timeout=0.3) as client:
        execution = runner.execute(started, client, time_limit=30)
    assert execution.error == "the agent sent nothing for 0.3 s"
