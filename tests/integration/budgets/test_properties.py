"""Budgets against a plain model: random runs, while the clock moves over days, months and zones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.integration.budgets.conftest import spend
from triggers import budgets
from triggers.models import Spending, Trigger

MakeTrigger = Callable[..., Trigger]

# Clocks that skip midnight (Cairo, Beirut), that go back at it (Azores), and others.
ZONES = ["UTC", "Asia/Tokyo", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores", "Pacific/Apia"]
# Near the changes of the clocks, and ends of months.
STARTS = [
    datetime(2027, 3, 27, tzinfo=UTC),
    datetime(2027, 4, 28, tzinfo=UTC),
    datetime(2027, 10, 28, tzinfo=UTC),
    datetime(2026, 12, 30, tzinfo=UTC),
    datetime(2028, 2, 27, tzinfo=UTC),
]
RUNS = st.lists(
    st.tuples(st.integers(1, 26 * 60), st.integers(1, 120), st.booleans()), min_size=1, max_size=9
)


def day_of(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")


def next_start(moment: datetime, zone: str, length: int) -> datetime:
    """The first minute after a moment whose day, or month, has another name; found by trying."""
    name = day_of(moment, zone)[:length]
    minute = moment.replace(second=0, microsecond=0)
    step = timedelta(hours=1)
    while day_of(minute + step, zone)[:length] == name:
        minute += step
    while day_of(minute, zone)[:length] == name:
        minute += timedelta(minutes=1)
    return minute


@pytest.mark.sqlite
@given(st.sampled_from(ZONES), st.sampled_from(STARTS), RUNS, st.sampled_from([100, 250]))
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_spent_and_paused_as_a_plain_model_has_it(
    make_trigger: MakeTrigger,
    zone: str,
    start: datetime,
    runs: list[tuple[int, int, bool]],
    month: int,
) -> None:
    schedule = {"expression": "cron(0 9 * * ? *)", "timezone": zone}
    row = make_trigger(max_tokens_per_day=100, max_tokens_per_month=month, schedule_config=schedule)
    spent: dict[str, int] = {}
    told: set[str] = set()
    until = now = start
    for minutes, tokens, resumes in runs:
        now += timedelta(minutes=minutes)
        spend(row, tokens, now)
        day = day_of(now, zone)
        spent[day] = spent.get(day, 0) + tokens
        of_month = sum(number for name, number in spent.items() if name[:7] == day[:7])
        if spent[day] >= 100 and day not in told:
            told.add(day)
            until = max(until, next_start(now, zone, 10))
        if of_month >= month and day[:7] not in told:
            told.add(day[:7])
            until = max(until, next_start(now, zone, 7))
        stored = Trigger.objects.get(pk=row.pk)
        assert stored.is_paused(now) == (until > now)
        assert not stored.is_paused(now) or stored.paused_until == until
        if resumes and until > now:
            Trigger.objects.filter(pk=row.pk).update(paused_at=None, paused_until=None)
            until = now
    owner = budgets.Owner.trigger(row)
    assert owner is not None
    rows = Spending.objects.filter(owner=owner.key)
    counted = {each.pk.partition("#")[2]: each.tokens for each in rows if each.tokens}
    assert counted == spent
