"""Detect jumps of the wall clock, for the local scheduler, whose schedules and leases use it."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

# A smaller jump does no harm to leases and schedules.
LEAST = timedelta(seconds=2)
# A clock that is slewed does not drift by `LEAST` within so many seconds.
COMPARED_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Jump:
    """A step of the wall clock.

    Attributes:
        by: how far; negative if the clock was set back.
        now: the time after it.
        slept: whether the machine slept, so that the time has really passed. A virtual machine does
            not notice that it was paused, so its clock looks as if it had been set.
    """

    by: timedelta
    now: datetime
    slept: bool

    @property
    def is_ahead(self) -> bool:
        return self.by > timedelta(0)

    @property
    def before(self) -> datetime:
        """What the time would be without the jump."""
        return self.now - self.by

    def __str__(self) -> str:
        if self.slept:
            return f"The machine slept for {self.by.total_seconds():,.0f} s"
        way = "ahead" if self.is_ahead else "back"
        return f"The clock jumped {way} by {abs(self.by.total_seconds()):,.0f} s"


class ClockWatch:
    """Compares the wall clock with the monotonic clocks, which nobody sets."""

    def __init__(self) -> None:
        self._mark = _Mark()

    def jump(self) -> Jump | None:
        """The jump since the last call; None if there was none."""
        mark, here = self._mark, _Mark()
        elapsed = here.monotonic - mark.monotonic
        by = here.wall - mark.wall - timedelta(seconds=elapsed)
        if abs(by) < LEAST:
            if elapsed > COMPARED_SECONDS:
                self._mark = here
            return None
        self._mark = here
        # The monotonic clock stops while the machine sleeps; the one since boot does not.
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
