"""The API of budgets and prices: who may do what, and what it answers."""

from collections.abc import Callable

import pytest

from moca.authentication.models import AuditEntry, Operator, Role
from tests.integration.api.conftest import API, VALID
from tests.integration.budgets.conftest import spend
from triggers import budgets
from triggers.models import Price, Trigger, UserBudget

PRICE = {"id": "vendor/large", "inputPrice": 3, "outputPrice": 15.5}
BUDGET = {"userId": "alice", "maxTokensPerDay": 100}


@pytest.fixture
def admin(db: None) -> API:
    Operator.objects.create_operator("root", subject="root", role=Role.ADMIN)
    return API("root")


@pytest.fixture
def viewing(db: None) -> API:
    Operator.objects.create_operator("vera", subject="vera", role=Role.VIEWER)
    return API("vera")


class TestPrices:
    def test_an_admin_enters_one(self, admin: API) -> None:
        answer = admin.post("/budgets/prices", PRICE)
        assert (answer.status_code, answer.json()["price"]["outputPrice"]) == (201, 15.5)

    def test_it_counts_at_once_in_this_process(self, admin: API) -> None:
        admin.post("/budgets/prices", PRICE)
        assert str(budgets.cost_of({"inputTokens": 1_000_000}, "vendor/large")) == "3"

    def test_it_is_changed(self, admin: API) -> None:
        admin.post("/budgets/prices", PRICE)
        admin.patch("/budgets/prices/vendor/large", {"inputPrice": 4})
        assert Price.objects.get(pk="vendor/large").input_price == 4

    def test_it_is_deleted(self, admin: API) -> None:
        admin.post("/budgets/prices", PRICE)
        admin("DELETE", "/budgets/prices/vendor/large")
        assert not Price.objects.exists()

    def test_each_is_in_the_list(self, admin: API, viewing: API) -> None:
        admin.post("/budgets/prices", PRICE)
        listed = viewing.get("/budgets/prices").json()["prices"]
        assert [each["id"] for each in listed] == ["vendor/large"]

    def test_a_second_of_the_same_name_is_refused(self, admin: API) -> None:
        admin.post("/budgets/prices", PRICE)
        assert admin.post("/budgets/prices", PRICE).status_code == 409

    def test_changes_are_on_the_record(self, admin: API) -> None:
        admin.post("/budgets/prices", PRICE)
        assert AuditEntry.objects.get(object_id="vendor/large").actor == "root"

    def test_others_may_not(self, viewing: API, alice: API) -> None:
        answers = [caller.post("/budgets/prices", PRICE).status_code for caller in (viewing, alice)]
        assert (answers, Price.objects.count()) == ([403, 403], 0)

    @pytest.mark.parametrize("wrong", ["3", True, -1, 10**400, 1e13])
    def test_wrong_prices_name_the_field(self, admin: API, wrong: object) -> None:
        answer = admin.post("/budgets/prices", {**PRICE, "inputPrice": wrong})
        assert (answer.status_code, "inputPrice" in answer.json()["message"]) == (400, True)

    def test_nothing_but_zeros_is_refused(self, admin: API) -> None:
        answer = admin.post("/budgets/prices", {"id": "free"})
        assert answer.json()["message"].endswith("Give at least one price above 0.")


class TestUsers:
    def test_an_admin_gives_a_budget(self, admin: API) -> None:
        admin.post("/budgets/users", BUDGET)
        assert UserBudget.objects.get(pk="alice").max_tokens_per_day == 100

    def test_the_user_may_not(self, admin: API, alice: API) -> None:
        admin.post("/budgets/users", BUDGET)
        answer = alice.patch("/budgets/users/alice", {"maxTokensPerDay": 10**9})
        assert (answer.status_code, UserBudget.objects.get().max_tokens_per_day) == (403, 100)

    def test_its_zone_has_to_exist(self, admin: API) -> None:
        answer = admin.post("/budgets/users", {**BUDGET, "timezone": "Mars/Base"})
        assert answer.json()["message"].startswith("timezone: ")

    def test_an_admin_resumes(self, admin: API, make_trigger: Callable[..., Trigger]) -> None:
        admin.post("/budgets/users", BUDGET)
        spend(make_trigger(), 100)
        before = admin.get("/budgets/users/alice").json()["budget"]
        after = admin.post("/budgets/users/alice/resume").json()["budget"]
        assert ("usedUpUntil" in before, "usedUpUntil" in after) == (True, False)

    def test_the_user_may_not_resume(
        self, admin: API, alice: API, make_trigger: Callable[..., Trigger]
    ) -> None:
        admin.post("/budgets/users", BUDGET)
        spend(make_trigger(), 100)
        alice.post("/budgets/users/alice/resume")
        assert UserBudget.objects.get().used_up_until


class TestTriggers:
    def test_limits_are_fields(self, alice: API) -> None:
        made = alice.create(maxTokensPerRun=5, maxCostPerDay=0.5)
        assert (made["maxTokensPerRun"], made["maxCostPerDay"]) == (5, 0.5)

    @pytest.mark.parametrize("wrong", [0, -1, "5", 1.5, 10**400])
    def test_wrong_limits_name_the_field(self, alice: API, wrong: object) -> None:
        answer = alice.post("/triggers", {**VALID, "maxTokensPerDay": wrong})
        assert (answer.status_code, "maxTokensPerDay" in answer.json()["message"]) == (400, True)

    def test_what_was_spent(self, alice: API) -> None:
        made = alice.create(maxTokensPerDay=100)
        spend(Trigger.objects.get(pk=made["id"], user_id="alice"), 60)
        (found,) = alice.get(f"/triggers/{made['id']}/budget").json()["budget"]
        assert (found["limit"], found["spent"], "resetsAt" in found) == (100, 60, True)

    def test_money_is_in_the_currency(self, alice: API) -> None:
        Price(pk="reporter", input_price=2.0).save()
        made = alice.create(maxCostPerMonth=10)
        spend(Trigger.objects.get(pk=made["id"], user_id="alice"), 1_000_000)
        (found,) = alice.get(f"/triggers/{made['id']}/budget").json()["budget"]
        assert (found["unit"], found["spent"]) == ("cost", 2)

    def test_what_all_of_the_user_spent(self, alice: API) -> None:
        UserBudget(user_id="alice", max_tokens_per_day=100).save()
        made, other = alice.create(), alice.create()
        spend(Trigger.objects.get(pk=other["id"], user_id="alice"), 60)
        (found,) = alice.get(f"/triggers/{made['id']}/budget").json()["userBudget"]
        assert found["spent"] == 60

    def test_another_user_sees_nothing(self, alice: API, bob: API) -> None:
        made = alice.create(maxTokensPerDay=100)
        assert bob.get(f"/triggers/{made['id']}/budget").status_code == 404
