"""Validation of triggers by the model, which forms, the API and commands call."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from moca.concurrency import ConflictError
from moca.times import iso
from triggers.models import Trigger, TriggerCount

pytestmark = pytest.mark.django_db


def trigger(**fields: Any) -> Trigger:
    values: dict[str, Any] = {
        "user_id": "alice",
        "name": "Report",
        "agent_id": "reporter",
        "prompt": "Report.",
        "schedule_config": {"expression": "cron(0 9 * * ? *)"},
    }
    return Trigger(**{**values, **fields})


def errors(**fields: Any) -> dict[str, list[tuple[str, str]]]:
    """The errors by field: the part of a map and the code of each."""
    try:
        trigger(**fields).full_clean(validate_unique=False)
    except ValidationError as error:
        return {
            name: [((one.params or {}).get("part", ""), one.code or "") for one in found]
            for name, found in error.error_dict.items()
        }
    return {}


def schedule(**parts: Any) -> dict[str, Any]:
    return {"schedule_config": {"expression": "rate(1 hour)", **parts}}


def test_valid_trigger() -> None:
    assert errors() == {}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"description": "d" * 2001}, "description"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "p" * 50_001}, "prompt"),
        ({"agent_id": ""}, "agent_id"),
        ({"type": "other"}, "type"),
        ({"session_id": "s" * 32}, "session_id"),
        ({"session_id": "s" * 257}, "session_id"),
        ({"timeout_seconds": 9}, "timeout_seconds"),
        ({"timeout_seconds": 86_401}, "timeout_seconds"),
        ({"overlap_policy": "wait"}, "overlap_policy"),
        ({"max_retries": 186}, "max_retries"),
        ({"pause_after_failures": 0}, "pause_after_failures"),
        ({"enabled_tools": "search"}, "enabled_tools"),
        ({"enabled_tools": ["t"] * 51}, "enabled_tools"),
        ({"enabled_tools": ["t" * 129]}, "enabled_tools"),
        ({"enabled_tools": [""]}, "enabled_tools"),
        ({"enabled_tools": [1]}, "enabled_tools"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": ["t"] * 21}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
    ],
)
def test_field_out_of_bounds(fields: dict[str, Any], field: str) -> None:
    assert list(errors(**fields)) == [field]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n" * 200},
        {"prompt": "p" * 50_000},
        {"session_id": "s" * 33},
        {"enabled_tools": []},
        {"enabled_tools": ["t" * 128] * 50},
        {"tags": ["team:data", "näh & co".replace("&", "+")]},
        schedule(timezone="Asia/Tokyo"),
        schedule(startDate="2027-01-01T00:00:00+09:00", endDate="2199-01-01T00:00:00Z"),
        schedule(flexibleTimeWindowMinutes=1440),
        {"schedule_config": {"expression": "0 9 * * ? *"}},
    ],
)
def test_field_within_bounds(fields: dict[str, Any]) -> None:
    assert errors(**fields) == {}


@pytest.mark.parametrize(
    ("config", "part", "code"),
    [
        (None, "expression", "required"),
        ("cron(0 9 * * ? *)", "expression", "required"),
        ({}, "expression", "required"),
        ({"expression": ""}, "expression", "required"),
        ({"expression": 5}, "expression", "invalid"),
        ({"expression": "cron(0 9 * * * *)"}, "expression", "day-of-week"),
        ({"expression": "at(2020-01-01T00:00:00)"}, "expression", "never"),
        ({"expression": "rate(1 hour)", "timezone": "Tokyo"}, "timezone", "timezone"),
        ({"expression": "rate(1 hour)", "timezone": ["UTC"]}, "timezone", "invalid"),
        ({"expression": "rate(1 hour)", "startDate": "2027-01-01"}, "startDate", "invalid"),
        ({"expression": "rate(1 hour)", "endDate": "2027-01-01T00:00:00"}, "endDate", "invalid"),
        ({"expression": "rate(1 hour)", "endDate": 1}, "endDate", "invalid"),
        ({"expression": "rate(1 hour)", "endDate": "2020-01-01T00:00:00Z"}, "expression", "never"),
        (
            {
                "expression": "rate(1 hour)",
                "startDate": "2028-01-01T00:00:00Z",
                "endDate": "2027-01-01T00:00:00Z",
            },
            "endDate",
            "invalid",
        ),
        (
            {"expression": "rate(1 hour)", "flexibleTimeWindowMinutes": 1441},
            "flexibleTimeWindowMinutes",
            "invalid",
        ),
        (
            {"expression": "rate(1 hour)", "flexibleTimeWindowMinutes": True},
            "flexibleTimeWindowMinutes",
            "invalid",
        ),
    ],
)
def test_invalid_schedule(config: Any, part: str, code: str) -> None:
    assert errors(schedule_config=config) == {"schedule_config": [(part, code)]}


def test_all_invalid_parts_are_named() -> None:
    config = {"expression": "cron(x)", "timezone": "Tokyo", "endDate": "soon"}
    parts = [part for part, _ in errors(schedule_config=config)["schedule_config"]]
    assert parts == ["expression", "timezone", "endDate"]


def test_correction_is_offered() -> None:
    with pytest.raises(ValidationError) as caught:
        trigger(schedule_config={"expression": "cron(0 9 * * * *)"}).full_clean()
    error = caught.value.error_dict["schedule_config"][0]
    assert (error.params or {})["suggestion"] == "cron(0 9 * * ? *)"


def test_message_may_hold_a_percent_sign() -> None:
    with pytest.raises(ValidationError) as caught:
        trigger(schedule_config={"expression": "100% of the time"}).full_clean()
    assert caught.value.messages


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (None, "eventSourceId"),
        ({}, "eventSourceId"),
        ({"eventSourceId": 5}, "eventSourceId"),
        ({"eventSourceId": "s", "eventPattern": []}, "eventPattern"),
        ({"eventSourceId": "s", "eventBusName": "b" * 257}, "eventBusName"),
    ],
)
def test_invalid_event_map(config: Any, part: str) -> None:
    found = errors(type="event", event_config=config)
    assert [one for one, _ in found["event_config"]] == [part]


def test_event_with_a_pattern_of_its_own() -> None:
    config = {"eventPattern": {"source": ["my.app"]}}
    assert errors(type="event", schedule_config=None, event_config=config) == {}


def test_past_schedule_may_be_edited_otherwise() -> None:
    past = trigger(schedule_config={"expression": "at(2020-01-01T00:00:00)"})
    past.save()
    loaded = Trigger.objects.get(pk=past.pk)
    loaded.name = "Renamed"
    loaded.full_clean(validate_unique=False)
    assert loaded.changed_fields() == {"name"}


def test_past_schedule_may_not_be_enabled() -> None:
    past = trigger(schedule_config={"expression": "at(2020-01-01T00:00:00)"}, enabled=False)
    past.save()
    past.enabled = True
    with pytest.raises(ValidationError):
        past.full_clean(validate_unique=False)


def test_once_in_the_future_is_fine() -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    assert errors(schedule_config={"expression": tomorrow}) == {}


def test_quota(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    trigger().save()
    with pytest.raises(ValidationError, match="the most a user may have"):
        trigger().check_quota()


def test_save_enforces_the_quota(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    trigger().save()
    with pytest.raises(ConflictError):
        trigger().save()


def test_quota_counts_what_other_programs_deleted(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    TriggerCount.objects.create(user_id="alice", triggers=1)
    trigger().check_quota()
    trigger().save()
    assert TriggerCount.objects.get(user_id="alice").triggers == 1


def test_deleted_trigger_makes_room(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    first = trigger()
    first.save()
    first.delete()
    trigger().save()
    assert Trigger.objects.filter(user_id="alice").count() == 1


def test_trigger_counts_with_its_new_owner(settings: Any) -> None:
    made = trigger()
    made.save()
    made.user_id = "bob"
    made.save()
    counts = [TriggerCount.objects.get(user_id=name).triggers for name in ("alice", "bob")]
    assert counts == [0, 1]


def test_quota_is_each_users_own(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    trigger(user_id="bob").save()
    assert errors() == {}


class TestUnreadableRows:
    """Invalid rows of another program are shown as they are, and never break a page."""

    @pytest.mark.parametrize(
        "config",
        [
            None,
            [],
            "x",
            {"expression": None},
            {"expression": "cron(x)"},
            {"expression": "rate(1 hour)", "timezone": "Nowhere"},
            {"expression": "rate(1 hour)", "startDate": "soon"},
        ],
    )
    def test_never_due(self, config: Any) -> None:
        assert trigger(schedule_config=config).next_runs(timezone.now()) == []

    def test_no_words(self) -> None:
        assert trigger(schedule_config={"expression": "x"}).schedule_description == ""


def test_rate_counts_from_the_creation() -> None:
    made = trigger(schedule_config={"expression": "rate(1 hour)"})
    made.created_at = timezone.now() - timedelta(minutes=90)
    assert made.next_runs(timezone.now(), 1)[0] - made.created_at.replace(
        microsecond=0
    ) == timedelta(hours=2)


def test_first_run_of_a_rate_is_one_period_after_the_creation() -> None:
    made = trigger(schedule_config={"expression": "rate(1 hour)"})
    before = made.created_at - timedelta(minutes=10)
    first = made.created_at.replace(microsecond=0) + timedelta(hours=1)
    assert made.next_runs(before, 1) == [first]


def test_creation_is_no_run_of_a_rate() -> None:
    made = trigger(schedule_config={"expression": "rate(1 hour)"})
    assert made.last_run(made.created_at + timedelta(minutes=30)) is None


def test_rate_that_runs_before_its_end_is_valid() -> None:
    end = timezone.now() + timedelta(days=5)
    made = trigger(schedule_config={"expression": "rate(30 days)", "endDate": iso(end)})
    made.created_at = timezone.now() - timedelta(days=27)
    made.full_clean(validate_unique=False)
    assert len(made.next_runs(timezone.now())) == 1


def test_rate_counts_from_the_start_date() -> None:
    start = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    made = trigger(**schedule(startDate=iso(start)))
    assert made.next_runs(timezone.now(), 2) == [start, start + timedelta(hours=1)]


def test_unreadable_row_may_be_edited_otherwise() -> None:
    made = trigger()
    made.save()
    Trigger.objects.filter(pk=made.pk).update(schedule_config={"expression": "garbage"})
    loaded = Trigger.objects.get(pk=made.pk)
    loaded.name = "Renamed"
    loaded.full_clean(validate_unique=False)
    assert loaded.changed_fields() == {"name"}
