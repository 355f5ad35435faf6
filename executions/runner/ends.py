"""Publishes the ends of runs as events, for the triggers that start when the run of another ends.

The event is written in the transaction that writes the end, so it is neither lost nor doubled. It
is written only if somebody may hear of it: `triggers.chains` knows that without a query.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from events import provenance
from events.buses import BusError, get_bus
from events.models import KEPT, EventSource, ReceivedEvent
from executions import envelope
from executions.models import TriggerExecution
from moca import reasons
from moca.api.storable import faults
from moca.ids import event_run_id
from moca.times import iso
from triggers import chains
from triggers.models import RunStatus, Trigger
from triggers.output_checks import json_value
from triggers.validation import RUN_ENDS

logger = logging.getLogger(__name__)

# The most bytes of the output in an event, and of the JSON value that it is. The run that the event
# starts has both on its record, beside its own output.
MAX_OUTPUT_BYTES = 48_000
MAX_DETAIL_BYTES = 150_000


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a run is in a chain.

    Attributes:
        depth: how many runs have ended before it, each of which started the next.
        root: the id of the first of them; empty for a run that no other has started.
        execution_id: the run whose end started it; empty if none did.
        trigger_id: the trigger of that run.
        trigger_name: its name at that time.
    """

    depth: int = 0
    root: str = ""
    execution_id: str = ""
    trigger_id: str = ""
    trigger_name: str = ""


def chain_of(event: Mapping[str, Any] | None) -> Chain:
    """Where a run is in a chain, by the event that started it."""
    if not event or event.get("source") != RUN_ENDS or event.get("detail-type") not in chains.KINDS:
        return Chain()
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    chain = detail.get("chain")
    chain = chain if isinstance(chain, Mapping) else {}
    depth = chain.get("depth")
    texts = (chain.get("root"), *map(detail.get, ("executionId", "triggerId", "triggerName")))
    return Chain(
        depth if type(depth) is int and depth > 0 else 1,
        *(text if isinstance(text, str) else "" for text in texts),
    )


def cause_of(execution: TriggerExecution) -> Chain:
    """Where a run is in a chain, by its record; the text is looked at first, as it may be long."""
    if '"detail-type": "Execution ' not in execution.event_payload:
        return Chain()
    return chain_of(envelope.deserialize(execution.event_payload))


def tell(trigger: Trigger | None, execution: TriggerExecution, *, is_correction: bool) -> None:
    """Publish that a run has ended, in the open transaction, if somebody may hear of it.

    Args:
        trigger: its trigger; None if it is deleted, so that nobody can follow it.
        execution: the run, with its result set.
        is_correction: whether an earlier end of the run was published.
    """
    if trigger is None or not chains.is_heard(trigger, execution.shown_outcome):
        return
    row = _row(trigger, execution, is_correction=is_correction)
    ReceivedEvent.objects.bulk_create([row])
    if not get_bus().is_transactional:
        transaction.on_commit(partial(_publish, row))


def _publish(row: ReceivedEvent) -> None:
    """Put a stored event on the bus. If that fails, `events.outbox` tries it again."""
    try:
        get_bus().publish(EventSource(id=RUN_ENDS), [row])
    except BusError as error:
        logger.error("The end of a run could not be published yet: %s", error)


def _row(trigger: Trigger, execution: TriggerExecution, *, is_correction: bool) -> ReceivedEvent:
    ended = _ended_at(execution)
    row = ReceivedEvent(
        id=event_id(execution),
        source_id=RUN_ENDS,
        received_at=ended,
        # The runs that it starts are a part of the trace of this one.
        trace_context=execution.own_context,
        ttl=int((ended + KEPT).timestamp()),
    )
    event = _event(trigger, execution, ended)
    if is_correction:
        event["detail"]["corrected"] = True
    provenance.tag_event(event, row.pk)
    row.set_envelope(event)
    return row


def _ended_at(execution: TriggerExecution) -> datetime:
    """When a run ended, in whole seconds, which is how exact EventBridge tells it."""
    ended = execution.completed_at or execution.started_at
    return ended.replace(microsecond=0)


def event_id(execution: TriggerExecution) -> str:
    """The id of the event that says how a run ended. A further attempt has another."""
    ended = iso(execution.completed_at) if execution.completed_at else ""
    end = [execution.pk, execution.attempt, ended, execution.shown_outcome]
    return hashlib.sha256(json.dumps([RUN_ENDS, *end]).encode()).hexdigest()


def run_started_by(execution: TriggerExecution, trigger: Trigger) -> str:
    """The id that a run of a trigger has if the end of another run started it."""
    return event_run_id(trigger.pk, event_id(execution), _ended_at(execution))


def _event(trigger: Trigger, execution: TriggerExecution, ended: datetime) -> dict[str, Any]:
    """The envelope of the event, without its tags."""
    own, chain = envelope.deserialize(execution.event_payload), cause_of(execution)
    usage = execution.usage if isinstance(execution.usage, dict) else None
    tags = trigger.tags if isinstance(trigger.tags, list) else []
    detail: dict[str, Any] = {
        "triggerId": trigger.pk,
        "triggerName": trigger.name,
        "userId": trigger.user_id,
        "executionId": execution.pk,
        "agentId": execution.agent_id or trigger.agent_id,
        "source": str(execution.source),
        "scheduledAt": iso(execution.scheduled_at) if execution.scheduled_at else None,
        "startedAt": iso(execution.started_at),
        "completedAt": iso(execution.completed_at) if execution.completed_at else None,
        "durationMs": execution.duration_ms,
        "attempt": execution.attempt,
        "status": str(execution.status),
        "outcome": str(execution.shown_outcome),
        "usage": usage,
        "error": _error(execution),
        "sessionId": execution.session_id or None,
        **({"tags": tags} if tags else {}),
    }
    detail = {name: value for name, value in detail.items() if value is not None}
    detail |= _said(execution)
    detail["chain"] = {"depth": chain.depth + 1, "root": chain.root or execution.pk}
    event: dict[str, Any] = {
        "version": "0",
        "id": event_id(execution),
        "detail-type": chains.kind_of(execution.shown_outcome),
        "source": RUN_ENDS,
        "account": "",
        "time": iso(ended),
        "region": settings.AWS_REGION,
        "resources": [f"trigger-{trigger.pk}"],
        "detail": detail,
    }
    if own and (tester := provenance.tester(own)):
        provenance.tag_test(event, tester)
    return event


def _error(execution: TriggerExecution) -> dict[str, str] | None:
    if execution.status != RunStatus.FAILED or not execution.error:
        return None
    message = str(reasons.of(execution, "error"))[:2000]
    return {"code": execution.error_code or "error", "message": message}


def _said(execution: TriggerExecution) -> dict[str, Any]:
    """What the agent said: the text, cut after MAX_OUTPUT_BYTES, and its value if it is JSON."""
    text = execution.said.text
    kept, is_cut = _cut(text, MAX_OUTPUT_BYTES)
    said: dict[str, Any] = {"output": kept}
    if is_cut or execution.output_bytes > MAX_OUTPUT_BYTES:
        # A part of a JSON text is none.
        return _bounded({**said, "outputCut": True})
    with suppress(ValueError):
        value = json_value(text)
        if not any(faults(value)):
            said["value"] = value
    return _bounded(said)


def _bounded(said: dict[str, Any]) -> dict[str, Any]:
    """What was said, within MAX_DETAIL_BYTES: characters that JSON escapes take up to six bytes."""
    while len(json.dumps(said, ensure_ascii=False).encode()) > MAX_DETAIL_BYTES:
        if said.pop("value", None) is None:
            said["output"], said["outputCut"] = said["output"][: len(said["output"]) // 2], True
    return said


def _cut(text: str, most: int) -> tuple[str, bool]:
    data = text.encode("utf-8", "replace")
    return data[:most].decode(errors="ignore"), len(data) > most


def too_deep(event: Mapping[str, Any]) -> int:
    """The depth of the run that an event would start, if it exceeds CHAIN_DEPTH_LIMIT; else 0."""
    depth = chain_of(event).depth
    return depth if depth > settings.CHAIN_DEPTH_LIMIT else 0
