"""Small pictures as SVG shapes: numbers in, coordinates out; colours are the style sheet's."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import log1p

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from moca.display import duration, exact
from triggers.statistics import RUNS, PastRun, Tally

BAR, GAP, HALF = 5, 2, 14
LEAST = 3
CELL = 11
# Runs a day up to each of these look alike, and more than the last: the more, the larger.
LEVELS = (1, 5, 24)
MANY = LEVELS[-1] + 1
SIDES = (5, 7, 9, CELL)
DAY_MINUTES = 24 * 60
# More runs than this a day stand so close that they are drawn as one band.
SINGLE_TICKS = 96


@dataclass(frozen=True, slots=True)
class Bar:
    """An upright bar: its place and size, what it stands for and how it is told."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str
    key: str = ""


def strip(runs: Sequence[PastRun], zone: tzinfo = UTC) -> "Strip":
    """The last runs: upwards those that completed, downwards those that failed.

    The height is the duration, compared with the longest, on a scale that keeps short ones apart.
    """
    longest = max((log1p(run.duration_ms) for run in runs), default=1) or 1
    first = RUNS - len(runs)
    bars = []
    for place, run in enumerate(runs, start=first):
        height = max(LEAST, round(HALF * log1p(run.duration_ms) / longest))
        words = _("Failed") if run.failed else _("Completed")
        bars.append(
            Bar(
                x=place * (BAR + GAP),
                y=HALF if run.failed else HALF - height,
                width=BAR,
                height=height,
                kind="bad" if run.failed else "good",
                title=f"{words}, {exact(run.started_at, zone)}, {duration(run.duration_ms)}",
                key=run.execution_id,
            )
        )
    return Strip(bars)


def columns(tallies: Sequence[Tally], labels: Sequence[str], height: int = 60) -> list[Bar]:
    """Runs an hour or a day: the failed part of each column stands on the completed one."""
    most = max((tally.runs for tally in tallies), default=0) or 1
    width = 100 / max(1, len(tallies))
    bars = []
    for place, (tally, label) in enumerate(zip(tallies, labels, strict=True)):
        if not tally.runs:
            continue
        title = _("%(label)s: %(runs)s runs, %(failed)s failed") % {
            "label": label,
            "runs": tally.runs,
            "failed": tally.failed,
        }
        completed = height * (tally.runs - tally.failed) / most
        failed = height * tally.failed / most
        x, inner = place * width + width * 0.1, width * 0.8
        if completed:
            bars.append(Bar(x, height - completed, inner, completed, "good", title))
        if failed:
            bars.append(Bar(x, height - completed - failed, inner, failed, "bad", title))
    return bars


def day_line(runs: Sequence[datetime], start: datetime) -> list[tuple[float, float]]:
    """Runs of the 24 hours after `start` as stretches of a line: the first minute, the length.

    More than `SINGLE_TICKS` runs are one stretch to the end.
    """
    minutes = [round((run - start).total_seconds() / 60, 1) for run in runs]
    if len(minutes) > SINGLE_TICKS:
        return [(minutes[0], DAY_MINUTES - minutes[0])]
    return [(minute, 4) for minute in minutes]


@dataclass(frozen=True, slots=True)
class Strip:
    """The bars of the last runs as two paths, which weigh a tenth of single shapes in a list."""

    bars: list[Bar]

    @property
    def good(self) -> str:
        return self._path("good")

    @property
    def bad(self) -> str:
        return self._path("bad")

    @property
    def failed(self) -> int:
        return sum(bar.kind == "bad" for bar in self.bars)

    def _path(self, kind: str) -> str:
        return "".join(
            f"M{bar.x} {bar.y}h{bar.width}v{bar.height}h-{bar.width}z"
            for bar in self.bars
            if bar.kind == kind
        )


@dataclass(frozen=True, slots=True)
class Level:
    """The days of a year on which a schedule fires about as often.

    Attributes:
        number: from 1, the rarest.
        words: how many runs a day.
        key: the path of one square, for the legend.
        path: that of the days' squares.
        days: how many days there are.
    """

    number: int
    words: str
    key: str
    path: str
    days: int


@dataclass(frozen=True, slots=True)
class Year:
    """How often a schedule fires on the days of a year: paths of squares, a column a week.

    Attributes:
        levels: the days on which it fires, by how often.
        rests: the path of the others.
        rest: that of one.
        months: where each month begins, and its number.
    """

    levels: list[Level]
    rests: str
    rest: str
    months: list[tuple[int, date]]
    width: int = 53 * CELL + CELL
    height: int = 7 * CELL

    @property
    def days(self) -> int:
        """On how many days it fires."""
        return sum(level.days for level in self.levels)

    @property
    def words(self) -> str:
        """What the picture shows, for those who do not see it."""
        found = [
            ngettext("%(runs)s on %(days)s day", "%(runs)s on %(days)s days", level.days)
            % {"runs": level.words, "days": level.days}
            for level in self.levels
            if level.days
        ]
        return _("Runs per day: %(levels)s") % {"levels": _(", ").join(found) or "0"}


def year(counts: Mapping[date, int], first: date) -> Year:
    """The year that begins with `first`, given how often something fires on its days."""
    paths: list[list[str]] = [[] for _side in SIDES]
    rests, months = [], []
    monday = first - timedelta(days=first.weekday())
    for number in range(365):
        day = first + timedelta(days=number)
        x, y = (day - monday).days // 7 * CELL, day.weekday() * CELL
        if day.day == 1:
            months.append((x, day))
        if count := counts.get(day):
            level = bisect_left(LEVELS, count)
            paths[level].append(_square(x, y, SIDES[level]))
        else:
            rests.append(_square(x, y, CELL - 2))
    words = ["1", _("2 to 5"), _("6 to 24"), _("25 or more")]
    levels = [
        Level(place + 1, words[place], _square(0, 0, side), "".join(path), len(path))
        for place, (side, path) in enumerate(zip(SIDES, paths, strict=True))
    ]
    return Year(levels, "".join(rests), _square(0, 0, CELL - 2), months)


def _square(x: int, y: int, side: int) -> str:
    """The path of a square in the middle of a cell."""
    margin = (CELL - side) // 2
    return f"M{x + margin} {y + margin}h{side}v{side}h-{side}z"
