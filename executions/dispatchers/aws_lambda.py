"""Dispatch runs to the Lambda function of the handler, by an invocation after the commit."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction

from executions.dispatchers.base import Dispatcher, DispatchError
from executions.failures import NOT_INVOKED
from executions.models import TriggerExecution
from executions.runner import close
from moca.aws.clients import client
from triggers.models import RunStatus
from triggers.schedulers import SchedulerError
from triggers.schedulers.eventbridge import EventBridgeScheduler

logger = logging.getLogger(__name__)


class LambdaDispatcher(Dispatcher):
    is_transactional = False

    def dispatch_all(self, executions: Sequence[TriggerExecution]) -> None:
        """Invoke the function after the commit. If that fails, the run is closed as failed.

        Raises:
            DispatchError: raised at the commit, if the function could not be invoked.
        """
        for execution in executions:
            if not execution.waits_for_turn:
                transaction.on_commit(partial(_invoke, execution))

    def hand_on(self, execution: TriggerExecution) -> None:
        transaction.on_commit(partial(_try_to_invoke, execution))

    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        try:
            EventBridgeScheduler().wake(user_id, trigger_id, at)
        except SchedulerError as error:
            raise DispatchError(error.reason) from error


def _invoke(execution: TriggerExecution) -> None:
    try:
        _send(execution)
    except (ClientError, BotoCoreError) as error:
        reason = NOT_INVOKED(error=str(error))
        # If only the answer was lost, the function has claimed the run, which stays open then.
        if close(execution, RunStatus.FAILED, error=reason):
            raise DispatchError(reason) from error


def _try_to_invoke(execution: TriggerExecution) -> None:
    try:
        _send(execution)
    except (ClientError, BotoCoreError) as error:
        ids = {"triggerId": execution.trigger_id, "executionId": execution.pk}
        logger.error("A run whose turn has come was not dispatched: %s", error, extra=ids)


def _send(execution: TriggerExecution) -> None:
    event = {
        "version": "0",
        "source": "moca.triggers",
        "detail-type": "Run Requested",
        "detail": {
            "triggerId": execution.trigger_id,
            "userId": execution.user_id,
            "executionId": execution.pk,
        },
    }
    client("lambda").invoke(
        FunctionName=settings.TRIGGER_LAMBDA_ARN,
        InvocationType="Event",
        Payload=json.dumps(event).encode(),
    )
