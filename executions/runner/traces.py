"""The trace of a run: a root span, and one step after the other below it, with no time between.

The steps are `claim`, `prepare`, `invoke_agent` and `complete`. The span of the agent has the names
of OpenTelemetry's semantic conventions for generative AI, version 1.41.0. No span has prompts,
outputs or messages of errors. While tracing is off, a run has `NO_TRACE`, which does nothing.
"""

import os
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from agents import AgentClient, Invocation
from agents.errors import AgentError
from executions.agent_records.model import Agent
from executions.measures import lag_of
from executions.models import TriggerExecution
from moca import tracing
from moca.tracing import CLIENT, CONSUMER, NOTHING, Span
from triggers.models import RunStatus

OPERATION = "invoke_agent"
# AgentCore is a part of Amazon Bedrock. The conventions allow names of one's own.
PROVIDERS = {"agentcore": "aws.bedrock", "openai": "openai"}
XRAY = "_X_AMZN_TRACE_ID"
USAGE = {
    "inputTokens": "gen_ai.usage.input_tokens",
    "outputTokens": "gen_ai.usage.output_tokens",
    "cacheReadTokens": "gen_ai.usage.cache_read.input_tokens",
    "cacheWriteTokens": "gen_ai.usage.cache_creation.input_tokens",
    "cost": "moca.run.cost",
    "currency": "moca.run.currency",
}


class RunTrace:
    """The spans of one run in this process.

    Args:
        root: the span of the run.
        step: the step that is under way.
    """

    def __init__(self, root: Span, step: Span) -> None:
        self.root, self._step = root, step

    def step(self, name: str, **options: Any) -> Span:
        """End the step that is under way, and begin the next one at the same moment."""
        at = tracing.now()
        self._step.end(at)
        self._step = self.root.child(name, at=at, **options)
        return self._step

    def asked(self, agent: Agent | None, client: AgentClient, invocation: Invocation) -> Invocation:
        """Begin the span of the agent; returns what is sent, with its headers."""
        span = self.step(
            f"{OPERATION} {agent.name if agent else invocation.agent_id or ''}".rstrip(),
            kind=CLIENT,
            attributes=_request(agent, client, invocation),
        )
        return replace(invocation, span=span)

    def answered(self, execution: TriggerExecution) -> None:
        """End the span of the agent, and begin to write the result of the run."""
        self._step.set(_usage(execution))
        failed = execution.status == RunStatus.FAILED
        self._step.end(error=_error(execution) if failed else "")
        self.step("complete")

    def end(self, execution: TriggerExecution) -> None:
        """End all spans of the run in this process."""
        at = tracing.now()
        self._step.end(at)
        outcome = execution.shown_outcome
        self.root.set({"moca.run.outcome": outcome, **_usage(execution)} if outcome else {})
        failed = execution.status == RunStatus.FAILED
        self.root.end(at, error=_error(execution) if failed else "")


class _NoTrace(RunTrace):
    """The trace of a run while tracing is off."""

    def __init__(self) -> None:
        super().__init__(NOTHING, NOTHING)

    def step(self, name: str, **options: Any) -> Span:
        return NOTHING

    def asked(self, agent: Agent | None, client: AgentClient, invocation: Invocation) -> Invocation:
        return invocation

    def answered(self, execution: TriggerExecution) -> None: ...

    def end(self, execution: TriggerExecution) -> None: ...


NO_TRACE: RunTrace = _NoTrace()


def begin(execution: TriggerExecution, claimed_at: int) -> RunTrace:
    """Begin the trace of a run that this process has claimed, back when the claim began.

    It continues the trace of the request or the event that queued the run, or Lambda's own.

    Args:
        execution: the run.
        claimed_at: when its claim was on record, in nanoseconds; 0 if that is not known.
    """
    if not tracing.is_on():
        return NO_TRACE
    now = tracing.now()
    began = int(execution.started_at.timestamp() * 1_000_000) * 1000
    claimed = claimed_at or now
    if execution.handed_over_at or not began <= claimed <= now:
        # The start was in another process, or the clock was set.
        began = claimed = now
    root = tracing.begin(
        f"run {execution.source}",
        context=execution.trace_context or tracing.context_of_xray(os.environ.get(XRAY, "")),
        kind=CONSUMER,
        at=began,
        attributes=_run(execution),
    )
    root.child("claim", at=began).end(claimed)
    execution.trace_ids, execution.own_context = root.ids, root.context
    return RunTrace(root, root.child("prepare", at=claimed))


def _run(execution: TriggerExecution) -> dict[str, Any]:
    found: dict[str, Any] = {
        "moca.trigger.id": execution.trigger_id,
        "moca.execution.id": execution.pk,
        "moca.run.source": str(execution.source),
        "moca.run.attempt": execution.attempt,
        "gen_ai.conversation.id": execution.session_id,
    }
    lag = lag_of(execution)
    return found if lag is None else found | {"moca.run.lag": lag}


def _request(agent: Agent | None, client: AgentClient, invocation: Invocation) -> dict[str, Any]:
    url = urlsplit(client.url)
    protocol = client.protocol.name
    port = url.port or (443 if url.scheme == "https" else 80)
    provider = "aws.bedrock" if ".bedrock-agentcore." in f".{url.hostname}" else ""
    found = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": provider or PROVIDERS.get(protocol, protocol),
        "gen_ai.agent.id": invocation.agent_id,
        "gen_ai.agent.name": agent.name if agent else invocation.agent_id,
        "gen_ai.conversation.id": invocation.session_id,
        "gen_ai.request.model": invocation.model_id,
        "server.address": url.hostname,
        "server.port": port,
    }
    return {name: value for name, value in found.items() if value}


def _usage(execution: TriggerExecution) -> dict[str, Any]:
    usage = execution.usage if isinstance(execution.usage, dict) else {}
    return {USAGE[key]: value for key, value in usage.items() if key in USAGE}


def _error(execution: TriggerExecution) -> str:
    return execution.error_code or str(execution.shown_outcome) or AgentError.__name__
