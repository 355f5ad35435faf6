"""Models of triggers, for the whole project. Import them from here."""

from triggers.models.choices import (
    CatchUp,
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
from triggers.models.pausable import FOREVER, MAX_PAUSE_NOTE
from triggers.models.pause import InstallationPause
from triggers.models.quota import TriggerCount
from triggers.models.scheduler_process import SchedulerProcess, is_alive, lapsed_among
from triggers.models.trigger import AGENT_OPTIONS, Trigger, TriggerQuerySet

__all__ = [
    "AGENT_OPTIONS",
    "FOREVER",
    "MAX_PAUSE_NOTE",
    "CatchUp",
    "IdempotencyKey",
    "InstallationPause",
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
