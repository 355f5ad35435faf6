"""A collector that is away or slow holds no run up, and fills no memory."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from executions.models import TriggerExecution
from moca import telemetry, tracing
from tests.conftest import wait_for
from tests.integration.scheduler.conftest import make_due
from triggers.models import Trigger

from .conftest import Collector

pytestmark = pytest.mark.sqlite

AWAY = "http://127.0.0.1:9"


def completed(number: int) -> bool:
    return TriggerExecution.objects.filter(status="completed").count() == number


@pytest.mark.parametrize(("seconds", "status"), [(20.0, 200), (0.0, 503)], ids=["slow", "refusing"])
def test_run_goes_on_while_the_collector_fails(
    sending: Collector,
    scheduler: Callable,
    due: Callable[..., Trigger],
    seconds: float,
    status: int,
) -> None:
    sending.seconds, sending.status = seconds, status
    made = [due() for _ in range(5)]
    began = time.monotonic()
    with scheduler():
        wait_for(lambda: completed(5))
        wait_for(lambda: sending.requests)
        for trigger in made:
            make_due(trigger)
        wait_for(lambda: completed(10))
    assert time.monotonic() - began < 15


def test_collector_that_is_away_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, scheduler: Callable, due: Callable[..., Trigger]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", AWAY)
    telemetry.start()
    due()
    with scheduler():
        wait_for(lambda: completed(1))
    began = time.monotonic()
    telemetry.stop(0.5)
    assert time.monotonic() - began < 2


def test_what_waits_for_the_collector_has_an_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.seconds = 5.0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "600")
    telemetry.start()
    try:
        (processor,) = telemetry._started._own[0]._active_span_processor._span_processors
        began = time.monotonic()
        for _ in range(20_000):
            tracing.begin("span").end()
        waiting = len(processor._batch_processor._queue)
        assert (waiting <= 600, time.monotonic() - began < 5) == (True, True)
    finally:
        collector.seconds = 0.0
        telemetry.stop(0.5)


def test_flush_waits_for_a_slow_collector_once(
    sending: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending.seconds = 4.0
    tracing.begin("span").end()
    telemetry.flush(0.3)
    began = time.monotonic()
    telemetry.flush(3.0)
    assert time.monotonic() - began < 0.2


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": AWAY, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "The protocol of OTLP is 'grpc'",
        ),
    ],
    ids=["exporter", "protocol"],
)
def test_check_names_what_is_not_supported(
    variables: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    call_command("check")
    assert (named in capsys.readouterr().err, telemetry.is_wanted()) == (True, False)


@pytest.mark.parametrize(
    ("variables", "traces", "metrics"),
    [
        ({}, "", ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AWAY}, "otlp", "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": AWAY}, "otlp", ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AWAY, "OTEL_METRICS_EXPORTER": "none"}, "otlp", ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AWAY, "OTEL_SDK_DISABLED": "true"}, "", ""),
        ({"OTEL_METRICS_EXPORTER": "console"}, "", "console"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp", ""),
    ],
    ids=str,
)
def test_variables_switch_signals_on(
    variables: dict[str, str], traces: str, metrics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found: Any = telemetry.exporter(telemetry.TRACES), telemetry.exporter(telemetry.METRICS)
    assert found == (traces, metrics)
