"""Running one occurrence of a trigger: start, token, invocation, end."""

from executions.runner.claim import (
    LEASE,
    Occurrence,
    Run,
    UncertainStartError,
    is_begun,
    start,
    start_claimed,
)
from executions.runner.complete import close, close_lost, write
from executions.runner.complete import settle as settle_end
from executions.runner.enqueue import (
    Offer,
    offer,
    settle,
    settle_due,
)
from executions.runner.execute import call, execute
from executions.runner.leases import HEARTBEAT, abandon, record_missed, renew
from executions.runner.manual import TriggerBusyError, accept, resume

__all__ = [
    "HEARTBEAT",
    "LEASE",
    "Occurrence",
    "Offer",
    "Run",
    "TriggerBusyError",
    "UncertainStartError",
    "abandon",
    "accept",
    "call",
    "close",
    "close_lost",
    "execute",
    "is_begun",
    "offer",
    "record_missed",
    "renew",
    "resume",
    "settle",
    "settle_due",
    "settle_end",
    "start",
    "start_claimed",
    "write",
]
