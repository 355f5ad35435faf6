"""Charts of the pages: coordinates of SVG shapes from numbers. The style sheet has the colours."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import log1p

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from moca.display import duration, exact
from triggers.display import kinds_of_failures, result_word
from triggers.models import RunStatus
from triggers.statistics import RUNS, PastRun, Tally

BAR, GAP, HALF = 5, 2, 14
LEAST = 3
CELL = 11
# Upper bounds of the levels of runs per day. Each level has a larger square.
LEVELS = (1, 5, 24)
MANY = LEVELS[-1] + 1
SIDES = (5, 7, 9, CELL)
DAY_MINUTES = 24 * 60
# More runs a day than this are drawn as one band, because single ticks would touch.
SINGLE_TICKS = 96


@dataclass(frozen=True, slots=True)
class Bar:
    """A vertical bar: its position, size, kind and tooltip."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str
    key: str = ""


def strip(runs: Sequence[PastRun], zone: tzinfo = UTC) -> "Strip":
    """The last runs: completed ones as bars upwards, failed ones downwards.

    The height is the duration on a logarithmic scale, relative to the longest run.
    """
    longest = max((log1p(run.duration_ms) for run in runs), default=1) or 1
    first = RUNS - len(runs)
    bars = []
    for place, run in enumerate(runs, start=first):
        height = max(LEAST, round(HALF * log1p(run.duration_ms) / longest))
        status = RunStatus.FAILED if run.failed else RunStatus.COMPLETED
        words = result_word(status, run.outcome)
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
    """Runs per hour or day: in each column, failed runs stand on completed ones."""
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
        if kinds := kinds_of_failures(tally):
            title += f" ({kinds})"
        completed = height * (tally.runs - tally.failed) / most
        failed = height * tally.failed / most
        x, inner = place * width + width * 0.1, width * 0.8
        if completed:
            bars.append(Bar(x, height - completed, inner, completed, "good", title))
        if failed:
            bars.append(Bar(x, height - completed - failed, inner, failed, "bad", title))
    return bars


def day_line(runs: Sequence[datetime], start: datetime) -> list[tuple[float, float]]:
    """Runs of the 24 hours after `start` as parts of a line, each with its first minute and length.

    More than `SINGLE_TICKS` runs are one part that reaches the end.
    """
    minutes = [round((run - start).total_seconds() / 60, 1) for run in runs]
    if len(minutes) > SINGLE_TICKS:
        return [(minutes[0], DAY_MINUTES - minutes[0])]
    return [(minute, 4) for minute in minutes]


@dataclass(frozen=True, slots=True)
class Strip:
    """The bars of the last runs. As two paths, they take a tenth of the HTML of single shapes."""

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
    """The days of a year with a similar number of runs.

    Attributes:
        number: from 1, the fewest runs.
        words: the runs per day, in words.
        key: the path of one square, for the legend.
        path: the path of the squares of all days.
        days: the number of days.
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
        levels: the days on which it fires, by runs per day.
        rests: the path of the days without runs.
        rest: the path of one such day.
        outs: the path of the days that are left out.
        out: the path of one such day.
        out_days: their number.
        months: the x coordinate of each month, and its first day.
    """

    levels: list[Level]
    rests: str
    rest: str
    months: list[tuple[int, date]]
    outs: str = ""
    out: str = ""
    out_days: int = 0
    width: int = 53 * CELL + CELL
    height: int = 7 * CELL

    @property
    def days(self) -> int:
        """The number of days on which it fires."""
        return sum(level.days for level in self.levels)

    @property
    def words(self) -> str:
        """The chart in words, for screen readers."""
        found = [
            ngettext("%(runs)s on %(days)s day", "%(runs)s on %(days)s days", level.days)
            % {"runs": level.words, "days": level.days}
            for level in self.levels
            if level.days
        ]
        return _("Runs per day: %(levels)s") % {"levels": _(", ").join(found) or "0"}


def year(counts: Mapping[date, int], first: date, off: Collection[date] = ()) -> Year:
    """The year that begins with `first`, given the number of runs on each day.

    Args:
        counts: the number of runs.
        first: the first day.
        off: the days that the schedule leaves out.
    """
    paths: list[list[str]] = [[] for _side in SIDES]
    rests, months, outs = [], [], []
    monday = first - timedelta(days=first.weekday())
    for number in range(365):
        day = first + timedelta(days=number)
        x, y = (day - monday).days // 7 * CELL, day.weekday() * CELL
        if day.day == 1:
            months.append((x, day))
        if day in off:
            outs.append(_cross(x, y))
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
    return Year(
        levels,
        "".join(rests),
        _square(0, 0, CELL - 2),
        months,
        "".join(outs),
        _cross(0, 0),
        len(outs),
    )


def _cross(x: int, y: int) -> str:
    """The path of a cross in a cell."""
    side = CELL - 6
    return f"M{x + 3} {y + 3}l{side} {side}m0 -{side}l-{side} {side}"


def _square(x: int, y: int, side: int) -> str:
    """The path of a square, centred in a cell."""
    margin = (CELL - side) // 2
    return f"M{x + margin} {y + margin}h{side}v{side}h-{side}z"
