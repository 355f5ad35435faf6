"""Trying an agent: what comes back raw, how it is read, and which protocol it is."""

import gzip
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from agents import AgentClient, FixedToken, Invocation
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from agents.trial import Trial, try_agent
from executions.agent_records.model import Agent
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.admin.conftest import make_execution
from tests.integration.agent_records.conftest import VARIABLE, MakeAgent, MakeTrigger

__all__ = ["make_execution"]

TRY = "/console/agents/try/reporter"
SENT = {"prompt": "Say hello.", "protocol": "invocations"}

MakeExecution = Callable[..., TriggerExecution]
Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def _nobody_has_tried() -> None:
    cache.clear()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one answer to whatever is asked, and return the address."""
    servers = []

    def serve(body: bytes, media_type: str, status: int = 200, **headers: str) -> str:
        class Stubborn(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Stubborn)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def tried(url: str, protocol: str, token: str | None = None, **options: Any) -> Trial:
    invocation = Invocation(
        prompt=options.pop("prompt", "Say hello."),
        target_user_id="ann",
        session_id="s" * 33,
        execution_id="try-1",
    )
    with AgentClient(url, FixedToken(token), protocol=PROTOCOLS[protocol], **options) as client:
        return try_agent(client, invocation, time_limit=10)


def answer_of(demo_agent: DemoAgent, protocol: str) -> tuple[bytes, str]:
    """What the demo agent answers in a protocol."""
    trial = tried(demo_agent.url, protocol, demo_agent.issue_token())
    return trial.body.encode(), trial.media_type


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_answer_in_the_right_protocol_needs_no_other(demo_agent: DemoAgent, protocol: str) -> None:
    trial = tried(demo_agent.url, protocol, demo_agent.issue_token())
    said = trial.reply.output.text if trial.reply else ""
    assert (trial.status, trial.error, "Say hello." in said, trial.proposal) == (
        200,
        None,
        True,
        "",
    )


@pytest.mark.parametrize("spoken", ["ag-ui", "a2a", "openai", "invocations", "agentcore"])
@pytest.mark.parametrize("asked", ["ag-ui", "a2a", "openai", "invocations", "agentcore"])
def test_wrong_protocol_proposes_the_right_one(
    demo_agent: DemoAgent, serve: Serve, asked: str, spoken: str
) -> None:
    url = serve(*answer_of(demo_agent, spoken))
    trial = tried(f"{url}/agent", asked)
    # `invocations` and `agentcore` read some answers of each other.
    alike = {"invocations", "agentcore"}
    is_read = trial.error is None
    assert is_read if asked == spoken else trial.proposal == spoken or {asked, spoken} == alike


@pytest.mark.parametrize("media_type", ["text/html", "text/html; charset=utf-8"])
def test_page_of_a_login_is_no_answer_of_any_protocol(serve: Serve, media_type: str) -> None:
    assert tried(serve(b"<html>Sign in</html>", media_type), "ag-ui").proposal == ""


def test_refusal_shows_its_body_and_proposes_nothing(serve: Serve) -> None:
    url = serve(b'{"output": "no"}', "application/json", 422)
    trial = tried(url, "ag-ui")
    assert (trial.status, trial.body, trial.proposal) == (422, '{"output": "no"}', "")


def test_compressed_answer_is_shown_in_plain(serve: Serve) -> None:
    packed = gzip.compress(b'{"output": "Hello"}')
    trial = tried(serve(packed, "application/json", Content_Encoding="gzip"), "agentcore")
    assert trial.body == '{"output": "Hello"}'


def test_long_body_is_cut(serve: Serve) -> None:
    trial = tried(serve(b'"' + b"x" * 50_000 + b'"', "application/json"), "agentcore")
    assert (len(trial.body), trial.is_cut) == (16 * 1024, True)


@pytest.mark.parametrize("status", [200, 500])
def test_token_is_masked_in_the_raw_body(serve: Serve, status: int) -> None:
    token = "sk-very-secret-4711"
    body = f'{{"output": "You sent {token}"}}'.encode()
    trial = tried(serve(body, "application/json", status), "agentcore", token)
    assert (token in repr(trial) + trial.body, "You sent ***" in trial.body) == (False, True)


def test_nobody_there_is_an_error(demo_agent: DemoAgent) -> None:
    trial = tried("http://127.0.0.1:1", "ag-ui")
    assert (trial.status, trial.error is not None) == (None, True)


class TestPage:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_shows_the_text_and_the_raw_answer(
        self, editor: Client, make_agent: MakeAgent, protocol: str
    ) -> None:
        make_agent(protocol=protocol)
        page = editor.post(TRY, {**SENT, "protocol": protocol})
        trial = page.context["trial"]
        shown = page.content.decode()
        assert (trial.error, "Say hello." in page.context["text"], "Completed" in shown) == (
            None,
            True,
            True,
        )

    def test_default_agent_can_be_tried(
        self, editor: Client, demo_agent: DemoAgent, settings: Any
    ) -> None:
        settings.AGENT_API_URL, settings.AGENT_AUTH = demo_agent.url, "static"
        settings.AGENT_TOKEN = demo_agent.issue_token()
        page = editor.post("/console/agents/try", SENT)
        assert "Say hello." in page.context["text"]

    def test_makes_no_run(self, editor: Client, make_agent: MakeAgent) -> None:
        make_agent()
        editor.post(TRY, SENT)
        assert TriggerExecution.objects.count() == 0

    def test_is_audited_without_the_prompt(self, editor: Client, make_agent: MakeAgent) -> None:
        make_agent()
        editor.post(TRY, SENT)
        entry = AuditEntry.objects.get(object_id="reporter")
        assert (entry.action, entry.changes) == ("run", {"try": ["", "invocations"]})

    def test_proposal_is_set_by_a_button(
        self, administrator: Client, make_agent: MakeAgent, demo_agent: DemoAgent, serve: Serve
    ) -> None:
        make_agent(address=serve(*answer_of(demo_agent, "ag-ui")))
        page = administrator.post(TRY, SENT).content.decode()
        [button] = re.findall(r'action="([^"]+)">.*?name="protocol" value="([^"]+)"', page)[-1:]
        administrator.post(button[0], {"protocol": button[1]})
        assert Agent.objects.get().protocol == "ag-ui"

    def test_editors_get_the_proposal_without_the_button(
        self, editor: Client, make_agent: MakeAgent, demo_agent: DemoAgent, serve: Serve
    ) -> None:
        make_agent(address=serve(*answer_of(demo_agent, "ag-ui")))
        page = editor.post(TRY, SENT).content.decode()
        assert ("Ask an admin to set it" in page, "agents/protocol" in page) == (True, False)

    def test_protocol_that_was_chosen_and_works_is_proposed(
        self, editor: Client, make_agent: MakeAgent
    ) -> None:
        make_agent(protocol="a2a")
        page = editor.post(TRY, {**SENT, "protocol": "openai"})
        assert (page.context["proposal"], Agent.objects.get().protocol) == ("openai", "a2a")

    def test_answer_is_escaped(self, editor: Client, make_agent: MakeAgent, serve: Serve) -> None:
        make_agent(address=serve(b'{"output": "<script>x</script>"}', "application/json"))
        page = editor.post(TRY, {**SENT, "protocol": "agentcore"}).content.decode()
        assert ("<script>x" in page, "&lt;script&gt;x" in page) == (False, True)

    def test_secret_is_not_on_the_page(
        self,
        editor: Client,
        make_agent: MakeAgent,
        serve: Serve,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(VARIABLE, "sk-very-secret-4711")
        body = b'{"output": "sk-very-secret-4711"}'
        make_agent(address=serve(body, "application/json"), auth="api-key")
        page = editor.post(TRY, {**SENT, "protocol": "agentcore"}).content.decode()
        assert "4711" not in page

    def test_wrong_record_is_told_and_sends_nothing(
        self,
        editor: Client,
        make_agent: MakeAgent,
        demo_agent: DemoAgent,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_agent()
        monkeypatch.delenv(VARIABLE)
        page = editor.post(TRY, SENT).content.decode()
        assert (VARIABLE in page, len(demo_agent.requests)) == (True, 0)

    def test_address_of_the_request_counts_for_nothing(
        self, editor: Client, make_agent: MakeAgent, demo_agent: DemoAgent
    ) -> None:
        make_agent()
        editor.post(TRY, {**SENT, "address": "http://127.0.0.1:1", "url": "http://127.0.0.1:1"})
        assert len(demo_agent.requests) == 1

    def test_tries_are_limited(
        self, editor: Client, make_agent: MakeAgent, demo_agent: DemoAgent
    ) -> None:
        make_agent()
        for _ in range(8):
            page = editor.post(TRY, SENT).content.decode()
        assert ("6 times a minute" in page, len(demo_agent.requests)) == (True, 6)

    @pytest.mark.parametrize("page", [TRY, "/console/agents/try"])
    def test_viewers_may_not(self, viewer: Client, make_agent: MakeAgent, page: str) -> None:
        make_agent()
        assert viewer.post(page, SENT).status_code == 403

    @pytest.mark.parametrize(
        "page", [TRY, "/console/agents/try", "/console/agents/protocol/reporter"]
    )
    def test_forms_of_other_sites_do_nothing(
        self, administrator: Client, make_agent: MakeAgent, page: str
    ) -> None:
        make_agent()
        administrator.handler.enforce_csrf_checks = True
        assert administrator.post(page, SENT).status_code == 403

    def test_looking_sends_nothing(
        self, editor: Client, make_agent: MakeAgent, demo_agent: DemoAgent
    ) -> None:
        make_agent()
        editor.get(f"{TRY}?prompt=x&protocol=ag-ui")
        assert list(demo_agent.requests) == []

    def test_unknown_protocol_is_not_set(
        self, administrator: Client, make_agent: MakeAgent
    ) -> None:
        make_agent()
        administrator.post("/console/agents/protocol/reporter", {"protocol": "soap"})
        assert Agent.objects.get().protocol == "invocations"


class TestRunPage:
    """The page of a run whose answer was not understood leads to Try."""

    @pytest.mark.parametrize(
        ("code", "has_record", "address"),
        [
            ("answer_not_understood", True, TRY),
            ("answer_not_understood", False, "/console/agents/try"),
            ("stream_ended_early", True, TRY),
            ("timed_out", True, ""),
        ],
    )
    def test_leads_to_try(
        self,
        editor: Client,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        code: str,
        has_record: bool,
        address: str,
    ) -> None:
        if has_record:
            make_agent()
        trigger = make_trigger()
        run = make_execution(trigger, status="failed", error="No.", error_code=code)
        page = editor.get(f"/console/triggers/{trigger.pk}/runs/{run.pk}").content.decode()
        found = re.findall(r'href="(/console/agents/try[^"]*)"', page)
        assert found == ([address] if address else [])

    def test_leads_to_the_agent_that_was_asked(
        self,
        editor: Client,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
    ) -> None:
        make_agent()
        run = make_execution(
            make_trigger(agent_id="other"),
            agent_id="reporter",
            status="failed",
            error="No.",
            error_code="answer_not_understood",
        )
        page = editor.get(f"/console/triggers/{run.trigger_id}/runs/{run.pk}").content.decode()
        assert f'href="{TRY}"' in page
