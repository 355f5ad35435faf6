"""Cancel runs: end them in the process that runs them, once somebody has asked for that.

The API, the pages and a command ask, by `executions.runner.requests`. Each process that has runs
under way looks for requests.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone

from agents import AgentError
from executions.failures import CANCELLED
from executions.models import CancelRequest
from executions.runner.complete import log_ids
from executions.runner.leases import abandon
from executions.runner.occurrence import Run
from executions.runner.requests import NOT_CANCELLED, RunEndedError, cancel_run, request_end
from moca.dynamodb.queries import from_index
from moca.logs import bind
from triggers.models import RunStatus

__all__ = [
    "NOT_CANCELLED",
    "CancelWatch",
    "RunEndedError",
    "cancel_run",
    "request_end",
    "stop_agent",
]

logger = logging.getLogger(__name__)

# How often a process looks for requests. A person waits for it, at most five seconds in all.
POLL_SECONDS = 4.0
# How long the thread of a cancelled run may take to end. It takes longer if it waits for a token or
# for a connection. Its record is closed then all the same, and the agent is not called any more.
PATIENCE_SECONDS = 2.0
# How long the end of a process's runs waits for a poll under way.
STOP_SECONDS = 1.0
# How far the clocks of those who ask and of this process may be apart.
CLOCKS_APART = timedelta(hours=1)


class CancelWatch:
    """A thread that ends this process's runs when somebody asks to cancel them.

    It also tells the runs that somebody looks at them.

    Use it as a context manager around the runs. It reads nothing while there are none, and one
    query every `POLL_SECONDS` otherwise, however many there are.

    Args:
        runs: returns the runs under way in this process.
    """

    def __init__(self, runs: Callable[[], Collection[Run]]) -> None:
        self._runs = runs
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cancel-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(STOP_SECONDS)

    def _watch(self) -> None:
        pause, has_polled = POLL_SECONDS, False
        try:
            while not self._over.wait(pause):
                began = time.monotonic()
                if runs := [run for run in self._runs() if _is_going(run)]:
                    has_polled = True
                    self._poll(runs)
                pause = max(0.0, began + POLL_SECONDS - time.monotonic())
        finally:
            if has_polled:
                connections.close_all()

    def _poll(self, runs: list[Run]) -> None:
        try:
            cancelled = _cancel_requested(runs)
            end = time.monotonic() + PATIENCE_SECONDS
            while any(map(_is_going, cancelled)) and time.monotonic() < end:
                self._over.wait(PATIENCE_SECONDS / 40)
            for run in filter(_is_going, cancelled):
                abandon(run, CANCELLED(name=run.cancelled_by))
        except (OperationalError, InterfaceError) as error:
            # The runs go on, and the next poll asks again.
            logger.info("Could not look for cancelled runs: %s", type(error).__name__)
            close_old_connections()
        except Exception:
            logger.exception("Could not look for cancelled runs; trying again")


def _is_going(run: Run) -> bool:
    return run.execution.status == RunStatus.RUNNING


def _cancel_requested(runs: list[Run]) -> list[Run]:
    """Read the requests for runs, and end the calls of their agents; returns these runs."""
    # The clock may have been put back since a run began.
    began = min(timezone.now(), *(run.execution.started_at for run in runs))
    # The index alone, because it has the requests and the marks of all processes.
    since = from_index(CancelRequest.objects.since(began - CLOCKS_APART))
    found = dict(since.values_list("pk", "requested_at"))
    _note_looks(runs, found)
    asked = [run.execution.pk for run in runs if run.execution.pk in found]
    if not asked:
        return []
    requests = {each.pk: each for each in CancelRequest.objects.filter(pk__in=asked)}
    cancelled = [run for run in runs if run.execution.pk in requests]
    for run in cancelled:
        request = requests[run.execution.pk]
        if request.requested_by:
            run.execution.cancel_requested_at = request.requested_at
        run.cancelled_by = request.requested_by
        run.cancellation.cancel()
    return cancelled


def _note_looks(runs: list[Run], found: dict[str, datetime]) -> None:
    """Tell runs that somebody looks at them, if their marks have changed since the last poll.

    The time of a mark is that of another clock, so it is not compared with this process's.
    """
    for run in runs:
        look = found.get(CancelRequest.look_id(run.execution.pk))
        if look is None or look == run.look:
            continue
        run.look = look
        if run.on_look is not None:
            run.on_look()


def stop_agent(run: Run) -> None:
    """Tell the agent that its run was cancelled, if its protocol can; failures are only logged."""
    if run.stop_agent is None:
        return
    with bind(**log_ids(run.execution)):
        try:
            if run.stop_agent():
                logger.info("The agent was told that the run is cancelled")
        except AgentError as error:
            # The agent's words stay out of the log, because they may quote the prompt.
            logger.warning(
                "The agent did not acknowledge that the run is cancelled: kind=%s status=%s",
                error.kind,
                error.status or "-",
                extra={"errorCode": error.code},
            )
        except Exception:
            logger.exception("The agent could not be told that the run is cancelled")
