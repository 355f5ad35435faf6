"""What a scheduler process does from time to time so that runs, leases and schedules stay true."""

import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from executions import runner, spool
from executions.clock import ClockWatch, Jump
from executions.failures import CLOCK_JUMPED, MORE_RUNS, ONE_RUN, RUNS
from executions.maintenance import end_far_leases, end_far_pauses, remove_expired
from executions.runner import HEARTBEAT, LEASE, Run
from moca.outages import database
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers.local import astray, put_right

logger = logging.getLogger(__name__)

# How long others get to vouch for their runs, after a time in which they may not have been able to.
START_SECONDS = HEARTBEAT.total_seconds()
RECOVERY_SECONDS = 2 * START_SECONDS
# How long nothing is removed as expired, after the clock was set ahead: it may be wrong.
EXPIRY_SECONDS = 3600.0
# How often all schedules are looked through, and how many of them in one turn.
MENDING_SECONDS = 3600.0
MENDED_AT_ONCE = 100
# Missed runs are counted up to here.
MOST_COUNTED = 1000


class Heartbeat:
    """The care of one process: its runs, those of processes that died, and the schedules."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._clock = ClockWatch()
        self._next_at = now
        self._renewed_at = now
        self._trusted_at = now + START_SECONDS
        self._expiry_at = now
        # The last jump over a time that has not passed.
        self._leap: Jump | None = None
        self._mending_at = now
        # The last schedule that was looked at; None while none are looked through.
        self._mended: str | None = None

    @property
    def trusts_leases(self) -> bool:
        """Whether a lease that has ended says that nobody runs the run any more."""
        is_settled = time.monotonic() >= self._trusted_at
        return is_settled and not database.was_on_within(RECOVERY_SECONDS)

    def hurry(self) -> None:
        """Have the next `beat()` do what there is to do, though its time has not come."""
        self._next_at = time.monotonic()

    def beat(self, runs: Mapping[str, Run]) -> None:
        """Vouch for our own runs, then see to others', every so often and after a jump.

        Args:
            runs: those under way in this process.
        """
        jump = self._clock.jump()
        if jump:
            self._take_in(jump)
        now = time.monotonic()
        if now < self._next_at:
            return
        if now - self._renewed_at > (LEASE - HEARTBEAT).total_seconds():
            # This process stood still, and others may have.
            self._distrust()
        ours = list(runs.values())
        runner.renew(ours)
        self._renewed_at = time.monotonic()
        if jump:
            logger.warning("%s; vouched anew for %d runs under way", jump, len(ours))
        self._see_to_others()
        self._next_at = time.monotonic() + HEARTBEAT.total_seconds()

    def _see_to_others(self) -> None:
        spool.take_up()
        now = timezone.now()
        if self.trusts_leases:
            runner.close_lost(now)
        if time.monotonic() >= self._expiry_at:
            remove_expired(now)
        if self._mended is None and time.monotonic() >= self._mending_at:
            self._mending_at = time.monotonic() + MENDING_SECONDS
            self._mended = ""
            end_far_leases(now)
            end_far_pauses(now)

    def _take_in(self, jump: Jump) -> None:
        self.hurry()
        self._distrust()
        self._mended, self._mending_at = None, time.monotonic()
        if not jump.is_ahead:
            self._leap = None
        elif not jump.slept:
            self._leap = jump
            self._expiry_at = time.monotonic() + EXPIRY_SECONDS

    def _distrust(self) -> None:
        self._trusted_at = time.monotonic() + RECOVERY_SECONDS

    def mend_some(self) -> bool:
        """Put schedules right that wait for a wrong time; returns whether more are to be looked at.

        The clock was ahead when such a time was written.
        """
        if self._mended is None:
            return False
        rows = list(
            LocalSchedule.objects.filter(pk__gt=self._mended).order_by("pk")[:MENDED_AT_ONCE]
        )
        now = timezone.now()
        for row, trigger in astray(rows, now):
            if put_right(row, trigger, now):
                ids = {"triggerId": trigger.pk}
                logger.warning("The schedule waited for a wrong time, and is put right", extra=ids)
        self._mended = rows[-1].pk if len(rows) == MENDED_AT_ONCE else None
        return self._mended is not None

    def record_missed(self, trigger: Trigger, first: datetime, since: datetime) -> None:
        """Put the runs that were due before a moment on record as missed.

        Runs that the clock jumped over are noted as skipped on their trigger instead, because they
        may be yet to come.
        """
        leap = self._leap
        if leap is None or not first < leap.now or since <= leap.before:
            _record_missed(trigger, first, since)
            return
        if first < leap.before:
            _record_missed(trigger, first, leap.before)
        count, last = _between(trigger, max(first, leap.before), since)
        if last is not None:
            trigger.note_skip(CLOCK_JUMPED(), last, count)


def _between(trigger: Trigger, first: datetime, end: datetime) -> tuple[int, datetime | None]:
    """How many runs are due from a moment to before another, and when the last one is."""
    before = first - timedelta(microseconds=1)
    runs = [run for run in trigger.next_runs(before, MOST_COUNTED + 1) if run < end]
    return len(runs), trigger.last_run(end) if runs else None


def _record_missed(trigger: Trigger, first: datetime, since: datetime) -> None:
    missed = [first, *(run for run in trigger.next_runs(first, MOST_COUNTED) if run < since)]
    if len(missed) > MOST_COUNTED:
        runs = MORE_RUNS(number=f"{MOST_COUNTED:,}")
    else:
        runs = ONE_RUN() if len(missed) == 1 else RUNS(number=len(missed))
    runner.record_missed(trigger, first, trigger.last_run(since) or first, runs)
