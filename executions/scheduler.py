"""The local scheduler process: it fires what is due, on a bounded pool of threads.

Any number of such processes may share a database. The process that moves a schedule on to its next
time claims the occurrence, and writes the record of its run in the same transaction. If a process
dies, it leaves a schedule that is still due, or a record that maintenance closes.
"""

import logging
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from agents import AgentClient
from events.models import ReceivedEvent
from executions import runner, spool
from executions.backfill.worker import Turns
from executions.completer import BatchCompleter
from executions.failures import SHUT_DOWN
from executions.fan_out import Distributor
from executions.heartbeat import Heartbeat
from executions.models import QueuedRun
from executions.runner import CancelWatch, Occurrence, Run
from executions.runner.claim import Triggers
from moca.concurrency import ConflictError
from moca.outages import database, is_away
from triggers.catch_up import catches_up_since
from triggers.models import LocalSchedule, OverlapPolicy, RunStatus, Trigger
from triggers.schedulers.local import due_at, start_offset

logger = logging.getLogger(__name__)

# How often the process looks for new and changed triggers, and for manual runs.
POLL_SECONDS = 0.5
# How many writes a transaction makes for each schedule that fires, or for each result.
WRITES = 3
# How many received events one turn reads.
EVENTS = 200
# When to retry an occurrence that waits for an earlier run, and one whose row is broken.
WAIT = timedelta(seconds=1)
BROKEN = timedelta(minutes=1)
# How long to look for a claim whose commit was cut off, because the database may commit it late.
UNCERTAIN_SECONDS = 60.0
# How long a call may take to fail while the database is away.
HANGING_SECONDS = 30.0
# How long the last results may take to be written after the grace time.
STOP_SECONDS = 5.0
INSTANT = timedelta(microseconds=1)


class LocalSchedulerProcess:
    """One scheduler process. `run()` blocks until `stop()` is called.

    Args:
        client: calls the agent.
    """

    def __init__(self, client: AgentClient) -> None:
        self.client = client
        self.concurrency: int = settings.SCHEDULER_CONCURRENCY
        self.catch_up = timedelta(seconds=settings.SCHEDULER_CATCH_UP_SECONDS)
        self.grace: float = settings.SCHEDULER_GRACE_SECONDS
        self._runs: dict[str, Run] = {}
        self._completer = BatchCompleter(_batch_size, self._forget)
        # Runs whose claim may be on record, though the connection failed at the commit, and until
        # when to look for it (monotonic, in seconds).
        self._uncertain: list[tuple[Run, float]] = []
        self._heartbeat = Heartbeat()
        self._distributor = Distributor()
        self._backfills = Turns()
        self._wake = threading.Event()
        # Plain values, because a signal handler must not acquire the lock of an Event.
        self._stopping = False
        self._stopped_at = 0.0

    def stop(self) -> None:
        """Ask the process to end: no run begins, and runs under way get the grace time."""
        self._stopped_at = time.monotonic()
        self._stopping = True

    def run(self) -> None:
        """Fire what is due until `stop()`. Broken rows and database errors do not end this."""
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="run")
        self._completer.start()
        with CancelWatch(lambda: list(self._runs.values())):
            self._fire_until_stopped(pool)

    def _fire_until_stopped(self, pool: ThreadPoolExecutor) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                pause = self._turn(pool)
            except DatabaseError as error:
                pause = self._failed(error)
            except Exception:
                logger.exception("The scheduler's turn broke off; going on")
            self._wake.wait(pause)
        self._finish(pool)

    def _failed(self, error: DatabaseError) -> float:
        """Note that the database failed; returns the seconds until the next retry."""
        close_old_connections()
        if isinstance(error, runner.UncertainStartError):
            end = time.monotonic() + UNCERTAIN_SECONDS
            self._uncertain += [(run, end) for run in error.runs]
        if not is_away(error):
            logger.error("The scheduler's turn failed; going on", exc_info=error)
            return POLL_SECONDS
        database.failed(error)
        return database.pause()

    def _turn(self, pool: ThreadPoolExecutor) -> float:
        """Fire what is due now; returns the seconds until the next turn."""
        began = time.monotonic()
        if database.is_on:
            # The heartbeat writes, which finds out if the database is back: in some outages it can
            # be read all the same. It also renews our leases before anything else happens.
            self._heartbeat.hurry()
        self._heartbeat.beat(self._runs)
        self._look_for_uncertain(pool)
        has_more_events, failure = self._enqueue_events()
        free = self._free()
        soon = timezone.now() + timedelta(seconds=POLL_SECONDS)
        upcoming = list(LocalSchedule.objects.upcoming(soon)[:free])
        now = timezone.now()
        due = [row for row in upcoming if row.due_at and row.due_at <= now]
        self._fire(due, pool)
        self._backfills.take()
        # Schedules come first, so that a storm of events does not make them miss their time.
        for queued in list(QueuedRun.objects.all()[: self._free()]):
            if not self._is_under_way(queued.trigger_id):
                self._begin(_claim_queued(queued), pool)
        if failure:
            raise failure
        database.over(began)
        if has_more_events or self._heartbeat.repair_some():
            return 0.0
        if len(due) < len(upcoming):
            following = upcoming[len(due)].due_at or now
            wait = (following - timezone.now()).total_seconds()
            return min(max(wait, 0.0), POLL_SECONDS)
        return 0.0 if due and len(due) == free else POLL_SECONDS

    def _enqueue_events(self) -> tuple[bool, DatabaseError | None]:
        """Put the runs of received events on record.

        Returns:
            Whether there may be more events; and the error if the database is away, which is not
            raised so that schedules fire all the same.
        """
        try:
            runner.end_due_debounces(timezone.now())
            received = list(ReceivedEvent.objects.queued()[:EVENTS])
            done = self._distributor.distribute(received) if received else 0
        except Exception as error:
            if isinstance(error, DatabaseError) and is_away(error):
                return False, error
            logger.exception("The events could not be enqueued; trying again")
            return False, None
        return done < len(received) or len(received) == EVENTS, None

    def _look_for_uncertain(self, pool: ThreadPoolExecutor) -> None:
        """Begin the runs whose claim is on record, though the connection failed at the commit."""
        still = []
        for run, end in self._uncertain:
            if run.execution.pk in self._runs:
                continue
            if runner.is_begun(run):
                self._begin(run, pool)
            elif time.monotonic() < end:
                still.append((run, end))
        self._uncertain = still

    def _is_under_way(self, trigger_id: str) -> bool:
        """Whether this process has a run of the trigger that must not be overlapped."""
        return any(
            run.trigger.pk == trigger_id and run.trigger.overlap_policy == OverlapPolicy.SKIP
            for run in list(self._runs.values())
        )

    def _free(self) -> int:
        """How many runs may begin now, in one transaction."""
        # Runs whose claim was uncertain may exceed the concurrency.
        return max(0, min(self.concurrency - len(self._runs), _batch_size()))

    def _fire(self, due: list[LocalSchedule], pool: ThreadPoolExecutor) -> None:
        """Start what is due, in one transaction, or one by one if that fails."""
        if not due:
            return
        try:
            runs = runner.start_claimed(
                [(row.user_id, row.pk) for row in due], partial(self._claim, due)
            )
        except Exception as error:  # noqa: BLE001  (one broken row must not stop the others)
            self._fire_singly(due, error, pool)
            return
        for run in runs:
            self._begin(run, pool)

    def _fire_singly(
        self, due: list[LocalSchedule], error: Exception, pool: ThreadPoolExecutor
    ) -> None:
        """Start schedules one by one, and put a broken one off.

        Raises:
            Exception: the error, if it says that the database is away.
        """
        if is_away(error):
            raise error
        if len(due) > 1:
            for row in due:
                self._fire([row], pool)
        elif not isinstance(error, ConflictError):
            ids = {"triggerId": due[0].pk}
            logger.error("The schedule could not be fired", exc_info=error, extra=ids)
            _put_off(due, timezone.now() + BROKEN)

    def _claim(self, due: list[LocalSchedule], triggers: Triggers) -> list[Occurrence]:
        """Claim the occurrences of due schedules, by moving the schedules on to their next times.

        Raises:
            ConflictError: another process has moved one of them on.
        """
        now = timezone.now()
        moves: dict[tuple[Any, Any, Any], list[str]] = defaultdict(list)
        claimed, waiting = [], []
        for row in due:
            trigger = triggers.get(row.pk)
            run_at = row.next_run_at
            following = None
            if trigger is not None and trigger.enabled and trigger.schedule and run_at:
                # A flexible window starts a run later than it is due, without its being late.
                present = now - start_offset(trigger)
                since = catches_up_since(trigger, run_at, present, self.catch_up)
                if run_at < since:
                    self._heartbeat.note_missed(trigger, run_at, since)
                    run_at = max(run_at, since - INSTANT)
                elif self._has_to_wait(trigger, run_at, now):
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

    def _has_to_wait(self, trigger: Trigger, due: datetime, now: datetime) -> bool:
        """Whether to retry an occurrence in a moment, rather than to skip it.

        It waits if the run before it began late, after this occurrence was due. It also waits if
        the hold of its trigger has ended while our own run goes on, or while the process of the run
        could not renew the hold.
        """
        since = trigger.running_since
        if trigger.is_held(now):
            return since is not None and since > due
        if trigger.overlap_policy != OverlapPolicy.SKIP:
            return False
        return self._is_under_way(trigger.pk) or (
            since is not None and not self._heartbeat.trusts_leases
        )

    def _begin(self, run: Run | None, pool: ThreadPoolExecutor) -> None:
        if run is not None:
            self._runs[run.execution.pk] = run
            pool.submit(self._call, run)

    def _call(self, run: Run) -> None:
        try:
            runner.call(run, self.client)
        finally:
            self._completer.put(run)
            close_old_connections()
        # The record ends first, because an agent may take seconds to acknowledge this.
        runner.stop_agent(run)

    def _forget(self, run: Run) -> None:
        """Remove a run whose result is on record."""
        self._runs.pop(run.execution.pk, None)
        if self.concurrency - len(self._runs) >= self.concurrency // 2:
            # Starting many at once is cheaper than one at a time.
            self._wake.set()

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        """Wait for the runs under way during the grace time, and close the others as failed.

        Results go to the spool if the database is away.
        """
        logger.info("Stopping: %d runs under way", len(self._runs))
        end = self._stopped_at + self.grace
        while self._runs and time.monotonic() < end:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                # A heartbeat may hang for so long while the database is away.
                if not database.is_on or end - time.monotonic() > HANGING_SECONDS:
                    self._heartbeat.beat(self._runs)
            except DatabaseError as error:
                pause = self._failed(error)
            self._wake.wait(min(pause, max(0.0, end - time.monotonic())))
        for run in list(self._runs.values()):
            if run.execution.status == RunStatus.RUNNING:
                self._stop(run)
        pool.shutdown(wait=not self._runs, cancel_futures=True)
        self._completer.stop(STOP_SECONDS)
        for run in list(self._runs.values()):
            if run.execution.status != RunStatus.RUNNING:
                spool.add(run.execution)

    def _stop(self, run: Run) -> None:
        """Close a run that does not end in the grace time as failed."""
        # A copy, because the run goes on in its thread.
        stopped = copy(run.execution)
        stopped.reached_agent = True
        runner.set_result(stopped, RunStatus.FAILED, error=SHUT_DOWN(), clock=run.clock)
        if database.is_on and spool.add(stopped, spool.WITHOUT_OUTPUT):
            return
        try:
            runner.abandon(run, SHUT_DOWN())
        except DatabaseError as error:
            self._failed(error)
            spool.add(stopped, spool.WITHOUT_OUTPUT)
        except Exception:
            # Maintenance closes the run when its lease has ended.
            logger.exception("A run could not be closed", extra={"executionId": run.execution.pk})


def _batch_size() -> int:
    """How many schedules fire, or results are written, in one transaction."""
    return runner.batch_size(WRITES)


def _claim_queued(queued: QueuedRun) -> Run | None:
    """Claim a run of the queue; None if another process has it, or it cannot begin."""

    def claim() -> bool:
        return bool(QueuedRun.objects.filter(pk=queued.pk).delete()[0])

    try:
        return runner.resume(queued.trigger_id, queued.pk, claim=claim)
    except ConflictError:
        return None


def _put_off(rows: list[LocalSchedule], until: datetime) -> None:
    """Have schedules that no process has moved on fire later."""
    for row in rows:
        unmoved = LocalSchedule.objects.filter(pk=row.pk, next_run_at=row.next_run_at)
        unmoved.update(due_at=until)
