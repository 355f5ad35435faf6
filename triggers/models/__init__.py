"""Models of triggers, for the whole project. Import them from here."""

from triggers.models.choices import (
    OnDeadline,
    Outcome,
    OverlapPolicy,
    ReasoningEffort,
    RunStatus,
    SyncState,
    TriggerType,
)
from triggers.models.idempotency_key import IdempotencyKey
from triggers.models.local_schedule import LocalSchedule
from triggers.models.quota import TriggerCount
from triggers.models.scheduler_process import SchedulerProcess, is_alive, lapsed_among
from triggers.models.trigger import AGENT_OPTIONS, Trigger, TriggerQuerySet

__all__ = [
    "AGENT_OPTIONS",
    "IdempotencyKey",
    "LocalSchedule",
    "OnDeadline",
    "Outcome",
    "OverlapPolicy",
    "ReasoningEffort",
    "RunStatus",
    "SchedulerProcess",
    "SyncState",
    "Trigger",
    "TriggerCount",
    "TriggerQuerySet",
    "TriggerType",
    "is_alive",
    "lapsed_among",
]
