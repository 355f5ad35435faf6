"""The pages of budgets: forms, bars, and who may change what."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents.demo import DemoAgent
from tests.integration.budgets.conftest import ask, spend
from triggers.budgets import money
from triggers.models import Price, Trigger, UserBudget

MakeTrigger = Callable[..., Trigger]


def read(client: Client, path: str) -> str:
    return client.get(path).content.decode()


@pytest.fixture
def budget(db: None) -> UserBudget:
    row = UserBudget(user_id="alice", max_tokens_per_day=100)
    row.save()
    return row


class TestForms:
    def test_an_admin_enters_a_price(self, administrator: Client) -> None:
        administrator.post("/console/budgets/prices/new", {"id": "v/large", "input_price": "3"})
        assert Price.objects.get().input_price == 3

    def test_an_admin_changes_a_price(self, administrator: Client) -> None:
        Price(pk="v/large", input_price=3.0).save()
        sent = {"opened_version": "1", "input_price": "4", "output_price": ""}
        administrator.post("/console/budgets/prices/of/v/large", sent)
        assert Price.objects.get().input_price == 4

    def test_an_admin_deletes_a_price(self, administrator: Client) -> None:
        Price(pk="v/large", input_price=3.0).save()
        administrator.post("/console/budgets/prices/delete/v/large")
        assert not Price.objects.exists()

    def test_an_admin_gives_a_budget(self, administrator: Client) -> None:
        sent = {"user_id": "bob", "timezone": "Asia/Tokyo", "max_cost_per_day": "2.50"}
        administrator.post("/console/budgets/users/new", sent)
        assert UserBudget.objects.get(pk="bob").max_cost_per_day == 2.5

    def test_a_budget_without_a_limit_is_refused(self, administrator: Client) -> None:
        sent = {"user_id": "bob", "timezone": "UTC"}
        page = administrator.post("/console/budgets/users/new", sent).content.decode()
        assert "Give at least one limit" in page

    def test_another_save_meanwhile_is_not_overwritten(
        self, administrator: Client, budget: UserBudget
    ) -> None:
        sent = {"opened_version": "0", "timezone": "UTC", "max_tokens_per_day": "5"}
        administrator.post("/console/budgets/users/of/alice", sent)
        assert UserBudget.objects.get().max_tokens_per_day == 100

    @pytest.mark.parametrize(
        "path", ["prices/new", "users/new", "users/of/alice", "users/resume/alice"]
    )
    def test_an_editor_may_not(self, editor: Client, budget: UserBudget, path: str) -> None:
        assert editor.post(f"/console/budgets/{path}", {}).status_code == 403

    def test_limits_of_a_trigger_are_on_its_form(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        page = read(editor, f"/console/triggers/{make_trigger().pk}/edit")
        assert "Tokens per run" in page


class TestBars:
    def test_are_on_the_page_of_the_trigger(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        row = make_trigger(max_tokens_per_day=1000)
        spend(row, 850)
        assert "850 of 1,000 tokens (85 %)" in read(viewer, f"/console/triggers/{row.pk}")

    def test_show_what_all_of_the_user_spent(
        self, viewer: Client, make_trigger: MakeTrigger, budget: UserBudget
    ) -> None:
        spend(make_trigger(), 60)
        page = read(viewer, f"/console/triggers/{make_trigger().pk}")
        assert "60 of 100 tokens (60 %)" in page

    def test_none_without_a_budget(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        assert 'id="budget"' not in read(viewer, f"/console/triggers/{make_trigger().pk}")

    def test_a_used_up_one_is_on_the_dashboard(
        self, viewer: Client, make_trigger: MakeTrigger, budget: UserBudget
    ) -> None:
        spend(make_trigger(), 100)
        assert "Users who have used up their budgets" in read(viewer, "/console/")

    def test_a_paused_trigger_says_why_in_the_list(
        self, viewer: Client, make_trigger: MakeTrigger
    ) -> None:
        spend(make_trigger(max_tokens_per_day=100), 100)
        assert "because the budget of 100 tokens a day is used up" in read(
            viewer, "/console/triggers"
        )


class TestResume:
    def test_lets_the_user_go_on(
        self, administrator: Client, make_trigger: MakeTrigger, budget: UserBudget
    ) -> None:
        spend(make_trigger(), 100)
        administrator.post("/console/budgets/users/resume/alice")
        assert UserBudget.objects.get().used_up_until is None

    def test_is_offered_while_it_is_used_up(
        self, administrator: Client, budget: UserBudget
    ) -> None:
        later = timezone.now() + timedelta(hours=1)
        UserBudget.objects.filter(pk="alice").update(used_up_until=later)
        assert "Resume anyway" in read(administrator, "/console/budgets")


def test_the_cost_is_on_the_page_of_the_run(
    viewer: Client, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    Price(pk="reporter", input_price=1.0, output_price=3.0).save()
    run = ask(make_trigger(), demo_agent)
    page = read(viewer, f"/console/triggers/{run.trigger_id}/runs/{run.pk}")
    assert f"≈ {money(round(run.usage['cost'] * 1_000_000))} USD" in page


def test_a_new_installation_says_what_budgets_are_for(viewer: Client) -> None:
    page = read(viewer, "/console/budgets")
    assert ("No user has a budget" in page, "No prices yet" in page) == (True, True)
