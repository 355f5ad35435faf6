"""Requests to cancel runs, by people and by the product.

`executions.runner.cancel` carries them out in the process of the run.
"""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from executions.failures import CANCELLED
from executions.models import CancelRequest, QueuedRun, TriggerExecution
from executions.runner.complete import close
from moca import audit, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError, retry_conflicts
from triggers.models import RunStatus

# How long a request is kept that no process deletes, because the run ended by itself.
REQUEST_LIFE = timedelta(days=1)


class RunEndedError(Exception):
    """The run has ended, so it cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__(
            _("The run has ended and cannot be cancelled: read how it ended in its record.")
        )


# Why a run may not be cancelled. Each error has a message for the person who asked.
NOT_CANCELLED = (RunEndedError, ConflictError)


def cancel_run(execution: TriggerExecution, *, by: str, why: str = "") -> TriggerExecution:
    """Have a run cancelled. A second request for the same run changes nothing.

    Args:
        execution: the record, as it was just read.
        by: the operator's name, the user id of an API caller, or `audit.system()`.
        why: a `Reason`; empty if a person cancels the run.

    Returns:
        The record. A run that waited for a process has ended as cancelled. Any other is still
        running, and its process ends it within seconds.

    Raises:
        RunEndedError: the run has ended.
        ConflictError: other processes keep writing the same rows.
    """
    current: TriggerExecution | None = execution

    def attempt() -> TriggerExecution:
        nonlocal current
        found, current = current, None
        if found is None:
            # Another process has written the record, such as one that has begun the run.
            found = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk).first()
        if found is None:
            raise RunEndedError
        return _cancel(found, by, why)

    return retry_conflicts(attempt, _("Others keep changing this run: try again in a moment."))


def _cancel(execution: TriggerExecution, by: str, why: str) -> TriggerExecution:
    now = timezone.now()
    execution.close_if_lost(now)
    if execution.status != RunStatus.RUNNING:
        raise RunEndedError
    if execution.cancel_requested_at:
        return execution
    with reconcile.atomic():
        audit.note(
            AuditEntry.Action.CANCELLED,
            execution.find_trigger() or execution,
            by=by,
            why=why,
            changes={"execution": ["", execution.pk]},
        )
        if execution.attempt:
            _request(execution, by)
        else:
            _close_queued(execution, by)
    return execution


def _request(execution: TriggerExecution, by: str) -> None:
    """Put a request for the run's process on record, in the open transaction.

    Raises:
        ConflictError: the run has ended, or begun again. DynamoDB raises it at the commit.
    """
    now = timezone.now()
    record = TriggerExecution.objects.unfinished(execution)
    record.filter(cancel_requested_at=None).update_expected(cancel_requested_at=now)
    CancelRequest.objects.replace(
        CancelRequest(
            id=execution.pk,
            trigger_id=execution.trigger_id,
            user_id=execution.user_id,
            requested_by=by[:150],
            requested_at=now,
            ttl=int((now + REQUEST_LIFE).timestamp()),
        )
    )
    execution.cancel_requested_at = now


def request_end(execution: TriggerExecution) -> None:
    """Have the process of a run, whose result has come by a callback, stop reading the answer.

    Such a request names nobody. The agent is not told, because it has done its work.
    """
    now = timezone.now()
    CancelRequest.objects.replace(
        CancelRequest(
            id=execution.pk,
            trigger_id=execution.trigger_id,
            user_id=execution.user_id,
            requested_by="",
            requested_at=now,
            ttl=int((now + REQUEST_LIFE).timestamp()),
        )
    )


def _close_queued(execution: TriggerExecution, by: str) -> None:
    """Close a run that waits for a process as cancelled, in the open transaction.

    Raises:
        ConflictError: a process has begun it. DynamoDB raises it at the commit.
    """
    QueuedRun.objects.filter(pk=execution.pk).delete()
    if not close(execution, RunStatus.FAILED, error=CANCELLED(name=by)):
        raise ConflictError("A process has just begun the run.")
