"""Runs one occurrence of a trigger: claim it, call the agent, complete its record.

The scheduler process, the Lambda function, the API and the pages use the names exported here.
"""

from executions.runner.answer import answer_run, end_unanswered
from executions.runner.cancel import CancelWatch, RunEndedError, cancel_run, stop_agent
from executions.runner.claim import UncertainStartError, is_begun, resume, start, start_claimed
from executions.runner.complete import close, set_result, write
from executions.runner.enqueue import (
    Offer,
    end_debounce,
    end_due_debounces,
    offer,
)
from executions.runner.execute import call, call_on_loop, execute
from executions.runner.leases import HEARTBEAT, abandon, close_lost, restate
from executions.runner.manual import TriggerBusyError, accept
from executions.runner.missed import record_missed
from executions.runner.occurrence import LEASE, Occurrence, Run, batch_size

__all__ = [
    "HEARTBEAT",
    "LEASE",
    "CancelWatch",
    "Occurrence",
    "Offer",
    "Run",
    "RunEndedError",
    "TriggerBusyError",
    "UncertainStartError",
    "abandon",
    "accept",
    "answer_run",
    "batch_size",
    "call",
    "call_on_loop",
    "cancel_run",
    "close",
    "close_lost",
    "end_debounce",
    "end_due_debounces",
    "end_unanswered",
    "execute",
    "is_begun",
    "offer",
    "record_missed",
    "restate",
    "resume",
    "set_result",
    "start",
    "start_claimed",
    "stop_agent",
    "write",
]
