"""Statistics of runs, as they are stored in a trigger's row."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moca.ids import new_id
from triggers.models import Outcome
from triggers.statistics import DAYS, HOURS, RUNS, PastRun, Statistics, Tally

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(at: datetime = NOON, milliseconds: int = 1000, *, failed: bool = False) -> PastRun:
    return PastRun(new_id(), at, milliseconds, failed)


def after(*runs: PastRun) -> Statistics:
    """The statistics after these runs of 10 tokens each, stored and parsed after each."""
    text = ""
    for each in runs:
        statistics = Statistics.read(text)
        statistics.add(each, tokens=10)
        text = statistics.text()
    return Statistics.read(text)


def test_runs_are_stored() -> None:
    runs = [run(), run(NOON + timedelta(hours=1), 2500, failed=True)]
    assert after(*runs).runs == runs


def test_an_id_of_another_program_is_stored() -> None:
    assert after(PastRun("job 7", NOON, 1, failed=False)).runs[0].execution_id == "job 7"


def test_the_oldest_run_is_dropped() -> None:
    runs = [run(NOON + timedelta(minutes=number)) for number in range(RUNS + 1)]
    assert after(*runs).runs == runs[1:]


def test_each_hour_has_its_counts() -> None:
    statistics = after(run(NOON - timedelta(hours=2)), run(failed=True), run())
    counts = [(tally.runs, tally.failed) for tally in statistics.hours(NOON)]
    assert counts[-3:] == [(1, 0), (0, 0), (2, 1)]


def test_a_day_has_its_hours() -> None:
    assert len(after().hours(NOON)) == HOURS


def test_an_old_day_is_dropped() -> None:
    old = run(NOON - timedelta(days=DAYS))
    assert Tally.total(after(old, run()).days(NOON)).runs == 1


def test_a_day_that_has_passed_since_the_last_run_does_not_count() -> None:
    later = NOON + timedelta(days=DAYS)
    assert Tally.total(after(run()).days(later)).runs == 0


def test_tokens_are_added_up() -> None:
    assert Tally.total(after(run(), run()).days(NOON)).tokens == 20


def test_success_rate() -> None:
    statistics = after(run(), run(), run(), run(failed=True))
    assert Tally.total(statistics.days(NOON)).success_rate == 0.75


def test_cancelled_runs_are_not_in_the_success_rate() -> None:
    tally = Tally(0, runs=5, failed=2, outcomes={Outcome.CANCELLED: 1})
    assert tally.success_rate == 0.75


def test_no_runs_have_no_success_rate() -> None:
    assert Tally(0).success_rate is None


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=50), st.sampled_from([0.5, 0.95]))
def test_percentile_is_right_to_a_tenth(lengths: list[int], share: float) -> None:
    day = Tally(0)
    for length in lengths:
        day.add(run(milliseconds=length), tokens=0)
    rank = next(n for n in range(1, len(lengths) + 1) if n >= share * len(lengths))
    exact = sorted(lengths)[rank - 1]
    found = day.percentile(share)
    assert found == pytest.approx(exact, rel=0.1, abs=1)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[" * 100_000,
        "[]",
        "7",
        '{"runs": [1]}',
        '{"runs": [["=a", 1e18, 5, 0]]}',
        '{"days": [[1, "x"]]}',
        '{"runs": [["=a", 0, 1e300, 0]]}',
        f'{{"days": [[{NOON.timestamp() // 86400}, 1, 0, 5, 5, 0, ["a", "b"]]]}}',
        f'{{"days": [[{NOON.timestamp() // 86400}, 1, 0, 5, 5, 0, [9999, 1]]]}}',
        f'{{"days": [[{NOON.timestamp() // 86400}, 1e300, 0, 5, 5, 0, [1, 1]]]}}',
    ],
)
def test_an_invalid_text_counts_as_empty(text: str) -> None:
    read = Statistics.read(text)
    assert (read.runs, Tally.total(read.days(NOON)).runs) == ([], 0)


def of_outcome(outcome: Outcome) -> PastRun:
    failed = outcome not in (Outcome.SUCCESS, Outcome.INTERRUPTED)
    return PastRun(new_id(), NOON, 1000, failed, outcome=outcome)


@pytest.mark.parametrize("tallies", [Statistics.hours, Statistics.days])
def test_failures_are_told_apart(tallies: Callable[[Statistics, datetime], list[Tally]]) -> None:
    statistics = after(
        *map(of_outcome, [Outcome.TIMED_OUT, Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.ERROR]),
        *map(of_outcome, [Outcome.SUCCESS, Outcome.INTERRUPTED]),
    )
    failures = tallies(statistics, NOON)[-1].failures
    assert failures == {Outcome.REFUSED: 1, Outcome.TIMED_OUT: 2, Outcome.ERROR: 1}


def test_each_run_keeps_its_outcome() -> None:
    endings = [(run.outcome, run.failed) for run in after(*map(of_outcome, Outcome)).runs]
    told = {Outcome.SUCCESS: "", Outcome.ERROR: ""}
    assert endings == [(told.get(each, each), of_outcome(each).failed) for each in Outcome]


def test_text_of_an_earlier_edition_is_read() -> None:
    day = int(NOON.timestamp()) // 86_400
    runs = f'"runs": [["=a", {int(NOON.timestamp())}, 5, 1]]'
    old = Statistics.read(f'{{{runs}, "days": [[{day}, 2, 1, 10, 5, 20, [9, 2]]]}}')
    old.add(of_outcome(Outcome.LOST))
    kept = Statistics.read(old.text())
    assert (kept.runs[0].failed, kept.days(NOON)[-1].failures) == (
        True,
        {Outcome.LOST: 1, Outcome.ERROR: 1},
    )


def test_earlier_edition_reads_the_counts_of_a_new_text() -> None:
    stored = json.loads(after(of_outcome(Outcome.LOST)).text())
    # It reads six numbers of an hour, then the buckets, and nothing after them.
    assert all(isinstance(number, int) for number in stored["hours"][0][:6])


def test_missed_runs_have_no_duration() -> None:
    statistics = after(run(milliseconds=8000), PastRun("m", NOON, 0, True, Outcome.MISSED))
    day = statistics.days(NOON)[-1]
    assert (day.average, day.percentile(0.5)) == (8000, pytest.approx(8000, rel=0.1))


def test_no_duration_is_negative() -> None:
    assert Statistics.read('{"runs": [["=a", 0, -5, 0]]}').runs[0].duration_ms == 0


def test_a_busy_trigger_stays_small() -> None:
    hours = range(24 * (DAYS + 5))
    runs = [run(NOON + timedelta(hours=hour), 1000 * 2 ** (hour % 4)) for hour in hours]
    assert len(after(*runs).text()) < 4000


def test_a_busy_trigger_that_fails_in_every_way_stays_small() -> None:
    hours = range(24 * (DAYS + 5))
    ways = [*Outcome]
    runs = [
        replace(of_outcome(ways[hour % len(ways)]), started_at=NOON + timedelta(hours=hour))
        for hour in hours
    ]
    assert len(after(*runs).text()) < 5000


def test_runs_of_a_clock_that_was_ahead_do_not_make_others_too_old() -> None:
    statistics, now = Statistics(), datetime(2027, 1, 4, 9, tzinfo=UTC)
    ahead = PastRun("a", now + timedelta(days=400), 1000, failed=False)
    statistics.add(ahead, now=ahead.started_at)
    statistics.add(PastRun("b", now, 1000, failed=False), now=now)
    assert statistics.days(now)[-1].runs == 1


def test_compressed_text_is_short_and_says_the_same() -> None:
    statistics = after(*(run(NOON - timedelta(hours=number)) for number in range(20, 0, -1)))
    plain, short = statistics.text(), statistics.text(compressed=True)
    assert (Statistics.read(short).text(), 2 * len(short) < 1.5 * len(plain)) == (plain, True)


@pytest.mark.parametrize("text", ["z", "z?", "zAAAA", "z" + 3 * "é", "z" + 100 * "A"])
def test_invalid_compressed_text_counts_as_empty(text: str) -> None:
    assert Statistics.read(text).text() == "{}"
