"""Executions as the API returns them."""

import json
from typing import Any

from executions.models import Source, TriggerExecution
from moca.api.editions import OURS
from moca.api.fields import Choice, Computed, Id, Moment, Number, Text
from moca.api.json_schema import text
from moca.api.serializers import MapSerializer, RowSerializer
from triggers.models import RunStatus

MAX_PAYLOAD_BYTES = 10 * 1024
# The end of an indented event that was cut.
CUT = "\n... [truncated]"


class UsageSerializer(MapSerializer):
    """Tokens that the run took."""

    input_tokens = Number(always=True)
    output_tokens = Number(always=True)

    class Meta:
        name = "TokenUsage"


class ExecutionSerializer(RowSerializer):
    """One run of a trigger.

    The context needs `now`, because a run that is lost by then shows as failed. If it has a true
    `with_output`, the agent's output is shown. It may have `edition`, which tells how events look.
    """

    execution_id = Id(source="id")
    trigger_id = Id()
    user_id = Text("Whose it is; older records leave it out.", always=False)
    status = Choice(RunStatus, "How a run is.")
    started_at = Moment()
    completed_at = Moment("When it ended.")
    executed_at = Moment("The same as `startedAt`.", source="started_at")
    duration_ms = Number("Milliseconds from its start to its end.")
    scheduled_at = Moment("When it was due.")
    # The API's contract has a field of this name, which the base class uses otherwise.
    source = Choice(  # type: ignore[assignment]
        Source, "What ran it; older records leave it out.", name="ExecutionSource", always=False
    )
    attempt = Number("Which try it is; 0 while it waits for a process to run it.")
    request_id = Text("The agent's id of the request.")
    session_id = Text("The session in which the agent was asked.")
    output = Computed(text("What the agent said; not in lists. Very long texts lack their middle."))
    usage = UsageSerializer(required=False)
    error = Text("Why it failed.")
    error_code = Text("Why it failed, in a word; runs of earlier editions leave it out.")
    error_message = Text("The same as `error`.", source="error")
    event_payload = Computed(text("The event that was sent along, as JSON; its first 10 KB."))
    replay_of = Id("The execution whose input this one has.")

    class Meta:
        model = TriggerExecution

    def to_representation(self, instance: TriggerExecution) -> dict[str, Any]:
        instance.close_if_lost(self.context["now"])
        return super().to_representation(instance)

    def get_output(self, execution: TriggerExecution) -> str:
        return execution.said.text if self.context.get("with_output") else ""

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
