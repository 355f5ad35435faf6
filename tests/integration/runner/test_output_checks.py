"""Checks of the output: an answer without an error fails its run if it does not keep them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents import AgentClient, FixedToken, Reply
from agents.demo import DemoAgent
from agents.replies import Transcript
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.conftest import wait_for
from tests.integration.scheduler.conftest import ended, make_due
from triggers import output_checks
from triggers.models import Outcome, RunStatus, Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
TOTAL = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}

MANY = ",".join(['{"total": 1}'] * 6000)

MakeTrigger = Callable[..., Trigger]


class Saying(AgentClient):
    """An agent that has answered with a text."""

    def __init__(self, text: str) -> None:
        super().__init__("http://127.0.0.1:9", FixedToken("t"))
        self.text = text

    def invoke(self, *args: Any, **options: Any) -> Reply:
        transcript = Transcript()
        transcript.say(self.text)
        return transcript.reply()


def run(trigger: Trigger, client: AgentClient) -> TriggerExecution:
    started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
    assert started is not None
    runner.execute(started, client)
    return TriggerExecution.objects.get(trigger_id=trigger.pk, pk=started.execution.pk)


KEPT = [
    ({"notEmpty": True}, "Done."),
    ({"contains": ["Total: 5", "EUR"]}, "Total: 5 EUR"),
    ({"jsonSchema": TOTAL}, '{"total": 5}'),
    ({"jsonSchema": TOTAL}, '\n```json\n{"total": 5}\n```\n'),
    ({"jsonSchema": {"$ref": "#/$defs/t", "$defs": {"t": TOTAL}}}, '{"total": 5}'),
    ({"jsonSchema": {"uniqueItems": True}}, "[1, true, 0, false]"),
    ({"jsonSchema": {"items": {"multipleOf": 0.01}}}, "[19.99, 0.07, 1e300, 3]"),
    ({"contains": ["end"]}, "x" * 300_000 + "end"),
    ({}, ""),
]
BROKEN = [
    ({"notEmpty": True}, " \n", "output_empty"),
    ({"contains": ["Total", "EUR"]}, "Total: 5", "output_lacks"),
    ({"contains": ["total"]}, "Total: 5", "output_lacks"),
    ({"contains": ["Total"]}, "x" * 300_000, "output_too_long"),
    ({"jsonSchema": TOTAL}, "The total is 5.", "output_no_json"),
    ({"jsonSchema": TOTAL}, '{"total": "five"}', "output_unfit"),
    ({"jsonSchema": TOTAL}, "[" * 100_000, "output_no_json"),
    ({"jsonSchema": TOTAL}, "1" * 300_000, "output_too_long"),
    ({"jsonSchema": {"items": TOTAL}}, f"[{MANY}]", "output_unchecked"),
    ({"jsonSchema": {"unevaluatedItems": False, "items": {}}}, f"[{MANY}]", "output_unchecked"),
    ({"jsonSchema": {"multipleOf": 0.01}}, "19.995", "output_unfit"),
    ({"jsonSchema": {"multipleOf": 0.01}}, "Infinity", "output_unfit"),
    ({"jsonSchema": {"uniqueItems": True}}, '[1, "a", 1.0]', "output_unfit"),
    ({"jsonSchema": {"uniqueItems": True}}, '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', "output_unfit"),
]
# A text for which the expression of SLOW takes half a minute, and a list whose items the library
# compares each with each.
SLOW, TEXT = {"pattern": "(a+)+$"}, json.dumps("a" * 27 + "b")
MIXED = json.dumps([value for number in range(6000) for value in (number, str(number))])
OLDER = "http://json-schema.org/draft-07/schema#"
QUICK = [
    ({"$ref": "#/default", "default": {"$schema": OLDER, **SLOW}}, TEXT),
    ({"$ref": "#/const", "const": {"$schema": OLDER, **SLOW}}, TEXT),
    ({"uniqueItems": True}, MIXED),
    (
        {"$ref": "#/default", "default": {"patternProperties": {"(a+)+$": {}}}}
        | {"unevaluatedProperties": False},
        f"{{{TEXT}: 1}}",
    ),
    (
        {
            "$ref": "#/default",
            "default": {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False},
        },
        f"{{{TEXT}: 1}}",
    ),
]


@pytest.mark.parametrize(("checks", "said"), KEPT)
def test_output_that_keeps_the_checks_is_a_success(
    make_trigger: MakeTrigger, checks: dict[str, Any], said: str
) -> None:
    ended = run(make_trigger(output_checks=checks), Saying(said))
    assert (ended.status, ended.error) == (RunStatus.COMPLETED, "")


@pytest.mark.parametrize(("checks", "said", "code"), BROKEN)
def test_output_that_breaks_a_check_fails_the_run(
    make_trigger: MakeTrigger, checks: dict[str, Any], said: str, code: str
) -> None:
    ended = run(make_trigger(output_checks=checks), Saying(said))
    assert (ended.outcome, ended.error_code) == (Outcome.ERROR, code)


@pytest.mark.parametrize(("schema", "said"), QUICK)
def test_no_schema_holds_up_the_process(schema: dict[str, Any], said: str) -> None:
    checks = {"jsonSchema": schema}
    output_checks.validate(checks)
    begun = time.monotonic()
    output_checks.fault(checks, said, is_whole=True)
    assert time.monotonic() - begun < 3


def test_failed_run_keeps_what_the_agent_said(make_trigger: MakeTrigger) -> None:
    ended = run(make_trigger(output_checks={"contains": ["EUR"]}), Saying("Total: 5"))
    assert ended.said.text == "Total: 5"


def test_broken_check_counts_as_a_failure_in_a_row(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(output_checks={"notEmpty": True})
    run(trigger, Saying(""))
    assert Trigger.objects.get(pk=trigger.pk).consecutive_failures == 1


def test_run_that_waits_for_a_person_is_not_checked(
    make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    trigger = make_trigger(prompt="x\ndemo: ask Shall I?", output_checks={"contains": ["EUR"]})
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        assert run(trigger, client).outcome == Outcome.INTERRUPTED


@pytest.mark.parametrize("checks", [{"contains": ["EUR"]}, {"jsonSchema": TOTAL}])
def test_scheduler_process_checks_too(
    make_trigger: MakeTrigger, scheduler: Callable, transactional_db: None, checks: dict[str, Any]
) -> None:
    make_due(make_trigger(schedule_config={"expression": "rate(1 hour)"}, output_checks=checks))
    with scheduler():
        wait_for(ended)
    assert ended()[0].error_code in ("output_lacks", "output_no_json")
