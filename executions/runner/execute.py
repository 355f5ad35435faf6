"""Execute a claimed run: call the agent, save its output, and set the result on the record.

If another process has closed the run meanwhile, this one writes nothing more.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import close_old_connections

from agents import AgentClient, AgentError, Invocation, Reply, resumption
from agents.errors import TIMED_OUT
from agents.replies import Transcript
from executions import measures, prompts
from executions.agent_records.clients import client_for
from executions.agent_records.lookup import is_kept, record_of
from executions.agent_records.model import Agent
from executions.failures import (
    BESIDES,
    CANCELLED,
    CLOSED,
    INTERNAL_ERROR,
    NO_MORE_TIME,
    SENT_END_UNKNOWN,
)
from executions.models import TriggerExecution, question_map, tool_map, usage_map
from executions.runner.cancel import CancelWatch, stop_agent
from executions.runner.complete import log_ids, set_result, write_in_time
from executions.runner.handover import hand_over, seconds_left_of
from executions.runner.invocation import asks_aws, compose_invocation
from executions.runner.occurrence import Run
from executions.runner.progress import Progress
from executions.runner.traces import begin as begin_trace
from moca import reasons
from moca.logs import bind
from moca.sentences import Reason
from triggers import output_checks
from triggers.models import Outcome, RunStatus

if TYPE_CHECKING:
    from agents.loop import AgentLoop, Gate

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# How often what an agent has said and done is written to the record of its run, at most.
FLUSH_SECONDS = 2.0
# The longest time-out of a Lambda function, in seconds, which the deployed function has. It is what
# CreateFunction of the Lambda API accepts; until 2026 it was 900.
LAMBDA_SECONDS = 1800
# How many of them are reserved for writing the result.
RESERVE_SECONDS = 10


# How long the checks of an output may take, in seconds; a JSON schema gives up before.
CHECK_SECONDS = 30.0


class RunClosedError(Exception):
    """Another process has closed the run, so its output cannot be written."""


class OverBudgetError(Exception):
    """The run has taken more than its trigger allows, by what its agent has told so far."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def execute(
    run: Run,
    client: AgentClient,
    *,
    time_limit: float | None = None,
    seconds_left: Callable[[], float] = lambda: 0.0,
) -> TriggerExecution:
    """Call the agent, and write its answer or the failure to the record.

    Args:
        run: what `start()` or `resume()` returned.
        client: calls the default agent, if the trigger's agent has no record.
        time_limit: the seconds that this process has for the call; None if the trigger's time-out
            is the only limit.
        seconds_left: returns for how many seconds writing the result may be retried.

    Returns:
        The record, with its result. It is still running if it was handed over to a `runworker`,
        because the agent needs more time than this process has.

    Raises:
        OperationalError, InterfaceError: the result could not be written in time.
    """
    with CancelWatch(lambda: [run]):
        call(run, client, time_limit=time_limit)
    with bind(**log_ids(run.execution)):
        if run.execution.error_code == SENT_END_UNKNOWN.name and hand_over(run):
            run.trace.end(run.execution)
            return run.execution
        write_in_time(run.execution, seconds_left, {run.trigger.pk: run.trigger})
        run.trace.end(run.execution)
    stop_agent(run)
    return run.execution


def call(run: Run, client: AgentClient, *, time_limit: float | None = None) -> None:
    """Call the agent, and set the result on the run's record, which the caller writes.

    Every failure becomes the result of the run, and none is raised. The arguments are those of
    `execute()`.
    """
    this = _Call(run, client, time_limit)
    with this.settled():
        this.prepare()
        reply = this.ask()
        this.end(reply, this.fault_of(reply))


async def call_on_loop(
    run: Run,
    client: AgentClient,
    agents: "AgentLoop",
    threads: Executor,
    gate: "Gate | None",
    on_sent: Callable[[], None] | None = None,
) -> None:
    """Call the agent as `call()` does, on an event loop.

    Args:
        run, client: as for `execute()`.
        agents: the connections of this loop.
        threads: for what may block.
        gate: the places of the agent.
        on_sent: called when the request goes out.
    """
    this = _Call(run, client, None, on_loop=True)
    with this.settled():
        await this.prepare_on_loop(threads)
        options = this.options() | {"max_retries": run.trigger.max_retries}
        # Thousands of runs are under way, so that none keeps what only its request needed.
        run.event = {}
        options |= {"gate": gate, "on_sent": on_sent}
        reply = await agents.invoke(this.chosen, this.invocation, **options)
        this.end(reply, await this.fault_on_loop(reply, threads))


class _Call:
    """One call of the agent of a run, however it is made.

    Attributes:
        chosen: calls the agent; the default one until `prepare()`.
        invocation: what is sent, after `prepare()`.
    """

    invocation: Invocation

    def __init__(
        self,
        run: Run,
        client: AgentClient,
        time_limit: float | None,
        *,
        on_loop: bool = False,
    ) -> None:
        seconds = seconds_left_of(run)
        limit = seconds if time_limit is None else min(seconds, time_limit)
        self.chosen = self._default = client
        self._run = run
        self._record: Agent | None = None
        self._is_cut_off = limit < seconds
        self._end = time.monotonic() + limit
        self._flush = _Flush(run, on_loop=on_loop)
        self._borrowed = ExitStack()
        reasons.put(run.execution, "warning", prompts.warning(run.trigger.prompt))
        run.trace = begin_trace(run.execution, run.claimed_at)
        measures.begun(run.execution)

    def prepare(self) -> None:
        """Read the agent's record, and make what is sent. Raises AgentError."""
        self._record = record_of(self._run.execution.agent_id)
        self.invocation = compose_invocation(self._run, self._record, self._end)
        self.chosen = self._borrowed.enter_context(client_for(self._record, self._default))
        trace = self._run.trace
        self.invocation = trace.asked(self._record, self.chosen, self.invocation)

    async def prepare_on_loop(self, threads: Executor) -> None:
        """Do the same, in a thread if it may ask AWS or the database."""
        if is_kept(self._run.execution.agent_id) and not asks_aws():
            self.prepare()
            return
        await _in_thread(threads, self.prepare, max(0.0, self._end - time.monotonic()))

    def ask(self) -> Reply:
        """Send the prompt and read the answer, or follow a run that another process has sent."""
        trigger, options = self._run.trigger, self.options()
        if self._run.execution.handed_over_at:
            allowed = trigger.timeout_seconds
            return resumption.follow(self.chosen, self.invocation, allowed=allowed, **options)
        return self.chosen.invoke(self.invocation, max_retries=trigger.max_retries, **options)

    def options(self) -> dict[str, Any]:
        """The further arguments of both."""
        return {
            # Reading the agent's record and profile may have used up a part of the limit.
            "time_limit": max(0.0, self._end - time.monotonic()),
            "on_transcript": self._flush,
            "cancellation": self._run.cancellation,
        }

    def fault_of(self, reply: Reply) -> Reason | None:
        """Why an answer does not keep the checks of the trigger; None if it does."""
        if Outcome(reply.outcome) != Outcome.SUCCESS:
            return None
        output = reply.output
        return output_checks.fault(
            self._run.trigger.output_checks, output.text, is_whole=output.is_whole
        )

    async def fault_on_loop(self, reply: Reply, threads: Executor) -> Reason | None:
        """Find the same, in a thread if it may take long."""
        if not output_checks.takes_long(self._run.trigger.output_checks):
            return self.fault_of(reply)
        return await _in_thread(threads, partial(self.fault_of, reply), CHECK_SECONDS)

    def end(self, reply: Reply, fault: Reason | None) -> None:
        """Set the answer as the result; the run has failed if there is a fault in its output."""
        execution = self._run.execution
        _set_reply(self._run, reply)
        execution.reached_agent = True
        _warn_of_excess(self._run)
        if fault is not None:
            logger.warning(
                "The output does not keep the checks", extra={"errorCode": fault.code.name}
            )
            _fail(self._run, fault, reached=True)
            return
        outcome = Outcome(reply.outcome)
        set_result(execution, RunStatus.COMPLETED, outcome=outcome, clock=self._run.clock)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Make each failure of the block the result of the run."""
        run = self._run
        with self._borrowed, self._flush.progress, bind(**log_ids(run.execution)):
            try:
                yield
            except AgentError as error:
                self._fail_by(error)
            except RunClosedError:
                logger.warning("Stopped: the run had been closed by another process")
                _fail(run, CLOSED(), reached=True)
            except OverBudgetError as error:
                self._cut_off(error.reason)
            except Exception:
                logger.exception("The run broke off")
                _set_what_came(run, self._flush.transcript)
                _fail(run, INTERNAL_ERROR(), reached=True)
            run.trace.answered(run.execution)

    def _cut_off(self, reason: Reason) -> None:
        """End a run that has taken too much, and have its agent told."""
        run = self._run
        _set_what_came(run, self._flush.transcript)
        reply = self._flush.transcript.so_far() if self._flush.transcript else None
        run.stop_agent = partial(_cancel, self._record, self._default, self.invocation, reply)
        logger.warning("The run was cancelled: it has taken more than its trigger allows")
        _fail(run, reason, reached=True)

    def _fail_by(self, error: AgentError) -> None:
        run = self._run
        # A run that was handed over had been sent: it must not be sent again.
        error.reached = error.reached or bool(run.execution.handed_over_at)
        _set_reply(run, error.reply)
        if not run.cancellation.is_requested:
            _fail_by_agent(run, error, is_cut_off=self._is_cut_off)
            return
        if not run.cancelled_by:
            logger.info("Stopped: the run has ended elsewhere")
            _fail(run, CLOSED(), reached=True)
            return
        if error.reached:
            run.stop_agent = partial(
                _cancel, self._record, self._default, self.invocation, error.reply
            )
        logger.info("The run was cancelled")
        _fail(run, CANCELLED(name=run.cancelled_by), reached=error.reached)


async def _in_thread(threads: Executor, work: Callable[[], Result], seconds: float) -> Result:
    """Do what may block in a thread, and return what it returns.

    Raises:
        AgentError: it took longer than `seconds`.
    """
    import asyncio  # Functions on AWS, which have no loop, save 30 ms at a start.

    def in_thread() -> Result:
        try:
            return work()
        finally:
            close_old_connections()

    loop, context = asyncio.get_running_loop(), copy_context()
    try:
        async with asyncio.timeout(seconds):
            return await loop.run_in_executor(threads, context.run, in_thread)
    except TimeoutError as error:
        raise AgentError(TIMED_OUT(seconds=f"{round(seconds, 1):g}"), kind="timeout") from error


def _cancel(
    record: Agent | None, client: AgentClient, invocation: Invocation, reply: Reply | None
) -> object:
    """Tell the agent of a record that a run is cancelled; see `AgentClient.cancel()`."""
    with client_for(record, client) as chosen:
        return chosen.cancel(invocation, reply)


class _Flush:
    """Writes what the agent has said and done so far, every `FLUSH_SECONDS` at the most."""

    def __init__(self, run: Run, *, on_loop: bool) -> None:
        self._cap = run.cap
        self.progress = Progress(run, FLUSH_SECONDS, on_loop=on_loop)
        self.transcript: Transcript | None = None

    def __call__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        if not self.progress.note(transcript):
            raise RunClosedError
        # A run whose answer is complete costs no less if it is cancelled.
        cap = None if transcript.complete else self._cap
        if cap and (reason := cap.excess(transcript.usage)):
            raise OverBudgetError(reason)


def _set_reply(run: Run, reply: Reply | None) -> None:
    """Set what the agent said and did on the run's record. A failed run may have a reply, too."""
    if reply is None:
        return
    execution = run.execution
    execution.set_output(reply.output)
    execution.reasoning = reply.reasoning
    execution.tools = [tool_map(tool) for tool in reply.tools] or None
    execution.questions = [question_map(question) for question in reply.questions] or None
    execution.usage = usage_map(reply)
    execution.task_id = (reply.task_id or "")[:200]
    execution.request_id = (reply.request_id or "")[:200]
    execution.session_id = (reply.session_id or execution.session_id)[:256]


def _warn_of_excess(run: Run) -> None:
    """Give a run that has completed a warning if it took too much."""
    excess = run.cap.excess_at_end(run.execution.usage) if run.cap else None
    if excess is None:
        return
    warning = reasons.of(run.execution, "warning")
    if isinstance(warning, Reason):
        excess = warning.adding(BESIDES, besides=excess)
    reasons.put(run.execution, "warning", excess)


def _set_what_came(run: Run, transcript: Transcript | None) -> None:
    """Set what the agent said before its run broke off, unless the run broke off because of it."""
    try:
        _set_reply(run, transcript.so_far() if transcript else None)
    except Exception:
        logger.exception("What the agent said cannot be kept")


def _fail_by_agent(run: Run, error: AgentError, *, is_cut_off: bool) -> None:
    """Set an error of the agent as the run's result.

    Args:
        run: the run.
        error: the error, with the agent's own outcome if it gave one.
        is_cut_off: whether the process had less time than the trigger allows.
    """
    reason = error.reason
    if is_cut_off and reason.says(TIMED_OUT):
        allowed = run.trigger.timeout_seconds
        if error.reached:
            session = run.execution.session_id
            parts = {"seconds": reason.parts["seconds"], "number": allowed, "session": session}
            reason = SENT_END_UNKNOWN(**parts)
        else:
            reason = reason.adding(NO_MORE_TIME, number=allowed)
    # The agent's words stay out of the log, because they may quote the prompt.
    logger.warning(
        "The agent failed: kind=%s status=%s",
        error.kind,
        error.status or "-",
        extra={"errorCode": reason.code.name},
    )
    outcome = Outcome(error.outcome) if error.outcome else None
    _fail(run, reason, outcome=outcome, reached=error.reached)


def _fail(run: Run, error: Reason, *, reached: bool, outcome: Outcome | None = None) -> None:
    run.execution.reached_agent = reached
    set_result(run.execution, RunStatus.FAILED, outcome=outcome, error=error, clock=run.clock)
