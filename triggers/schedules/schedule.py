"""What every kind of schedule offers: its next and previous runs within a window."""

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

YEARS = range(1970, 2200)

# Two days more than the years above, so that no zone's offset can push a run outside.
_EARLIEST = datetime(1969, 12, 30, tzinfo=UTC)
_LATEST = datetime(2200, 1, 3, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


def within_reach(moment: datetime) -> datetime:
    """The moment in UTC, held to the years in which a schedule can run.

    Raises ValueError for a datetime without a timezone.
    """
    if moment.utcoffset() is None:
        raise ValueError("A schedule is asked about aware datetimes only.")
    return min(max(moment, _EARLIEST), _LATEST).astimezone(UTC)


class Schedule:
    """Base of Cron, Rate and At. All datetimes that come in are aware; those returned are UTC.

    `start` and `end` are inclusive bounds, as EventBridge Scheduler's StartDate and EndDate.
    `anchor` is the creation time of the trigger: a rate without a start counts from it, and has its
    first run one period later.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def canonical(self) -> str:
        """The wrapped form that EventBridge Scheduler takes, such as "rate(5 minutes)"."""

    @abstractmethod
    def _after(self, after: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        """The first run later than `after`; `first` is the first run of a rate."""

    @abstractmethod
    def _before(self, before: datetime, zone: ZoneInfo, first: datetime) -> datetime | None:
        """The last run earlier than `before`; `first` is the first run of a rate."""

    def _first(self, start: datetime | None, anchor: datetime) -> datetime:
        """The moment at which the runs of a rate begin; other schedules do not ask."""
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
            after = max(after, within_reach(start) - _INSTANT)
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
        """The next `count` runs strictly later than `after`, fewer if it ends before."""
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

        A rate with neither `start` nor `anchor` has no past, so it has no previous run.
        """
        before = within_reach(before)
        first = self._first(start, anchor or before)
        if end is not None:
            before = min(before, within_reach(end) + _INSTANT)
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
