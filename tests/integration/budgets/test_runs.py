"""What one run may take: it is cancelled while its agent tells so, or warned of at its end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest

from agents.demo import DemoAgent
from executions.models import TriggerExecution
from tests.conftest import wait_for
from tests.integration.api.conftest import API
from tests.integration.budgets.conftest import ask
from tests.integration.scheduler.conftest import make_due
from triggers import budgets
from triggers.models import Outcome, Price, RunStatus, Spending, Trigger

MakeTrigger = Callable[..., Trigger]
# The answer takes half a minute, most of it after its first tokens were told.
LONG = "Report.\ndemo: slow 30"


class TestCap:
    """The demo agent tells of 25 tokens and more before it begins to answer."""

    def test_cancels_the_run(self, make_trigger: MakeTrigger, demo_agent: DemoAgent) -> None:
        ended = ask(make_trigger(max_tokens_per_run=20, prompt=LONG), demo_agent)
        assert (ended.status, ended.outcome, ended.error_code) == (
            RunStatus.FAILED,
            Outcome.OVER_BUDGET,
            "over_budget",
        )

    def test_says_which_limit(self, make_trigger: MakeTrigger, demo_agent: DemoAgent) -> None:
        ended = ask(make_trigger(max_tokens_per_run=20, prompt=LONG), demo_agent)
        assert ended.error.endswith("it may take 20 tokens (maxTokensPerRun).")

    def test_does_not_wait_for_the_rest(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        row = make_trigger(max_tokens_per_run=20, prompt=LONG)
        assert (ask(row, demo_agent).duration_ms or 0) < 10_000

    def test_of_money_cancels_too(self, make_trigger: MakeTrigger, demo_agent: DemoAgent) -> None:
        Price(pk="large", input_price=1_000_000.0).save()
        ended = ask(make_trigger(max_cost_per_run=20.0, model_id="large", prompt=LONG), demo_agent)
        assert (ended.outcome, "it may take 20.00 USD (maxCostPerRun)" in ended.error) == (
            Outcome.OVER_BUDGET,
            True,
        )

    def test_leaves_a_modest_run_alone(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        ended = ask(make_trigger(max_tokens_per_run=10_000), demo_agent)
        assert (ended.outcome, ended.warning) == (Outcome.SUCCESS, "")

    def test_warns_of_a_run_that_told_at_its_end(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        ended = ask(make_trigger(max_tokens_per_run=20), demo_agent, "ag-ui")
        assert (ended.outcome, ended.warning_code) == (Outcome.SUCCESS, "ended_over_budget")

    def test_what_it_took_counts_for_the_day(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        row = make_trigger(max_tokens_per_run=20, max_tokens_per_day=10**6, prompt=LONG)
        ended = ask(row, demo_agent)
        counted = Spending.objects.get(owner=f"trigger:{row.pk}").tokens
        assert counted == budgets.tokens_of(ended.usage) > 20

    @pytest.mark.parametrize("protocol", ["invocations", "agentcore"])
    def test_holds_in_the_scheduler_process(
        self,
        make_trigger: MakeTrigger,
        transactional_db: None,
        scheduler: Callable[..., AbstractContextManager],
        protocol: str,
    ) -> None:
        row = make_trigger(max_tokens_per_run=20, prompt=LONG)
        make_due(row)
        with scheduler(protocol):
            ended = wait_for(lambda: TriggerExecution.objects.exclude(outcome="").first())
        assert ended.outcome == Outcome.OVER_BUDGET


class TestCost:
    def test_is_on_the_record(self, make_trigger: MakeTrigger, demo_agent: DemoAgent) -> None:
        Price(pk="large", input_price=1.0, output_price=3.0).save()
        usage = ask(make_trigger(model_id="large"), demo_agent).usage
        assert usage["cost"] == (usage["inputTokens"] + 3 * usage["outputTokens"]) / 1_000_000

    def test_is_unknown_without_a_price(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        assert "cost" not in ask(make_trigger(model_id="large"), demo_agent).usage

    def test_is_by_the_agent_if_nobody_names_a_model(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        Price(pk="reporter", output_price=1.0).save()
        usage = ask(make_trigger(), demo_agent).usage
        assert usage["cost"] == usage["outputTokens"] / 1_000_000

    def test_stays_when_prices_change(
        self, make_trigger: MakeTrigger, demo_agent: DemoAgent
    ) -> None:
        Price(pk="reporter", output_price=1.0).save()
        ended = ask(make_trigger(), demo_agent)
        Price.objects.all().delete()
        assert TriggerExecution.objects.get(pk=ended.pk).usage["cost"] > 0

    def test_is_in_the_api(self, alice: API, demo_agent: DemoAgent) -> None:
        Price(pk="reporter", output_price=1.0).save()
        made = alice.create()
        ended = ask(Trigger.objects.get(pk=made["id"]), demo_agent)
        usage = alice.get(f"/triggers/{made['id']}/executions/{ended.pk}").json()["execution"][
            "usage"
        ]
        assert (usage["currency"], usage["cost"]) == ("USD", ended.usage["cost"])

    @pytest.mark.parametrize(
        ("has_cached", "cost"), [(False, Decimal("0.0011")), (True, Decimal("0.0001"))]
    )
    def test_of_cached_tokens(self, db: None, *, has_cached: bool, cost: Decimal) -> None:
        price = {"input_price": 1.0, "cache_read_price": 0.1, "input_has_cached": has_cached}
        Price(pk="large", **price).save()
        usage = {"inputTokens": 1000, "outputTokens": 0, "cacheReadTokens": 1000}
        found = budgets.cost_of(usage, "large")
        assert found == cost
