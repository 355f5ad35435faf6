"""Results that agents send by a callback: what they may hold, and when they become a run's end.

The first result wins. It ends a run that is under way, and replaces the end of a run that was
closed without knowing how the agent's work had ended.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents import errors
from agents.errors import AgentError
from agents.masking import Mask
from agents.replies import KEPT_TOOLS, Transcript, Usage, as_text, printable
from executions.failures import (
    CLOSED,
    DELETED_MEANWHILE,
    INTERNAL_ERROR,
    LOST,
    SENT_END_UNKNOWN,
    SHUT_DOWN,
    UNREAD,
)
from executions.models import TriggerExecution, tool_map, usage_map
from executions.pieces import fold_in
from executions.runner import handover
from executions.runner.cancel import request_end
from executions.runner.complete import log_ids, set_result, tokens_of, write
from moca.api.errors import Detail, detail
from moca.sentences import Reason
from triggers import output_checks
from triggers.models import RunStatus

logger = logging.getLogger(__name__)

# The ends after which the agent may still be at work, by the code of the error.
REPLACED = tuple(
    code.name
    for code in (
        CLOSED,
        DELETED_MEANWHILE,
        INTERNAL_ERROR,
        LOST,
        SENT_END_UNKNOWN,
        SHUT_DOWN,
        UNREAD,
        errors.AGENT_SILENT,
        errors.CONNECTION_BROKE,
        errors.CONNECTION_CLOSED,
        errors.TASK_UNREADABLE,
    )
)
STATUSES = ("completed", "failed")
COUNTS = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
TOOL_TEXTS = ("id", "name", "input", "result")
# The largest count of tokens. Larger ones cannot be summed exactly by all clients.
MOST_TOKENS = 2**53 - 1
# How often a result is written again if another process writes the same run.
TRIES = 4


class EndedError(Exception):
    """The run has an end that a result does not replace, or has had another result."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an agent says about the end of a run."""

    status: str
    output: str | None = field(default=None, repr=False)
    error: str = field(default="", repr=False)
    usage: Mapping[str, int] | None = None
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """The same for each repeat of the result."""
        values = [self.status, self.output, self.error, self.usage, self.tools]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class InvalidResultError(Exception):
    """The body is no result.

    Attributes:
        faults: its faults, in the order of the fields.
    """

    def __init__(self, faults: list[Detail]) -> None:
        super().__init__(faults[0]["message"])
        self.faults = faults


def read(body: Mapping[str, Any]) -> Result:
    """Read a result from the body of a callback, or raise InvalidResultError.

    Other keys are ignored, because a result must not be lost for what an agent adds to it.
    """
    if faults := list(_faults(body)):
        raise InvalidResultError(faults)
    return Result(
        status=body["status"],
        output=body.get("output"),
        error=body.get("error") or "",
        usage=body.get("usage"),
        tools=tuple(body.get("toolUses") or ()),
    )


def _faults(body: Mapping[str, Any]) -> Iterator[Detail]:
    if body.get("status") not in STATUSES:
        code = "invalid" if "status" in body else "required"
        yield detail("status", f"Give one of {', '.join(STATUSES)}.", code)
    for name in ("output", "error"):
        if not isinstance(body.get(name), str | None):
            yield detail(name, "Give a text.")
    if body.get("status") == "completed" and body.get("error"):
        yield detail("error", "Leave it out, or set `status` to failed.")
    yield from _usage_faults(body.get("usage"))
    yield from _tool_faults(body.get("toolUses"))


def _usage_faults(usage: Any) -> Iterator[Detail]:
    if usage is None:
        return
    if not isinstance(usage, dict):
        yield detail("usage", "Give an object with counts of tokens.")
        return
    for name in COUNTS:
        count = usage.get(name, 0)
        if type(count) is not int or not 0 <= count <= MOST_TOKENS:
            yield detail(f"usage.{name}", f"Give a whole number from 0 to {MOST_TOKENS}.")


def _tool_faults(tools: Any) -> Iterator[Detail]:
    if tools is None:
        return
    if not isinstance(tools, list) or len(tools) > KEPT_TOOLS:
        yield detail("toolUses", f"Give a list of at most {KEPT_TOOLS} calls of tools.")
        return
    for place, tool in enumerate(tools):
        where = f"toolUses.{place}"
        if not isinstance(tool, dict):
            yield detail(where, "Give an object with the id and the name of a call.")
            continue
        for name in ("id", "name"):
            if not isinstance(tool.get(name), str) or not tool[name]:
                yield detail(f"{where}.{name}", "Give a text.", "required")
        if not isinstance(tool.get("failed", False), bool):
            yield detail(f"{where}.failed", "Give true or false.")


def record(execution: TriggerExecution, result: Result, token: str) -> TriggerExecution:
    """Make a result the end of its run. A repeat of the same result changes nothing.

    Args:
        execution: the record, as it was just read.
        result: the result.
        token: the token that came with it, which is masked in its texts.

    Returns:
        The record, with its end.

    Raises:
        EndedError: the run has another end.
        OperationalError: the database is away.
    """
    found: TriggerExecution | None = execution
    for _ in range(TRIES):
        if found is None:
            break
        if found.result_digest == result.digest:
            return found
        is_under_way = found.status == RunStatus.RUNNING and found.attempt > 0
        if found.result_digest or not (is_under_way or _is_replaced(found)):
            break
        _set(found, result, Mask([token]))
        if write([found], waited=True, replaces=REPLACED):
            logger.info("The agent sent the result of its run", extra=log_ids(found))
            if is_under_way:
                request_end(found)
            handover.forget(found.pk)
            return found
        found = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk).first()
    raise EndedError


def _is_replaced(execution: TriggerExecution) -> bool:
    closed = execution.status == RunStatus.FAILED and execution.error_code in REPLACED
    return closed and execution.reached_agent


def _set(execution: TriggerExecution, result: Result, mask: Mask) -> None:
    """Set a result on the record. What it leaves out stays as the stream had it."""
    reply = _transcript(result, mask).reply()
    if execution.status != RunStatus.RUNNING:
        execution.counted_tokens = tokens_of(execution)
    if result.output is not None:
        execution.set_output(reply.output)
    else:
        fold_in(execution)
    if result.tools:
        execution.tools = [tool_map(tool) for tool in reply.tools]
    if result.usage is not None:
        execution.usage = usage_map(reply)
    execution.questions = None
    execution.reached_agent = True
    execution.result_digest = result.digest
    if result.status == "completed":
        fault = _fault(execution)
        set_result(execution, RunStatus.FAILED if fault else RunStatus.COMPLETED, error=fault or "")
        return
    said = printable(result.error).strip()
    error = AgentError(None if said else errors.AGENT_FAILED_SILENTLY(), kind="agent", quoted=said)
    error.hide(mask)
    set_result(execution, RunStatus.FAILED, error=error.reason)


def _fault(execution: TriggerExecution) -> Reason | None:
    """Why the output does not keep the checks of its trigger; None if it does."""
    trigger, output = execution.find_trigger(), execution.said
    if trigger is None:
        return None
    return output_checks.fault(trigger.output_checks, output.text, is_whole=output.is_whole)


def _transcript(result: Result, mask: Mask) -> Transcript:
    transcript = Transcript(mask)
    transcript.say(printable(result.output or ""))
    counts = result.usage or {}
    transcript.usage.add(Usage(*(counts.get(name, 0) for name in COUNTS)))
    for tool in result.tools:
        texts = {name: as_text(tool.get(name)) for name in TOOL_TEXTS}
        transcript.call(texts["id"], texts["name"], texts["input"])
        if tool.get("result") is not None:
            transcript.call_result(texts["id"], texts["result"], failed=tool.get("failed", False))
    return transcript
