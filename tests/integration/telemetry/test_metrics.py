"""The metrics of runs, as a collector and as Prometheus get them."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from agents.demo import DemoAgent
from executions import measures
from executions.models import MeasuredProcess, TriggerExecution
from moca import metrics
from moca.exposition import Registry, Sample, text
from moca.metrics import Kind
from tests.conftest import wait_for
from triggers.models import Trigger

from .conftest import Collector, attributes_of

TOKEN = "a-long-random-text-of-a-test"

pytestmark = pytest.mark.sqlite


class TestCollector:
    @pytest.fixture
    def fired(self, sending: Collector, scheduler: Callable, due: Callable[..., Trigger]) -> Any:
        due()
        with scheduler():
            wait_for(lambda: sending.points("moca.runs"))
            wait_for(lambda: sending.points("moca.queue.length"))
        return sending

    def test_runs_are_counted_by_outcome(self, fired: Collector) -> None:
        (point,) = fired.points("moca.runs")
        found = attributes_of(point.attributes)
        assert (found["outcome"], found["source"], found["agent"], fired.number(point)) == (
            *("success", "schedule", "reporter"),
            1,
        )

    @pytest.mark.parametrize("name", ["moca.run.lag", "moca.run.duration"])
    def test_times_are_in_seconds(self, fired: Collector, name: str) -> None:
        (point,) = fired.points(name)
        assert (fired.metrics[name].unit, point.count, 0 <= point.sum < 60) == ("s", 1, True)

    def test_tokens_have_the_name_of_the_conventions(self, fired: Collector) -> None:
        usage = TriggerExecution.objects.get().usage
        sums = {
            attributes_of(point.attributes)["gen_ai.token.type"]: point.sum
            for point in fired.points("gen_ai.client.token.usage")
        }
        assert sums == {"input": usage["inputTokens"], "output": usage["outputTokens"]}

    def test_places_of_the_scheduler_are_told(self, fired: Collector, settings: Any) -> None:
        (point,) = fired.points("moca.runs.places")
        assert 0 < fired.number(point) <= settings.SCHEDULER_CONCURRENCY

    def test_service_is_named(self, sending: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
        from moca import otel

        monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
        assert otel._resource().attributes["service.name"] == "nightly"


@pytest.fixture
def prometheus(settings: Any, transactional_db: None) -> Callable[[], dict[str, Any]]:
    """Read /metrics as Prometheus does: values by the name and the labels of the samples."""
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict[str, Any]:
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.content
        return {
            sample.name: (sample.value, sample.labels)
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return read


class TestPrometheus:
    @pytest.fixture
    def fired(
        self, prometheus: Callable[[], dict[str, Any]], scheduler: Callable, due: Callable
    ) -> dict[str, Any]:
        due()
        with scheduler():
            wait_for(lambda: TriggerExecution.objects.exclude(outcome="").exists())
            places = wait_for(prometheus)
        # The process writes its counts once more at its end.
        return places | prometheus()

    def test_runs_are_counted(self, fired: dict[str, Any]) -> None:
        value, labels = fired["moca_runs_total"]
        assert (value, labels["outcome"], labels["process"][:10]) == (1, "success", "scheduler-")

    def test_histogram_is_whole(self, fired: dict[str, Any]) -> None:
        value, labels = fired["moca_run_duration_seconds_bucket"]
        assert (value, labels["le"], fired["moca_run_duration_seconds_count"][0]) == (1, "+Inf", 1)

    def test_queue_is_shown(self, fired: dict[str, Any]) -> None:
        assert {"moca_queue_length", "moca_queue_oldest_seconds", "moca_runs_places"} <= {*fired}

    def test_nothing_is_counted_without_the_token(
        self, scheduler: Callable, due: Callable[..., Trigger]
    ) -> None:
        due()
        with scheduler():
            wait_for(lambda: TriggerExecution.objects.exclude(outcome="").exists())
        assert not MeasuredProcess.objects.exists()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer é"])
def test_metrics_need_their_token(db: None, settings: Any, given: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 401


def test_metrics_are_off_without_a_setting(db: None) -> None:
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_labels_are_escaped() -> None:
    told = text([Sample("moca.runs", {"agent": 'a"\\\nb'}, [1])], measures.ALL)
    (family,) = text_string_to_metric_families(told)
    assert family.samples[0].labels == {"agent": 'a"\\\nb'}


def test_agents_beyond_a_number_share_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_agents", {str(number) for number in range(200)})
    assert (measures._agent("7"), measures._agent("new")) == ("7", "other")


def test_missed_runs_are_counted(make_trigger: Callable[..., Trigger]) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from executions.runner import record_missed

    registry, now = Registry(), timezone.now()
    metrics.use(registry)
    try:
        trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
        record_missed(trigger, now - timedelta(hours=3), now)
    finally:
        metrics.leave(registry)
    (series,) = registry.snapshot()
    assert (series[0], series[1]["outcome"], series[2] > [2]) == ("moca.runs", "missed", True)


def test_cost_is_counted_in_its_currency(
    make_trigger: Callable[..., Trigger], demo_agent: DemoAgent
) -> None:
    registry = Registry()
    metrics.use(registry)
    try:
        usage = {"inputTokens": 1, "outputTokens": 2, "cost": 0.5, "currency": "EUR"}
        measures.ended(
            TriggerExecution(status="completed", outcome="success", usage=usage, agent_id="a")
        )
    finally:
        metrics.leave(registry)
    costs = [(labels, counts) for name, labels, counts in registry.snapshot() if "cost" in name]
    assert costs == [({"currency": "EUR", "agent": "a"}, [0.5])]


@pytest.mark.parametrize("metric", measures.ALL, ids=lambda metric: metric.name)
def test_each_metric_is_documented(metric: metrics.Metric, request: pytest.FixtureRequest) -> None:
    page = (request.config.rootpath / "docs" / "telemetry.md").read_text()
    names = [metric.name, metric.description, *(each.name for each in metric.cloudwatch)]
    assert [name for name in names if name not in page] == []


def test_each_metric_is_declared_once() -> None:
    source = inspect.getsource(measures)
    assert source.count("= Metric(") == len(measures.ALL) == len({m.name for m in measures.ALL})


def test_histograms_have_buckets() -> None:
    assert [m.name for m in measures.ALL if (m.kind is Kind.HISTOGRAM) != bool(m.buckets)] == []
