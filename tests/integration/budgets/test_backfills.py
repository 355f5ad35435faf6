"""Backfills of triggers with budgets: what they may cost, and when they wait."""

from django.test import Client

from executions.backfill import worker
from executions.backfill.model import Backfill
from tests.integration.backfill.conftest import HOUR, NOW, at, backfilled, hourly, work_off
from tests.integration.backfill.test_doors import form, page_of
from tests.integration.budgets.conftest import spend
from triggers import budgets
from triggers.models import Price, Trigger, UserBudget

__all__ = ["hourly"]


def test_the_preview_says_the_money(editor: Client, hourly: Trigger) -> None:
    Price(pk="reporter", input_price=1.0).save()
    spend(hourly, 1000, NOW)
    page = editor.post(f"{page_of(hourly)}/backfill", form(preview="yes")).content.decode()
    assert "12,000 tokens. ≈ 0.012 USD" in page


def test_it_says_none_without_a_price(editor: Client, hourly: Trigger) -> None:
    spend(hourly, 1000, NOW)
    page = editor.post(f"{page_of(hourly)}/backfill", form(preview="yes")).content.decode()
    assert ("12,000 tokens." in page, "≈" in page) == (True, False)


def test_it_waits_for_the_users_next_budget(editor: Client, hourly: Trigger) -> None:
    end = NOW + 3 * HOUR
    UserBudget(user_id="alice", max_tokens_per_day=100, used_up_until=end).save()
    with at(NOW):
        editor.post(f"{page_of(hourly)}/backfill", form(start="yes"))
        worker.work(NOW)
    waiting = len(backfilled(hourly.pk))
    with at(end):
        budgets.forget()
        work_off()
    assert (waiting, len(backfilled(hourly.pk))) == (0, 12)


def test_a_trigger_over_its_budget_ends_its_backfill(editor: Client, hourly: Trigger) -> None:
    Trigger.objects.filter(user_id="alice", pk=hourly.pk).update(max_tokens_per_day=100)
    with at(NOW):
        editor.post(f"{page_of(hourly)}/backfill", form(start="yes"))
    hourly.refresh_from_db()
    spend(hourly, 100, NOW)
    with at(NOW + HOUR / 60):
        worker.work(NOW + HOUR / 60)
    (found,) = Backfill.objects.of_trigger(hourly.pk)
    assert (found.is_running, found.reason_code) == (False, "paused_by_person")
