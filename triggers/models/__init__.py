"""Models of triggers, for the whole project. Import them from here."""

from triggers.models.choices import (
    Outcome,
    OverlapPolicy,
    ReasoningEffort,
    RunStatus,
    SyncState,
    TriggerType,
)
from triggers.models.idempotency_key import IdempotencyKey
from triggers.models.local_schedule import LocalSchedule
from triggers.models.pause import InstallationPause
from triggers.models.quota import TriggerCount
from triggers.models.trigger import (
    AGENT_OPTIONS,
    FOREVER,
    MAX_PAUSE_NOTE,
    Trigger,
    TriggerQuerySet,
)

__all__ = [
    "AGENT_OPTIONS",
    "FOREVER",
    "MAX_PAUSE_NOTE",
    "IdempotencyKey",
    "InstallationPause",
    "LocalSchedule",
    "Outcome",
    "OverlapPolicy",
    "ReasoningEffort",
    "RunStatus",
    "SyncState",
    "Trigger",
    "TriggerCount",
    "TriggerQuerySet",
    "TriggerType",
]
