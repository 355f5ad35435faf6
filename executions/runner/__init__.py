"""Running one occurrence of a trigger: start, token, invocation, end."""

from executions.runner.by_event import (
    TOO_MUCH_WORK,
    TOO_MUCH_WORK_FOR_SOURCE,
    Offer,
    offer,
    settle,
    settle_due,
)
from executions.runner.by_hand import TriggerBusyError, accept, resume
from executions.runner.care import HEARTBEAT, abandon, record_missed, renew
from executions.runner.end import close, close_lost, write
from executions.runner.execute import INTERNAL_ERROR, call, execute
from executions.runner.start import (
    LEASE,
    Occurrence,
    Run,
    start,
    start_claimed,
)

__all__ = [
    "HEARTBEAT",
    "INTERNAL_ERROR",
    "LEASE",
    "TOO_MUCH_WORK",
    "TOO_MUCH_WORK_FOR_SOURCE",
    "Occurrence",
    "Offer",
    "Run",
    "TriggerBusyError",
    "abandon",
    "accept",
    "call",
    "close",
    "close_lost",
    "execute",
    "offer",
    "record_missed",
    "renew",
    "resume",
    "settle",
    "settle_due",
    "start",
    "start_claimed",
    "write",
]
