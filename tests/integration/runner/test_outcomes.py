"""How a run ended, and what its record keeps of the answer beside the text."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from agents import AgentClient, CachedTokens, ClientCredentials, FixedToken
from agents.demo import DemoAgent
from agents.errors import (
    AGENT_CANCELLED,
    AGENT_SILENT,
    ANSWER_LIMITED,
    ANSWER_REFUSED,
    TIMED_OUT,
)
from agents.protocols import PROTOCOLS
from executions import runner
from executions.failures import LOST, MISSED
from executions.models import Source, TriggerExecution
from executions.runner import Occurrence
from moca import reasons
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics, Tally

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


OUTCOMES = {
    "hello": Outcome.SUCCESS,
    "ask Shall I pay?": Outcome.INTERRUPTED,
    "guardrail": Outcome.REFUSED,
    "max-tokens": Outcome.LIMITED,
    "cancelled": Outcome.CANCELLED,
    "fail": Outcome.ERROR,
    "break": Outcome.ERROR,
    "no-completion": Outcome.ERROR,
    "status 500": Outcome.ERROR,
}
# A2A has no guardrails and no limits. OpenAI's answers cannot ask a person, nor say "cancelled".
NOT_TOLD = {
    ("a2a", "guardrail"),
    ("a2a", "max-tokens"),
    ("openai", "ask Shall I pay?"),
    ("openai", "cancelled"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", OUTCOMES)
def test_outcome_is_on_record(run: Run, how: str, protocol: str) -> None:
    ended = run(f"Count.\ndemo: {how}", protocol)
    expected = Outcome.ERROR if (protocol, how) in NOT_TOLD else OUTCOMES[how]
    completed = expected in (Outcome.SUCCESS, Outcome.INTERRUPTED)
    status = RunStatus.COMPLETED if completed else RunStatus.FAILED
    assert (ended.outcome, ended.status, ended.error == "") == (expected, status, completed)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_time_out_is_an_outcome(run: Run, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A trigger's time-out has ten seconds at least.
    module = sys.modules["executions.runner.execute"]
    monkeypatch.setattr(module, "seconds_left_of", lambda _: 0.5)
    assert run("Count.\ndemo: slow 30", protocol).outcome == Outcome.TIMED_OUT


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_end_that_the_process_has_no_time_for_is_unknown(run: Run, protocol: str) -> None:
    assert run("Count.\ndemo: slow 30", protocol, seconds=0.5).outcome == Outcome.UNKNOWN


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


ENDINGS = [
    ("Count.", Outcome.SUCCESS),
    ("Count.\ndemo: ask Shall I pay?", Outcome.INTERRUPTED),
    ("Count.\ndemo: max-tokens", Outcome.LIMITED),
    ("Count.\ndemo: fail", Outcome.ERROR),
]


@pytest.mark.parametrize(("prompt", "outcome"), ENDINGS)
def test_trigger_has_the_outcome_of_its_last_run(run: Run, prompt: str, outcome: Outcome) -> None:
    assert Trigger.objects.get(pk=run(prompt).trigger_id).last_outcome == outcome


@pytest.mark.parametrize(("prompt", "outcome"), ENDINGS)
def test_log_line_has_the_outcome(
    run: Run, caplog: pytest.LogCaptureFixture, prompt: str, outcome: Outcome
) -> None:
    with caplog.at_level("INFO"):
        run(prompt)
    lines = [line for line in caplog.records if line.getMessage().startswith("Run ")]
    assert [getattr(line, "outcome", "") for line in lines] == [outcome]


def test_statistics_tell_how_runs_failed(run: Run) -> None:
    trigger = Trigger.objects.get(pk=run("Count.\ndemo: guardrail").trigger_id)
    day = Tally.total(Statistics.read(trigger.statistics).days(timezone.now()))
    assert day.failures == {Outcome.REFUSED: 1}


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
        (RunStatus.FAILED, TIMED_OUT(seconds="600"), Outcome.TIMED_OUT),
        (RunStatus.FAILED, AGENT_SILENT(seconds="60"), Outcome.TIMED_OUT),
        (RunStatus.FAILED, ANSWER_REFUSED(), Outcome.REFUSED),
        (RunStatus.FAILED, ANSWER_LIMITED(), Outcome.LIMITED),
        (RunStatus.FAILED, AGENT_CANCELLED(), Outcome.CANCELLED),
    )

    @pytest.mark.parametrize(("status", "error", "outcome"), CASES)
    def test_outcome_is_shown(
        self,
        make_old: Callable[..., TriggerExecution],
        status: RunStatus,
        error: str,
        outcome: Outcome,
    ) -> None:
        assert make_old(status, error).shown_outcome == outcome

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
        "Sent, and its end is not known to us: the process had no more time after 0.5 s, though "
        "the trigger allows 3600 s. The agent may still be at work in the session "
        f"{execution.session_id}."
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
