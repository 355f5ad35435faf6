"""Executions as the API returns them."""

import json
from typing import Any

from agents.replies import KEPT_NAME_BYTES, KEPT_TOOL_CHARACTERS, KEPT_TOOLS
from executions.models import Source, TriggerExecution
from executions.runner import ends
from executions.runner.entering import shown_key
from moca.api.editions import OURS
from moca.api.fields import Amount, Choice, Computed, Id, Moment, Number, Text
from moca.api.json_schema import boolean, component, each, number, record, text
from moca.api.serializers import MapSerializer, RowSerializer
from triggers.models import Outcome, RunStatus

MAX_PAYLOAD_BYTES = 10 * 1024
# The end of an indented event that was cut.
CUT = "\n... [truncated]"


class UsageSerializer(MapSerializer):
    """Tokens that the run took."""

    input_tokens = Number(always=True)
    output_tokens = Number(always=True)
    cache_read_tokens = Number("Tokens that the model read from its cache.")
    cache_write_tokens = Number("Tokens that the model wrote to its cache.")
    cost = Amount("What they cost, if operators have entered a price.", always=False)
    currency = Text("The currency of the cost.")

    class Meta:
        name = "TokenUsage"


_CUT_TOOL = f"its first {KEPT_TOOL_CHARACTERS:,} characters"
TOOL_USE = component(
    "ToolUse",
    record(
        "A call of a tool.",
        {
            "id": text(f"The agent's id of the call; its first {KEPT_NAME_BYTES} bytes."),
            "name": text(f"The tool's name; its first {KEPT_NAME_BYTES} bytes."),
            "input": text(f"What it was given, as JSON or text; {_CUT_TOOL}."),
            "atMs": number("Milliseconds from the beginning of the answer to the call."),
        },
        {
            "result": text(f"What it returned; {_CUT_TOOL}. None is there before."),
            "tookMs": number("Milliseconds from the call to the result."),
            "failed": boolean("True if the tool failed; else it is left out."),
        },
    ),
)


class ExecutionSerializer(RowSerializer):
    """One run of a trigger.

    The context needs `now`, because a run that is lost by then shows as failed. If it has a true
    `with_output`, the agent's output, tools and reasoning are shown. It may have `edition`, which
    tells how events look.
    """

    execution_id = Id(source="id")
    trigger_id = Id()
    user_id = Text("Whose it is; older records leave it out.", always=False)
    status = Choice(RunStatus, "How a run is.")
    outcome = Choice(Outcome, "How a run ended.", name="RunOutcome", always=False)
    agent_id = Text("The agent that was asked; older records leave it out.", always=False)
    started_at = Moment()
    completed_at = Moment("When it ended.")
    executed_at = Moment("The same as `startedAt`.", source="started_at")
    cancel_requested_at = Moment("When somebody asked to cancel it.")
    handed_over_at = Moment("When it was handed over to a `runworker`, which reads on.")
    duration_ms = Number("Milliseconds from its start to its end.")
    scheduled_at = Moment("When it was due.")
    # The API's contract has a field of this name, which the base class uses otherwise.
    source = Choice(  # type: ignore[assignment]
        Source, "What ran it; older records leave it out.", name="ExecutionSource", always=False
    )
    attempt = Number("Which try it is; 0 while it waits for a process to run it.")
    request_id = Text("The agent's id of the request.")
    session_id = Text("The session in which the agent was asked.")
    prompt_version = Text(
        "Which version of the trigger's prompt it has; older records leave it out.", always=False
    )
    output = Computed(text("What the agent said; not in lists. Very long texts lack their middle."))
    tool_uses = Computed(
        each(
            TOOL_USE,
            f"The tools that the agent called, in order, at most {KEPT_TOOLS}; not in lists.",
        )
    )
    reasoning = Computed(text("What the agent thought; not in lists. Its first 16 KB."))
    usage = UsageSerializer(required=False)
    error = Text("Why it failed.")
    error_code = Text("Why it failed, in a word; runs of earlier editions leave it out.")
    error_message = Text("The same as `error`.", source="error")
    event_payload = Computed(text("The event that was sent along, as JSON; its first 10 KB."))
    replay_of = Id("The execution whose input this one has.")
    concurrency_key = Computed(text("The key whose places it shares with other executions."))
    caused_by = Computed(
        record(
            "The end of another run, which started this one.",
            {"executionId": text("That run."), "triggerId": text("Its trigger.")},
            {"triggerName": text("The name that the trigger had then.")},
        )
    )
    questions = Computed(
        each(
            record(
                "A question of the agent to a person.",
                {"id": text("Names the question in an answer."), "text": text()},
                {"schema": {"type": "object", "description": "The JSON Schema of the answer."}},
            ),
            "What the agent asks a person; only while the execution waits for an answer.",
        )
    )
    continues = Id("The execution whose questions were answered, which this one continues.")
    continued_by = Id("The execution that was begun by the answers to this one's questions.")
    answered_by = Text("Who answered the questions of the execution that this one continues.")

    class Meta:
        model = TriggerExecution

    def to_representation(self, instance: TriggerExecution) -> dict[str, Any]:
        instance.close_if_lost(self.context["now"])
        instance.outcome = instance.shown_outcome
        return super().to_representation(instance)

    def get_output(self, execution: TriggerExecution) -> str:
        return execution.said.text if self.context.get("with_output") else ""

    def get_tool_uses(self, execution: TriggerExecution) -> list[Any]:
        return (execution.tools or []) if self.context.get("with_output") else []

    def get_reasoning(self, execution: TriggerExecution) -> str:
        return execution.reasoning if self.context.get("with_output") else ""

    def get_questions(self, execution: TriggerExecution) -> list[dict[str, Any]]:
        return (execution.questions or []) if execution.awaits_answer else []

    def get_concurrency_key(self, execution: TriggerExecution) -> str:
        return shown_key(execution)

    def get_caused_by(self, execution: TriggerExecution) -> dict[str, str] | None:
        cause = ends.cause_of(execution)
        if not cause.execution_id:
            return None
        name = {"triggerName": cause.trigger_name} if cause.trigger_name else {}
        return {"executionId": cause.execution_id, "triggerId": cause.trigger_id, **name}

    def get_event_payload(self, execution: TriggerExecution) -> str:
        if not self.context.get("edition", OURS).indents_payloads:
            return _cut(execution.event_payload)
        return _cut(_indented(execution.event_payload), CUT)


def _indented(payload: str) -> str:
    """An event as indented JSON; unchanged if its text was cut when it was stored."""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return payload


def _cut(text: str, mark: str = "") -> str:
    """The first 10 KB of a text; a text that is longer ends with the mark."""
    data = text.encode()
    if len(data) <= MAX_PAYLOAD_BYTES:
        return text
    return data[: MAX_PAYLOAD_BYTES - len(mark)].decode(errors="ignore") + mark
