"""Write the results of runs for the local scheduler process, many in one transaction.

One thread writes them all, because SQLite lets one writer in at a time. While the database is away,
results stay in memory and in the spool. The next process finds them there if this one ends first.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, close_old_connections, connections

from executions import runner, spool
from executions.failures import INTERNAL_ERROR
from executions.runner import Run
from moca.outages import database, is_away
from triggers.models import OverlapPolicy, Trigger

logger = logging.getLogger(__name__)

# How long a result waits for others, to be written in the same transaction.
GATHER_SECONDS = 0.05
# The pause after a write that the database has refused.
CONFLICT_SECONDS = 0.2


class BatchCompleter:
    """The thread that writes results.

    Args:
        most: returns how many results fit into one transaction.
        done: called with each run whose result is on record.
    """

    def __init__(self, most: Callable[[], int], done: Callable[[Run], None]) -> None:
        self._most, self._done = most, done
        self._arrived: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._waiting: list[Run] = []
        self._waited: set[str] = set()
        self._late = 0
        self._size: int | None = None
        self._is_last = False
        # Ends a pause when it is set.
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._record, name="completer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, run: Run) -> None:
        """Queue a run, whose result is set on its record, to be written."""
        self._arrived.put(run)

    def stop(self, seconds: float) -> None:
        """Write what is queued, or leave it in the spool, and end the thread.

        Args:
            seconds: how long to wait for the thread.
        """
        self._arrived.put(None)
        self._hurry.set()
        self._thread.join(timeout=seconds)

    def _record(self) -> None:
        try:
            self._record_all()
        finally:
            connections.close_all()

    def _record_all(self) -> None:
        while not self._is_last or self._waiting:
            self._gather()
            if not self._waiting:
                continue
            if self._size is None:
                self._size = self._most()
            some = self._waiting[: self._size]
            try:
                self._write(some)
            except (OperationalError, InterfaceError) as error:
                self._wait_for_database(error, len(some))
                if self._is_last:
                    return
            else:
                self._waiting = self._waiting[len(some) :]
                self._size = min(2 * self._size, self._most())

    def _gather(self) -> None:
        """Receive the runs that are queued; waits for one if nothing is left to write."""
        if not self._waiting:
            self._receive(self._arrived.get())
            time.sleep(GATHER_SECONDS)
        while not self._arrived.empty():
            self._receive(self._arrived.get())

    def _receive(self, run: Run | None) -> None:
        if run is None:
            self._is_last = True
        else:
            self._waiting.append(run)

    def _wait_for_database(self, error: Exception, tried: int) -> None:
        """Add the results to the spool, and back off."""
        if is_away(error):
            database.failed(error)
        close_old_connections()
        self._gather()
        for run in self._waiting:
            if run.execution.pk not in self._waited:
                self._waited.add(run.execution.pk)
                spool.add(run.execution)
        # The next try takes others, and fewer, because one of these may be what is refused.
        self._waiting = self._waiting[tried:] + self._waiting[:tried]
        self._size = max(1, tried // 2)
        self._hurry.wait(database.pause() if is_away(error) else CONFLICT_SECONDS)

    def _write(self, runs: list[Run]) -> None:
        began = time.monotonic()
        waited = any(run.execution.pk in self._waited for run in runs)
        try:
            executions = [run.execution for run in runs]
            if waited:
                runner.write(executions, waited=True)
            else:
                runner.write(executions, known=_held(runs))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            if len(runs) > 1:
                for run in runs:
                    self._write([run])
                return
            logger.exception("The end of a run could not be recorded")
            _give_up(runs[0])
        database.over(began)
        for run in runs:
            run.trace.end(run.execution)
            if run.execution.pk in self._waited:
                self._waited.discard(run.execution.pk)
                self._late += 1
                spool.remove(run.execution)
            self._done(run)
        if self._late and not self._waited:
            logger.warning("Recorded the ends of %d runs that had waited for it", self._late)
            self._late = 0


def _held(runs: list[Run]) -> dict[str, Trigger]:
    """The triggers that runs have held since their start, by id. Only people change these."""
    triggers = (run.trigger for run in runs)
    return {each.pk: each for each in triggers if each.overlap_policy == OverlapPolicy.SKIP}


def _give_up(run: Run) -> None:
    """Close a run whose result cannot be written as failed."""
    try:
        runner.abandon(run, INTERNAL_ERROR())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Maintenance closes the run when its lease has ended.
        ids = {"executionId": run.execution.pk}
        logger.exception("A run could not be closed", extra=ids)
