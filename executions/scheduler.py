"""The local scheduler process: fires what is due, on a bounded pool of threads.

Any number of such processes may share a database. An occurrence belongs to the process that moves
its schedule on, and the record of the run is written in the same transaction: a process that dies
leaves either a schedule that is still due, or a record that housekeeping closes.
"""

import logging
import queue
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError, close_old_connections, connection, connections
from django.utils import timezone

from events.models import ReceivedEvent
from executions import runner
from executions.agent import AgentClient
from executions.fan_out import distribute
from executions.housekeeping import tidy
from executions.models import QueuedRun
from executions.runner import Occurrence, Run
from executions.runner.start import Triggers
from moca.conflicts import ConflictError
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers.local import due_at, start_offset

logger = logging.getLogger(__name__)

# How long a new or changed trigger, or a run by hand, may go unnoticed.
POLL_SECONDS = 0.5
# Schedules looked at in one turn, at the most, and what is written for each.
BATCH = 100
WRITES = 3
# Received events looked at in one turn.
EVENTS = 200
# When to look again at an occurrence that waits for the run before it, or whose row is broken.
WAIT = timedelta(seconds=1)
BROKEN = timedelta(minutes=1)
# Missed runs are counted up to here.
MOST_COUNTED = 1000
WRITE_ATTEMPTS = 5
# How long an end waits for others that can be written in the same transaction.
GATHER_SECONDS = 0.05
INSTANT = timedelta(microseconds=1)
STOPPED = "The scheduler was shut down before the agent had answered."


class LocalSchedulerProcess:
    """One scheduler process. `run()` blocks until `stop()` is called."""

    def __init__(self, client: AgentClient) -> None:
        self.client = client
        self.concurrency: int = settings.SCHEDULER_CONCURRENCY
        self.catch_up = timedelta(seconds=settings.SCHEDULER_CATCH_UP_SECONDS)
        self.grace: float = settings.SCHEDULER_GRACE_SECONDS
        self._runs: dict[str, Run] = {}
        # Runs whose end is to be written; one thread writes, so that runs do not wait for each
        # other's turn at a database that takes one writer at a time.
        self._ended: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._wake = threading.Event()
        # A plain flag: a signal's handler must not take the lock of an Event.
        self._stopping = False
        self._care_at = 0.0

    def stop(self) -> None:
        """Ask the process to end: nothing new begins, runs under way get some time."""
        self._stopping = True

    def run(self) -> None:
        """Fire what is due until `stop()`; no bad row and no database error ends it."""
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="run")
        recorder = threading.Thread(target=self._record, name="recorder", daemon=True)
        recorder.start()
        while not self._stopping:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                pause = self._turn(pool)
            except DatabaseError:
                logger.exception("The database failed; trying again")
                close_old_connections()
            except Exception:
                logger.exception("The scheduler's turn broke off; going on")
            self._wake.wait(pause)
        self._finish(pool, recorder)

    def _turn(self, pool: ThreadPoolExecutor) -> float:
        """Do what there is to do; returns the seconds until there may be more."""
        self._care()
        has_more_events = self._take_events()
        free = self._free()
        soon = timezone.now() + timedelta(seconds=POLL_SECONDS)
        upcoming = list(LocalSchedule.objects.upcoming(soon)[:free])
        now = timezone.now()
        due = [row for row in upcoming if row.due_at and row.due_at <= now]
        self._fire(due, pool)
        # After the schedules, which a storm of events would have wait until they are missed.
        for queued in list(QueuedRun.objects.all()[: self._free()]):
            self._begin(_resumed(queued), pool)
        if has_more_events:
            return 0.0
        if len(due) < len(upcoming):
            following = upcoming[len(due)].due_at or now
            wait = (following - timezone.now()).total_seconds()
            return min(max(wait, 0.0), POLL_SECONDS)
        return 0.0 if due and len(due) == free else POLL_SECONDS

    def _take_events(self) -> bool:
        """Put the runs of received events on record; returns whether there may be more events."""
        try:
            runner.settle_due(timezone.now())
            received = list(ReceivedEvent.objects.queued()[:EVENTS])
            taken = distribute(received) if received else 0
        except Exception:
            # Schedules fire all the same.
            logger.exception("The events could not be taken; trying again")
            return False
        return taken < len(received) or len(received) == EVENTS

    def _free(self) -> int:
        return min(self.concurrency - len(self._runs), _batch())

    def _fire(self, due: list[LocalSchedule], pool: ThreadPoolExecutor) -> None:
        """Start what is due: all at once, or one by one where that does not work."""
        if not due:
            return
        try:
            runs = runner.start_claimed(
                [(row.user_id, row.pk) for row in due], partial(self._claim, due)
            )
        except Exception as error:  # noqa: BLE001  (one bad row must not stop the others)
            self._fire_singly(due, error, pool)
            return
        for run in runs:
            self._begin(run, pool)

    def _fire_singly(
        self, due: list[LocalSchedule], error: Exception, pool: ThreadPoolExecutor
    ) -> None:
        """Start one by one what could not be started together, but for what another has taken."""
        if isinstance(error, OperationalError) and not isinstance(error, ConflictError):
            raise error
        if len(due) > 1:
            for row in due:
                self._fire([row], pool)
        elif not isinstance(error, ConflictError):
            ids = {"triggerId": due[0].pk}
            logger.error("The schedule could not be fired", exc_info=error, extra=ids)
            _put_off(due, timezone.now() + BROKEN)

    def _claim(self, due: list[LocalSchedule], triggers: Triggers) -> list[Occurrence]:
        """Move the schedules on past what is due; the occurrences are then ours."""
        now = timezone.now()
        moves: dict[tuple[Any, Any, Any], list[str]] = defaultdict(list)
        claimed, waiting = [], []
        for row in due:
            trigger = triggers.get(row.pk)
            run_at = row.next_run_at
            following = None
            if trigger is not None and trigger.enabled and trigger.schedule and run_at:
                # A flexible window starts a run later than it is due, which makes it no late one.
                since = now - self.catch_up - start_offset(trigger)
                if run_at < since:
                    _record_missed(trigger, run_at, since)
                    run_at = max(run_at, since - INSTANT)
                elif _has_to_wait(trigger, run_at, now):
                    waiting.append(row)
                    continue
                else:
                    claimed.append(Occurrence.scheduled(row.user_id, row.pk, run_at))
                following = next(iter(trigger.next_runs(run_at, 1)), None)
            later = due_at(trigger, following) if trigger else None
            moves[row.next_run_at, following, later].append(row.pk)
        for (run_at, following, later), ids in moves.items():
            rows = LocalSchedule.objects.filter(pk__in=ids, next_run_at=run_at)
            rows.update_expected(next_run_at=following, due_at=later, rows=len(ids))
        _put_off(waiting, now + WAIT)
        return claimed

    def _begin(self, run: Run | None, pool: ThreadPoolExecutor) -> None:
        if run is not None:
            self._runs[run.execution.pk] = run
            pool.submit(self._call, run)

    def _call(self, run: Run) -> None:
        try:
            runner.call(run, self.client)
        finally:
            self._ended.put(run)
            close_old_connections()

    def _record(self) -> None:
        """Write the ends of runs, many in one transaction, until None comes."""
        last = False
        while not last:
            runs = [self._ended.get()]
            time.sleep(GATHER_SECONDS)
            while len(runs) < _batch() and not self._ended.empty():
                runs.append(self._ended.get())
            last = None in runs
            if ended := [run for run in runs if run is not None]:
                self._write(ended)
        connections.close_all()

    def _write(self, runs: list[Run]) -> None:
        try:
            self._write_patiently(runs)
        except Exception:
            if len(runs) > 1:
                for run in runs:
                    self._write([run])
                return
            logger.exception("The end of a run could not be recorded")
            self._give_up(runs[0])
        for run in runs:
            self._runs.pop(run.execution.pk, None)
        if self.concurrency - len(self._runs) >= self.concurrency // 2:
            # Starting many at once is cheaper than one at a time.
            self._wake.set()

    def _give_up(self, run: Run, reason: str = runner.INTERNAL_ERROR) -> None:
        """Close a run as failed that does not end by itself, or whose end cannot be written."""
        try:
            runner.abandon(run, reason)
        except Exception:
            # Its lease ends, and housekeeping closes it then.
            logger.exception("A run could not be closed", extra={"executionId": run.execution.pk})

    def _write_patiently(self, runs: list[Run]) -> None:
        for attempt in range(WRITE_ATTEMPTS):
            try:
                runner.write([run.execution for run in runs])
                return
            except OperationalError:
                if attempt == WRITE_ATTEMPTS - 1:
                    raise
                logger.warning("The database is not to be written to; trying again", exc_info=True)
                close_old_connections()
                time.sleep(random.uniform(0, 2**attempt))  # noqa: S311  (jitter)

    def _care(self) -> None:
        """Vouch for our own runs, then close those of processes that died, every so often."""
        if time.monotonic() >= self._care_at:
            self._care_at = time.monotonic() + runner.HEARTBEAT.total_seconds()
            runner.renew(list(self._runs.values()))
            tidy(timezone.now())

    def _finish(self, pool: ThreadPoolExecutor, recorder: threading.Thread) -> None:
        """Let the runs under way end within the grace time, and close the others as failed."""
        logger.info("Stopping: %d runs under way", len(self._runs))
        end = time.monotonic() + self.grace
        while self._runs and time.monotonic() < end:
            self._wake.clear()
            try:
                self._care()
            except DatabaseError:
                logger.exception("The database failed; trying again")
            self._wake.wait(min(POLL_SECONDS, max(0.0, end - time.monotonic())))
        for run in list(self._runs.values()):
            self._give_up(run, STOPPED)
        pool.shutdown(wait=not self._runs, cancel_futures=True)
        self._ended.put(None)
        recorder.join(timeout=5)


def _batch() -> int:
    """How many schedules are moved on, or runs ended, in one transaction."""
    most: int | None = getattr(connection.features, "max_transaction_items", None)
    return BATCH if most is None else most // WRITES


def _resumed(queued: QueuedRun) -> Run | None:
    """The queued run, begun; None where another process has it."""

    def claim() -> bool:
        return bool(QueuedRun.objects.filter(pk=queued.pk).delete()[0])

    try:
        return runner.resume(queued.trigger_id, queued.pk, claim=claim)
    except ConflictError:
        return None


def _has_to_wait(trigger: Trigger, due: datetime, now: datetime) -> bool:
    """Whether a run is going that began after this one was due: both are late, none is skipped."""
    since = trigger.running_since
    return trigger.is_held(now) and since is not None and since > due


def _record_missed(trigger: Trigger, first: datetime, since: datetime) -> None:
    missed = [first, *(run for run in trigger.next_runs(first, MOST_COUNTED) if run < since)]
    counted = f"more than {MOST_COUNTED:,}" if len(missed) > MOST_COUNTED else len(missed)
    runs = f"{counted} run{'s' * (len(missed) != 1)}"
    runner.record_missed(trigger, first, trigger.last_run(since) or first, runs)


def _put_off(rows: list[LocalSchedule], until: datetime) -> None:
    for row in rows:
        unmoved = LocalSchedule.objects.filter(pk=row.pk, next_run_at=row.next_run_at)
        unmoved.update(due_at=until)
