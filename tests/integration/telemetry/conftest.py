"""A collector that decodes what it gets by OTLP, and agents that it hears of."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moca import telemetry
from moca.authentication.tokens import issue
from tests.conftest import patient
from triggers.models import LocalSchedule, Trigger


@dataclass
class Span:
    """A span as the collector got it."""

    name: str
    kind: int
    trace_id: str
    id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    state: str


def value_of(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def attributes_of(pairs: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs}


@dataclass
class Collector:
    """What it got, and how it answers."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    schemas: set[str] = field(default_factory=set)
    requests: int = 0
    # How long it takes to answer, and with which status.
    seconds: float = 0.0
    status: int = 200

    def read_traces(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.resources.append(attributes_of(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.schemas.add(scope.schema_url)
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            span.name,
                            span.kind,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            attributes_of(span.attributes),
                            span.trace_state,
                        )
                    )

    def read_metrics(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self.metrics[metric.name] = metric

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def root(self) -> Span | None:
        return next((span for span in self.spans if span.name.startswith("run ")), None)

    @staticmethod
    def number(point: Any) -> float:
        return float(getattr(point, point.WhichOneof("value")))

    def points(self, name: str) -> list[Any]:
        metric = self.metrics.get(name)
        return list(getattr(metric, metric.WhichOneof("data")).data_points) if metric else []


@pytest.fixture(autouse=True)
def _threads_that_send_have_ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for them: they use `random`, which would confuse the property tests that follow."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith(("telemetry", "Otel")):
            thread.join(patient(30))


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            made.requests += 1
            time.sleep(made.seconds)
            if made.status == 200:
                (made.read_traces if self.path.endswith("/v1/traces") else made.read_metrics)(body)
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def sending(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Send traces and metrics of this process to the collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    telemetry.start()
    yield collector
    collector.seconds, collector.status = 0.0, 200
    telemetry.stop()


@dataclass
class Agent:
    """An agent that traces its own work."""

    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def traced_agent(collector: Collector) -> Iterator[Agent]:
    """An agent that begins its span from `traceparent`, by the SDK of OpenTelemetry."""
    made = Agent()
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{collector.url}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("agent")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            made.headers = {name.lower(): value for name, value in self.headers.items()}
            context = TraceContextTextMapPropagator().extract(made.headers, Context())
            with tracer.start_as_current_span("agent's own work", context):
                time.sleep(0.02)
            body = json.dumps("Done.").encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
    provider.shutdown()


@pytest.fixture
def due(transactional_db: None) -> Callable[..., Trigger]:
    """Make a trigger whose schedule is due by now."""

    def make(**fields: Any) -> Trigger:
        values = {"user_id": "alice", "name": "Report", "agent_id": "reporter"}
        config = {"expression": "cron(0 9 * * ? *)"}
        made = Trigger(schedule_config=config, **{"prompt": "Report.", **values, **fields})
        made.save()
        now = timezone.now()
        LocalSchedule.objects.filter(pk=made.pk).update(next_run_at=now, due_at=now)
        return made

    return make


@pytest.fixture
def user_token(transactional_db: None) -> str:
    """A token of the API for alice."""
    return issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
