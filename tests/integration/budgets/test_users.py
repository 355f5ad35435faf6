"""Budgets of users, which all of a user's triggers share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from alerts.happenings import Happening
from alerts.models import Happened
from alerts.texts import paragraph_of
from executions.models import Source
from executions.runner import Occurrence, Offer, offer, start
from moca.authentication.models import AuditEntry
from moca.ids import new_id
from tests.integration.budgets.conftest import spend
from triggers import budgets, pauses
from triggers.models import Trigger, UserBudget

MakeTrigger = Callable[..., Trigger]
NOON = datetime(2027, 1, 30, 12, tzinfo=UTC)
MIDNIGHT = datetime(2027, 1, 31, tzinfo=UTC)


def fires(row: Trigger, at: datetime) -> bool:
    with patch("django.utils.timezone.now", lambda: at):
        return start(Occurrence.scheduled(row.user_id, row.pk, at)) is not None


@pytest.fixture
def budget(db: None) -> UserBudget:
    row = UserBudget(user_id="alice", max_tokens_per_day=100)
    row.full_clean()
    row.save()
    return row


def test_triggers_of_the_user_share_it(budget: UserBudget, make_trigger: MakeTrigger) -> None:
    for _ in range(2):
        spend(make_trigger(), 50, NOON)
    assert not fires(make_trigger(), NOON)


def test_other_users_have_nothing_to_do_with_it(
    budget: UserBudget, make_trigger: MakeTrigger
) -> None:
    spend(make_trigger(), 100, NOON)
    assert fires(make_trigger(user_id="bob"), NOON)


def test_events_are_left_out_too(budget: UserBudget, make_trigger: MakeTrigger) -> None:
    row = make_trigger(type="event", schedule_config=None, event_config={"eventSourceId": "s"})
    spend(row, 100, NOON)
    with patch("django.utils.timezone.now", lambda: NOON):
        offer([Offer.of(row, {"id": "1"}, "1", NOON)])
    row.refresh_from_db()
    assert row.last_skip_reason == "Left out: the budget of the trigger's user was used up."


def test_begins_anew_at_midnight(budget: UserBudget, make_trigger: MakeTrigger) -> None:
    row = make_trigger()
    spend(row, 100, NOON)
    assert fires(row, MIDNIGHT)


def test_midnight_is_that_of_its_time_zone(db: None, make_trigger: MakeTrigger) -> None:
    UserBudget(user_id="alice", max_tokens_per_day=100, timezone="Asia/Tokyo").save()
    spend(make_trigger(), 100, NOON)
    assert UserBudget.objects.get().used_up_until == datetime(2027, 1, 30, 15, tzinfo=UTC)


def test_people_may_run_triggers(budget: UserBudget, make_trigger: MakeTrigger) -> None:
    row = make_trigger()
    spend(row, 100, NOON)
    with patch("django.utils.timezone.now", lambda: NOON):
        assert start(Occurrence(new_id(), row.user_id, row.pk, Source.MANUAL))


def test_an_admin_may_resume_it_for_the_day(budget: UserBudget, make_trigger: MakeTrigger) -> None:
    row = make_trigger()
    spend(row, 100, NOON)
    with patch("django.utils.timezone.now", lambda: NOON):
        budgets.resume_user("alice", by="olga")
    spend(row, 100, NOON)
    assert fires(row, NOON + timedelta(hours=1))


def test_it_is_told_and_on_the_record(
    budget: UserBudget, make_trigger: MakeTrigger, make_rule: Callable
) -> None:
    make_rule(Happening.OVER_BUDGET)
    spend(make_trigger(), 100, NOON)
    entry = AuditEntry.objects.get(reason_code="user_budget_used_up")
    assert (entry.actor, next(iter(Happened.objects.waiting())).user_id) == (
        "system: budgets",
        "alice",
    )


@pytest.mark.parametrize("pauses_all", [False, True])
def test_runs_that_are_left_out_are_not_told_one_by_one(
    budget: UserBudget, make_trigger: MakeTrigger, make_rule: Callable, *, pauses_all: bool
) -> None:
    make_rule(Happening.SKIPPED)
    row = make_trigger()
    if pauses_all:
        pauses.pause_installation(None, by="olga")
    else:
        spend(row, 100, NOON)
    fires(row, NOON)
    row.refresh_from_db()
    assert (row.skipped_runs, list(Happened.objects.waiting())) == (1, [])


def test_the_message_names_the_user(
    budget: UserBudget, make_trigger: MakeTrigger, make_rule: Callable
) -> None:
    make_rule(Happening.OVER_BUDGET)
    spend(make_trigger(), 90, NOON)
    (row,) = Happened.objects.waiting()
    group = {"kind": row.kind, "triggerName": row.trigger_name, "params": row.params}
    assert paragraph_of(group).title == "alice has spent 90 % of a budget"


def test_it_counts_beside_that_of_the_trigger(
    budget: UserBudget, make_trigger: MakeTrigger
) -> None:
    row = make_trigger(max_tokens_per_day=50)
    spend(row, 60, NOON)
    found = UserBudget.objects.get()
    assert budgets.standings(budgets.Owner.user(found), NOON)[0].spent == 60
