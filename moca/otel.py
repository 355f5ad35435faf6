"""Sends spans and metrics by OpenTelemetry's SDK. `moca.telemetry` imports it if they are on.

The SDK's processors export in threads of their own, from queues with an end: a collector that is
away or slow holds nothing up, and what does not fit is dropped.
"""

import os
import threading
import uuid
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moca import metrics, tracing
from moca.metrics import Kind, Metric
from moca.tracing import Attributes, Span

# The version of the semantic conventions by which spans and attributes are named.
CONVENTIONS = "1.41.0"
SCHEMA = f"https://opentelemetry.io/schemas/{CONVENTIONS}"
NAME = "moca-triggers"
KINDS = {
    tracing.INTERNAL: SpanKind.INTERNAL,
    tracing.SERVER: SpanKind.SERVER,
    tracing.CLIENT: SpanKind.CLIENT,
    tracing.CONSUMER: SpanKind.CONSUMER,
}
_propagator = TraceContextTextMapPropagator()


class Sending:
    """What this process sends, from now on.

    Args:
        traces, metrics: where each goes, `otlp` or `console`; empty if it is off.
    """

    def __init__(self, traces: str, metrics: str) -> None:
        self._own: list[Any] = []
        self._outlet: MetricOutlet | None = None
        if traces:
            self._send_traces(traces)
        if metrics:
            self._send_metrics(metrics)

    def _send_traces(self, exporter: str) -> None:
        # A layer of Lambda may have made one, such as ADOT's.
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
            exported = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter()
            provider.add_span_processor(BatchSpanProcessor(exported))
            self._own.append(provider)
        tracing.use(OTelTracer(provider.get_tracer(NAME, schema_url=SCHEMA)))

    def _send_metrics(self, exporter: str) -> None:
        exported = OTLPMetricExporter() if exporter == "otlp" else ConsoleMetricExporter()
        reader = PeriodicExportingMetricReader(exported)
        provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
        self._own.append(provider)
        self._outlet = MetricOutlet(provider.get_meter(NAME, schema_url=SCHEMA))
        metrics.use(self._outlet)

    def leave(self) -> None:
        """Make no spans and count nothing any more."""
        tracing.use(None)
        if self._outlet is not None:
            metrics.leave(self._outlet)

    def flush(self) -> None:
        """Send what is not sent yet. It may wait for the collector."""
        for provider in self._own:
            provider.force_flush()

    @property
    def ends(self) -> list[Callable[[], object]]:
        """What sends the rest of each signal and ends its threads. Each may wait long."""
        return [provider.shutdown for provider in self._own]


class OTelTracer:
    """Makes spans by a tracer of OpenTelemetry."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(
        self, name: str, context: str, kind: str, at: int, attributes: Attributes | None
    ) -> Span:
        return self.below(_read(context), name, kind, at, attributes)

    def below(
        self, parent: Context, name: str, kind: str, at: int, attributes: Attributes | None
    ) -> "OTelSpan":
        """Begin a span below that of a context of OpenTelemetry."""
        span = self._tracer.start_span(
            name, parent, kind=KINDS[kind], attributes=attributes, start_time=at or None
        )
        return OTelSpan(self, span)


class OTelSpan(Span):
    """A span of OpenTelemetry. Threads may share it."""

    def __init__(self, tracer: OTelTracer, span: trace.Span) -> None:
        self._tracer, self._span = tracer, span
        self._is_over = False

    @property
    def _state(self) -> str:
        return self._span.get_span_context().trace_state.to_header()

    @property
    def _parent(self) -> str:
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    @property
    def context(self) -> str:  # type: ignore[override]
        return tracing.context_of(self._parent, self._state)

    @property
    def headers(self) -> dict[str, str]:  # type: ignore[override]
        parent = self._parent
        found = {"traceparent": parent, "X-Amzn-Trace-Id": tracing.xray_of(parent)}
        return found | ({"tracestate": state} if (state := self._state) else {})

    @property
    def ids(self) -> dict[str, str]:  # type: ignore[override]
        own = self._span.get_span_context()
        return {"traceId": f"{own.trace_id:032x}", "spanId": f"{own.span_id:016x}"}

    def child(
        self,
        name: str,
        *,
        kind: str = tracing.INTERNAL,
        at: int = 0,
        attributes: Attributes | None = None,
    ) -> Span:
        parent = trace.set_span_in_context(self._span, Context())
        return self._tracer.below(parent, name, kind, at, attributes)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self, at: int = 0, error: str = "") -> None:
        if self._is_over:
            return
        self._is_over = True
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(at or None)


class MetricOutlet:
    """Counts by instruments of OpenTelemetry, which are made when they are first used."""

    def __init__(self, meter: Any) -> None:
        self._meter = meter
        self._instruments: dict[Metric, Any] = {}
        self._lock = threading.Lock()

    def record(self, metric: Metric, value: float, attributes: metrics.Attributes) -> None:
        instrument = self._instruments.get(metric) or self._make(metric)
        match metric.kind:
            case Kind.COUNTER:
                instrument.add(value, attributes)
            case Kind.GAUGE:
                instrument.set(value, attributes)
            case Kind.HISTOGRAM:
                instrument.record(value, attributes)

    def _make(self, metric: Metric) -> Any:
        with self._lock:
            if metric in self._instruments:
                return self._instruments[metric]
            name, unit, description = metric.name, metric.unit, metric.description
            match metric.kind:
                case Kind.COUNTER:
                    made: Any = self._meter.create_counter(name, unit, description)
                case Kind.GAUGE:
                    made = self._meter.create_gauge(name, unit, description)
                case Kind.HISTOGRAM:
                    made = self._meter.create_histogram(
                        name,
                        unit,
                        description,
                        explicit_bucket_boundaries_advisory=list(metric.buckets),
                    )
            return self._instruments.setdefault(metric, made)


def _read(context: str) -> Context:
    if not context:
        return Context()
    parent, _, state = context.partition(" ")
    return _propagator.extract({"traceparent": parent, "tracestate": state}, Context())


def _resource() -> Resource:
    """Names this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over our own names."""
    own: dict[str, Any] = {
        "service.name": NAME,
        "service.version": "0.1.0",
        "service.instance.id": str(uuid.uuid4()),
        "process.pid": os.getpid(),
    }
    return Resource.create({**own, **OTELResourceDetector().detect().attributes}, SCHEMA)
