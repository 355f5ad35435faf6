"""Budgets of triggers: what is counted, when a trigger is paused, and who is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from alerts.happenings import Happening
from alerts.models import Happened
from executions.maintenance import remove_expired
from executions.models import TriggerExecution
from executions.runner import Occurrence, start
from moca.authentication.models import AuditEntry
from tests.integration.budgets.conftest import spend
from triggers import services
from triggers.models import Price, Spending, Trigger

MakeTrigger = Callable[..., Trigger]
Stored = Callable[[Trigger], Trigger]
NOON = datetime(2027, 1, 30, 12, tzinfo=UTC)
MIDNIGHT = datetime(2027, 1, 31, tzinfo=UTC)
TOKYO = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}


def spent(row: Trigger) -> int:
    """The tokens that are counted for a trigger."""
    return sum(each.tokens for each in Spending.objects.filter(owner=f"trigger:{row.pk}"))


class TestPause:
    def test_lasts_until_the_next_day(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 100, NOON)
        assert stored(row).paused_until == MIDNIGHT

    def test_says_why(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_tokens_per_day=1000)
        spend(row, 1200, NOON)
        assert stored(row).pause_note == (
            "Paused until 2027-01-31 00:00 UTC, because the budget of 1,000 tokens a day is used "
            "up."
        )

    def test_lasts_until_the_next_month(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_tokens_per_month=100)
        spend(row, 60, NOON - timedelta(days=9))
        spend(row, 60, NOON)
        assert stored(row).paused_until == datetime(2027, 2, 1, tzinfo=UTC)

    def test_ends_at_midnight_of_the_schedule(
        self, make_trigger: MakeTrigger, stored: Stored
    ) -> None:
        row = make_trigger(max_tokens_per_day=100, schedule_config=TOKYO)
        spend(row, 100, NOON)
        assert stored(row).paused_until == datetime(2027, 1, 30, 15, tzinfo=UTC)

    def test_comes_only_once_it_is_used_up(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 99, NOON)
        assert stored(row).paused_until is None

    def test_the_next_day_begins_with_nothing_spent(
        self, make_trigger: MakeTrigger, stored: Stored
    ) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 60, NOON)
        spend(row, 60, MIDNIGHT)
        assert stored(row).paused_until is None

    def test_keeps_the_schedule_from_running(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 100, NOON)
        later = NOON + timedelta(hours=1)
        with patch("django.utils.timezone.now", lambda: later):
            assert start(Occurrence.scheduled(row.user_id, row.pk, later)) is None

    def test_is_over_the_next_day(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 100, NOON)
        with patch("django.utils.timezone.now", lambda: MIDNIGHT):
            assert start(Occurrence.scheduled(row.user_id, row.pk, MIDNIGHT))

    def test_is_by_the_system(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 100, NOON)
        entry = AuditEntry.objects.get(object_id=row.pk, reason_code="budget_used_up")
        assert entry.actor == "system: budgets"

    def test_leaves_a_longer_one_alone(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_tokens_per_day=100)
        services.pause(row, until=None, note="Moving.", by="olga")
        spend(row, 100, NOON)
        assert stored(row).pause_note == "Moving."

    def test_a_disabled_trigger_stays_as_it_is(
        self, make_trigger: MakeTrigger, stored: Stored
    ) -> None:
        row = make_trigger(max_tokens_per_day=100, enabled=False)
        spend(row, 100, NOON)
        assert (stored(row).enabled, stored(row).paused_until) == (False, None)

    def test_of_money_counts_by_the_price(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        Price(pk="large", input_price=2.0).save()
        row = make_trigger(max_cost_per_day=0.5, model_id="large")
        spend(row, 250_000, NOON)
        assert stored(row).pause_note == (
            "Paused until 2027-01-31 00:00 UTC, because the budget of 0.50 USD a day is used up."
        )

    def test_of_money_needs_a_price(self, make_trigger: MakeTrigger, stored: Stored) -> None:
        row = make_trigger(max_cost_per_day=0.5, model_id="large")
        spend(row, 250_000, NOON)
        assert stored(row).paused_until is None


class TestPeople:
    """Somebody resumes the trigger, or changes its budget."""

    @pytest.fixture
    def paused(self, make_trigger: MakeTrigger) -> Trigger:
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 100, NOON)
        row.refresh_from_db()
        return row

    def test_resumed_it_is_not_paused_again_that_day(self, paused: Trigger, stored: Stored) -> None:
        services.resume(paused, by="olga")
        spend(paused, 500, NOON)
        assert stored(paused).paused_until is None

    def test_but_is_the_next_day(self, paused: Trigger, stored: Stored) -> None:
        services.resume(paused, by="olga")
        spend(paused, 100, MIDNIGHT)
        assert stored(paused).paused_until == MIDNIGHT + timedelta(days=1)

    def test_a_raised_budget_pauses_when_it_is_used_up(
        self, paused: Trigger, stored: Stored
    ) -> None:
        def raise_it(row: Trigger) -> None:
            row.max_tokens_per_day = 300
            row.end_pause()

        services.change(paused, raise_it, by="olga")
        spend(paused, 100, NOON)
        before = stored(paused).paused_until
        spend(paused, 100, NOON)
        assert (before, stored(paused).paused_until) == (None, MIDNIGHT)


class TestAlerts:
    def reasons(self) -> list[str]:
        return sorted(each.params["reason"]["code"] for each in Happened.objects.waiting())

    def test_warn_at_80_percent_and_at_the_end(
        self, make_trigger: MakeTrigger, make_rule: Callable
    ) -> None:
        make_rule(Happening.OVER_BUDGET)
        row = make_trigger(max_tokens_per_day=100)
        spend(row, 80, NOON)
        spend(row, 20, NOON)
        assert self.reasons() == ["budget_nearly_used_up", "budget_used_up"]

    def test_not_below(self, make_trigger: MakeTrigger, make_rule: Callable) -> None:
        make_rule(Happening.OVER_BUDGET)
        spend(make_trigger(max_tokens_per_day=100), 79, NOON)
        assert self.reasons() == []

    def test_once_a_day(self, make_trigger: MakeTrigger, make_rule: Callable) -> None:
        make_rule(Happening.OVER_BUDGET)
        row = make_trigger(max_tokens_per_day=100)
        for moment in (NOON, NOON, MIDNIGHT):
            spend(row, 85, moment)
        assert self.reasons() == [
            "budget_nearly_used_up",
            "budget_nearly_used_up",
            "budget_used_up",
        ]


class TestCounters:
    def test_no_budget_costs_no_query(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger()
        with CaptureQueriesContext(connection) as queries:
            spend(row, 100)
        assert not [q for q in queries if "spending" in str(q).lower() or "SPENT#" in str(q)]

    @pytest.mark.sqlite
    def test_a_budget_costs_one_addition(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=1000)
        spend(row, 100)
        with CaptureQueriesContext(connection) as queries:
            spend(row, 100)
        sql = [q["sql"] for q in queries if "spending" in q["sql"].lower() or "SPENT#" in q["sql"]]
        writes = [each for each in sql if "update" in each.lower() or "insert" in each.lower()]
        assert (len(writes), len(sql)) == (1, 2)

    @pytest.mark.django_db(transaction=True)
    def test_runs_at_the_same_time_are_all_counted(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=10**6, overlap_policy="allow")

        def run(_: int) -> None:
            try:
                spend(row, 7)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, range(20)))
        ended = TriggerExecution.objects.filter(trigger_id=row.pk, status="completed").count()
        assert (ended, spent(row)) == (20, 140)

    def test_runs_without_usage_count_nothing(self, make_trigger: MakeTrigger) -> None:
        row = make_trigger(max_tokens_per_day=1000)
        spend(row, 0)
        assert spent(row) == 0

    @pytest.mark.sqlite
    def test_go_after_their_time(self, make_trigger: MakeTrigger) -> None:
        spend(make_trigger(max_tokens_per_day=1000), 100, NOON)
        remove_expired(NOON + timedelta(days=101))
        assert not Spending.objects.exists()
