"""Recurrence rules of iCalendar that need more than an expression, against dateutil's."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from tests.examples import examples
from triggers.schedules import Correction, ExpressionError, parse
from triggers.schedules.plan_parts import read_plan

ZONE = ZoneInfo("UTC")
START = datetime(2027, 2, 5, 9, 30, tzinfo=UTC)


def error_of(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text, ZONE)
    return caught.value


def offer_of(text: str) -> Correction:
    (offer,) = error_of(text).corrections
    return offer


def runs_of(offer: Correction, count: int) -> list[datetime]:
    def fail(part: str, error: ExpressionError) -> None:
        raise AssertionError(f"{part}: {error}")

    plan = read_plan(parse(offer.expression), offer.parts, parse, fail)
    bounds = {
        name: datetime.fromisoformat(offer.parts[part]) if part in offer.parts else None
        for name, part in (("start", "startDate"), ("end", "endDate"))
    }
    return plan.next_runs(START - timedelta(days=3), ZONE, count, **bounds)


def check(rule: str, *more: str) -> None:
    lines = [f"DTSTART:{START:%Y%m%dT%H%M%SZ}", f"RRULE:{rule}", *more]
    theirs = rrulestr("\n".join(lines), forceset=True)
    wanted = [run for run, _number in zip(theirs, range(40), strict=False)]
    assert runs_of(offer_of(" ".join(lines)), 40) == wanted, rule


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;INTERVAL=2",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,TU;BYHOUR=7,19;BYMINUTE=0",
        "FREQ=DAILY;INTERVAL=10",
        "FREQ=MONTHLY;INTERVAL=5",
        "FREQ=MONTHLY;INTERVAL=18;BYMONTHDAY=-1",
        "FREQ=MONTHLY;INTERVAL=7;BYDAY=2TU",
        "FREQ=MONTHLY;BYDAY=1MO,3MO",
        "FREQ=MONTHLY;BYDAY=1MO,3FR,-1SU",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=3,-3",
        "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=SU,MO,TU,WE,TH,FR,SA;BYSETPOS=-2",
        "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
        "FREQ=YEARLY;INTERVAL=2;UNTIL=20400101T000000Z",
        "FREQ=WEEKLY;COUNT=5",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=7",
        "FREQ=WEEKLY;BYDAY=MO;UNTIL=20270501T093000Z",
        "FREQ=MONTHLY;COUNT=4;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    ],
)
def test_a_rule_keeps_its_runs(rule: str) -> None:
    check(rule)


def test_days_that_are_left_out_stay_so() -> None:
    check("FREQ=WEEKLY;BYDAY=MO,FR", "EXDATE:20270208T093000Z,20270312T093000Z")


def test_an_exdate_that_is_no_run_changes_nothing() -> None:
    check("FREQ=WEEKLY;BYDAY=MO,FR", "EXDATE:20270208T103000Z")


def test_further_dates_are_kept() -> None:
    check("FREQ=WEEKLY;BYDAY=MO;COUNT=50", "RDATE:20270210T113000Z")


def test_random_rules_keep_their_runs() -> None:
    for seed in range(examples(150)):
        rng = random.Random(seed)
        frequency, most = rng.choice((("DAILY", 9), ("WEEKLY", 6), ("MONTHLY", 14)))
        parts = [f"FREQ={frequency}", f"INTERVAL={rng.randint(2, most)}"]
        if frequency == "WEEKLY":
            days = rng.sample(("MO", "TU", "WE", "TH", "FR", "SA", "SU"), rng.randint(1, 4))
            parts.append(f"BYDAY={','.join(days)}")
        if frequency == "MONTHLY":
            choices = ("BYMONTHDAY=31", "BYMONTHDAY=1,15,-1", "BYDAY=-1MO", "BYDAY=1MO,2TU")
            parts.append(rng.choice(choices))
        parts.append(rng.choice(("COUNT=30", "UNTIL=20350101T000000Z", "WKST=MO")))
        check(";".join(parts))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DTSTART:20270205T093000 RRULE:FREQ=YEARLY;BYWEEKNO=3", "BYWEEKNO"),
        ("DTSTART:20270205T093000 RRULE:FREQ=YEARLY;BYDAY=MO;BYSETPOS=3", "BYSETPOS"),
        ("DTSTART:20270205T093000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU", "WKST=MO"),
        (
            "DTSTART:20270205T093000 RRULE:FREQ=DAILY;BYHOUR=9,17 EXDATE:20270206T093000",
            "leaves out days",
        ),
        ("DTSTART:20270205T093000 RRULE:FREQ=WEEKLY;COUNT=5000", "COUNT can be 1 to 1000"),
        (
            "DTSTART:20270205T093000 RRULE:FREQ=WEEKLY;INTERVAL=2 RDATE:20270210T113000",
            "RDATE cannot",
        ),
    ],
)
def test_what_no_schedule_says_is_refused_with_a_reason(text: str, said: str) -> None:
    error = error_of(text)
    assert (said in error.reason, error.corrections) == (True, ())


def test_the_offer_is_in_words() -> None:
    offer = offer_of("DTSTART:20261207T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO")
    assert offer.words == "At 09:00 on Mondays, every 2 weeks from 7 December 2026"


def test_the_parts_of_an_offer_are_those_of_the_api() -> None:
    parts: Any = offer_of("DTSTART:20261207T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO").parts
    assert parts["every"] == {"weeks": 2, "from": "2026-12-07"}


def test_several_expressions_are_offered_as_one_schedule() -> None:
    (offer, *_alone) = error_of("0 9 * * 1-5; 30 11 * * 6").corrections
    assert (offer.words, offer.parts) == (
        "At 09:00 on weekdays and at 11:30 on Saturdays",
        {"moreExpressions": ["30 11 ? * SAT *"]},
    )


def test_several_expressions_of_which_one_has_no_meaning_are_not_offered_as_one() -> None:
    text = "0 9 * * 1-5; every full moon in the year"
    assert [each.parts for each in error_of(text).corrections if each.parts] == []
