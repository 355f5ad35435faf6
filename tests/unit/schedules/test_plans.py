"""Plans against a walk of days: intervals, days left out, moves and working days.

`Model` knows the definitions of docs/schedules.md alone. It walks day by day and minute by minute,
and shares no code with the product but the zone data and the `holidays` package.

The whole check tries 50,000 random plans and takes some minutes:

    TEST_EXAMPLES=250 pytest tests/unit/schedules/test_plans.py
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import holidays
import pytest

from tests.examples import examples
from triggers.schedules import Plan, find_warnings, parse
from triggers.schedules.days_off import country_names
from triggers.schedules.every import Every
from triggers.schedules.plan_parts import read_plan
from triggers.schedules.projection import to_eventbridge

DAY = timedelta(days=1)
# Clocks change in each of them: by an hour, by half an hour, at midnight.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago")
COUNTRIES = ("DE", "DE-BY", "US", "JP", "IL", "CN", "GB-SCT", "HK")
NAMES = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass
class Model:
    """A plan as its definition has it, and its runs by a walk of all days."""

    zone: str
    # For each expression: its text, the days on which it is due, and its times.
    due: list[tuple[str, Any, list[time]]]
    every: tuple[str, int, date] | None = None
    dates: set[date] = field(default_factory=set)
    ranges: list[tuple[date, date]] = field(default_factory=list)
    country: str = ""
    weekends: bool = False
    move: str = ""
    nth: list[int] = field(default_factory=list)
    months: dict[tuple[int, int], list[date]] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        off: dict[str, Any] = {
            "dates": [each.isoformat() for each in sorted(self.dates)],
            "ranges": [{"from": str(a), "to": str(b)} for a, b in self.ranges],
            "holidays": self.country,
            "weekends": self.weekends,
        }
        found: dict[str, Any] = {"moreExpressions": [text for text, *_ in self.due[1:]]}
        found["daysOff"] = {name: value for name, value in off.items() if value}
        if self.every:
            unit, number, first = self.every
            found["every"] = {unit: number, "from": first.isoformat()}
        return found | {"moveTo": self.move, "workingDays": self.nth}

    def plan(self) -> Any:
        def fail(name: str, error: Exception) -> None:
            raise AssertionError(f"{name}: {error}")

        return read_plan(parse(self.due[0][0]), self.config(), parse, fail)

    def runs(self, first: date, last: date) -> set[datetime]:
        """The runs on the local days between two dates, in UTC."""
        found = set()
        for number in range(-40, (last - first).days + 41):
            day = first + number * DAY
            for _text, is_due, times in self.due:
                target = self.target(day) if is_due(day) and self.is_selected(day) else None
                if target is not None and first <= target <= last:
                    found |= {m for each in times if (m := self.moment(target, each))}
        return found

    def moment(self, day: date, at: time) -> datetime | None:
        local = datetime.combine(day, at, ZoneInfo(self.zone))
        moment = local.astimezone(UTC)
        back = moment.astimezone(ZoneInfo(self.zone))
        return moment if (back.date(), back.time()) == (day, at) else None

    def target(self, day: date) -> date | None:
        """The day on which a run that is due on `day` is made; None if it is left out."""
        if not self.is_off(day):
            return day
        step = {"next": DAY, "previous": -DAY}.get(self.move)
        for number in range(1, 32) if step else ():
            if self.is_working(day + number * step):
                return day + number * step
        return None

    def is_selected(self, day: date) -> bool:
        if self.every:
            unit, number, first = self.every
            monday, start = (each - each.weekday() * DAY for each in (day, first))
            away = {
                "days": (day - first).days,
                "weeks": (monday - start).days // 7,
                "months": (day.year - first.year) * 12 + day.month - first.month,
            }[unit]
            if day < first or away % number:
                return False
        if not self.nth:
            return True
        working = self.working_days(day.year, day.month)
        return any(
            len(working) >= abs(n) and working[n - 1 if n > 0 else n] == day for n in self.nth
        )

    def working_days(self, year: int, month: int) -> list[date]:
        if (year, month) not in self.months:
            days = [d for n in range(1, 32) if (d := _day(year, month, n))]
            self.months[year, month] = [each for each in days if self.is_working(each)]
        return self.months[year, month]

    def is_off(self, day: date) -> bool:
        return (
            day in self.dates
            or any(first <= day <= last for first, last in self.ranges)
            or bool(self.country and day in country_of(self.country).holidays)
            or (self.weekends and self.is_weekend(day))
        )

    def is_weekend(self, day: date) -> bool:
        if not self.country:
            return day.weekday() > 4
        country = country_of(self.country)
        return day.weekday() in country.weekend and day not in country.workdays

    def is_working(self, day: date) -> bool:
        return not (self.is_weekend(day) or self.is_off(day))


class Country(NamedTuple):
    """What the package itself says of a country."""

    holidays: set[date]
    weekend: set[int]
    workdays: set[date]


@cache
def country_of(name: str) -> Country:
    country, _dash, part = name.partition("-")
    found = holidays.country_holidays(
        country, subdiv=part or None, years=range(2020, 2036), expand=False
    )
    return Country(set(found), set(found.weekend), set(found.weekend_workdays))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _expression(rng: random.Random) -> tuple[str, Any, list[time]]:
    """A random expression, the days on which it is due, and its times."""
    hours = sorted(rng.sample(range(24), rng.choice((1, 1, 1, 2))))
    minutes = sorted(rng.sample((0, 15, 30, 45), rng.choice((1, 1, 2))))
    times = [time(hour, minute) for hour in hours for minute in minutes]
    at = f"{','.join(map(str, minutes))} {','.join(map(str, hours))}"
    months = sorted(rng.sample(range(1, 13), 4)) if rng.random() < 0.2 else list(range(1, 13))
    month = "*" if len(months) == 12 else ",".join(map(str, months))
    kind = rng.choice(("daily", "weekly", "weekly", "monthly", "last"))
    if kind == "daily":
        text, due = f"{at} * {month} ? *", lambda day: day.month in months
    elif kind == "weekly":
        days = sorted(rng.sample(range(7), rng.choice((1, 1, 2, 5))))
        text = f"{at} ? {month} {','.join(NAMES[each] for each in days)} *"
        due = lambda day: day.month in months and day.weekday() in days  # noqa: E731
    elif kind == "monthly":
        days = sorted(rng.sample(range(1, 32), rng.choice((1, 1, 3))))
        text = f"{at} {','.join(map(str, days))} {month} ? *"
        if days[0] > 28:
            days, text = [15], f"{at} 15 {month} ? *"
        due = lambda day: day.month in months and day.day in days  # noqa: E731
    else:
        text = f"{at} L {month} ? *"
        due = lambda day: day.month in months and (day + DAY).day == 1  # noqa: E731
    return text, due, times


def _near(rng: random.Random) -> date:
    return date(2027, 1, 1) + rng.randrange(700) * DAY


def _model(seed: int) -> Model:
    rng = random.Random(seed)
    due = {}
    for _each in range(rng.choice((1, 1, 1, 2, 3))):
        text, is_due, times = _expression(rng)
        due[text] = (text, is_due, times)
    model = Model(rng.choice(ZONES), list(due.values()))
    if rng.random() < 0.4:
        unit, most = rng.choice((("days", 10), ("weeks", 6), ("months", 7)))
        model.every = unit, rng.randint(1, most), _near(rng) - 300 * DAY
    if rng.random() < 0.4:
        model.dates = {_near(rng) for _each in range(rng.randint(1, 30))}
    if rng.random() < 0.3:
        starts = [_near(rng) for _each in range(rng.randint(1, 3))]
        model.ranges = [(first, first + rng.randrange(45) * DAY) for first in starts]
    if rng.random() < 0.5:
        model.country = rng.choice(COUNTRIES)
    model.weekends = rng.random() < 0.4
    choice = rng.random()
    if choice < 0.5 and model.config()["daysOff"]:
        model.move = rng.choice(("previous", "next"))
    elif choice < 0.7:
        model.nth = rng.sample((1, 2, 3, 10, 19, 22, -1, -2, -5, -20), rng.choice((1, 1, 2)))
    return model


def _window(seed: int) -> tuple[date, date]:
    # Clocks change in March, April, September, October or November.
    first = random.Random(-seed - 1).choice(
        (date(2027, 3, 1), date(2027, 3, 20), date(2027, 9, 20), date(2028, 3, 1))
    )
    return first, first + 45 * DAY


@pytest.mark.parametrize("batch", range(10))
def test_the_runs_of_random_plans_are_those_of_a_walk_of_days(batch: int) -> None:
    number = examples(20)
    for seed in range(batch * number, (batch + 1) * number):
        model, (first, last) = _model(seed), _window(seed)
        zone, plan = ZoneInfo(model.zone), model.plan()
        bounds = (datetime.combine(each, time(), zone) for each in (first, last + DAY))
        start, end = (each.astimezone(UTC) for each in bounds)
        wanted = sorted(each for each in model.runs(first, last) if start <= each < end)
        assert wanted == _forwards(plan, start, end, zone), (seed, model)
        assert wanted == _backwards(plan, start, end, zone), (seed, model)
        _check_projection(plan, wanted, start, end, zone)


def _forwards(plan: Any, start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    # The end saves the search for a run beyond the window, which a plan may not have.
    found, last = [], end - timedelta(microseconds=1)
    run = plan.next_run(start - timedelta(microseconds=1), zone, end=last)
    while run is not None:
        found.append(run)
        run = plan.next_run(run, zone, end=last)
    return found


def _backwards(plan: Any, start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    found, run = [], plan.previous_run(end, zone, start=start)
    while run is not None:
        found.append(run)
        run = plan.previous_run(run, zone, start=start)
    return found[::-1]


def _check_projection(
    plan: Any, wanted: list[datetime], start: datetime, end: datetime, zone: ZoneInfo
) -> None:
    """EventBridge has all runs; those beyond them are told apart, or there are none."""
    projections = to_eventbridge(plan)
    fired = {run for each in projections for run in _forwards(each.expression, start, end, zone)}
    if isinstance(plan, Plan):
        assert wanted == sorted(run for run in fired if plan.is_meant(run, zone, end=run + DAY)), (
            plan
        )
    if all(each.is_exact for each in projections):
        assert wanted == sorted(fired), plan


def test_the_holidays_are_those_of_the_package() -> None:
    for name in COUNTRIES:
        model = Model("UTC", [_expression(random.Random(1))], country=name)
        off = model.plan().days_off
        days = [date(2025, 1, 1) + n * DAY for n in range(3 * 365)]
        assert [d for d in days if off.is_left_out(d)] == sorted(
            d for d in country_of(name).holidays if days[0] <= d <= days[-1]
        )


def test_a_warning_names_the_first_year_whose_holidays_are_unknown() -> None:
    last = holidays.country_holidays("LK").end_year
    plan = Model("UTC", [_expression(random.Random(1))], country="LK").plan()
    found = find_warnings(plan, ZoneInfo("UTC"), datetime(last, 7, 1, tzinfo=UTC))
    assert any(f"holidays of LK are known for {last + 1}," in each for each in found)


def test_each_country_of_the_package_can_be_chosen() -> None:
    assert country_names() == {
        name: tuple(parts)
        for name, parts in holidays.list_supported_countries(include_aliases=False).items()
    }


@pytest.mark.parametrize("seed", range(60))
def test_many_runs_are_those_that_follow_each_other(seed: int) -> None:
    model = _model(seed)
    zone, plan, (first, _last) = ZoneInfo(model.zone), model.plan(), _window(seed)
    after = datetime.combine(first, time(9, 30, 20), UTC)
    end, one_by_one = after + 60 * DAY, []
    run = plan.next_run(after, zone, end=end, anchor=after)
    while run is not None and len(one_by_one) < 40:
        one_by_one.append(run)
        run = plan.next_run(run, zone, end=end, anchor=after)
    assert plan.next_runs(after, zone, 40, end=end, anchor=after) == one_by_one


def test_an_expression_that_never_runs_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    every = Every(14, "days", date(1970, 1, 5))
    plan = Plan((parse("cron(0 9 ? * MON *)"), parse("cron(0 9 ? * TUE *)")), every=every)
    searched: list[Any] = []
    search = Plan._next_of

    def count(plan: Plan, expression: Any, *args: Any) -> datetime | None:
        searched.append(expression)
        return search(plan, expression, *args)

    monkeypatch.setattr(Plan, "_next_of", count)
    plan.next_runs(datetime(2027, 1, 1, tzinfo=UTC), ZoneInfo("UTC"), 20)
    assert searched.count(plan.expressions[1]) == 1
