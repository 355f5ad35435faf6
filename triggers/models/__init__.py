"""Models of triggers, for the whole project. Import them from here."""

from triggers.models.budget import Limit, Price, Spending, UserBudget
from triggers.models.choices import (
    CatchUp,
    MoveTo,
    OnDeadline,
    Outcome,
    OverlapPolicy,
    ReasoningEffort,
    RunStatus,
    SyncState,
    TriggerType,
)
from triggers.models.fire_token import FireToken
from triggers.models.idempotency_key import IdempotencyKey
from triggers.models.local_schedule import LocalSchedule
from triggers.models.pausable import FOREVER, MAX_PAUSE_NOTE
from triggers.models.pause import InstallationPause
from triggers.models.process import Process, ProcessKind, has_lease, lapsed_among
from triggers.models.quota import TriggerCount
from triggers.models.trigger import AGENT_OPTIONS, Trigger, TriggerQuerySet

__all__ = [
    "AGENT_OPTIONS",
    "FOREVER",
    "MAX_PAUSE_NOTE",
    "CatchUp",
    "FireToken",
    "IdempotencyKey",
    "InstallationPause",
    "Limit",
    "LocalSchedule",
    "MoveTo",
    "OnDeadline",
    "Outcome",
    "OverlapPolicy",
    "Price",
    "Process",
    "ProcessKind",
    "ReasoningEffort",
    "RunStatus",
    "Spending",
    "SyncState",
    "Trigger",
    "TriggerCount",
    "TriggerQuerySet",
    "TriggerType",
    "UserBudget",
    "has_lease",
    "lapsed_among",
]
