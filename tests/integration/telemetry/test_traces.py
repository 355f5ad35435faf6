"""The trace of a run, as a collector gets it."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.test import Client, override_settings

from agents import AgentClient, CachedTokens, ClientCredentials, FixedToken
from agents.demo import DemoAgent
from executions import lambda_handler
from executions.models import TriggerExecution
from executions.scheduler import LocalSchedulerProcess
from moca.logs import ContextFilter
from moca.tracing import context_of, context_of_xray
from tests.conftest import wait_for
from tests.integration.handler.test_handler import Context, event_of
from triggers.models import Trigger

from .conftest import Agent, Collector, Span

MILLISECOND = 1_000_000
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

pytestmark = pytest.mark.sqlite


@contextmanager
def scheduling(url: str, tokens: Any = None) -> Iterator[None]:
    process = LocalSchedulerProcess(AgentClient(url, tokens or FixedToken()))

    def run() -> None:
        process.run()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        process.stop()
        thread.join(30)
        process.client.close()


@pytest.fixture
def fired(
    sending: Collector, traced_agent: Agent, due: Callable[..., Trigger]
) -> tuple[Collector, Agent]:
    """One firing of a schedule, whose spans have all arrived."""
    due()
    with scheduling(traced_agent.url):
        wait_for(sending.root)
    return sending, traced_agent


def steps(collector: Collector) -> list[Span]:
    """The spans right below the root, in their order."""
    root = collector.root()
    assert root
    below = [span for span in collector.spans if span.parent_id == root.id]
    return sorted(below, key=lambda span: span.start)


def test_firing_has_one_root(fired: tuple[Collector, Agent]) -> None:
    collector, _ = fired
    assert [span.name for span in collector.spans if not span.parent_id] == ["run schedule"]


def test_all_spans_are_of_one_trace(fired: tuple[Collector, Agent]) -> None:
    collector, _ = fired
    assert len({span.trace_id for span in collector.spans}) == 1


def test_steps_of_a_firing(fired: tuple[Collector, Agent]) -> None:
    names = [span.name for span in steps(fired[0])]
    assert names == ["claim", "prepare", "invoke_agent reporter", "complete"]


def test_no_time_is_between_the_steps(fired: tuple[Collector, Agent]) -> None:
    collector, _ = fired
    root, found = collector.root(), steps(collector)
    assert root
    moments = [root.start, *(time for span in found for time in (span.start, span.end)), root.end]
    gaps = [later - earlier for earlier, later in zip(moments[::2], moments[1::2], strict=True)]
    assert max(map(abs, gaps)) < 5 * MILLISECOND


def test_span_of_the_agent_is_a_child(fired: tuple[Collector, Agent]) -> None:
    collector, _ = fired
    (own,), (asked,) = collector.named("agent's own work"), collector.named("invoke_agent reporter")
    assert (own.parent_id, asked.start <= own.start <= own.end <= asked.end) == (asked.id, True)


def test_agentcore_gets_the_same_trace_by_its_own_header(fired: tuple[Collector, Agent]) -> None:
    collector, agent = fired
    (asked,) = collector.named("invoke_agent reporter")
    root = f"1-{asked.trace_id[:8]}-{asked.trace_id[8:]}"
    assert agent.headers["x-amzn-trace-id"] == f"Root={root};Parent={asked.id};Sampled=1"


def test_span_of_the_agent_has_the_names_of_the_conventions(
    fired: tuple[Collector, Agent],
) -> None:
    collector, agent = fired
    (asked,) = collector.named("invoke_agent reporter")
    run = TriggerExecution.objects.get()
    assert asked.attributes | {"gen_ai.usage.output_tokens": 0} == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "invocations",
        "gen_ai.agent.id": "reporter",
        "gen_ai.agent.name": "reporter",
        "gen_ai.conversation.id": run.session_id,
        "gen_ai.usage.output_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": int(agent.url.rpartition(":")[2]),
    }


def test_version_of_the_conventions_is_sent(fired: tuple[Collector, Agent]) -> None:
    assert "https://opentelemetry.io/schemas/1.41.0" in fired[0].schemas


def test_neither_prompts_nor_outputs_are_sent(
    sending: Collector, demo_agent: DemoAgent, due: Callable[..., Trigger]
) -> None:
    due(prompt="secret-prompt demo: fail secret-failure")
    with scheduling(demo_agent.url, FixedToken(demo_agent.issue_token())):
        wait_for(sending.root)
    assert "secret-" not in repr(sending.spans)


def test_failed_run_names_its_error(
    sending: Collector, demo_agent: DemoAgent, due: Callable[..., Trigger]
) -> None:
    due(max_retries=0)
    with scheduling(demo_agent.url, FixedToken("wrong")):
        root = wait_for(sending.root)
    run = TriggerExecution.objects.get()
    (asked,) = sending.named("invoke_agent reporter")
    assert {span.attributes["error.type"] for span in (root, asked)} == {run.error_code}


def test_tokens_that_the_agent_told_are_on_its_span(
    sending: Collector, demo_agent: DemoAgent, due: Callable[..., Trigger]
) -> None:
    due()
    with scheduling(demo_agent.url, FixedToken(demo_agent.issue_token())):
        wait_for(sending.root)
    usage = TriggerExecution.objects.get().usage
    (asked,) = sending.named("invoke_agent reporter")
    assert asked.attributes["gen_ai.usage.input_tokens"] == usage["inputTokens"] > 0


def test_fetching_a_token_is_a_step_of_the_agents_span(
    sending: Collector, demo_agent: DemoAgent, due: Callable[..., Trigger]
) -> None:
    due()
    tokens = CachedTokens(ClientCredentials(demo_agent.url, "demo", "demo"))
    with scheduling(demo_agent.url, tokens):
        wait_for(sending.root)
    (token,), (asked,) = sending.named("token"), sending.named("invoke_agent reporter")
    assert token.parent_id == asked.id


def test_runs_at_the_same_time_have_traces_of_their_own(
    sending: Collector, demo_agent: DemoAgent, due: Callable[..., Trigger]
) -> None:
    for _ in range(20):
        due()
    with scheduling(demo_agent.url, FixedToken(demo_agent.issue_token())):
        roots = wait_for(lambda: len(found := sending.named("run schedule")) == 20 and found)
    asked = sending.named("invoke_agent reporter")
    assert {span.parent_id for span in asked} == {span.id for span in roots}


class TestRequest:
    """A run that somebody asks for, in a request with a trace."""

    @pytest.fixture
    def browser(self, sending: Collector, settings: Any) -> Client:
        middleware = ["moca.request_trace.RequestTraceMiddleware", *settings.MIDDLEWARE]
        with override_settings(MIDDLEWARE=middleware):
            client = Client(headers={"traceparent": TRACEPARENT, "tracestate": "vendor=1"})
            client.handler.load_middleware()
        return client

    @pytest.fixture
    def asked(
        self, browser: Client, due: Callable[..., Trigger], user_token: str
    ) -> TriggerExecution:
        trigger = due(enabled=False)
        answer = browser.post(
            f"/triggers/{trigger.pk}/run", headers={"Authorization": f"Bearer {user_token}"}
        )
        assert answer.status_code == 202, answer.content
        return TriggerExecution.objects.get()

    def test_span_continues_the_trace_of_the_client(
        self, asked: TriggerExecution, sending: Collector
    ) -> None:
        (span,) = wait_for(lambda: sending.named("POST /triggers/<id:trigger_id>/run"))
        assert (span.trace_id, span.parent_id, span.state) == (TRACE, PARENT, "vendor=1")

    def test_run_waits_with_the_trace(self, asked: TriggerExecution) -> None:
        assert asked.trace_context.startswith(f"00-{TRACE}-")

    def test_scheduler_process_goes_on_with_the_trace(
        self, asked: TriggerExecution, sending: Collector, traced_agent: Agent
    ) -> None:
        with scheduling(traced_agent.url):
            root = wait_for(sending.root)
        (request,) = sending.named("POST /triggers/<id:trigger_id>/run")
        assert (root.trace_id, root.parent_id) == (TRACE, request.id)

    def test_agent_gets_the_state_of_the_trace(
        self, asked: TriggerExecution, sending: Collector, traced_agent: Agent
    ) -> None:
        with scheduling(traced_agent.url):
            wait_for(sending.root)
        assert traced_agent.headers["tracestate"] == "vendor=1"

    def test_log_lines_have_the_ids_of_the_trace(
        self, browser: Client, transactional_db: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.handler.addFilter(ContextFilter())
        with caplog.at_level(logging.WARNING):
            browser.get("/console/", headers={"Host": "nowhere.example"})
        assert {record.traceId for record in caplog.records if hasattr(record, "traceId")} == {
            TRACE
        }


def test_log_line_of_a_runs_end_has_the_ids_of_its_trace(
    sending: Collector,
    traced_agent: Agent,
    due: Callable[..., Trigger],
    caplog: pytest.LogCaptureFixture,
) -> None:
    due()
    with caplog.at_level(logging.INFO), scheduling(traced_agent.url):
        root = wait_for(sending.root)
    lines = [record for record in caplog.records if record.message.startswith("Run completed")]
    assert [(line.traceId, line.spanId) for line in lines] == [(root.trace_id, root.id)]


class TestLambda:
    """Runs in the function, which takes X-Ray's trace as the parent."""

    @pytest.fixture
    def invoked(
        self,
        sending: Collector,
        demo_agent: DemoAgent,
        due: Callable[..., Trigger],
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[str], Span]:
        def invoke(header: str) -> Span:
            monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
            tokens = FixedToken(demo_agent.issue_token())
            monkeypatch.setattr(lambda_handler, "_client", AgentClient(demo_agent.url, tokens))
            lambda_handler.handler(event_of(due()), Context())
            # The end of an invocation sends what there is: the function stands still afterwards.
            root = sending.root()
            assert root
            return root

        return invoke

    def test_xrays_trace_is_continued(self, invoked: Callable[[str], Span]) -> None:
        root = invoked(f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1")
        assert (root.trace_id, root.parent_id) == (TRACE, PARENT)

    def test_trace_that_xray_drops_is_not(self, invoked: Callable[[str], Span]) -> None:
        assert not invoked(f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=0").parent_id


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"{TRACEPARENT}-more",
        TRACEPARENT.upper(),
        f"00-{TRACE}-{PARENT}-01\r\nX: 1",
    ],
)
def test_header_that_names_no_trace_is_ignored(header: str) -> None:
    assert context_of(header) == ""


def test_state_that_is_too_long_is_left_out() -> None:
    assert context_of(TRACEPARENT, "a=" + "1" * 600) == TRACEPARENT


@pytest.mark.parametrize("header", ["", "Root", "Root=1-x-y;Parent=z;Sampled=1", "Sampled=1;;="])
def test_xray_header_that_names_no_trace_is_ignored(header: str) -> None:
    assert context_of_xray(header) == ""


OFF = """
import sys, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moca.settings")
import moca.wsgi, executions.scheduler, executions.lambda_handler
print(sorted(name for name in sys.modules if name.split(".")[0] == "opentelemetry")[:3])
"""


@pytest.mark.parametrize(
    "environment",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}],
    ids=json.dumps,
)
def test_no_module_of_opentelemetry_is_loaded_while_it_is_off(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "moca.settings", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"


GLOBAL = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
layer = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(layer))
trace.set_tracer_provider(provider)
from moca import telemetry, tracing
telemetry.start()
tracing.begin("here").end()
print([span.name for span in layer.get_finished_spans()])
"""


def test_tracer_of_a_layer_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GLOBAL],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "otlp"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "['here']"
