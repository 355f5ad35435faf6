"""Results that agents send by a callback, through the API."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.utils import timezone

from agents import AgentClient
from agents.demo import DemoAgent
from executions import runner
from executions.models import CancelRequest, TriggerExecution
from executions.runner import Occurrence, cancel_run
from moca.api.throttling import MOST_FAILURES
from moca.authentication.models import AuditEntry
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.handover.conftest import MakeTrigger, Worker, beat, invoke, read
from triggers.models import Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

pytestmark = pytest.mark.django_db(transaction=True)

URL_HEADER = "x-amzn-bedrock-agentcore-runtime-custom-result-url"
TOKEN_HEADER = "x-amzn-bedrock-agentcore-runtime-custom-result-token"
GOOD = {"status": "completed", "output": "12 orders", "usage": {"inputTokens": 8}}
BAD = {"status": "failed", "error": "No money left."}

Clients = Callable[..., AgentClient]


@pytest.fixture(autouse=True)
def _agents_may_call_back(settings: Any) -> None:
    settings.PUBLIC_URL = "https://triggers.example.com"
    cache.clear()


class Agent:
    """What an agent knows of a run: where to send its result, and the token for it."""

    def __init__(self, agent: DemoAgent, place: int = -1) -> None:
        headers = agent.requests[place].headers
        self.path = headers[URL_HEADER].removeprefix("https://triggers.example.com")
        self.token = headers[TOKEN_HEADER]
        self.api = API()

    def send(self, body: Any = GOOD, token: str = "", path: str = "") -> Any:
        authorization = f"Bearer {token or self.token}"
        return self.api.post(path or self.path, body, Authorization=authorization)


@pytest.fixture
def unknown(clients: Clients, make_trigger: MakeTrigger) -> TriggerExecution:
    """A run that the function could not wait for."""
    clients("agentcore")
    return invoke(make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=3600))


def test_result_replaces_an_unknown_end(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    answer = Agent(demo_agent).send()
    ended = read(unknown)
    assert (answer.status_code, ended.status, ended.outcome, ended.output, ended.error) == (
        200,
        RunStatus.COMPLETED,
        Outcome.SUCCESS,
        "12 orders",
        "",
    )


def test_audit_log_says_that_the_agent_sent_it(
    unknown: TriggerExecution, demo_agent: DemoAgent
) -> None:
    Agent(demo_agent).send()
    entry = AuditEntry.objects.filter(action=AuditEntry.Action.REPAIRED).get()
    assert entry.reason_code == "result_sent"


def test_failure_that_comes_late_pauses_the_trigger(
    clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    clients("agentcore")
    fields = {"timeout_seconds": 3600, "pause_after_failures": 1}
    trigger = make_trigger(prompt="Count.\ndemo: stall", **fields)
    invoke(trigger)
    Agent(demo_agent).send(BAD)
    trigger.refresh_from_db()
    assert not trigger.enabled


def test_answer_says_how_the_run_ended(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    assert Agent(demo_agent).send().json()["result"] == {
        "executionId": unknown.pk,
        "triggerId": unknown.trigger_id,
        "status": "completed",
        "outcome": "success",
    }


def test_failure_is_the_agents(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    Agent(demo_agent).send(BAD)
    ended = read(unknown)
    assert (ended.outcome, ended.error) == (Outcome.ERROR, "No money left.")


def test_failure_counts_for_the_trigger(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    Agent(demo_agent).send(BAD)
    trigger = Trigger.objects.get(pk=unknown.trigger_id)
    assert (trigger.consecutive_failures, trigger.last_outcome) == (1, Outcome.ERROR)


def test_counts_follow_the_true_end(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    Agent(demo_agent).send({"status": "completed", "usage": {"inputTokens": 100}})
    statistics = Statistics.read(Trigger.objects.get(pk=unknown.trigger_id).statistics)
    today = next(day for day in statistics.days(timezone.now()) if day.runs)
    assert (today.runs, today.failed, today.outcomes, today.tokens) == (1, 0, {}, 100)


def test_tools_and_tokens_are_kept(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    tool = {"id": "1", "name": "list_orders", "input": {"day": 1}, "result": "12", "failed": True}
    Agent(demo_agent).send({**GOOD, "toolUses": [tool]})
    ended = read(unknown)
    assert ended.tools is not None
    kept = {name: ended.tools[0][name] for name in ("id", "name", "input", "result", "failed")}
    assert (kept, ended.usage["inputTokens"]) == ({**tool, "input": '{"day": 1}'}, 8)


def test_output_of_the_stream_stays_if_the_result_has_none(
    unknown: TriggerExecution, demo_agent: DemoAgent
) -> None:
    Agent(demo_agent).send({"status": "completed"})
    assert (read(unknown).output, bool(unknown.output)) == (unknown.output, True)


def test_repeat_changes_nothing(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    agent = Agent(demo_agent)
    agent.send()
    first = read(unknown).completed_at
    assert (agent.send().status_code, read(unknown).completed_at) == (200, first)


def test_first_result_wins(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    agent = Agent(demo_agent)
    agent.send()
    answer = agent.send(BAD)
    assert (answer.status_code, answer.json()["code"], read(unknown).outcome) == (
        409,
        "RUN_ENDED",
        Outcome.SUCCESS,
    )


WRONG = "mrt_ffffffff_" + "x" * 43


@pytest.mark.parametrize("header", ["", "Basic x", "Bearer", "Bearer x", "Bearer mrt__", WRONG])
def test_wrong_token_is_refused(
    unknown: TriggerExecution, demo_agent: DemoAgent, header: str
) -> None:
    agent = Agent(demo_agent)
    answer = agent.api.post(agent.path, GOOD, Authorization=header)
    assert (answer.status_code, read(unknown).outcome) == (401, Outcome.UNKNOWN)


def test_token_of_another_run_is_refused(
    clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    clients("agentcore")
    for name in ("one", "two"):
        invoke(make_trigger(name=name, prompt="x\ndemo: stall", timeout_seconds=3600))
    one, two = Agent(demo_agent, 0), Agent(demo_agent, 1)
    assert one.send(token=two.token).status_code == 401


def test_refusals_tell_nothing(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    agent = Agent(demo_agent)
    other = agent.path.replace(unknown.pk, "01a2dfed-0000-7000-8000-000000000000")
    told = [agent.send(token=WRONG), agent.send(token=WRONG, path=other), agent.send(path=other)]
    assert len({(each.status_code, each.json()["message"]) for each in told}) == 1


def test_expired_token_is_refused(
    unknown: TriggerExecution, demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = timezone.now() + timedelta(days=8)
    monkeypatch.setattr("executions.api.result.timezone.now", lambda: later)
    assert Agent(demo_agent).send().status_code == 401


def test_too_many_wrong_tokens_are_refused(
    unknown: TriggerExecution, demo_agent: DemoAgent
) -> None:
    agent = Agent(demo_agent)
    for _ in range(MOST_FAILURES):
        agent.send(token=WRONG)
    assert agent.send().status_code == 429


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": "done"}, "status"),
        ({"status": "completed", "output": 5}, "output"),
        ({"status": "completed", "error": "x"}, "error"),
        ({"status": "failed", "error": []}, "error"),
        ({"status": "completed", "usage": 5}, "usage"),
        ({"status": "completed", "usage": {"inputTokens": -1}}, "usage.inputTokens"),
        ({"status": "completed", "usage": {"inputTokens": True}}, "usage.inputTokens"),
        ({"status": "completed", "toolUses": {}}, "toolUses"),
        ({"status": "completed", "toolUses": ["x"]}, "toolUses.0"),
        ({"status": "completed", "toolUses": [{"id": "1"}]}, "toolUses.0.name"),
    ],
)
def test_wrong_body_names_the_field(
    unknown: TriggerExecution, demo_agent: DemoAgent, body: Any, field: str
) -> None:
    answer = Agent(demo_agent).send(body)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)


def test_too_large_a_body_is_refused(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    answer = Agent(demo_agent).send({**GOOD, "output": "x" * 5_000_000})
    assert answer.status_code == 413


def test_long_output_is_cut_in_its_middle(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    Agent(demo_agent).send({**GOOD, "output": "x" * 200_000})
    assert read(unknown).output_bytes == 200_000


def test_token_is_masked_in_the_result(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    agent = Agent(demo_agent)
    agent.send({"status": "failed", "output": f"I got {agent.token}", "error": agent.token})
    ended = read(unknown)
    assert (ended.output, ended.error) == ("I got ***", "***")


def test_token_is_masked_in_the_stream(
    clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    clients("agentcore")
    run = invoke(make_trigger(prompt="x\ndemo: quote", timeout_seconds=3600), seconds=30)
    assert ("resultCallback" in run.output, Agent(demo_agent).token in run.output) == (True, False)


def test_token_is_masked_in_what_a_worker_reads(
    work: Worker, clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    client = clients()
    beat()
    prompt = "x\ndemo: quote\ndemo: background 2"
    execution = invoke(make_trigger(prompt=prompt, timeout_seconds=3600))
    with work(client):
        wait_for(lambda: read(execution).status != RunStatus.RUNNING)
    said = read(execution).output
    assert ("resultCallback" in said, Agent(demo_agent).token in said) == (True, False)


def test_token_is_stored_as_a_hash_alone(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    values = str(TriggerExecution.objects.filter(pk=unknown.pk).values())
    assert (Agent(demo_agent).token in values, len(unknown.result_hash)) == (False, 64)


def test_token_is_not_logged(
    clients: Clients,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clients("agentcore")
    with caplog.at_level("DEBUG"):
        invoke(make_trigger(prompt="x\ndemo: stall", timeout_seconds=3600))
        agent = Agent(demo_agent)
        agent.send()
        agent.send(BAD)
    assert agent.token not in caplog.text


def test_body_has_it_too(unknown: TriggerExecution, demo_agent: DemoAgent) -> None:
    agent = Agent(demo_agent)
    assert demo_agent.requests[-1].body["resultCallback"] == {
        "url": f"https://triggers.example.com{agent.path}",
        "token": agent.token,
    }


def test_without_an_address_no_token_is_sent(
    clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent, settings: Any
) -> None:
    settings.PUBLIC_URL = ""
    clients("agentcore")
    invoke(make_trigger(prompt="x"), seconds=30)
    assert (TOKEN_HEADER in demo_agent.requests[-1].headers, demo_agent.requests[-1].body) == (
        False,
        {k: v for k, v in demo_agent.requests[-1].body.items() if k != "resultCallback"},
    )


def test_result_of_a_lost_run_is_accepted(
    make_trigger: MakeTrigger, clients: Clients, demo_agent: DemoAgent
) -> None:
    run, agent = under_way(make_trigger(prompt="x\ndemo: stall"), clients("agentcore"), demo_agent)
    run.cancellation.cancel()
    past = timezone.now() - timedelta(seconds=1)
    rows = TriggerExecution.objects.filter(pk=run.execution.pk)
    rows.update(status=RunStatus.RUNNING, lease_until=past)
    runner.close_lost(timezone.now())
    assert (rows.get().outcome, agent.send().status_code, rows.get().outcome) == (
        Outcome.LOST,
        200,
        Outcome.SUCCESS,
    )


def under_way(
    trigger: Trigger, client: AgentClient, demo_agent: DemoAgent
) -> tuple[runner.Run, Agent]:
    """Begin a run in a thread, whose agent has got its request."""
    run = runner.start(Occurrence.scheduled("alice", trigger.pk, timezone.now()))
    assert run is not None

    def execute() -> None:
        runner.execute(run, client)
        connections.close_all()

    threading.Thread(target=execute).start()
    wait_for(lambda: demo_agent.requests)
    return run, Agent(demo_agent)


def test_result_ends_a_run_that_is_under_way(
    make_trigger: MakeTrigger, clients: Clients, demo_agent: DemoAgent
) -> None:
    trigger = make_trigger(prompt="x\ndemo: stall")
    run, agent = under_way(trigger, clients("agentcore"), demo_agent)
    agent.send()
    # Its process stops reading within five seconds, and leaves the record as it is.
    wait_for(lambda: run.execution.status != RunStatus.RUNNING, 10)
    time.sleep(0.2)
    assert (read(run.execution).outcome, read(run.execution).output) == (
        Outcome.SUCCESS,
        "12 orders",
    )


def test_agent_is_not_told_that_such_a_run_is_cancelled(
    make_trigger: MakeTrigger, clients: Clients, demo_agent: DemoAgent
) -> None:
    run, agent = under_way(make_trigger(prompt="x\ndemo: stall"), clients(), demo_agent)
    agent.send()
    wait_for(lambda: run.execution.status != RunStatus.RUNNING, 10)
    time.sleep(0.5)
    assert [each.body["method"] for each in demo_agent.requests] == ["SendStreamingMessage"]


def test_trigger_may_run_again_after_it(
    make_trigger: MakeTrigger, clients: Clients, demo_agent: DemoAgent
) -> None:
    trigger = make_trigger(prompt="x\ndemo: stall")
    run, agent = under_way(trigger, clients("agentcore"), demo_agent)
    agent.send()
    wait_for(lambda: run.execution.status != RunStatus.RUNNING, 10)
    trigger.refresh_from_db()
    assert trigger.running_until is None


def test_result_after_a_cancel_is_refused(
    make_trigger: MakeTrigger, clients: Clients, demo_agent: DemoAgent
) -> None:
    trigger = make_trigger(prompt="x\ndemo: stall")
    run, agent = under_way(trigger, clients("agentcore"), demo_agent)
    cancel_run(read(run.execution), by="alice")
    wait_for(lambda: read(run.execution).status != RunStatus.RUNNING, 10)
    assert (agent.send().status_code, read(run.execution).outcome) == (409, Outcome.CANCELLED)


def test_result_after_the_stream_has_ended_is_refused(
    clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    clients("agentcore")
    invoke(make_trigger(prompt="x"), seconds=30)
    assert Agent(demo_agent).send(BAD).status_code == 409


def test_result_ends_the_reading_of_a_worker(
    work: Worker, clients: Clients, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    client = clients()
    beat()
    trigger = make_trigger(prompt="x\ndemo: background 60", timeout_seconds=3600)
    execution = invoke(trigger)
    with work(client) as process:
        wait_for(lambda: process._runs)
        Agent(demo_agent).send()
        wait_for(lambda: not process._runs, 10)
    assert (read(execution).output, CancelRequest.objects.count()) == ("12 orders", 1)


def test_demo_agent_calls_back(
    live_server: Any,
    clients: Clients,
    make_trigger: MakeTrigger,
    settings: Any,
) -> None:
    settings.PUBLIC_URL = live_server.url
    clients("invocations")
    execution = invoke(
        make_trigger(prompt="Count.\ndemo: stall\ndemo: call-back 2", timeout_seconds=3600)
    )
    assert execution.outcome == Outcome.UNKNOWN
    wait_for(lambda: read(execution).outcome == Outcome.SUCCESS)
