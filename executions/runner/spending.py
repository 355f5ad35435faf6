"""What runs take: the limits of each run, their cost, and what counts towards budgets."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from django.conf import settings
from django.db import InterfaceError, OperationalError

from agents import AgentError
from agents.replies import Usage
from executions.agent_records.lookup import record_of
from executions.failures import ENDED_OVER_BUDGET, OVER_BUDGET
from executions.models import TriggerExecution
from moca.retry import retry
from moca.sentences import Code, Reason
from triggers import budgets
from triggers.models import Limit, Price, Trigger
from triggers.models.budget import MILLION

logger = logging.getLogger(__name__)

# Names of the limits of a run in the API.
NAMES = {"tokens": "maxTokensPerRun", "cost": "maxCostPerRun"}
# The keys of the cost in the usage of a run.
COST, CURRENCY = "cost", "currency"
AWAY = (OperationalError, InterfaceError)


class Told(Protocol):
    """Tokens that an agent has told while it answers, or at the end."""

    input: int
    output: int
    cache_read: int
    cache_write: int


@dataclass(frozen=True, slots=True)
class Cap:
    """What one run may take.

    Attributes:
        limits: the trigger's limits of a run.
        price: by what its money is counted; None if no price is known.
    """

    limits: list[Limit]
    price: Price | None

    def excess(self, usage: Told, code: Code = OVER_BUDGET) -> Reason | None:
        """Why a run takes too much; None if it does not."""
        for limit in self.limits:
            spent = self._spent(limit, usage)
            if spent > limit.most:
                return code(
                    spent=budgets.amount(limit.unit, spent),
                    most=budgets.amount(limit.unit, limit.most),
                    limit=NAMES[limit.unit],
                )
        return None

    def excess_at_end(self, usage: Any) -> Reason | None:
        """Why a run that has ended took too much, by its usage as it is stored."""
        counts = usage if isinstance(usage, dict) else {}
        names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
        return self.excess(Usage(*(counts.get(name, 0) for name in names)), ENDED_OVER_BUDGET)

    def _spent(self, limit: Limit, usage: Told) -> int:
        if limit.unit == "tokens":
            return usage.input + usage.output
        if self.price is None:
            return 0
        return self.price.cost(usage.input, usage.output, usage.cache_read, usage.cache_write)


def cap_of(trigger: Trigger) -> Cap | None:
    """What each run of a trigger may take; None if there is no limit. It may read the prices."""
    limits = trigger.run_limits
    return Cap(limits, price_for(trigger, trigger.agent_id)) if limits else None


def note_cost(execution: TriggerExecution, trigger: Trigger | None) -> None:
    """Add the cost to the usage of a run that has ended, if a price is known; saves nothing."""
    usage = execution.usage
    if not isinstance(usage, dict) or COST in usage:
        return
    if price := price_for(trigger, execution.agent_id):
        cost = budgets.micros_of(usage, price) / MILLION
        execution.usage = {**usage, COST: cost, CURRENCY: settings.BUDGET_CURRENCY}


def price_for(trigger: Trigger | None, agent_id: str) -> Price | None:
    """The price of a run of a trigger by an agent; None if none is known."""
    if not budgets.has_prices():
        return None
    model = trigger.model_id if trigger else ""
    if not model:
        try:
            record = record_of(agent_id)
        except AgentError:
            # The run says what is wrong with the record.
            record = None
        model = record.model_id if record else ""
    return budgets.price_of(model, agent_id)


def count(executions: Sequence[tuple[TriggerExecution, Trigger | None]]) -> None:
    """Count what runs took towards the budgets that there are, and judge these.

    It is called when the results are on record: the row of a user's budget is one for all triggers
    of the user, and transactions that share a row hinder each other. A failure here is logged, and
    changes no result. If the process dies at this very moment, these runs are not counted.
    """
    for execution, trigger in executions:
        if not execution.usage or execution.completed_at is None:
            continue
        try:
            _count(execution, trigger, execution.completed_at)
        except Exception as error:  # noqa: BLE001  (the end of the next run judges again)
            ids = {"triggerId": execution.trigger_id, "executionId": execution.pk}
            reason = "What a run took was not counted, or not judged: %s"
            logger.error(reason, type(error).__name__, extra=ids)


def _count(execution: TriggerExecution, trigger: Trigger | None, at: datetime) -> None:
    user_id = trigger.user_id if trigger else execution.user_id
    owners = budgets.owners(trigger, user_id)
    if not owners:
        return
    tokens, cost = budgets.tokens_of(execution.usage), (execution.usage or {}).get(COST)
    micros = round(cost * MILLION) if isinstance(cost, int | float) else 0
    for owner in owners:
        retry(partial(budgets.add, owner, tokens, micros, at), on=AWAY)
    budgets.judge(trigger, user_id, at)
