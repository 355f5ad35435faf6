"""An answer that is none of the protocol fails the run, and is quoted instead of stored."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from agents import AgentClient, FixedToken, errors
from agents.protocols import PROTOCOLS
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.integration.agent.conftest import answering, raw_server
from triggers.models import Outcome, Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
QUOTED = 200
PAGE = "<!DOCTYPE html><html><body><h1>Sign in</h1>" + "<p>Please.</p>" * 40 + "</body></html>"
# JSON that is no answer of any protocol.
OTHER = json.dumps({"weather": {"sky": "blue", "wind": ["calm"] * 40}})
TYPES = ("application/json", "application/x-ndjson", "text/event-stream", "text/plain")

Answer = Callable[..., TriggerExecution]


@pytest.fixture
def answered(make_trigger: Callable[..., Trigger]) -> Answer:
    """The record of a run whose agent answered 200 with a body of a type."""

    def ran(protocol: str, body: str, media_type: str) -> TriggerExecution:
        trigger = make_trigger(max_retries=0)
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        answer = answering(body.encode(), media_type)
        with (
            raw_server(answer) as url,
            AgentClient(url, FixedToken(None), protocol=PROTOCOLS[protocol]) as client,
        ):
            runner.execute(run, client)
        found: TriggerExecution = TriggerExecution.objects.get(pk=run.execution.pk)
        return found

    return ran


def kept(run: TriggerExecution) -> tuple[str, str, bool]:
    return run.outcome, run.said.text, run.reached_agent


# An agent of AgentCore may return any text and any JSON document. Both are its answer.
FREE = [("agentcore", "application/json"), ("agentcore", "text/event-stream")]
DOCUMENTS = [
    ("invocations", "application/json"),
    *(("agentcore", each) for each in ("application/json", "application/x-ndjson", "text/plain")),
]
WAYS = [(protocol, media_type) for protocol in PROTOCOLS for media_type in ("text/html", *TYPES)]


def body_of(text: str, media_type: str) -> str:
    return f"data: {text}\n\n" if media_type == "text/event-stream" else text


@pytest.mark.parametrize(
    ("protocol", "media_type"), [way for way in WAYS if way not in FREE], ids="-".join
)
def test_web_page_is_quoted(answered: Answer, protocol: str, media_type: str) -> None:
    run = answered(protocol, body_of(PAGE, media_type), media_type)
    quoted = run.error.removeprefix(f"{errors.WEB_PAGE()}: ")
    assert (*kept(run), quoted) == (Outcome.ERROR, "", True, f"{PAGE[:QUOTED]} [...]")


@pytest.mark.parametrize(
    ("protocol", "media_type"),
    [way for way in WAYS if way not in [*DOCUMENTS, ("agentcore", "text/html")]],
    ids="-".join,
)
def test_json_of_another_shape_is_quoted(answered: Answer, protocol: str, media_type: str) -> None:
    run = answered(protocol, body_of(OTHER, media_type), media_type)
    quoted = run.error.partition(": {")[2]
    assert (*kept(run), quoted) == (Outcome.ERROR, "", True, f"{OTHER[1:QUOTED]} [...]")


@pytest.mark.parametrize(("protocol", "media_type"), WAYS, ids="-".join)
@pytest.mark.parametrize("body", ["", "\n\n", " \r\n"])
def test_empty_body_is_a_failure(
    answered: Answer, protocol: str, media_type: str, body: str
) -> None:
    run = answered(protocol, body, media_type)
    assert (*kept(run), run.error_code in ("stream_ended_early", "answer_empty")) == (
        Outcome.ERROR,
        "",
        True,
        True,
    )


@pytest.mark.parametrize("protocol", ["ag-ui", "a2a", "openai"])
@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("value", [7, True, None, [], {}, [[]], "text"])
def test_values_that_are_no_events_are_a_failure(
    answered: Answer, protocol: str, media_type: str, value: object
) -> None:
    run = answered(protocol, body_of(json.dumps(value), media_type), media_type)
    assert kept(run)[:2] == (Outcome.ERROR, "")
