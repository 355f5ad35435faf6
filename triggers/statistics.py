"""What became of a trigger's runs, small enough to stand in the trigger's own row.

A list of triggers shows how each has fared without reading a single run: the last runs one by one,
the last day by the hour, the last 30 days by the day. Whoever notes a result on the trigger notes
it here in the same write.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import log2
from typing import Any, Self, TypeVar
from uuid import UUID

RUNS = 20
HOURS = 24
DAYS = 30
# Durations are counted in classes, each a quarter of an octave wide: 19 % from one to the next.
CLASSES_AN_OCTAVE = 4
# No count, length or number of a class is larger; what is was not written here.
LARGEST, LAST_CLASS = 2**53, 53 * CLASSES_AN_OCTAVE

Read = TypeVar("Read")

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run that ended: its execution's id, its start (to the second), its length and end."""

    execution_id: str
    started_at: datetime
    duration_ms: int
    failed: bool


@dataclass(slots=True)
class Tally:
    """Counts of the runs that started within a time.

    Attributes:
        number: of the hour or the day, counted from 1970.
        milliseconds: how long they took together.
        longest: how long the longest took, in milliseconds.
        tokens: how many the agent read and wrote.
        classes: how many took how long, by the number of the class.
    """

    number: int
    runs: int = 0
    failed: int = 0
    milliseconds: int = 0
    longest: int = 0
    tokens: int = 0
    classes: dict[int, int] = field(default_factory=dict, kw_only=True)

    def add(self, run: PastRun, tokens: int) -> None:
        self.runs += 1
        self.failed += run.failed
        self.milliseconds += run.duration_ms
        self.longest = max(self.longest, run.duration_ms)
        self.tokens += tokens
        number = _class_of(run.duration_ms)
        self.classes[number] = self.classes.get(number, 0) + 1

    @classmethod
    def total(cls, tallies: Iterable["Tally"], number: int = 0) -> Self:
        """The sum of some counts."""
        whole = cls(number)
        for each in tallies:
            whole.take(each)
        return whole

    def take(self, other: "Tally") -> None:
        """Count the runs of another count, too."""
        self.runs += other.runs
        self.failed += other.failed
        self.milliseconds += other.milliseconds
        self.longest = max(self.longest, other.longest)
        self.tokens += other.tokens
        for name, count in other.classes.items():
            self.classes[name] = self.classes.get(name, 0) + count

    @property
    def success_rate(self) -> float | None:
        """The share of runs that completed, from 0 to 1; None where there were none."""
        return None if not self.runs else 1 - self.failed / self.runs

    def percentile(self, share: float) -> int | None:
        """About how long (ms) that share of the runs took at the most; None where none ran.

        It is exact to a tenth, since lengths are counted in classes.
        """
        left = share * self.runs
        for number, count in sorted(self.classes.items()):
            left -= count
            if left <= 0:
                return min(self.longest, round(2 ** ((number + 0.5) / CLASSES_AN_OCTAVE)))
        return None


class Statistics:
    """The runs of one trigger.

    Args:
        stored: what `text()` wrote, read from JSON. Only what is asked for is made of it, since a
            page may look at the hours of a thousand triggers and at nothing else.
    """

    def __init__(self, stored: dict[str, list[list[Any]]] | None = None) -> None:
        self._stored = stored or {}

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text()` wrote; what another program spoiled counts as nothing."""
        try:
            stored = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return cls()
        return cls(stored if isinstance(stored, dict) else None)

    @property
    def runs(self) -> list[PastRun]:
        """The last runs, the newest last."""
        return self._read("runs", _read_run)

    def add(self, run: PastRun, *, tokens: int = 0, now: datetime | None = None) -> None:
        """Count a run that has just ended, and forget what has become too old.

        Args:
            run: the run.
            tokens: how many the agent read and wrote.
            now: the present. Counts of a later time are of a clock that was wrong: they would make
                all others too old, and are forgotten.
        """
        runs = [*self.runs, run][-RUNS:]
        hours = _counted(self._read("hours", _read_tally), run, tokens, HOUR, HOURS, now)
        days = _counted(self._read("days", _read_tally), run, tokens, DAY, DAYS, now)
        self._stored = {
            "runs": [_stored_run(run) for run in runs],
            # Of an hour nobody asks more than how many there were, and how long.
            "hours": [_stored_tally(tally)[:5] for tally in hours],
            "days": [_stored_tally(tally) for tally in days],
        }

    def correct(self, run: PastRun) -> None:
        """Put the true end of a run in place of the one that was noted; counts stay."""
        runs = [run if each.execution_id == run.execution_id else each for each in self.runs]
        self._stored = {**self._stored, "runs": [_stored_run(each) for each in runs]}

    def text(self) -> str:
        """All of it as a short text."""
        return json.dumps(self._stored, separators=(",", ":"))

    def counted_hours(self) -> list[Tally]:
        """The hours in which something ran, however long ago."""
        return self._read("hours", _read_tally)

    def hours(self, now: datetime) -> list[Tally]:
        """The last 24 hours, the present one last; empty ones among them."""
        return list(_filled(self.counted_hours(), now, HOUR, HOURS))

    def days(self, now: datetime) -> list[Tally]:
        """The last 30 days (UTC), today last; empty ones among them."""
        return list(_filled(self._read("days", _read_tally), now, DAY, DAYS))

    def _read(self, name: str, read: Callable[[list[Any]], Read]) -> list[Read]:
        try:
            return [read(each) for each in self._stored.get(name, [])]
        except (AttributeError, LookupError, OSError, OverflowError, TypeError, ValueError):
            return []


def start_of(tally: Tally, length: timedelta) -> datetime:
    """When the hour or the day of a count began.

    Args:
        tally: the count.
        length: `HOUR` or `DAY`.
    """
    return datetime.fromtimestamp(tally.number * length.total_seconds(), UTC)


def _counted(
    tallies: list[Tally],
    run: PastRun,
    tokens: int,
    length: timedelta,
    most: int,
    now: datetime | None,
) -> list[Tally]:
    number = _number(run.started_at, length)
    if now is not None:
        latest = _number(now, length)
        number = min(number, latest)
        tallies = [tally for tally in tallies if tally.number <= latest]
    found = {tally.number: tally for tally in tallies}
    found.setdefault(number, Tally(number)).add(run, tokens)
    newest = max(found)
    return [found[each] for each in sorted(found) if each > newest - most]


def _filled(tallies: list[Tally], now: datetime, length: timedelta, most: int) -> Iterator[Tally]:
    found = {tally.number: tally for tally in tallies}
    last = _number(now, length)
    for number in range(last - most + 1, last + 1):
        yield found.get(number, Tally(number))


def _number(moment: datetime, length: timedelta) -> int:
    return int(moment.timestamp() // length.total_seconds())


def _class_of(milliseconds: int) -> int:
    return int(log2(max(1, milliseconds)) * CLASSES_AN_OCTAVE)


def _stored_run(run: PastRun) -> list[Any]:
    try:
        key = urlsafe_b64encode(UUID(run.execution_id).bytes).decode().rstrip("=")
    except ValueError:
        key = f"={run.execution_id}"
    return [key, int(run.started_at.timestamp()), run.duration_ms, int(run.failed)]


def _read_run(stored: list[Any]) -> PastRun:
    key, started, milliseconds, failed = stored
    name = key[1:] if key[:1] == "=" else str(UUID(bytes=urlsafe_b64decode(f"{key}==")))
    length = max(0, _bounded(milliseconds))
    return PastRun(name, datetime.fromtimestamp(started, UTC), length, bool(failed))


def _stored_tally(tally: Tally) -> list[Any]:
    return [
        tally.number,
        tally.runs,
        tally.failed,
        tally.milliseconds,
        tally.longest,
        tally.tokens,
        [number for pair in sorted(tally.classes.items()) for number in pair],
    ]


def _read_tally(stored: list[Any]) -> Tally:
    tally = Tally(*map(_bounded, stored[:6]))
    if len(stored) > 6:
        flat = [_bounded(each) for each in stored[6]]
        tally.classes = dict(zip(flat[::2], flat[1::2], strict=True))
        if max(map(abs, tally.classes), default=0) > LAST_CLASS:
            raise ValueError("No run is that long.")
    return tally


def _bounded(stored: Any) -> int:
    """A stored number; ValueError where it is larger than any that is written."""
    number = int(stored)
    if abs(number) > LARGEST:
        raise ValueError("No count is that large.")
    return number
