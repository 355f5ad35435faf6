"""Runs that the agent may have begun are never sent again, whoever delivers them again."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import lambda_handler, runner
from executions.lambda_handler import NotStartedError, handler
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca.authentication.models import Operator
from tests.conftest import wait_for
from tests.integration.handler.test_handler import Context, event_of
from triggers.models import LocalSchedule, Trigger

MakeTrigger = Callable[..., Trigger]

BEGUN = [424, 500, 502, 504]
# Ways to fail, before the first byte of an answer and after it.
FAILURES = [
    *(f"status {status}" for status in BEGUN),
    "empty-500",
    "fail-before",
    "break-before",
    "break",
    "crash",
    "no-completion",
]
NOT_BEGUN = [402, 429, 503]


@pytest.fixture
def agent(demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoAgent]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        yield demo_agent


def deliver(trigger: Trigger, times: int = 3) -> None:
    """Call the function as Lambda does: twice more where it raises."""
    for _ in range(times):
        with suppress(NotStartedError):
            handler(event_of(trigger), Context())
            return


def record_of(trigger: Trigger) -> TriggerExecution:
    found: TriggerExecution = TriggerExecution.objects.get(trigger_id=trigger.pk)
    return found


@pytest.mark.parametrize("status", BEGUN)
def test_lambda_sends_it_once(agent: DemoAgent, make_trigger: MakeTrigger, status: int) -> None:
    trigger = make_trigger(prompt=f"x\ndemo: status {status}", max_retries=3)
    deliver(trigger)
    # EventBridge Scheduler may deliver a second time what Lambda took well.
    deliver(trigger)
    assert len(agent.requests) == 1


@pytest.mark.parametrize("status", NOT_BEGUN)
def test_lambda_sends_again_what_has_not_begun(
    agent: DemoAgent, make_trigger: MakeTrigger, status: int
) -> None:
    deliver(make_trigger(prompt=f"x\ndemo: status {status}", max_retries=0))
    assert len(agent.requests) == 3


@pytest.mark.parametrize("status", BEGUN)
def test_local_scheduler_sends_it_once(
    make_trigger: MakeTrigger, demo_agent: DemoAgent, scheduler: Callable[..., Any], status: int
) -> None:
    trigger = make_trigger(prompt=f"x\ndemo: status {status}", max_retries=3)
    due = timezone.now()
    row = LocalSchedule.objects.filter(pk=trigger.pk)
    with scheduler():
        for _ in range(2):
            row.update(next_run_at=due, due_at=due)
            wait_for(lambda: row.filter(next_run_at__gt=due).exists())
            wait_for(lambda: record_of(trigger).status == "failed")
    assert len(demo_agent.requests) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", FAILURES)
def test_lambda_sends_it_once_in_every_protocol(
    demo_agent: DemoAgent,
    make_trigger: MakeTrigger,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    how: str,
) -> None:
    trigger = make_trigger(prompt=f"x\ndemo: {how}", max_retries=3)
    tokens = FixedToken(demo_agent.issue_token())
    with AgentClient(demo_agent.url, tokens, protocol=PROTOCOLS[protocol]) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        deliver(trigger)
        deliver(trigger)
    assert (record_of(trigger).status, len(demo_agent.requests)) == ("failed", 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_local_scheduler_sends_it_once_in_every_protocol(
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    scheduler: Callable[..., Any],
    protocol: str,
) -> None:
    triggers = [make_trigger(prompt=f"x\ndemo: {how}", max_retries=3) for how in FAILURES]
    due = timezone.now()
    rows = LocalSchedule.objects.filter(pk__in=[trigger.pk for trigger in triggers])
    with scheduler(protocol):
        for _ in range(2):
            rows.update(next_run_at=due, due_at=due)
            wait_for(lambda: not rows.filter(next_run_at__lte=due).exists())
            wait_for(lambda: all(record_of(each).status == "failed" for each in triggers))
    sent = Counter(request.headers["idempotency-key"] for request in demo_agent.requests)
    assert sent == {record_of(trigger).pk: 1 for trigger in triggers}


@pytest.mark.parametrize("status", BEGUN)
def test_page_says_that_the_agent_may_have_begun(
    agent: DemoAgent, make_trigger: MakeTrigger, status: int
) -> None:
    trigger = make_trigger(prompt=f"x\ndemo: status {status}")
    deliver(trigger)
    page = Client()
    page.force_login(Operator.objects.create_operator("vera"))
    shown = page.get(f"/console/triggers/{trigger.pk}/runs/{record_of(trigger).pk}")
    told = shown.content.decode()
    assert ("may have started" in told, "repeats no work" in told) == (True, False)


def test_lost_run_is_not_sent_again(agent: DemoAgent, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    due = timezone.now().replace(microsecond=0)
    # The process died while the agent was at work: nothing but the start is on record.
    runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    runner.close_lost(timezone.now() + timedelta(minutes=2))
    handler(event_of(trigger, time=due.isoformat()), Context())
    assert len(agent.requests) == 0


def test_lost_run_may_have_begun_before_that_is_on_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
    assert run is not None
    run.execution.close_if_lost(timezone.now() + timedelta(minutes=2))
    assert run.execution.reached_agent


@pytest.mark.parametrize("how", FAILURES)
def test_run_by_hand_is_sent_once(agent: DemoAgent, make_trigger: MakeTrigger, how: str) -> None:
    execution = runner.accept(make_trigger(prompt=f"x\ndemo: {how}"), "manual")  # type: ignore[arg-type]
    detail = {"triggerId": execution.trigger_id, "executionId": execution.pk}
    for _ in range(3):
        handler({"detail-type": "Run Requested", "detail": detail}, Context())
    assert len(agent.requests) == 1


def test_delivery_while_the_run_is_under_way_sends_nothing(
    agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(overlap_policy="allow")
    due = timezone.now().replace(microsecond=0)
    runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    handler(event_of(trigger, time=due.isoformat()), Context())
    assert len(agent.requests) == 0


def test_run_cut_short_by_lambda_says_so(agent: DemoAgent, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="x\ndemo: stall", timeout_seconds=3600)
    handler(event_of(trigger), Context(seconds=11))
    record = record_of(trigger)
    assert record.error == (
        "Sent, and its end is not known to us: the process had no more time after 1 s, though the "
        "trigger allows 3600 s. The agent may still be at work in the session "
        f"{record.session_id}."
    )


def test_time_that_the_database_took_is_taken_off(
    agent: DemoAgent, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(prompt="x\ndemo: stall")

    class Later(Context):
        """A context whose time has gone by when it is asked again."""

        asked = 0

        def get_remaining_time_in_millis(self) -> int:
            self.asked += 1
            return 600_000 if self.asked == 1 else 10_500

    handler(event_of(trigger), Later())
    assert record_of(trigger).error_code == "sent_end_unknown"


class TestLog:
    """What the agent says, which may quote all that it was sent, stays out of the log."""

    @pytest.mark.parametrize("instruction", ["demo: fail", "demo: bad-json", "demo: status 403"])
    def test_words_of_the_agent_are_not_logged(
        self,
        agent: DemoAgent,
        make_trigger: MakeTrigger,
        caplog: pytest.LogCaptureFixture,
        instruction: str,
    ) -> None:
        trigger = make_trigger(prompt=f"SECRET-PLAN\n{instruction} SECRET-PLAN")
        said = ""
        with caplog.at_level("DEBUG"):
            try:
                handler(event_of(trigger), Context())
            except NotStartedError as error:
                said = str(error)
        words = record_of(trigger).error.partition(": ")[2] or record_of(trigger).error
        logged = caplog.text + said
        assert ("SECRET-PLAN" in logged, words in logged, "kind=" in logged) == (False, False, True)
