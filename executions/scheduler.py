"""The local scheduler process: it fires what is due, and has one event loop for all its runs.

Any number of such processes may share a database. The process that moves a schedule on to its next
time claims the occurrence, and writes the record of its run in the same transaction. If a process
dies, it leaves a schedule that is still due, or a record that maintenance closes.

What is due while all places are taken waits, and is late. An occurrence is missed only if no
process was there that could have begun it.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from agents import AgentClient
from alerts import outbox
from alerts.courier import Courier
from events.models import ReceivedEvent
from executions import measures, runner, spool
from executions.backfill.worker import Turns
from executions.backlog import Backlog, Due, Queued
from executions.completer import BatchCompleter
from executions.failures import SHUT_DOWN
from executions.fan_out import Distributor
from executions.file_limit import affordable
from executions.gates import Gates
from executions.heartbeat import Heartbeat
from executions.models import QueuedRun
from executions.process_lease import Load
from executions.run_loop import RunLoop
from executions.runner import CancelWatch, Occurrence, Run, lines
from executions.runner.claim import Triggers
from executions.under_way import UnderWay
from executions.watch import beside_the_scheduler
from moca.changes import Changes
from moca.concurrency import ConflictError
from moca.outages import database, is_away
from moca.times import INSTANT
from triggers import chains, pauses
from triggers.catch_up import GRACE, catches_up_since
from triggers.failures import ALL_PAUSED
from triggers.models import LocalSchedule, RunStatus, Trigger
from triggers.schedulers.local import due_at, start_offset

logger = logging.getLogger(__name__)

# How often the process looks for new and changed triggers, and for manual runs.
POLL_SECONDS = 0.5
# How many writes a transaction makes for each schedule that fires, or for each result.
WRITES = 4
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
# How many runs may be claimed whose requests the loop has not made yet, and how soon to look again
# if there are so many. If the process dies, these are lost although they were not sent.
MOST_UNSENT = 200
BUSY_SECONDS = 0.02
# How often the log says that runs wait for a place.
LOG_SECONDS = 60.0
# How many queued runs are claimed before schedules have their turn again.
QUEUED_AT_ONCE = 20


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
        self._runs = UnderWay()
        self._backlog = Backlog()
        self._gates = Gates()
        self._loop = RunLoop(client, self._gates, self._ended)
        self._completer = BatchCompleter(_batch_size, self._forget)
        # Runs whose claim may be on record, though the connection failed at the commit, and until
        # when to look for it (monotonic, in seconds).
        self._uncertain: list[tuple[Run, float]] = []
        self._heartbeat = Heartbeat(GRACE)
        self._logged_at = time.monotonic()
        self._distributor = Distributor()
        self._event_changes = Changes()
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
        self.concurrency = affordable(self.concurrency)
        self._completer.start()
        self._loop.start()
        lease = self._heartbeat.lease
        with beside_the_scheduler(lease), CancelWatch(self._runs.all), Courier():
            self._fire_until_stopped()

    def _fire_until_stopped(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                pause = self._turn()
                self._heartbeat.lease.mark()
            except DatabaseError as error:
                pause = self._failed(error)
            except Exception:
                logger.exception("The scheduler's turn broke off; going on")
            self._wake.wait(pause)
        self._finish()

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

    def _turn(self) -> float:
        """Fire what is due now; returns the seconds until the next turn."""
        began = time.monotonic()
        if database.is_on:
            # The heartbeat writes, which finds out if the database is back: in some outages it can
            # be read all the same. It also renews our lease before anything else happens.
            self._heartbeat.hurry()
        self._heartbeat.beat(self._load, self._runs.all)
        self._look_for_uncertain()
        has_more_events, failure = self._enqueue_events()
        self._backlog.look(timezone.now() + timedelta(seconds=POLL_SECONDS), POLL_SECONDS)
        self._backlog.advance(timezone.now())
        begun = self._begin_waiting()
        self._backfills.take()
        if failure:
            raise failure
        database.over(began)
        self._log_backlog()
        if has_more_events or self._heartbeat.repair_some():
            return 0.0
        wait = POLL_SECONDS
        if self._backlog.size and self._loop.unsent >= MOST_UNSENT:
            wait = BUSY_SECONDS
        elif self._backlog.size and begun and self._free():
            wait = 0.0
        if following := self._backlog.next_due:
            wait = min(wait, (following - timezone.now()).total_seconds())
        return min(max(wait, 0.0), POLL_SECONDS)

    def _begin_waiting(self) -> int:
        """Begin what waits and whose turn it is; returns how many runs were looked at."""
        users = self._runs.by_user() if self._backlog.size else {}
        due = self._backlog.take_schedules(self._free(), users, self._room)
        self._fire(due)
        # Schedules come first, so that a storm of events does not make them miss their time.
        queued = self._backlog.take_queued(min(self._free(), QUEUED_AT_ONCE), users)
        for one in queued:
            if not self._runs.is_under_way(one.trigger_id):
                self._begin([run] if (run := self._claim_queued(one)) else [])
        return len(due) + len(queued)

    def _room(self, agent_id: str) -> float:
        """How many more runs of an agent may begin now."""
        return self._gates.of(agent_id).room()

    def _load(self) -> Load:
        """What this process has to do, for its row."""
        self._gates.tidy()
        turns, asked = lines.waiting()
        waiting = self._backlog.size + turns
        since = self._backlog.oldest if self._backlog.size else None
        if asked:
            since = min(asked, since or asked)
        load = Load(self.concurrency, len(self._runs), waiting, since)
        measures.queue(load.waiting, load.waiting_since, load.running, load.concurrency)
        return load

    def _log_backlog(self) -> None:
        """Say now and then that runs wait for a place."""
        waiting, oldest = self._backlog.size, self._backlog.oldest
        if not waiting or time.monotonic() < self._logged_at + LOG_SECONDS:
            return
        self._logged_at = time.monotonic()
        late = (timezone.now() - oldest).total_seconds() if oldest else 0.0
        message = "%d runs wait for a place, the first for %.0f s; %d of %d places are taken"
        logger.warning(message, waiting, late, len(self._runs), self.concurrency)

    def _enqueue_events(self) -> tuple[bool, DatabaseError | None]:
        """Put the runs of received events on record.

        Returns:
            Whether there may be more events; and the error if the database is away, which is not
            raised so that schedules fire all the same.
        """
        try:
            runner.end_due_debounces(timezone.now())
            if not self._event_changes.may_be():
                return False, None
            received = list(ReceivedEvent.objects.queued()[:EVENTS])
            if received:
                self._event_changes.look_again()
            done = self._distributor.distribute(received) if received else 0
        except Exception as error:
            self._event_changes.look_again()
            if isinstance(error, DatabaseError) and is_away(error):
                return False, error
            logger.exception("The events could not be enqueued; trying again")
            return False, None
        return done < len(received) or len(received) == EVENTS, None

    def _look_for_uncertain(self) -> None:
        """Begin the runs whose claim is on record, though the connection failed at the commit."""
        still = []
        for run, end in self._uncertain:
            if run.execution.pk in self._runs:
                continue
            if runner.is_begun(run):
                self._begin([run])
            elif time.monotonic() < end:
                still.append((run, end))
        self._uncertain = still

    def _free(self) -> int:
        """How many runs may begin now, in one transaction."""
        # Runs whose claim was uncertain may exceed the concurrency.
        ahead = MOST_UNSENT - self._loop.unsent
        return max(0, min(self.concurrency - len(self._runs), ahead, _batch_size()))

    def _claim_queued(self, queued: Queued) -> Run | None:
        """Claim a run of the queue; None if another process has it, or it cannot begin."""

        def claim() -> bool:
            return bool(QueuedRun.objects.filter(pk=queued.pk).delete()[0])

        try:
            return runner.resume(
                queued.trigger_id, queued.pk, claim=claim, process_id=self._heartbeat.lease.id
            )
        except ConflictError:
            return None

    def _fire(self, due: Sequence[Due]) -> None:
        """Start what is due, in one transaction, or one by one if that fails."""
        if not due:
            return
        try:
            runs = runner.start_claimed(
                [(row.user_id, row.pk) for row in due],
                partial(self._claim, due),
                process_id=self._heartbeat.lease.id,
            )
        except Exception as error:  # noqa: BLE001  (one broken row must not stop the others)
            self._fire_singly(due, error)
            return
        self._begin(runs)

    def _fire_singly(self, due: Sequence[Due], error: Exception) -> None:
        """Start schedules one by one, and put a broken one off.

        Raises:
            Exception: the error, if it says that the database is away.
        """
        if is_away(error):
            raise error
        if len(due) > 1:
            for row in due:
                self._fire([row])
        elif not isinstance(error, ConflictError):
            ids = {"triggerId": due[0].pk}
            logger.error("The schedule could not be fired", exc_info=error, extra=ids)
            _put_off(due, timezone.now() + BROKEN)

    def _claim(self, due: Sequence[Due], triggers: Triggers) -> list[Occurrence]:
        """Claim the occurrences of due schedules, by moving the schedules on to their next times.

        Raises:
            ConflictError: another process has moved one of them on.
        """
        now = timezone.now()
        moves: dict[tuple[Any, Any, Any], list[str]] = defaultdict(list)
        # When the first process began that could have fired what is due. What was due since then
        # is late because processes are busy, and not missed.
        served_since = min(now, self._heartbeat.lease.alive_since)
        room: dict[int, float] = {}
        claimed, waiting = [], []
        over = pauses.pause_that_is_over(now)
        for row in due:
            trigger = triggers.get(row.pk)
            run_at = row.next_run_at
            following = None
            if trigger is not None and trigger.enabled and trigger.schedule and run_at:
                # A flexible window starts a run later than it is due, without its being late.
                present = served_since - start_offset(trigger)
                since = catches_up_since(trigger, run_at, present, self.catch_up)
                if over is not None and run_at < over.paused_at < since:
                    # What was due from then on is left out in the next turn.
                    since = over.paused_at
                if over is not None and over.paused_at <= run_at < over.paused_until:
                    # Nobody was there to leave it out during the pause.
                    pauses.note_left_out(trigger, run_at, over.paused_until, ALL_PAUSED())
                    run_at = over.paused_until - INSTANT
                elif run_at < since:
                    self._heartbeat.note_missed(trigger, run_at, since)
                    run_at = max(run_at, since - INSTANT)
                elif self._has_to_wait(trigger, run_at, now):
                    waiting.append(row)
                    continue
                elif not self._has_room(trigger, room):
                    self._backlog.park(row, trigger.agent_id)
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

    def _has_room(self, trigger: Trigger, room: dict[int, float]) -> bool:
        """Whether the agent of a trigger may have one more run; takes the place if so.

        Args:
            trigger: the trigger.
            room: the places that are left in this transaction, by gate.
        """
        gate = self._gates.of(trigger.agent_id)
        left = room.setdefault(id(gate), gate.room())
        room[id(gate)] = left - 1
        return left >= 1

    def _has_to_wait(self, trigger: Trigger, due: datetime, now: datetime) -> bool:
        """Whether to retry an occurrence in a moment, rather than to skip it.

        It waits if the run before it began late, after this occurrence was due, unless it has
        waited for longer than runs are caught up. It also waits if
        the hold of its trigger has ended while our own run goes on, or while the process of the run
        could not renew the hold.
        """
        since = trigger.running_since
        if trigger.is_held(now):
            return since is not None and since > due >= now - self.catch_up
        if not trigger.holds_itself:
            return False
        return self._runs.is_under_way(trigger.pk) or (
            since is not None and not self._heartbeat.trusts_leases
        )

    def _begin(self, runs: Sequence[Run]) -> None:
        """Have the loop call the agents of runs that are claimed."""
        for run in runs:
            run.gate = self._gates.of(run.execution.agent_id)
            run.gate.claimed()
            self._runs.add(run)
        self._loop.begin(runs)

    def _ended(self, run: Run) -> None:
        run.gate.ended()
        self._completer.put(run)

    def _forget(self, run: Run) -> None:
        """Remove a run whose result is on record."""
        self._runs.remove(run)
        if self._backlog.size and self._free():
            self._wake.set()

    def _finish(self) -> None:
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
                    self._heartbeat.beat(self._load, self._runs.all)
            except DatabaseError as error:
                pause = self._failed(error)
            self._wake.wait(min(pause, max(0.0, end - time.monotonic())))
        for run in self._runs.all():
            if run.execution.status == RunStatus.RUNNING:
                self._stop(run)
        self._loop.stop()
        self._completer.stop(STOP_SECONDS)
        left = self._runs.all()
        for run in left:
            if run.execution.status != RunStatus.RUNNING:
                spool.add(run.execution)
        try:
            self._heartbeat.lease.end(is_over=not left)
        except DatabaseError as error:
            self._failed(error)

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
    return runner.batch_size(WRITES + outbox.writes_of_a_run() + chains.writes_of_a_run())


def _put_off(rows: Sequence[Due], until: datetime) -> None:
    """Have schedules that no process has moved on fire later."""
    for row in rows:
        unmoved = LocalSchedule.objects.filter(pk=row.pk, next_run_at=row.next_run_at)
        unmoved.update(due_at=until)
