"""Measures parsing of expressions and the search for runs: `python -m benchmarks.expressions`.

Times are CPU times of the process, which other work on the machine disturbs less. Goal: the next
run in well under 1 ms at the median and at most 5 ms, also for expressions that rarely run.
"""

from datetime import UTC, datetime
from statistics import median
from time import process_time
from zoneinfo import ZoneInfo

from triggers.schedules import Expression, parse
from triggers.schedules.parser import parse_cron

MEDIAN_GOAL = 1.0
WORST_GOAL = 5.0
REPEATS = 50
AFTER = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
ZONES = ("UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe")

ORDINARY = (
    "0 10 * * ? *",
    "15 12 * * ? *",
    "0 18 ? * MON-FRI *",
    "0 8 1 * ? *",
    "0/15 * * * ? *",
    "0/10 * ? * MON-FRI *",
    "0/5 8-17 ? * MON-FRI *",
    "0/30 20-2 ? * MON-FRI *",
    "5,35 14 * * ? *",
    "15 10 ? * 6L 2027-2028",
    "0 2 ? * THU#3 *",
    "0 2 L * ? *",
    "0 */6 * * ? *",
    "0 8,12,17 ? * MON-FRI *",
    "0 10 1 1,4,7,10 ? *",
    "* * * * ? *",
    "30 2 * * ? *",
    "30 1 * * ? *",
    "0 9 15W * ? *",
    "0 9 LW * ? *",
    "0 9 L-3 * ? *",
    "0 9 31W * ? *",
    "0 0 1 JAN ? *",
    "0 0 ? NOV-FEB FRI-MON *",
    "1,3,7,13-29/4 */5 1,15,L * ? *",
    "rate(5 minutes)",
    "rate(1 day)",
    "at(2027-06-01T09:00:00)",
)
SPARSE = (
    "0 0 29 2 ? *",
    "0 0 ? 2 FRI#5 *",
    "0 0 ? 2 MON#5 2100-2199",
    "59 23 31 12 ? 2199",
    "0 0 29 2 ? 2100-2199/4",
    "0 0 29W 2 ? */22",
    "0 0 L-28 2 ? *",
    "30 2 13 3 ? 2033",
    "* 2 ? 3 SUN#2 *",
    "* 2 ? 3 1L *",
    "* 2 ? 10 1#1 *",
    "30 2 ? 3 SUN *",
)


def main() -> None:
    """Print the figures and their goals."""
    timings = {
        f"{text} in {name}": _next_run_times(parse(text), ZoneInfo(name))
        for text in (*ORDINARY, *SPARSE)
        for name in ZONES
    }
    everything = [time for times in timings.values() for time in times]
    # The best of the repeats is the work itself; other work on the machine slows the rest.
    by_cost = sorted(timings, key=lambda name: min(timings[name]), reverse=True)
    print(f"expressions parsed per second{_parses_per_second():12,.0f}")
    print(f"next runs per second         {_runs_per_second():12,.0f}")
    print(f"next run, median             {median(everything):9.4f} ms  goal < {MEDIAN_GOAL} ms")
    print(
        f"next run, worst of each best {min(timings[by_cost[0]]):9.4f} ms  goal < {WORST_GOAL} ms"
    )
    print(f"next run, worst of all       {max(everything):9.4f} ms  goal < {WORST_GOAL} ms")
    print(f"\nThe ten slowest of {len(timings)}, best and worst of {REPEATS}:")
    for name in by_cost[:10]:
        print(f"  {min(timings[name]):8.4f} {max(timings[name]):8.4f} ms  {name}")


def _next_run_times(expression: Expression, zone: ZoneInfo) -> list[float]:
    times = []
    for _repeat in range(REPEATS):
        started = process_time()
        expression.next_run(AFTER, zone)
        times.append((process_time() - started) * 1000)
    return times


def _parses_per_second() -> float:
    """Parse cron expressions without the cache of `parse`."""
    texts = [text for text in (*ORDINARY, *SPARSE) if not text.startswith(("rate", "at"))]
    started = process_time()
    for _repeat in range(REPEATS):
        for text in texts:
            parse_cron(text)
    return REPEATS * len(texts) / (process_time() - started)


def _runs_per_second() -> float:
    expressions = [parse(text) for text in ORDINARY]
    zone = ZoneInfo("America/New_York")
    started = process_time()
    found = sum(len(expression.next_runs(AFTER, zone, 1000)) for expression in expressions)
    return found / (process_time() - started)


if __name__ == "__main__":
    main()
