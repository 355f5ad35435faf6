"""The heartbeat of a local scheduler process: it keeps leases, lost runs and schedules correct.

Every 15 seconds, and after each jump of the clock, the process renews its lease, which is one row
for all its runs. Then it closes the runs of processes that died, and removes what has expired.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from executions import runner, spool
from executions.clock import ClockWatch, Jump
from executions.failures import CLOCK_JUMPED
from executions.maintenance import end_far_debounces, end_far_leases, remove_expired
from executions.process_lease import Load, ProcessLease
from executions.runner import HEARTBEAT, LEASE, Run, announce, lines
from executions.runner.missed import MOST_COUNTED
from moca.outages import database
from moca.times import INSTANT
from triggers import pauses
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers.local import astray, put_right

logger = logging.getLogger(__name__)

# How long other processes get to renew their leases, after a start and after a time in which they
# may have been unable to.
START_SECONDS = HEARTBEAT.total_seconds()
RECOVERY_SECONDS = 2 * START_SECONDS
# How long nothing is removed as expired after the clock was set ahead, because it may be wrong.
EXPIRY_SECONDS = 3600.0
# How often all schedules are checked for wrong times, and how many of them in one turn.
REPAIR_SECONDS = 3600.0
REPAIR_BATCH = 100


class Heartbeat:
    """What one process does for its own runs, for those of dead processes and for the schedules.

    Args:
        gap: how long there may have been no process at all, without occurrences being missed.
    """

    def __init__(self, gap: timedelta) -> None:
        now = time.monotonic()
        self.lease = ProcessLease(LEASE, gap)
        self._clock = ClockWatch()
        self._next_at = now
        self._renewed_at = now
        self._trusted_at = now + START_SECONDS
        self._expiry_at = now
        # The last jump ahead over a time that has not passed.
        self._leap: Jump | None = None
        self._repair_at = now
        # The last schedule that was checked; None if no check is under way.
        self._repaired: str | None = None

    @property
    def trusts_leases(self) -> bool:
        """Whether a lease that has ended means that no process runs the run."""
        has_waited = time.monotonic() >= self._trusted_at
        return has_waited and not database.was_on_within(RECOVERY_SECONDS)

    def hurry(self) -> None:
        """Make the next `beat()` due at once."""
        self._next_at = time.monotonic()

    def beat(self, load: Callable[[], Load], runs: Callable[[], Sequence[Run]]) -> None:
        """Renew our lease and do the maintenance, if a heartbeat is due or the clock has jumped.

        Args:
            load: returns what this process has to do.
            runs: returns its runs under way.

        Raises:
            OperationalError: the database is away.
        """
        jump = self._clock.jump()
        if jump:
            self._react_to(jump)
        now = time.monotonic()
        if now < self._next_at:
            return
        if now - self._renewed_at > (LEASE - HEARTBEAT).total_seconds():
            # This process stood still, and others may have.
            self._distrust()
        current = load()
        self.lease.renew(current)
        self._renewed_at = time.monotonic()
        if jump:
            logger.warning("%s; renewed the lease of %d runs under way", jump, current.running)
            if jump.is_ahead:
                runner.restate(runs())
        self._maintain()
        self._next_at = time.monotonic() + HEARTBEAT.total_seconds()

    def _maintain(self) -> None:
        spool.drain()
        now = timezone.now()
        if self.trusts_leases:
            runner.close_lost(now)
        if time.monotonic() >= self._expiry_at:
            runner.end_unanswered(now)
            remove_expired(now)
            pauses.end_due(now)
        if self._repaired is None and time.monotonic() >= self._repair_at:
            self._repair_at = time.monotonic() + REPAIR_SECONDS
            self._repaired = ""
            end_far_leases(now)
            end_far_debounces(now)
            lines.repair(now)

    def _react_to(self, jump: Jump) -> None:
        self.hurry()
        self._distrust()
        self._repaired, self._repair_at = None, time.monotonic()
        if not jump.is_ahead:
            self._leap = None
        elif not jump.slept:
            self._leap = jump
            self._expiry_at = time.monotonic() + EXPIRY_SECONDS

    def _distrust(self) -> None:
        self._trusted_at = time.monotonic() + RECOVERY_SECONDS

    def repair_some(self) -> bool:
        """Correct schedules that wait for a time which was written while the clock was ahead.

        Returns:
            Whether more schedules are still to be checked.
        """
        if self._repaired is None:
            return False
        following = LocalSchedule.objects.filter(pk__gt=self._repaired).order_by("pk")
        rows = list(following[:REPAIR_BATCH])
        now = timezone.now()
        for row, trigger in astray(rows, now):
            if put_right(row, trigger, now):
                ids = {"triggerId": trigger.pk}
                logger.warning("Corrected a schedule that waited for a wrong time", extra=ids)
        self._repaired = rows[-1].pk if len(rows) == REPAIR_BATCH else None
        return self._repaired is not None

    def note_missed(self, trigger: Trigger, first: datetime, since: datetime) -> None:
        """Put the occurrences that were due before a moment on record as missed.

        Occurrences that the clock jumped over may be yet to come. They are noted on their trigger
        as skipped instead.

        Args:
            trigger: the trigger, which has a schedule.
            first: when the first of them was due.
            since: occurrences that are due from then on are not missed.
        """
        leap = self._leap
        if leap is None or not first < leap.now or since <= leap.before:
            runner.record_missed(trigger, first, since)
            return
        if first < leap.before:
            runner.record_missed(trigger, first, leap.before)
        count, last = _between(trigger, max(first, leap.before), since)
        if last is not None:
            trigger.note_skip(CLOCK_JUMPED(), last, count)
            announce.skipped(trigger, CLOCK_JUMPED())


def _between(trigger: Trigger, first: datetime, end: datetime) -> tuple[int, datetime | None]:
    """Count the occurrences from a moment to before another; returns the last one's time, too."""
    runs = [run for run in trigger.next_runs(first - INSTANT, MOST_COUNTED + 1) if run < end]
    return len(runs), trigger.last_run(end) if runs else None
