"""Models of runs, for the whole project. Import them from here."""

# These modules have models of their own, which are registered by it.
from executions.agent_records.model import Agent  # noqa: F401
from executions.alarms import Alarm  # noqa: F401
from executions.backfill.model import Backfill  # noqa: F401
from executions.models.execution import (
    Source,
    TriggerExecution,
    TriggerExecutionQuerySet,
    expiry,
    question_map,
    tool_map,
    usage_map,
)
from executions.models.lines import Line, Turn
from executions.models.measured import MeasuredProcess
from executions.models.under_way import CancelRequest, OutputPiece
from executions.models.waiting import (
    HandedOverRun,
    PendingEvent,
    QueuedRun,
    RunWorker,
    WaitingRun,
)

__all__ = [
    "CancelRequest",
    "HandedOverRun",
    "Line",
    "MeasuredProcess",
    "OutputPiece",
    "PendingEvent",
    "QueuedRun",
    "RunWorker",
    "Source",
    "TriggerExecution",
    "TriggerExecutionQuerySet",
    "Turn",
    "WaitingRun",
    "expiry",
    "question_map",
    "tool_map",
    "usage_map",
]
