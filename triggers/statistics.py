"""Statistics of a trigger's runs, small enough to store in the trigger's own row.

Lists and pages show them without reading runs: the last 20 runs, counts of the last 24 hours and
counts of the last 30 days. The runner updates them in the write that notes a result on the trigger.
"""

import json
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import log2
from typing import Any, Self, TypeVar
from uuid import UUID

from triggers.models.choices import Outcome

RUNS = 20
HOURS = 24
DAYS = 30
# Durations are counted in buckets, each a quarter of an octave wide: 19 % from one to the next.
BUCKETS_PER_OCTAVE = 4
# The largest count or duration, and the last bucket. Larger stored numbers are invalid.
LARGEST, LAST_BUCKET = 2**53, 53 * BUCKETS_PER_OCTAVE
# The numbers of outcomes in stored texts; never change them. Any other run is 0 if it completed and
# 1 if it failed, which is all that texts of earlier editions say.
CODES: dict[str, int] = {
    Outcome.REFUSED: 2,
    Outcome.LIMITED: 3,
    Outcome.TIMED_OUT: 4,
    Outcome.CANCELLED: 5,
    Outcome.LOST: 6,
    Outcome.MISSED: 7,
    Outcome.INTERRUPTED: 8,
    Outcome.UNKNOWN: 9,
    Outcome.OVER_BUDGET: 10,
}
OF_CODES = {code: outcome for outcome, code in CODES.items()}

# A longer text may be compressed, behind this letter, with which no JSON begins. Earlier editions
# take such a text as empty.
PLAIN_LENGTH, COMPRESSED = 400, "z"
# Far more than a text of full length, in bytes.
LONGEST_TEXT = 64 * 1024

Read = TypeVar("Read")
Key = TypeVar("Key")

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that has ended; its start is stored in whole seconds.

    Attributes:
        outcome: how it ended, if that is one of `CODES`; else `failed` says it.
    """

    execution_id: str
    started_at: datetime
    duration_ms: int
    failed: bool
    outcome: str = ""


@dataclass(slots=True)
class Tally:
    """Counts of the runs that started within an hour or a day.

    Attributes:
        number: the hour or the day, counted from 1970 in UTC.
        runs: the number of runs.
        failed: the number of failed runs.
        milliseconds: the sum of their durations.
        longest: the longest duration in milliseconds.
        tokens: the sum of the tokens that the agent read and wrote.
        buckets: the number of runs in each bucket of durations, by the number of the bucket.
        outcomes: the number of runs with each outcome of `CODES`. All other failures are errors.
    """

    number: int
    runs: int = 0
    failed: int = 0
    milliseconds: int = 0
    longest: int = 0
    tokens: int = 0
    buckets: dict[int, int] = field(default_factory=dict, kw_only=True)
    outcomes: dict[str, int] = field(default_factory=dict, kw_only=True)

    def add(self, run: PastRun, tokens: int) -> None:
        length = run.duration_ms
        one = Tally(self.number, 1, int(run.failed), length, length, tokens)
        if run.outcome != Outcome.MISSED:
            one.buckets = {_bucket_of(length): 1}
        if run.outcome in CODES:
            one.outcomes = {run.outcome: 1}
        self.take(one)

    def correct(self, old: PastRun, new: PastRun, tokens: int) -> None:
        """Replace the end of a run that was counted."""
        self.failed = max(0, self.failed + int(new.failed) - int(old.failed))
        self.milliseconds = max(0, self.milliseconds + new.duration_ms - old.duration_ms)
        self.longest = max(self.longest, new.duration_ms)
        self.tokens = max(0, self.tokens + tokens)
        ends = [each if each in CODES else None for each in (old.outcome, new.outcome)]
        _move(self.outcomes, ends[0], ends[1])
        _move(self.buckets, _bucket_of(old.duration_ms), _bucket_of(new.duration_ms))

    @classmethod
    def total(cls, tallies: Iterable["Tally"], number: int = 0) -> Self:
        """The sum of several tallies."""
        whole = cls(number)
        for each in tallies:
            whole.take(each)
        return whole

    def take(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.runs += other.runs
        self.failed += other.failed
        self.milliseconds += other.milliseconds
        self.longest = max(self.longest, other.longest)
        self.tokens += other.tokens
        for number, count in other.buckets.items():
            self.buckets[number] = self.buckets.get(number, 0) + count
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count

    @property
    def failures(self) -> dict[str, int]:
        """The number of failed runs by outcome, errors last; without those that did not occur."""
        found = {each: self.outcomes.get(each, 0) for each in CODES if each != Outcome.INTERRUPTED}
        found[Outcome.ERROR] = self.failed - sum(found.values())
        return {outcome: count for outcome, count in found.items() if count > 0}

    @property
    def average(self) -> int | None:
        """The average duration in milliseconds of the runs that began; None if none did."""
        began = self.runs - self.outcomes.get(Outcome.MISSED, 0)
        return round(self.milliseconds / began) if began > 0 else None

    @property
    def success_rate(self) -> float | None:
        """The share of runs that completed, from 0 to 1; None if there were no runs.

        A run that was cancelled, or whose end is not known, says nothing about the agent, so it
        does not count.
        """
        silent = sum(self.outcomes.get(each, 0) for each in (Outcome.CANCELLED, Outcome.UNKNOWN))
        runs = self.runs - silent
        return 1 - (self.failed - silent) / runs if runs else None

    def percentile(self, share: float) -> int | None:
        """The percentile of the durations in milliseconds; None if no run began.

        It is exact to 10 %, since durations are counted in buckets.

        Args:
            share: the share of the runs, from 0 to 1: 0.95 for the 95th percentile.
        """
        # Runs that did not begin are in no bucket.
        left = share * sum(self.buckets.values())
        for number, count in sorted(self.buckets.items()):
            left -= count
            if left <= 0:
                return min(self.longest, round(2 ** ((number + 0.5) / BUCKETS_PER_OCTAVE)))
        return None


class Statistics:
    """The statistics of one trigger.

    Args:
        stored: the JSON value that `text()` wrote. Each part is parsed only when it is asked for,
            since a page may read nothing but the hours of a thousand triggers.
    """

    def __init__(self, stored: dict[str, list[list[Any]]] | None = None) -> None:
        self._stored = stored or {}

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse the text that `text()` wrote; an invalid text counts as empty."""
        try:
            stored = json.loads(_plain(text) or "{}")
        except (ValueError, RecursionError, zlib.error):
            return cls()
        return cls(stored if isinstance(stored, dict) else None)

    @property
    def runs(self) -> list[PastRun]:
        """The last runs, the newest last."""
        return self._read("runs", _read_run)

    def add(self, run: PastRun, *, tokens: int = 0, now: datetime | None = None) -> None:
        """Count a run that has just ended, and drop counts that are too old.

        Args:
            run: the run.
            tokens: the number of tokens that the agent read and wrote.
            now: the present. Counts of later times come from a clock that was wrong. They are
                dropped, since all others would seem too old beside them.
        """
        runs = [*self.runs, run][-RUNS:]
        hours = _with_run(self._read("hours", _read_tally), run, tokens, HOUR, HOURS, now)
        days = _with_run(self._read("days", _read_tally), run, tokens, DAY, DAYS, now)
        self._stored = {
            "runs": [_stored_run(run) for run in runs],
            # Pages show no tokens and no percentiles of an hour.
            "hours": [_stored_tally(tally, is_short=True) for tally in hours],
            "days": [_stored_tally(tally) for tally in days],
        }

    def correct(self, run: PastRun, *, tokens: int = 0) -> None:
        """Replace the noted end of a run by the true one.

        The counts change too, unless the run is not among the last any more.

        Args:
            run: the run with its true end.
            tokens: how many more tokens the agent read and wrote than were counted.
        """
        old = next((each for each in self.runs if each.execution_id == run.execution_id), None)
        if old is None:
            return
        runs = [run if each is old or each == old else each for each in self.runs]
        hours = self._read("hours", _read_tally)
        days = self._read("days", _read_tally)
        for tallies, length in ((hours, HOUR), (days, DAY)):
            for tally in tallies:
                if tally.number == _number(old.started_at, length):
                    tally.correct(old, run, tokens)
        self._stored = {
            "runs": [_stored_run(each) for each in runs],
            "hours": [_stored_tally(tally, is_short=True) for tally in hours],
            "days": [_stored_tally(tally) for tally in days],
        }

    def text(self, *, compressed: bool = False) -> str:
        """The statistics as JSON, to be stored.

        Args:
            compressed: whether a long text is compressed, for a database that charges each write by
                the size of the row.
        """
        plain = json.dumps(self._stored, separators=(",", ":"))
        if not compressed or len(plain) <= PLAIN_LENGTH:
            return plain
        return COMPRESSED + b64encode(zlib.compress(plain.encode(), wbits=-zlib.MAX_WBITS)).decode()

    def counted_hours(self) -> list[Tally]:
        """The stored hours that had runs, which may be older than a day."""
        return self._read("hours", _read_tally)

    def hours(self, now: datetime) -> list[Tally]:
        """The last 24 hours with the present one last; hours without runs have empty tallies."""
        return list(_filled(self.counted_hours(), now, HOUR, HOURS))

    def days(self, now: datetime) -> list[Tally]:
        """The last 30 days in UTC with today last; days without runs have empty tallies."""
        return list(_filled(self._read("days", _read_tally), now, DAY, DAYS))

    def _read(self, name: str, read: Callable[[list[Any]], Read]) -> list[Read]:
        try:
            return [read(each) for each in self._stored.get(name, [])]
        except (AttributeError, LookupError, OSError, OverflowError, TypeError, ValueError):
            return []


def _plain(text: str) -> str:
    """The JSON of a stored text; ValueError or zlib.error if it is invalid."""
    if not text.startswith(COMPRESSED):
        return text
    data = b64decode(text.removeprefix(COMPRESSED))
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data, LONGEST_TEXT).decode()


def start_of(tally: Tally, length: timedelta) -> datetime:
    """When the hour or the day of a tally began, in UTC.

    Args:
        tally: the tally.
        length: `HOUR` or `DAY`.
    """
    return datetime.fromtimestamp(tally.number * length.total_seconds(), UTC)


def _with_run(
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


def _move(counts: dict[Key, int], before: Key | None, after: Key | None) -> None:
    """Count one less of `before`, if there is one, and one more of `after`."""
    if before is not None and counts.get(before, 0) > 0:
        counts[before] -= 1
        if not counts[before]:
            del counts[before]
    if after is not None:
        counts[after] = counts.get(after, 0) + 1


def _bucket_of(milliseconds: int) -> int:
    return int(log2(max(1, milliseconds)) * BUCKETS_PER_OCTAVE)


def _stored_run(run: PastRun) -> list[Any]:
    try:
        key = urlsafe_b64encode(UUID(run.execution_id).bytes).decode().rstrip("=")
    except ValueError:
        key = f"={run.execution_id}"
    ending = CODES.get(run.outcome, int(run.failed))
    return [key, int(run.started_at.timestamp()), run.duration_ms, ending]


def _read_run(stored: list[Any]) -> PastRun:
    key, started, milliseconds, ending = stored
    name = key[1:] if key[:1] == "=" else str(UUID(bytes=urlsafe_b64decode(f"{key}==")))
    length = max(0, _bounded(milliseconds))
    outcome = OF_CODES.get(ending, "")
    failed = bool(ending) and outcome != Outcome.INTERRUPTED
    return PastRun(name, datetime.fromtimestamp(started, UTC), length, failed, outcome)


def _stored_tally(tally: Tally, *, is_short: bool = False) -> list[Any]:
    """A tally as a list. Earlier editions read it too, and skip the outcomes at its end.

    Args:
        is_short: whether to leave out tokens and buckets.
    """
    buckets = [number for pair in sorted(tally.buckets.items()) for number in pair]
    outcomes = [
        number
        for outcome, code in CODES.items()
        if (count := tally.outcomes.get(outcome))
        for number in (code, count)
    ]
    counts: list[Any] = [tally.number, tally.runs, tally.failed, tally.milliseconds, tally.longest]
    if not is_short:
        counts += [tally.tokens, buckets]
    elif outcomes:
        counts += [0, []]
    return [*counts, outcomes] if outcomes else counts


def _read_tally(stored: list[Any]) -> Tally:
    tally = Tally(*map(_bounded, stored[:6]))
    if len(stored) > 6:
        flat = [_bounded(each) for each in stored[6]]
        tally.buckets = dict(zip(flat[::2], flat[1::2], strict=True))
        if max(map(abs, tally.buckets), default=0) > LAST_BUCKET:
            raise ValueError("No run is that long.")
    if len(stored) > 7:
        flat = [_bounded(each) for each in stored[7]]
        # An outcome of a later edition counts as an error.
        pairs = zip(flat[::2], flat[1::2], strict=True)
        tally.outcomes = {OF_CODES[code]: count for code, count in pairs if code in OF_CODES}
    return tally


def _bounded(stored: Any) -> int:
    """A stored number; ValueError if it is larger than any that is written."""
    number = int(stored)
    if abs(number) > LARGEST:
        raise ValueError("No count is that large.")
    return number
