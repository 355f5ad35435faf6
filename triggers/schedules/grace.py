"""How late an occurrence may begin before its silence is an alarm, for whoever watches schedules.

An occurrence is expected by its due time, plus the flexible window, plus a grace. The grace is a
tenth of the time to the following occurrence, within bounds: a trigger of each hour has 6 minutes.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from moca.times import INSTANT
from triggers.schedules.parser import Expression
from triggers.schedules.plan import Plan

# EventBridge Scheduler starts a run up to a minute late, and a busy process needs some time, too.
LEAST = timedelta(minutes=2)
MOST = timedelta(minutes=30)
# The grace of an occurrence that no other follows, such as that of at(...).
OF_LAST = timedelta(minutes=5)
SHARE = 10


def grace(interval: timedelta | None) -> timedelta:
    """The grace of an occurrence.

    Args:
        interval: the time to the following occurrence; None if none follows.
    """
    if interval is None:
        return OF_LAST
    return min(max(interval / SHARE, LEAST), MOST)


class Expectation:
    """When the occurrences of a schedule have to have begun.

    Args:
        expression: the schedule.
        zone: its time zone.
        window: its flexible window.
        allowed: replaces the grace; None for the one that follows from the schedule.
        start, end, anchor: as for `Schedule.next_run()`.
    """

    def __init__(
        self,
        expression: Expression | Plan,
        zone: ZoneInfo,
        window: timedelta,
        *,
        allowed: timedelta | None = None,
        start: datetime | None,
        end: datetime | None,
        anchor: datetime | None,
    ) -> None:
        self._expression, self._zone, self._window = expression, zone, window
        self._allowed = allowed
        self._bounds = {"start": start, "end": end, "anchor": anchor}

    def expected_by(self, due: datetime) -> datetime:
        """When the occurrence that is due at a time has to have begun."""
        if self._allowed is not None:
            return due + self._window + self._allowed
        following = self._expression.next_run(due, self._zone, **self._bounds)
        return due + self._window + grace(following - due if following else None)

    def overdue(self, since: datetime, now: datetime, most: int) -> list[datetime]:
        """The occurrences that had to begin later than `since`, and by `now`; the last one first.

        Args:
            since, now: aware times.
            most: the most occurrences to return.
        """
        # A later occurrence is never expected earlier, because the grace grows more slowly than
        # the interval that it is a tenth of. The walk back may therefore stop at the first.
        found: list[datetime] = []
        least = LEAST if self._allowed is None else self._allowed
        before = now - self._window - least + INSTANT
        while len(found) < most:
            due = self._expression.previous_run(before, self._zone, **self._bounds)
            if due is None:
                break
            by = self.expected_by(due)
            if by <= since:
                break
            if by <= now:
                found.append(due)
            before = due
        return found
