"""A person answers an agent's questions, and the agent goes on in the same session."""

import socket
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents.demo import DemoAgent
from executions import answers, runner
from executions.answers import InvalidAnswersError
from executions.maintenance import tidy
from executions.models import Source, TriggerExecution, WaitingRun
from executions.runner.answer import NotWaitingError
from moca.authentication.models import AuditEntry
from tests.integration.answers.conftest import APPROVAL, Ask, GoOn, MakeTrigger, values_for
from triggers.models import Outcome, OverlapPolicy, RunStatus, Trigger
from triggers.statistics import Statistics

PROTOCOLS = ["invocations", "agentcore", "ag-ui", "a2a"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_agent_goes_on_with_the_answer(ask: Ask, go_on: GoOn, protocol: str) -> None:
    asked = ask(protocol)
    made = runner.answer_run(asked, values_for(asked, "Yes, pay."), by="ann")
    assert "You asked me: Yes, pay." in go_on(made, protocol).output


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_agent_goes_on_in_the_same_session(
    ask: Ask, go_on: GoOn, demo_agent: DemoAgent, protocol: str
) -> None:
    asked = ask(protocol)
    go_on(runner.answer_run(asked, values_for(asked, "Yes."), by="ann"), protocol)
    name = "x-amzn-bedrock-agentcore-runtime-session-id"
    first, second = [request.headers[name] for request in demo_agent.requests]
    assert first == second


def test_task_of_a2a_goes_on(ask: Ask, go_on: GoOn, demo_agent: DemoAgent) -> None:
    asked = ask("a2a")
    go_on(runner.answer_run(asked, values_for(asked, "Yes."), by="ann"), "a2a")
    message = demo_agent.requests[-1].body["params"]["message"]
    assert (message["taskId"], message["contextId"]) == (asked.task_id, asked.session_id)


def test_strands_gets_its_answers_in_place_of_the_prompt(
    ask: Ask, go_on: GoOn, demo_agent: DemoAgent
) -> None:
    asked = ask("agentcore")
    go_on(runner.answer_run(asked, values_for(asked, {"y": 1}), by="ann"), "agentcore")
    answer = {"interruptId": asked.questions[0]["id"], "response": {"y": 1}}
    assert demo_agent.requests[-1].body["prompt"] == [{"interruptResponse": answer}]


def test_server_that_keeps_no_session_gets_the_answer_as_its_prompt(
    ask: Ask, go_on: GoOn, demo_agent: DemoAgent
) -> None:
    asked = ask()
    go_on(runner.answer_run(asked, values_for(asked, "Yes."), by="ann"), "openai")
    assert demo_agent.requests[-1].body["messages"][-1]["content"] == "Yes."


def test_agent_that_asked_is_the_one_that_is_answered(
    ask: Ask, go_on: GoOn, demo_agent: DemoAgent
) -> None:
    asked = ask(agent_id="clerk")
    Trigger.objects.filter(user_id="alice", pk=asked.trigger_id).update(agent_id="other")
    go_on(runner.answer_run(asked, values_for(asked, "Yes."), by="ann"))
    assert demo_agent.requests[-1].body["forwardedProps"]["agentId"] == "clerk"


def test_agent_may_ask_again(ask: Ask, go_on: GoOn) -> None:
    asked = ask()
    again = go_on(
        runner.answer_run(asked, values_for(asked, "Yes.\ndemo: ask And then?"), by="ann")
    )
    last = go_on(runner.answer_run(again, values_for(again, "Stop."), by="ann"))
    assert (again.outcome, last.outcome) == (Outcome.INTERRUPTED, Outcome.SUCCESS)


def test_runs_know_each_other(ask: Ask) -> None:
    asked = ask()
    made = runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    asked.refresh_from_db()
    assert (asked.continued_by, made.continues) == (made.pk, asked.pk)


def test_answer_is_on_record_with_who_gave_it(ask: Ask) -> None:
    asked = ask()
    key = runner.answer_run(asked, values_for(asked, "Yes."), by="ann").pk
    made = TriggerExecution.objects.get(pk=key)
    given = [{"id": asked.questions[0]["id"], "question": "Shall I pay?", "value": "Yes."}]
    assert (made.source, made.answers, made.answered_by) == (Source.ANSWER, given, "ann")


def test_answer_is_in_the_audit_log(ask: Ask) -> None:
    asked = ask()
    runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    entry = AuditEntry.objects.get(action=AuditEntry.Action.ANSWERED)
    assert (entry.actor, entry.object_id, entry.changes) == (
        "ann",
        asked.trigger_id,
        {"execution": ["", asked.pk]},
    )


def test_second_answer_is_refused(ask: Ask) -> None:
    asked = ask()
    runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    asked.refresh_from_db()
    with pytest.raises(NotWaitingError, match="Somebody has answered this run already"):
        runner.answer_run(asked, values_for(asked, "No."), by="bob")


def test_of_two_answers_at_once_one_wins(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(overlap_policy=OverlapPolicy.ALLOW)
    given = values_for(asked, "Yes.")

    def check_slowly(*_args: Any) -> None:
        # Bob answers after Ann's request has seen that the run waits.
        monkeypatch.undo()
        runner.answer_run(asked, given, by="bob")

    monkeypatch.setattr(answers, "check", check_slowly)
    with pytest.raises(NotWaitingError, match="Somebody has answered this run already"):
        runner.answer_run(asked, given, by="ann")


def test_run_under_way_may_not_be_overlapped(ask: Ask) -> None:
    asked = ask()
    now = timezone.now()
    Trigger.objects.filter(user_id="alice", pk=asked.trigger_id).update(
        running_since=now, running_until=now + timedelta(minutes=1)
    )
    with pytest.raises(runner.TriggerBusyError):
        runner.answer_run(asked, values_for(asked, "Yes."), by="ann")


def test_refused_answer_leaves_the_question_open(ask: Ask) -> None:
    asked = ask()
    now = timezone.now()
    row = Trigger.objects.filter(user_id="alice", pk=asked.trigger_id)
    row.update(running_since=now, running_until=now + timedelta(minutes=1))
    with pytest.raises(runner.TriggerBusyError):
        runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    assert WaitingRun.objects.filter(pk=asked.pk).exists()


def test_answer_that_never_reached_the_agent_can_be_given_again(
    ask: Ask, go_on: GoOn, demo_agent: DemoAgent
) -> None:
    asked = ask()
    lost = go_on(runner.answer_run(asked, values_for(asked, "demo: status 503"), by="ann"))
    asked.refresh_from_db()
    made = runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
    assert (lost.reached_agent, go_on(made).outcome) == (False, Outcome.SUCCESS)


def test_answered_run_that_reached_the_agent_waits_no_more(ask: Ask, go_on: GoOn) -> None:
    asked = ask()
    go_on(runner.answer_run(asked, values_for(asked, "demo: fail"), by="ann"))
    assert not WaitingRun.objects.exists()


def test_deleted_trigger_takes_no_answer(ask: Ask) -> None:
    asked = ask()
    Trigger.objects.get(user_id="alice", pk=asked.trigger_id).delete()
    with pytest.raises(NotWaitingError, match="deleted"):
        runner.answer_run(asked, values_for(asked, "Yes."), by="ann")


def test_usual_run_waits_for_nobody(ask: Ask) -> None:
    ask(prompt="Count.")
    assert not WaitingRun.objects.exists()


class TestSchema:
    """Answers are held against the agent's schema."""

    CASES: tuple[tuple[str, Any, tuple[str, ...], str], ...] = (
        (APPROVAL, {}, ("approved",), "This is needed."),
        (APPROVAL, {"approved": "yes"}, ("approved",), "Give true or false."),
        (APPROVAL, "yes", (), "Give an object."),
        ('{"type":"integer","minimum":3}', 2, (), "Give 3 or more."),
        ('{"enum":["red","blue"]}', "green", (), "Give one of red, blue."),
        ('{"type":["string","null"]}', 1, (), "Give a text or null."),
        ('{"type":"object","additionalProperties":false}', {"x": 1}, ("x",), "no such field"),
        ('{"type":"number","multipleOf":0.01}', 19.995, (), "Give a multiple of 0.01."),
        # An expression of JavaScript, which Python does not know.
        (
            r'{"required":["name"],"properties":{"name":{"pattern":"^\\p{L}+$"}}}',
            {},
            ("name",),
            "This is needed.",
        ),
    )

    @pytest.mark.parametrize(("schema", "value", "path", "message"), CASES)
    def test_fault_names_its_place_and_the_remedy(
        self, ask: Ask, schema: str, value: Any, path: tuple[str, ...], message: str
    ) -> None:
        asked = ask(schema=schema)
        with pytest.raises(InvalidAnswersError) as caught:
            runner.answer_run(asked, values_for(asked, value), by="ann")
        (fault,) = caught.value.faults
        assert (fault.path, message in fault.message) == (path, True)

    HOSTILE = (
        # Doubles sixty times.
        '{"$defs":{'
        + ",".join(
            f'"d{n}":{{"allOf":[{{"$ref":"#/$defs/d{n + 1}"}},{{"$ref":"#/$defs/d{n + 1}"}}]}}'
            for n in range(60)
        )
        + ',"d60":{"type":"string"}},"$ref":"#/$defs/d0"}',
        '{"$ref":"#"}',
        '{"$ref":"http://127.0.0.1:9/schema"}',
        '{"type":"nonsense"}',
        '{"$ref":"#/minimum","minimum":3}',
        '{"pattern":"^(a+)+$"}',
        '{"$ref":"#/default","default":{"multipleOf":"1e999999999"}}',
    )

    @pytest.mark.parametrize("schema", HOSTILE)
    def test_schema_that_cannot_be_used_keeps_nobody_from_answering(
        self, ask: Ask, schema: str
    ) -> None:
        asked = ask(schema=schema)
        assert runner.answer_run(asked, values_for(asked, "a" * 60 + "!"), by="ann").pk

    def test_price_is_a_multiple_of_a_cent(self, ask: Ask) -> None:
        asked = ask(schema='{"type":"number","multipleOf":0.01}')
        assert runner.answer_run(asked, values_for(asked, 19.99), by="ann").pk

    def test_check_of_an_answer_fetches_nothing(self, ask: Ask) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            address = f"http://127.0.0.1:{server.getsockname()[1]}/schema"
            asked = ask(schema=f'{{"$ref":"{address}"}}')
            runner.answer_run(asked, values_for(asked, "Yes."), by="ann")
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_each_question_needs_an_answer(self, ask: Ask) -> None:
        asked = ask()
        with pytest.raises(InvalidAnswersError, match="Answer this question"):
            runner.answer_run(asked, {}, by="ann")

    def test_empty_text_is_no_answer(self, ask: Ask) -> None:
        asked = ask()
        with pytest.raises(InvalidAnswersError, match="Answer this question"):
            runner.answer_run(asked, values_for(asked, "  "), by="ann")

    def test_unknown_question_is_named(self, ask: Ask) -> None:
        asked = ask()
        with pytest.raises(InvalidAnswersError) as caught:
            runner.answer_run(asked, {**values_for(asked, "Yes."), "other": 1}, by="ann")
        assert [fault.question_id for fault in caught.value.faults] == ["other"]

    def test_long_answer_is_refused(self, ask: Ask) -> None:
        asked = ask()
        with pytest.raises(InvalidAnswersError, match="8,192 bytes"):
            runner.answer_run(asked, values_for(asked, "x" * 20_000), by="ann")


class TestUnanswered:
    """A run that nobody answers ends after the trigger's time."""

    def test_it_ends_as_timed_out(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=5)
        tidy(timezone.now() + timedelta(hours=5, minutes=1))
        asked.refresh_from_db()
        assert (asked.status, asked.outcome, asked.error) == (
            RunStatus.FAILED,
            Outcome.TIMED_OUT,
            "Nobody answered within 5 hours.",
        )

    def test_it_waits_until_then(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=5)
        tidy(timezone.now() + timedelta(hours=4, minutes=59))
        asked.refresh_from_db()
        assert asked.outcome == Outcome.INTERRUPTED

    def test_answer_afterwards_is_refused(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=1)
        tidy(timezone.now() + timedelta(hours=2))
        asked.refresh_from_db()
        with pytest.raises(NotWaitingError, match="Nobody answered in time"):
            runner.answer_run(asked, values_for(asked, "Yes."), by="ann")

    def test_audit_log_has_it(self, ask: Ask) -> None:
        ask(answer_within_hours=1)
        tidy(timezone.now() + timedelta(hours=2))
        entry = AuditEntry.objects.get(action=AuditEntry.Action.CLOSED)
        assert (entry.actor, entry.reason) == (
            "system: housekeeping",
            "Nobody answered within 1 hour.",
        )

    def test_trigger_is_not_paused(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=1, pause_after_failures=1)
        tidy(timezone.now() + timedelta(hours=2))
        trigger = Trigger.objects.get(user_id="alice", pk=asked.trigger_id)
        assert (trigger.enabled, trigger.consecutive_failures, trigger.last_status) == (
            True,
            0,
            RunStatus.FAILED,
        )

    def test_trigger_shows_how_it_ended(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=1)
        tidy(timezone.now() + timedelta(hours=2))
        trigger = Trigger.objects.get(user_id="alice", pk=asked.trigger_id)
        (run,) = Statistics.read(trigger.statistics).runs
        assert (trigger.last_outcome, run.outcome) == (Outcome.TIMED_OUT, Outcome.TIMED_OUT)

    def test_answered_run_does_not_end(self, ask: Ask, go_on: GoOn) -> None:
        asked = ask(answer_within_hours=1)
        go_on(runner.answer_run(asked, values_for(asked, "Yes."), by="ann"))
        tidy(timezone.now() + timedelta(hours=2))
        asked.refresh_from_db()
        assert asked.outcome == Outcome.INTERRUPTED

    def test_run_of_a_deleted_trigger_ends_too(self, ask: Ask) -> None:
        asked = ask(answer_within_hours=1)
        Trigger.objects.get(user_id="alice", pk=asked.trigger_id).delete()
        tidy(timezone.now() + timedelta(hours=2))
        asked.refresh_from_db()
        assert asked.outcome == Outcome.TIMED_OUT


@pytest.mark.parametrize("hours", [0, 8761])
def test_time_to_answer_has_limits(make_trigger: MakeTrigger, hours: int) -> None:
    with pytest.raises(ValidationError, match="answer_within_hours"):
        make_trigger(answer_within_hours=hours)
