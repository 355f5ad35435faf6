"""Rates in EventBridge Scheduler fire at the times that our pages show, whatever changes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from moca.times import iso
from tests.integration.eventbridge.conftest import GROUP
from triggers.models import Trigger
from triggers.reconcile import reconcile

MakeTrigger = Callable[..., Trigger]
At = Callable[[datetime], None]

MADE = datetime.fromisoformat("2027-03-01T10:20:30.400Z")
HOUR = timedelta(hours=1)
FIRST = datetime.fromisoformat("2027-03-01T11:20:30Z")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Sets the clock: `at(moment)`."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_clock(MADE)
    return set_clock


@pytest.fixture
def hourly(at: At, eventbridge: Any, make_trigger: MakeTrigger) -> Trigger:
    return make_trigger(schedule_config={"expression": "rate(1 hour)"}, created_at=MADE)


def start(service: Any, trigger: Trigger) -> datetime | None:
    found = service.get_schedule(Name=f"trigger-{trigger.pk}", GroupName=GROUP)
    return found.get("StartDate")


def change(trigger: Trigger, **values: Any) -> None:
    for name, value in values.items():
        setattr(trigger, name, value)
    trigger.save()


def send(service: Any, trigger: Trigger, **parts: Any) -> None:
    """Replace parts of a schedule, as another program would; None removes a part."""
    found = service.get_schedule(Name=f"trigger-{trigger.pk}", GroupName=GROUP)
    kept = {
        name: value
        for name, value in {**found, **parts}.items()
        if name not in ("ResponseMetadata", "Arn", "CreationDate", "LastModificationDate")
        and value is not None
    }
    service.update_schedule(**kept)


def test_first_run_is_one_period_after_the_creation(eventbridge: Any, hourly: Trigger) -> None:
    assert start(eventbridge, hourly) == FIRST


def test_new_prompt_does_not_move_it(eventbridge: Any, hourly: Trigger, at: At) -> None:
    at(MADE + 25.5 * HOUR)
    change(hourly, prompt="Other.")
    assert start(eventbridge, hourly) == FIRST + 25 * HOUR


def test_enabling_again_does_not_fire_at_once(eventbridge: Any, hourly: Trigger, at: At) -> None:
    change(hourly, enabled=False)
    at(MADE + 9.2 * HOUR)
    change(hourly, enabled=True)
    assert start(eventbridge, hourly) == FIRST + 9 * HOUR


def test_start_that_lies_ahead_is_sent(at: At, eventbridge: Any, make_trigger: MakeTrigger) -> None:
    ahead = FIRST + timedelta(days=9, minutes=1)
    config = {"expression": "rate(1 hour)", "startDate": iso(ahead)}
    assert start(eventbridge, make_trigger(schedule_config=config)) == ahead


def test_start_that_is_past_sets_the_pace(
    at: At, eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    config = {"expression": "rate(1 hour)", "startDate": "2026-01-01T00:15:00Z"}
    made = make_trigger(schedule_config=config, created_at=MADE)
    assert start(eventbridge, made) == datetime.fromisoformat("2027-03-01T11:15:00Z")


def test_last_run_of_all_is_still_sent_while_it_is_due(
    at: At, eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    config = {"expression": "rate(1 hour)", "endDate": iso(FIRST)}
    made = make_trigger(schedule_config=config, created_at=MADE)
    at(FIRST + timedelta(seconds=5))
    change(made, prompt="Other.")
    assert start(eventbridge, made) == FIRST


@pytest.mark.parametrize("later", [timedelta(seconds=1), HOUR, timedelta(days=31, minutes=7)])
def test_time_that_goes_by_is_no_difference(
    transactional_db: None, hourly: Trigger, at: At, later: timedelta
) -> None:
    at(MADE + later)
    assert reconcile() == []


def test_time_that_goes_by_is_no_difference_for_a_start_within_a_second(
    transactional_db: None, at: At, eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    config = {"expression": "rate(1 hour)", "startDate": "2027-03-02T00:00:00.500Z"}
    make_trigger(schedule_config=config)
    at(datetime.fromisoformat("2027-03-02T00:00:00.300Z"))
    assert reconcile() == []


@pytest.mark.parametrize(
    "sent",
    [
        None,
        FIRST + timedelta(minutes=1),
        FIRST + 5 * HOUR,
        FIRST - HOUR + timedelta(seconds=1),
    ],
    ids=["none, as the TypeScript service", "out of phase", "too late", "a second late"],
)
def test_wrong_start_is_repaired(
    transactional_db: None, eventbridge: Any, hourly: Trigger, sent: datetime | None
) -> None:
    send(eventbridge, hourly, StartDate=sent)
    reconcile()
    assert start(eventbridge, hourly) == FIRST


def test_start_moved_by_whole_periods_is_repaired(
    transactional_db: None, at: At, eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    ahead = FIRST + 48 * HOUR
    config = {"expression": "rate(1 hour)", "startDate": iso(ahead)}
    made = make_trigger(schedule_config=config, created_at=MADE)
    send(eventbridge, made, StartDate=FIRST)
    reconcile()
    assert start(eventbridge, made) == ahead


def test_cron_without_a_start_is_sent_without(
    at: At, eventbridge: Any, make_trigger: MakeTrigger
) -> None:
    assert start(eventbridge, make_trigger()) is None
