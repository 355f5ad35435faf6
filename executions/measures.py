"""The metrics of runs: each is declared here, and recorded by the functions below.

CloudWatch has those that have a name there; OpenTelemetry and `/metrics` have all.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone

from executions.models import TriggerExecution
from moca import metrics
from moca.metrics import CloudWatch, Kind, Metric
from triggers.models import Outcome, RunStatus

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 14400, 86400)
# The bounds that the semantic conventions give.
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
# So many agents have series of their own in a process. The others share one.
MOST_AGENTS = 200
OTHER = "other"

# Outcomes that say nothing about the agent.
NEITHER = (Outcome.CANCELLED, Outcome.UNKNOWN)
# The kinds of tokens, by their keys in the usage of a run.
TOKEN_TYPES = {"inputTokens": "input", "outputTokens": "output"}


def _milliseconds(value: float, _: Mapping[str, str]) -> float:
    return round(value * 1000)


def _counts(status: str, value: float, attributes: Mapping[str, str]) -> float:
    is_said = attributes["outcome"] not in NEITHER
    return int(attributes["status"] == status and (status == RunStatus.COMPLETED or is_said))


RUNS = Metric(
    "moca.runs",
    Kind.COUNTER,
    "{run}",
    "Runs that have ended, by outcome.",
    cloudwatch=(
        CloudWatch("ExecutionsCompleted", "Count", partial(_counts, RunStatus.COMPLETED)),
        CloudWatch("ExecutionsFailed", "Count", partial(_counts, RunStatus.FAILED)),
    ),
)
DURATION = Metric(
    "moca.run.duration",
    Kind.HISTOGRAM,
    "s",
    "Time from the start of a run to its end.",
    SECONDS,
    (CloudWatch("ExecutionDuration", "Milliseconds", _milliseconds),),
)
LAG = Metric(
    "moca.run.lag",
    Kind.HISTOGRAM,
    "s",
    "Time from when a run was due to its start.",
    SECONDS,
    (CloudWatch("ScheduleLag", "Milliseconds", _milliseconds),),
)
USED = Metric(
    "gen_ai.client.token.usage",
    Kind.HISTOGRAM,
    "{token}",
    "Tokens that a run took, by type.",
    TOKENS,
)
COST = Metric(
    "moca.run.cost", Kind.COUNTER, "{money}", "What runs cost, in the currency of the prices."
)
WAITING = Metric(
    "moca.queue.length", Kind.GAUGE, "{run}", "Runs that are due and wait for a place."
)
OLDEST = Metric("moca.queue.oldest", Kind.GAUGE, "s", "How long the first of them has waited.")
RUNNING = Metric("moca.runs.under_way", Kind.GAUGE, "{run}", "Runs under way.")
PLACES = Metric("moca.runs.places", Kind.GAUGE, "{run}", "Runs that may be under way at once.")
SYNC_FAILURES = Metric(
    "moca.sync.failures",
    Kind.COUNTER,
    "{schedule}",
    "Schedules that could not be reconciled with their triggers.",
    cloudwatch=(CloudWatch("SyncFailures", "Count"),),
)
TURNS_WAITING = Metric(
    "moca.queue.turns",
    Kind.GAUGE,
    "{run}",
    "Runs that wait for their turn, because others of their concurrency key are going.",
    cloudwatch=(CloudWatch("TurnsWaiting", "Count"),),
)
ALL = (
    *(RUNS, DURATION, LAG, USED, COST),
    *(WAITING, OLDEST, RUNNING, PLACES, SYNC_FAILURES, TURNS_WAITING),
)

_agents: set[str] = set()


def begun(execution: TriggerExecution) -> None:
    """Count the start of a run."""
    if metrics.is_recorded() and (seconds := lag_of(execution)) is not None:
        metrics.record(LAG, seconds, source=execution.source)


def ended(execution: TriggerExecution) -> None:
    """Count the end of a run."""
    if not metrics.is_recorded():
        return
    attributes = end_of(execution) | {"agent": _agent(execution.agent_id)}
    metrics.record(RUNS, 1, **attributes)
    if execution.outcome == Outcome.MISSED:
        return
    metrics.record(DURATION, (execution.duration_ms or 0) / 1000, **attributes)
    usage: dict[str, Any] = execution.usage if isinstance(execution.usage, dict) else {}
    for key, kind in TOKEN_TYPES.items():
        if isinstance(count := usage.get(key), int) and count:
            metrics.record(
                USED,
                count,
                **{
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.token.type": kind,
                    "gen_ai.agent.name": attributes["agent"],
                },
            )
    if isinstance(cost := usage.get("cost"), int | float):
        currency = str(usage.get("currency", ""))
        metrics.record(COST, cost, currency=currency, agent=attributes["agent"])


def queue(waiting: int, since: datetime | None, running: int, places: int) -> None:
    """Note how long the queue of a scheduler process is, and what it has under way."""
    if not metrics.is_recorded():
        return
    waited = max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0
    metrics.record(WAITING, waiting)
    metrics.record(OLDEST, waited)
    metrics.record(RUNNING, running)
    metrics.record(PLACES, places)


def lag_of(execution: TriggerExecution) -> float | None:
    """How many seconds after its time a run has begun; None if it had no time."""
    if execution.scheduled_at is None:
        return None
    return max(0.0, (execution.started_at - execution.scheduled_at).total_seconds())


def end_of(execution: TriggerExecution) -> dict[str, str]:
    """How a run ended, as the attributes of its measurements."""
    return {
        "status": str(execution.status),
        "outcome": str(execution.shown_outcome),
        "source": str(execution.source),
    }


def _agent(agent_id: str) -> str:
    if agent_id not in _agents:
        if len(_agents) >= MOST_AGENTS:
            return OTHER
        _agents.add(agent_id)
    return agent_id
