"""Jumps of the wall clock, for the local scheduler, whose schedules and leases go by it."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

# A smaller jump changes no lease and no schedule that matters.
LEAST = timedelta(seconds=2)
# A clock that is slewed never drifts by `LEAST` in so many seconds.
COMPARED_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Jump:
    """A step of the wall clock.

    Attributes:
        by: how far; negative if the clock was put back.
        now: the time after it.
        slept: whether the machine slept meanwhile, so that the time has really passed. A virtual
            machine that was paused cannot tell; its clock looks like one that was set.
    """

    by: timedelta
    now: datetime
    slept: bool

    @property
    def is_ahead(self) -> bool:
        return self.by > timedelta(0)

    @property
    def before(self) -> datetime:
        """The time that it would be without the jump."""
        return self.now - self.by

    def __str__(self) -> str:
        if self.slept:
            return f"The machine slept for {self.by.total_seconds():,.0f} s"
        way = "ahead" if self.is_ahead else "back"
        return f"The clock jumped {way} by {abs(self.by.total_seconds()):,.0f} s"


class ClockWatch:
    """Compares the wall clock with the clocks that nobody sets."""

    def __init__(self) -> None:
        self._mark = _Mark()

    def jump(self) -> Jump | None:
        """The jump since the last look; None if there was none."""
        mark, here = self._mark, _Mark()
        elapsed = here.monotonic - mark.monotonic
        by = here.wall - mark.wall - timedelta(seconds=elapsed)
        if abs(by) < LEAST:
            if elapsed > COMPARED_SECONDS:
                self._mark = here
            return None
        self._mark = here
        # The monotonic clock stands still in a sleep, the one since boot does not.
        asleep = timedelta(seconds=here.since_boot - mark.since_boot - elapsed)
        return Jump(by, here.wall, slept=abs(by - asleep) < LEAST)


class _Mark:
    def __init__(self) -> None:
        self.wall = timezone.now()
        self.monotonic = time.monotonic()
        self.since_boot = _since_boot(self.monotonic)


def _since_boot(monotonic: float) -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return monotonic if clock is None else time.clock_gettime(clock)
