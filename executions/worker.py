"""The `runworker` process: it reads on in runs that another process has handed over.

Any number of such processes may share a database. If one dies, another resumes its runs when their
leases have ended.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from agents import AgentClient
from agents.errors import RECORD_UNREADABLE
from executions import runner
from executions.failures import CLOSED, INTERNAL_ERROR
from executions.models import HandedOverRun, RunWorker
from executions.runner import CancelWatch, Run, handover
from executions.runner.complete import write_in_time
from moca.logs import bind
from moca.retry import jittered

logger = logging.getLogger(__name__)

# How often the process looks for runs, in seconds; each pause is shortened at random.
POLL_SECONDS = 2.0
# How often it renews leases and says that it is alive.
HEARTBEAT_SECONDS = 15.0
# How long it waits after the database was away, in seconds.
AWAY_SECONDS = 5.0
# How long writing a result is retried while the database is away. After that, another worker asks
# the agent again.
WRITE_SECONDS = 120.0
# How long runs whose reading is under way may take to notice that the process stops.
STOP_SECONDS = 5.0
# How long a run waits after its reading broke off.
PAUSE = timedelta(seconds=5)
# Each run has a thread, which sleeps between its questions.
MOST_THREADS = 256
# How long the row of a dead worker is kept.
FORGOTTEN = timedelta(days=1)


class RunWorkerProcess:
    """One worker process. `run()` blocks until `stop()` is called.

    Args:
        client: calls the default agent.
    """

    def __init__(self, client: AgentClient) -> None:
        self.id = str(uuid4())
        self.client = client
        self.concurrency: int = min(settings.SCHEDULER_CONCURRENCY, MOST_THREADS)
        self._runs: dict[str, tuple[Run, HandedOverRun]] = {}
        # A plain value, because a signal handler must not acquire the lock of an Event.
        self._stopping = False
        self._beat_at = 0.0

    def stop(self) -> None:
        """Ask the process to end. Its runs stay open, for other workers or for its next start."""
        self._stopping = True

    def run(self) -> None:
        """Read on in runs until `stop()`. Errors of the database do not end this."""
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="read")
        with CancelWatch(lambda: [run for run, _ in list(self._runs.values())]):
            while not self._stopping:
                pause = jittered(POLL_SECONDS)
                try:
                    self._turn(pool)
                except DatabaseError as error:
                    close_old_connections()
                    logger.warning("The database failed: %s", type(error).__name__)
                    pause = AWAY_SECONDS
                except Exception:
                    logger.exception("The worker's turn broke off; going on")
                self._sleep(pause)
        self._finish(pool)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(0.1)

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        """Renew the leases if that is due, and claim what waits."""
        if time.monotonic() >= self._beat_at:
            self._beat()
            self._beat_at = time.monotonic() + HEARTBEAT_SECONDS
        if len(self._runs) >= self.concurrency:
            return
        now = timezone.now()
        for row in HandedOverRun.objects.all():
            if len(self._runs) >= self.concurrency:
                break
            if row.pk not in self._runs and row.lease_until <= now:
                self._begin(row, pool)

    def _beat(self) -> None:
        now = timezone.now()
        RunWorker.objects.replace(RunWorker(pk=self.id, seen_at=now))
        for worker in RunWorker.objects.all():
            if worker.seen_at < now - FORGOTTEN:
                RunWorker.objects.filter(pk=worker.pk).discard()
        for run, row in list(self._runs.values()):
            if not handover.renew(run, row, now):
                # The run was ended elsewhere, such as by a callback, or another worker has it.
                run.cancellation.cancel()

    def _begin(self, row: HandedOverRun, pool: ThreadPoolExecutor) -> None:
        run = handover.claim(row, timezone.now())
        if run is not None:
            self._runs[row.pk] = (run, row)
            pool.submit(self._read, run, row)

    def _read(self, run: Run, row: HandedOverRun) -> None:
        """Read the rest of a run, and write its end."""
        ids = {"triggerId": run.trigger.pk, "executionId": run.execution.pk}
        with bind(**ids), self._holding(row):
            logger.info("Reading on in a run that was handed over")
            runner.call(run, self.client)
            if _stays_open(run):
                # This worker or another one claims it again, unless it has ended elsewhere.
                handover.release(row, timezone.now() + PAUSE)
                run.trace.end(run.execution)
                return
            end = time.monotonic() + WRITE_SECONDS
            write_in_time(run.execution, lambda: end - time.monotonic())
            run.trace.end(run.execution)
            handover.forget(row.pk)
            runner.stop_agent(run)

    @contextmanager
    def _holding(self, row: HandedOverRun) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            logger.error("The run stays open: %s", type(error).__name__)
        except Exception:
            logger.exception("The reading of a run broke off; it stays open")
        finally:
            self._runs.pop(row.pk, None)
            close_old_connections()

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        """Leave the runs to others: stop asking their agents, and end the leases."""
        left = list(self._runs.values())
        logger.info("Stopping: %d runs stay open", len(left))
        for run, _ in left:
            run.cancellation.cancel()
        pool.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + STOP_SECONDS
        while self._runs and time.monotonic() < end:
            time.sleep(0.05)
        try:
            now = timezone.now()
            for _, row in left:
                handover.release(row, now)
            RunWorker.objects.filter(pk=self.id).discard()
        except DatabaseError as error:
            logger.warning("The leases end by themselves: %s", type(error).__name__)


def _stays_open(run: Run) -> bool:
    """Whether the reading ended for a reason that says nothing about the run.

    The process stops, the run was ended elsewhere, or something of ours failed while time is left.
    """
    code = run.execution.error_code
    if code == CLOSED.name:
        return True
    is_ours = code in (INTERNAL_ERROR.name, RECORD_UNREADABLE.name)
    return is_ours and handover.seconds_left_of(run) > 0
