"""What fires, the record that is made of it, and the run that a process has claimed of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agents import Cancellation, new_session_id
from executions import envelope, result_tokens
from executions.models import Source, TriggerExecution, TriggerExecutionQuerySet, expiry
from executions.runner.spending import Cap, cap_of
from executions.runner.traces import NO_TRACE, RunTrace
from moca import reasons, tracing
from moca.ids import occurrence_id
from triggers.models import RunStatus, Trigger
from triggers.prompt_versions import version_of

# How long a claim holds without a heartbeat.
LEASE = timedelta(seconds=60)
# How many rows of one kind are written in a transaction, if the database sets no limit.
BATCH = 100
# What a failed record loses when its run is claimed again.
REOPENED = {
    "status": RunStatus.RUNNING,
    "outcome": "",
    "completed_at": None,
    "duration_ms": None,
    **reasons.columns("error", ""),
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One firing of a trigger.

    Attributes:
        id: the execution's id, which is the same for each delivery of the occurrence.
        user_id: the trigger's user.
        trigger_id: the trigger's id.
        source: what fired it.
        due: when it was due; None for a manual run.
        event: the EventBridge envelope that started it; None if `event_of()` is to make one.
        replay_of: the id of the execution whose event is sent again; else empty.
    """

    id: str
    user_id: str
    trigger_id: str
    source: Source
    due: datetime | None = None
    event: dict[str, Any] | None = None
    replay_of: str = ""

    @classmethod
    def scheduled(cls, user_id: str, trigger_id: str, due: datetime) -> "Occurrence":
        """The occurrence of a schedule at a time."""
        key = occurrence_id(trigger_id, due)
        return cls(key, user_id, trigger_id, Source.SCHEDULE, due)

    @property
    def trigger_key(self) -> tuple[str, str]:
        """The user and the id of its trigger."""
        return self.user_id, self.trigger_id

    def event_of(self, trigger: Trigger, now: datetime) -> dict[str, Any]:
        """The event that the agent is sent; made here if none came in."""
        return self.event or envelope.build(trigger, self.source, self.id, self.due or now)


@dataclass(slots=True)
class Run:
    """A run that this process has claimed.

    Attributes:
        clock: the monotonic time of its start, in seconds.
        cancellation: ends the call of the agent.
        cancelled_by: who cancelled the run, once `cancellation` is used.
        stop_agent: tells the agent that the run is cancelled; None if there is nothing to tell.
        gate: the places of its agent in a scheduler process; None elsewhere.
        cap: what the run may take; None if there is no limit.
        look: when somebody last looked at the run, as this process knows; None if nobody did.
        on_look: has what the agent says written soon; None before the agent is called.
        claimed_at: when its claim was on record, in nanoseconds; 0 if it is not traced.
        trace: its spans.
    """

    trigger: Trigger
    execution: TriggerExecution
    event: dict[str, Any]
    clock: float = field(default_factory=time.monotonic)
    cancellation: Cancellation = field(default_factory=Cancellation)
    cancelled_by: str = ""
    stop_agent: Callable[[], object] | None = None
    gate: Any = None
    cap: Cap | None = field(init=False)
    look: datetime | None = None
    on_look: Callable[[], object] | None = None
    claimed_at: int = 0
    trace: RunTrace = NO_TRACE

    def __post_init__(self) -> None:
        self.cap = cap_of(self.trigger)

    def record(self) -> TriggerExecutionQuerySet:
        """The run's record; empty once another process has closed or claimed it."""
        rows: TriggerExecutionQuerySet = TriggerExecution.objects.unfinished(self.execution)
        return rows


def new_record(
    trigger: Trigger,
    occurrence: Occurrence,
    event: dict[str, Any],
    now: datetime,
    lease_until: datetime | None,
    *,
    attempt: int = 1,
    process_id: str = "",
) -> TriggerExecution:
    """Make the record of an occurrence, unsaved.

    Args:
        attempt: 0 if the run waits for a process to claim it.
        process_id: the scheduler process that runs it, or empty.
    """
    execution = TriggerExecution(
        id=occurrence.id,
        trigger_id=trigger.pk,
        user_id=trigger.user_id,
        agent_id=trigger.agent_id,
        source=occurrence.source,
        attempt=attempt,
        scheduled_at=occurrence.due,
        started_at=now,
        lease_until=lease_until,
        process_id=process_id,
        session_id=trigger.session_id or new_session_id(),
        prompt_version=version_of(trigger.prompt),
        event_payload=envelope.serialize(event),
        replay_of=occurrence.replay_of,
        trace_context=tracing.current().context,
        ttl=expiry(now),
    )
    if attempt:
        result_tokens.issue(execution, trigger, now)
    return execution


def lease_end(trigger: Trigger, now: datetime, lease: timedelta, process_id: str) -> datetime:
    """When the own lease of a run ends: after its time-out if its process keeps the true lease.

    Nobody renews it then. It ends the run's claim if the row of the process gets lost.
    """
    longest = timedelta(seconds=trigger.timeout_seconds) if process_id else timedelta(0)
    return now + lease + longest


def batch_size(writes: int) -> int:
    """How many rows fit into one transaction, if each of them takes so many writes."""
    most: int | None = getattr(connection.features, "max_transaction_items", None)
    return BATCH if most is None else most // writes
