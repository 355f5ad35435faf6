"""The run itself: call the agent, keep what it says, and end with its answer or the reason.

A process whose run was closed by another meanwhile changes nothing.
"""

import logging
import time
from collections.abc import Callable

from agents import AgentClient, AgentError, Invocation, Output, Reply
from executions import prompts
from executions.agent_client import profile_of
from executions.failures import CLOSED, INTERNAL_ERROR, NO_MORE_TIME
from executions.models import TriggerExecution, usage_map
from executions.runner.claim import Run
from executions.runner.complete import log_ids, set_result, write_in_time
from executions.runner.progress import Progress
from moca import reasons
from moca.logs import bind
from moca.sentences import Reason
from triggers.models import RunStatus

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0


class RunClosedError(Exception):
    """Somebody else has closed this run's record; there is nothing more to write."""


def execute(
    run: Run,
    client: AgentClient,
    *,
    time_limit: float | None = None,
    seconds_left: Callable[[], float] = lambda: 0.0,
) -> TriggerExecution:
    """Call the agent and put its answer, or the reason of the failure, on record.

    Args:
        run: what `start()` or `resume()` gave.
        client: speaks to the agent.
        time_limit: seconds that are left to this process, where that is less than the trigger's
            own time-out.
        seconds_left: tells, when the run has ended, how long its end may be tried to be written.
    """
    call(run, client, time_limit=time_limit)
    with bind(**log_ids(run.execution)):
        write_in_time(run.execution, seconds_left)
    return run.execution


def call(run: Run, client: AgentClient, *, time_limit: float | None = None) -> None:
    """Call the agent and set the result on the run's record, which the caller writes.

    Nothing is raised: whatever happens ends up in the record and the log. Arguments as for
    `execute()`.
    """
    trigger, execution = run.trigger, run.execution
    seconds = float(trigger.timeout_seconds)
    limit = seconds if time_limit is None else min(seconds, time_limit)
    end = time.monotonic() + limit
    reasons.put(execution, "warning", prompts.warning(trigger.prompt))
    flush = _Flush(run)
    with bind(**log_ids(execution)):
        try:
            invocation = _invocation(run)
            reply = client.invoke(
                invocation,
                # What is left of it: to read the agent's profile may have taken its time.
                time_limit=max(0.0, end - time.monotonic()),
                max_retries=trigger.max_retries,
                on_output=flush,
            )
        except AgentError as error:
            if error.kind == "timeout" and limit < seconds:
                error.add(NO_MORE_TIME, number=trigger.timeout_seconds)
            # The agent's words stay out of the log: they may quote the prompt.
            logger.warning(
                "The agent failed: kind=%s status=%s",
                error.kind,
                error.status or "-",
                extra={"errorCode": error.code},
            )
            _keep(run, error.reply)
            _fail(run, error.reason, reached=error.reached)
        except RunClosedError:
            logger.warning("Stopped: the run had been closed by another process")
            _fail(run, CLOSED(), reached=True)
        except Exception:
            logger.exception("The run broke off")
            if flush.output is not None:
                execution.set_output(flush.output)
            _fail(run, INTERNAL_ERROR(), reached=True)
        else:
            _keep(run, reply)
            execution.reached_agent = True
            set_result(execution, RunStatus.COMPLETED, clock=run.clock)


def _invocation(run: Run) -> Invocation:
    trigger, execution = run.trigger, run.execution
    profile = profile_of(trigger.user_id, trigger.agent_id)
    tools = trigger.enabled_tools
    return Invocation(
        prompt=prompts.compose(trigger, run.event, execution.started_at),
        target_user_id=trigger.user_id,
        session_id=execution.session_id,
        execution_id=execution.pk,
        agent_id=trigger.agent_id or None,
        options=trigger.agent_options,
        enabled_tools=profile.enabled_tools if profile and tools is None else tools,
        system_prompt=profile.system_prompt if profile else None,
        mcp_config=profile.mcp_config if profile else None,
        secrets=profile.secrets if profile else (),
    )


class _Flush:
    """Writes what the agent has said so far to the record, at most every two seconds."""

    def __init__(self, run: Run) -> None:
        self.progress = Progress(run)
        self.output: Output | None = None
        self.next = time.monotonic() + FLUSH_SECONDS

    def __call__(self, output: Output) -> None:
        self.output = output
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + FLUSH_SECONDS
        if not self.progress.write(output):
            raise RunClosedError


def _keep(run: Run, reply: Reply | None) -> None:
    """Take over what the agent said and used, in a run that failed too."""
    if reply is None:
        return
    execution = run.execution
    execution.set_output(reply.output)
    if reply.input_tokens or reply.output_tokens:
        execution.usage = usage_map(reply.input_tokens, reply.output_tokens)
    execution.request_id = (reply.request_id or "")[:200]
    execution.session_id = (reply.session_id or execution.session_id)[:256]


def _fail(run: Run, error: Reason, *, reached: bool) -> None:
    run.execution.reached_agent = reached
    set_result(run.execution, RunStatus.FAILED, error=error, clock=run.clock)
