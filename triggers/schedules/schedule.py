"""Base class of Cron, Rate and At: the next and previous runs within a start and an end."""

from abc import abstractmethod
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from moca.times import INSTANT

YEARS = range(1970, 2200)

# Two days beyond YEARS on each side, since an offset moves a run by up to a day.
_EARLIEST = datetime(1969, 12, 30, tzinfo=UTC)
_LATEST = datetime(2200, 1, 3, tzinfo=UTC)


def within_reach(moment: datetime) -> datetime:
    """The moment in UTC, clamped to the years in which a schedule can run.

    Raises ValueError for a datetime without a timezone.
    """
    if moment.tzinfo is UTC and _EARLIEST <= moment <= _LATEST:
        return moment
    if moment.utcoffset() is None:
        raise ValueError("Pass an aware datetime: a schedule has runs in UTC.")
    return min(max(moment, _EARLIEST), _LATEST).astimezone(UTC)


class Schedule:
    """A schedule whose runs can be computed. Arguments are aware datetimes; results are in UTC.

    `start` and `end` are inclusive bounds, like EventBridge Scheduler's StartDate and EndDate.
    `anchor` is the creation time of the trigger: the first run of a rate without a start is one
    period after it. The other kinds ignore `anchor`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def canonical(self) -> str:
        """The form that EventBridge Scheduler accepts, such as "rate(5 minutes)"."""

    @abstractmethod
    def _after(self, after: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        """The first run after `after`; `first` is the first run of a rate."""

    @abstractmethod
    def _before(self, before: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        """The last run before `before`; `first` is the first run of a rate."""

    def _first(self, start: datetime | None, anchor: datetime) -> datetime:
        """The first run of a rate; other schedules ignore it."""
        return within_reach(start or anchor)

    def next_run(
        self,
        after: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The first run strictly later than `after`, or None if there is none."""
        after = within_reach(after)
        first = self._first(start, anchor or after)
        if start is not None:
            after = max(after, within_reach(start) - INSTANT)
        last = _LATEST if end is None else within_reach(end)
        run = self._after(after, zone, first)
        return None if run is None or run > last else run

    def next_runs(
        self,
        after: datetime,
        zone: ZoneInfo,
        count: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> list[datetime]:
        """The next `count` runs strictly later than `after`; fewer if the schedule ends."""
        runs: list[datetime] = []
        anchor = anchor or after
        while len(runs) < count:
            run = self.next_run(after, zone, start=start, end=end, anchor=anchor)
            if run is None:
                break
            runs.append(run)
            after = run
        return runs

    def previous_run(
        self,
        before: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> datetime | None:
        """The last run strictly earlier than `before`, or None if there is none.

        A rate needs `start` or `anchor`: without them it has no previous run.
        """
        before = within_reach(before)
        first = self._first(start, anchor or before)
        if end is not None:
            before = min(before, within_reach(end) + INSTANT)
        run = self._before(before, zone, first)
        return None if run is None or (start is not None and run < within_reach(start)) else run

    def can_fire(
        self,
        after: datetime,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
    ) -> bool:
        """Whether any run is left strictly later than `after`."""
        return self.next_run(after, zone, start=start, end=end, anchor=anchor) is not None
