"""Executions as the contract shows them."""

from datetime import datetime
from typing import Any

from executions.models import TriggerExecution
from moca.times import iso

MAX_PAYLOAD_BYTES = 10 * 1024


def execution_json(
    execution: TriggerExecution, now: datetime, *, with_output: bool = False
) -> dict[str, Any]:
    """The execution in the form of the contract; what is not set is left out.

    Args:
        execution: the execution.
        now: the moment at which its state is told: a run that was lost by then has failed.
        with_output: whether to tell what the agent said.
    """
    execution.close_if_lost(now)
    values = {
        "executionId": execution.pk,
        "triggerId": execution.trigger_id,
        "userId": execution.user_id,
        "status": execution.status,
        "startedAt": iso(execution.started_at),
        "completedAt": _moment(execution.completed_at),
        "executedAt": iso(execution.started_at),
        "durationMs": execution.duration_ms,
        "scheduledAt": _moment(execution.scheduled_at),
        "source": execution.source,
        "attempt": execution.attempt,
        "requestId": execution.request_id,
        "sessionId": execution.session_id,
        "output": execution.said.text if with_output else "",
        "usage": execution.usage,
        "error": execution.error,
        "errorCode": execution.error_code,
        "errorMessage": execution.error,
        "eventPayload": _cut(execution.event_payload),
        "replayOf": execution.replay_of,
    }
    return {name: value for name, value in values.items() if value not in (None, "", {})}


def _moment(moment: datetime | None) -> str:
    return iso(moment) if moment else ""


def _cut(payload: str) -> str:
    data = payload.encode()
    if len(data) <= MAX_PAYLOAD_BYTES:
        return payload
    return data[:MAX_PAYLOAD_BYTES].decode(errors="ignore")
