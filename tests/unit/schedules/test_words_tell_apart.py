"""Words that tell schedules apart: if two read alike, they run alike."""

from itertools import product
from random import Random

import pytest

from triggers.schedules import ExpressionError, describe, japanese, parse

# Each list holds values that are near each other, so that a part lost in words shows.
MINUTES = """
* 0 1 30 59 0/20 10/20 */2 1/2 0/30 5/15 0/15 0-30/10 0-50/10 10-50/10 20-59/13 0,30 0,1 0-2 0-58
1-59 */7 10-20 0,59 58-59,0-2 5,10,15,20 5-20/5
""".split()  # noqa: SIM905
HOURS = """
* 0 23 0/6 6/6 1/6 0-12/6 6-18/6 20-2 22-1 0-22 1-23 0/2 1/2 0-20/2 9-17 9-17/2 8,12 8-9,12 0/5
23-1 0/7 0-3 21-3 0-1,23 0/4 2/4
""".split()  # noqa: SIM905
DAYS = [
    (day, "?")
    for day in """
    * 1 1-7 */2 1/2 2/2 1-30 2-31 1/3 1-15/2 1-13/3 L LW L-1 L-2 15W 1,L 1-30,L 1-3,L-3 1,15W 31
    28-31 1/10 1,11,21 1,LW 1W,15W
    """.split()  # noqa: SIM905
] + [
    ("?", weekday)
    for weekday in """
    2-6 MON 1,7 SAT 2-5 FRI-MON */2 2-7 MON#1 MON#5 2L MON,MON#1 MON-FRI,2L SAT,SUN,2#2 1,7,2L 2-4
    1-3 1,3,5 L FRIL,MONL 1-6,7L
    """.split()  # noqa: SIM905
]
MONTHS = "* 1 2 1-3 1/2 */3 2/3 11-2 1,2 1,2,3 2-12 12-1 1,12 1,7 6-8 1-11 1-5/2 2/2".split()  # noqa: SIM905
YEARS = """
* 2027 2027/2 2027-2029 2027-2028 2027,2029 2027-2035/2 2027-2033/2 */2 1970/4 1971/2 2027/3
2027-2029,2031 2198-2199 2027-2199
""".split()  # noqa: SIM905


def some_fields(random, count):
    """Pairs of near fields, and then everything mixed."""
    for minutes, hours in product(MINUTES, HOURS):
        yield minutes, hours, ("?", "MON"), "*", "*"
    for days, months in product(DAYS, MONTHS):
        yield "0", "9", days, months, "*"
    for days, years in product(DAYS, YEARS):
        yield "0", "0/2", days, "1,7", years
    for _ in range(count):
        yield tuple(map(random.choice, (MINUTES, HOURS, DAYS, MONTHS, YEARS)))


def some_expressions(count):
    for minutes, hours, (day, weekday), months, years in some_fields(Random(5), count):
        try:
            yield parse(f"{minutes} {hours} {day} {months} {weekday} {years}")
        except ExpressionError:
            continue


def runs_of(cron):
    return cron.minutes, cron.hours, cron.months, cron.years, cron.days


@pytest.mark.parametrize("words_of", [describe, japanese.describe], ids=["english", "japanese"])
def test_equal_words_are_equal_runs(words_of):
    seen = {}
    alike = [
        (words, seen[words].canonical, cron.canonical)
        for cron in some_expressions(5000)
        if runs_of(seen.setdefault(words := words_of(cron), cron)) != runs_of(cron)
    ]
    assert alike == []


@pytest.mark.parametrize("words_of", [describe, japanese.describe], ids=["english", "japanese"])
def test_words_are_short(words_of):
    assert max(len(words_of(cron)) for cron in some_expressions(5000)) < 400
