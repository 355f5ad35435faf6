"""Writes the ends of runs for the local scheduler, many in one transaction, and loses none.

One thread writes, so that runs do not wait for each other's turn at a database that takes one
writer at a time. Ends that the database does not take stay in memory and go to the spool besides,
where the next process finds them if this one ends before the database is back.
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

logger = logging.getLogger(__name__)

# How long an end waits for others that can be written in the same transaction.
GATHER_SECONDS = 0.05
CONFLICT_SECONDS = 0.2


class BatchCompleter:
    """The thread that writes ends.

    Args:
        most: tells how many ends are written in one transaction.
        done: called with each run whose end needs no more care.
    """

    def __init__(self, most: Callable[[], int], done: Callable[[Run], None]) -> None:
        self._most, self._done = most, done
        self._arrived: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._waiting: list[Run] = []
        self._waited: set[str] = set()
        self._late = 0
        self._size: int | None = None
        self._is_last = False
        # A pause ends when this is set.
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._record, name="completer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, run: Run) -> None:
        """Have the end of a run written, whose result is set on its record."""
        self._arrived.put(run)

    def stop(self, seconds: float) -> None:
        """Write what there is, or leave it in the spool, and end.

        Args:
            seconds: how long to wait for that.
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
                self._keep(error, len(some))
                if self._is_last:
                    return
            else:
                self._waiting = self._waiting[len(some) :]
                self._size = min(2 * self._size, self._most())

    def _gather(self) -> None:
        """Take over the ends that have arrived; waits for one if there are none."""
        if not self._waiting:
            self._take(self._arrived.get())
            time.sleep(GATHER_SECONDS)
        while not self._arrived.empty():
            self._take(self._arrived.get())

    def _take(self, run: Run | None) -> None:
        if run is None:
            self._is_last = True
        else:
            self._waiting.append(run)

    def _keep(self, error: Exception, tried: int) -> None:
        """Keep the ends, and wait for the database."""
        if is_away(error):
            database.failed(error)
        close_old_connections()
        self._gather()
        for run in self._waiting:
            if run.execution.pk not in self._waited:
                self._waited.add(run.execution.pk)
                spool.keep(run.execution)
        # Others come first at the next try, and fewer, if it is one of these that is refused.
        self._waiting = self._waiting[tried:] + self._waiting[:tried]
        self._size = max(1, tried // 2)
        self._hurry.wait(database.pause() if is_away(error) else CONFLICT_SECONDS)

    def _write(self, runs: list[Run]) -> None:
        began = time.monotonic()
        waited = any(run.execution.pk in self._waited for run in runs)
        try:
            executions = [run.execution for run in runs]
            runner.write(executions, waited=True) if waited else runner.write(executions)
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
            if run.execution.pk in self._waited:
                self._waited.discard(run.execution.pk)
                self._late += 1
                spool.forget(run.execution)
            self._done(run)
        if self._late and not self._waited:
            logger.warning("Recorded the ends of %d runs that had waited for it", self._late)
            self._late = 0


def _give_up(run: Run) -> None:
    """Close a run as failed whose end cannot be written."""
    try:
        runner.abandon(run, INTERNAL_ERROR())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Its lease ends, and housekeeping closes it then.
        ids = {"executionId": run.execution.pk}
        logger.exception("A run could not be closed", extra=ids)
