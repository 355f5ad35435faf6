"""Compares a first parse and next run with cronsim and aws-croniter, side by side.

Run it as `python -m benchmarks.libraries`. Each figure is the median of many first calls, in
microseconds: our cache of parsed expressions is emptied before each. All three work in UTC, the
only zone of aws-croniter. Exits with 1 if ours is slower than one of them.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from statistics import median
from time import perf_counter_ns
from zoneinfo import ZoneInfo

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]
from cronsim import CronSim

from triggers.schedules import parse, parser

ROUNDS = 40
REPEATS = 25
AFTER = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
# An expression of EventBridge, and the same for cronsim. None if a library does not know it.
ROWS: dict[str, str | None] = {
    "0 10 * * ? *": "0 10 * * *",
    "* * * * ? *": "* * * * *",
    "0/15 * * * ? *": "*/15 * * * *",
    "0 18 ? * MON-FRI *": "0 18 * * MON-FRI",
    "0/5 8-17 ? * MON-FRI *": "*/5 8-17 * * MON-FRI",
    "5,35 14 * * ? *": "5,35 14 * * *",
    "0 8,12,17 ? * MON-FRI *": "0 8,12,17 * * MON-FRI",
    "0 */6 * * ? *": "0 */6 * * *",
    "0 8 1 * ? *": "0 8 1 * *",
    "0 10 1 1,4,7,10 ? *": "0 10 1 1,4,7,10 *",
    "0 0 1 JAN ? *": "0 0 1 JAN *",
    "0 2 L * ? *": "0 2 L * *",
    "0 9 15W * ? *": None,
    "0 2 ? * 5#3 *": "0 2 * * 4#3",
    "15 10 ? * 6L 2027-2028": "15 10 * * 5L",
    "0 0 29 2 ? *": "0 0 29 2 *",
    "0 0 ? 2 6#5 *": "0 0 * 2 5#5",
}
Call = Callable[[], object]


def ours(text: str) -> object:
    """Parse with `triggers.schedules`, and find the next run."""
    return parse(text).next_run(AFTER, ZONE)


def cronsim(text: str) -> object:
    """Parse with cronsim, and find the next run."""
    return next(CronSim(text, AFTER))


def aws_croniter(text: str) -> object:
    """Parse with aws-croniter, and find the next run."""
    return AwsCroniter(text).get_next(AFTER)[0]


def main() -> int:
    """Print the table; 1 if another library is faster in a row."""
    slower = 0
    print(f"{'parse and next run, µs':<26}{'ours':>8}{'cronsim':>10}{'aws-croniter':>14}")
    for text, crontab in ROWS.items():
        calls: list[Call | None] = [
            partial(ours, text),
            partial(cronsim, crontab) if crontab else None,
            _if_it_agrees(text),
        ]
        own, *others = _microseconds(calls)
        slower += any(other < own for other in others)
        print(f"{text:<26}{_figure(own):>8}{_figure(others[0]):>10}{_figure(others[1]):>14}")
    print(f"rows in which another library is faster: {slower}  (goal 0)")
    return min(slower, 1)


def _if_it_agrees(text: str) -> Call | None:
    """The call of aws-croniter, or None if it fails or finds another run."""
    try:
        agrees = aws_croniter(text) == ours(text)
    except Exception:  # noqa: BLE001  (whatever it raises, it has no figure here)
        return None
    return partial(aws_croniter, text) if agrees else None


def _microseconds(calls: list[Call | None]) -> list[float]:
    """The median of each call, infinite for None.

    They take turns, because other work slows the machine at times.
    """
    taken: list[list[float]] = [[] for _ in calls]
    for _round in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            for _repeat in range(REPEATS if call else 0):
                parser._parse.cache_clear()
                started = perf_counter_ns()
                call()  # type: ignore[misc]
                times.append((perf_counter_ns() - started) / 1000)
    return [median(times) if times else inf for times in taken]


def _figure(value: float) -> str:
    return "-" if value == inf else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
