"""The demo agent speaks each protocol, and what is recorded if a prompt makes it misbehave."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from agents import AgentClient, AgentError, FixedToken, Reply
from agents.demo import DemoAgent
from agents.invocation import Answered
from agents.protocols import PROTOCOLS
from tests.integration.agent.conftest import SESSION, invocation

pytestmark = pytest.mark.usefixtures("driver")

ROOT = Path(__file__).parents[3]

# How each form is asked for: the protocol, the path, and what the prompt has to say.
FORMS = {
    "invocations": ("invocations", "", ""),
    "invocations-sse": ("invocations", "", "demo: sse\n"),
    "agentcore-python": ("agentcore", "", ""),
    "agentcore-typescript": ("agentcore", "", "demo: typescript\n"),
    "ag-ui": ("ag-ui", "", ""),
    "a2a": ("a2a", "", ""),
    "chat": ("openai", "", ""),
    "responses": ("openai", "/v1/responses", ""),
}
ALL = list(FORMS)
COUNTING = [form for form in ALL if form != "a2a"]
SHOWING_TOOLS = [form for form in COUNTING if form not in ("chat", "responses")]
ASKING = [form for form in ALL if form not in ("chat", "responses")]
PLAIN_DOCUMENTS = [form for form in ALL if form not in ("ag-ui", "invocations-sse")]

Ask = Callable[..., Reply]
Fail = Callable[..., AgentError]


@pytest.fixture
def ask(agent: DemoAgent) -> Iterator[Ask]:
    """Send a prompt in one of the forms, and return the reply; raises AgentError."""
    with ExitStack() as clients:

        def asked(form: str, prompt: str, **fields: object) -> Reply:
            protocol, path, how = FORMS[form]
            tokens = FixedToken(agent.issue_token())
            url = agent.url + path
            client = AgentClient(url, tokens, protocol=PROTOCOLS[protocol])
            clients.enter_context(client)
            task = invocation(f"Count sheep.\n{how}{prompt}", **fields)
            return client.invoke(task, time_limit=20, max_retries=2)

        yield asked


@pytest.fixture
def failure(ask: Ask) -> Fail:
    """Send a prompt in one of the forms, and return the failure."""

    def failed(form: str, prompt: str) -> AgentError:
        with pytest.raises(AgentError) as caught:
            ask(form, prompt)
        return caught.value

    return failed


@pytest.mark.parametrize("form", ALL)
def test_usual_answer_is_recorded_once_and_whole(ask: Ask, form: str) -> None:
    said = re.sub(r"\d{4}-.{14}", "NOW", ask(form, "").output.text)
    beginning = "Hello! You asked me: Count sheep.\n\nIt is NOW UTC."
    end = "any that speaks as I do."
    assert (said[: len(beginning)], said[-len(end) :], said.count("Hello")) == (beginning, end, 1)


@pytest.mark.parametrize("form", COUNTING)
def test_tokens_are_counted(ask: Ask, form: str) -> None:
    reply = ask(form, "")
    words = len(reply.output.text.split())
    # The tool's call takes 25 and 12 tokens where the protocol shows it.
    expected = (65, 12 + words) if form in SHOWING_TOOLS else (40, words)
    assert (reply.input_tokens, reply.output_tokens) == expected


@pytest.mark.parametrize("form", SHOWING_TOOLS)
def test_call_of_the_clock_is_recorded(ask: Ask, form: str) -> None:
    called = [(tool.name, tool.input.replace(" ", "")) for tool in ask(form, "").tools]
    assert called == [("current_time", '{"timezone":"UTC"}')]


@pytest.mark.parametrize("form", ["agentcore-python", "agentcore-typescript"])
def test_agent_that_yields_only_text(ask: Ask, form: str) -> None:
    said = ask(form, "demo: plain").output.text
    assert said.startswith("Hello! You asked me: Count sheep.\n\nIt is ")


@pytest.mark.parametrize("form", PLAIN_DOCUMENTS)
def test_answer_in_one_document(ask: Ask, form: str) -> None:
    assert ask(form, "demo: json").output.text.startswith("Hello! You asked me: Count sheep.")


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("how", ["split-utf8", "gzip", "long-line 100KB", "bytes 200KB"])
def test_unusual_ways_to_send_change_nothing(ask: Ask, form: str, how: str) -> None:
    assert ask(form, f"demo: {how}").output.text.endswith("any that speaks as I do.")


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("how", ["fail", "fail-twice", "crash"])
def test_failure_midway_is_told_once(failure: Fail, form: str, how: str) -> None:
    error = failure(form, f"demo: {how} the disk is full")
    assert (error.message, error.kind, error.reached) == ("the disk is full", "agent", True)


@pytest.mark.parametrize("form", ALL)
def test_failure_midway_keeps_what_was_said(failure: Fail, form: str) -> None:
    reply = failure(form, "demo: fail").reply
    assert reply is not None
    assert reply.output.text.startswith("Hello! You asked me: Count sheep.")


@pytest.mark.parametrize("form", ALL)
def test_failure_without_a_text_is_a_failure(failure: Fail, form: str) -> None:
    # Two protocols have a name for the failure beside its text.
    names = {"agentcore-python": "TimeoutError", "responses": "server_error"}
    expected = names.get(form, "the agent failed without saying why")
    assert failure(form, "demo: fail-silently").message == expected


@pytest.mark.parametrize("form", ALL)
def test_failure_before_the_answer_quotes_the_agent(failure: Fail, form: str) -> None:
    error = failure(form, "demo: fail-before no money")
    # AgentCore's TypeScript SDK sends an empty 500, and A2A an error of JSON-RPC with status 200.
    quoted = "no money" in error.message
    assert (error.status, quoted) == (
        None if form == "a2a" else 500,
        form != "agentcore-typescript",
    )


@pytest.mark.parametrize("form", ALL)
def test_empty_500_may_have_begun(failure: Fail, form: str) -> None:
    error = failure(form, "demo: empty-500")
    assert (error.status, error.reached, error.transient) == (500, True, False)


@pytest.mark.parametrize("form", ASKING)
def test_question_interrupts_the_run(ask: Ask, form: str) -> None:
    reply = ask(form, "demo: ask May I delete it?")
    questions = [question.text for question in reply.questions]
    assert (reply.outcome, questions) == ("interrupted", ["May I delete it?"])


@pytest.mark.parametrize("form", ["chat", "responses"])
def test_question_that_cannot_be_asked_fails(failure: Fail, form: str) -> None:
    assert failure(form, "demo: ask").code == "tool_without_caller"


@pytest.mark.parametrize("form", ["ag-ui", "a2a"])
def test_answer_to_a_question_goes_on(ask: Ask, form: str) -> None:
    question = ask(form, "demo: ask").questions[0]
    reply = ask(form, "", answers=(Answered(question.id, "Yes, do."),))
    assert reply.output.text.startswith("Hello! You asked me: Yes, do.")


@pytest.mark.parametrize("form", ALL)
def test_guardrail_is_a_failure(failure: Fail, form: str) -> None:
    error = failure(form, "demo: guardrail")
    # A2A has no word for it: the task is rejected.
    expected = (None, "a guardrail stopped the model")
    if form != "a2a":
        expected = ("refused", "the answer was stopped by a guardrail or a content filter")
    assert (error.outcome, error.message) == expected


@pytest.mark.parametrize("form", ALL)
def test_limit_of_tokens_is_a_failure(failure: Fail, form: str) -> None:
    error = failure(form, "demo: max-tokens")
    expected = (None, "the model reached its limit of tokens")
    if form != "a2a":
        expected = ("limited", "the agent reached a limit before its answer was complete")
    assert (error.outcome, error.message) == expected


@pytest.mark.parametrize("form", ALL)
def test_run_that_the_agent_cancelled_is_a_failure(failure: Fail, form: str) -> None:
    expected = "stream_ended_early" if form in ("chat", "responses") else "agent_cancelled"
    assert failure(form, "demo: cancelled").code == expected


@pytest.mark.parametrize("form", ALL)
def test_connection_that_breaks_midway_is_a_failure(failure: Fail, form: str) -> None:
    assert failure(form, "demo: break").code == "connection_broke"


@pytest.mark.parametrize("form", [form for form in ALL if form != "invocations-sse"])
def test_stream_without_its_end_is_a_failure(failure: Fail, form: str) -> None:
    assert failure(form, "demo: no-completion").code == "stream_ended_early"


@pytest.mark.parametrize("form", ALL)
def test_connection_that_closes_before_the_answer_may_have_begun(failure: Fail, form: str) -> None:
    error = failure(form, "demo: break-before")
    assert (error.code, error.reached, error.transient) == ("connection_closed", True, False)


@pytest.mark.parametrize("form", ALL)
def test_event_that_is_no_json_is_a_failure(failure: Fail, form: str) -> None:
    expected = "line_no_json" if form == "invocations" else "event_no_json"
    assert failure(form, "demo: bad-json").code == expected


@pytest.mark.parametrize("how", ["demo: object", "demo: object\ndemo: json"])
def test_python_object_is_no_answer(failure: Fail, how: str) -> None:
    assert failure("agentcore-python", how).code == "answer_object"


def test_request_of_a2a_needs_its_version(agent: DemoAgent) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {}}
    answer = httpx.post(f"{agent.url}/", json=call)
    assert "set it to 1.0" in answer.json()["error"]["message"]


def test_task_of_a2a_can_be_cancelled(agent: DemoAgent) -> None:
    request = PROTOCOLS["a2a"].cancel(Reply(None, 0, 0, None, None, None, task_id="task-1"))  # type: ignore[arg-type]
    assert request is not None
    answer = httpx.post(f"{agent.url}/", content=request.content, headers=request.headers)
    assert answer.json()["result"]["status"]["state"] == "TASK_STATE_CANCELED"


def test_agent_card_names_the_address(agent: DemoAgent) -> None:
    card = httpx.get(f"{agent.url}/.well-known/agent-card.json").json()
    assert card["supportedInterfaces"][0]["url"] == f"{agent.url}/"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/chat/completions", {"messages": []}, "the last one with a text as its content"),
        ("/v1/responses", {"input": [1]}, "a text as its input"),
        ("/invocations", {"runId": "r", "messages": []}, "the last one is the user's"),
        ("/invocations", {}, "a prompt"),
    ],
)
def test_request_without_a_prompt_says_what_is_missing(
    agent: DemoAgent, path: str, body: dict[str, object], told: str
) -> None:
    answer = httpx.post(agent.url + path, json=body)
    assert (answer.status_code, told in answer.json()["error"]) == (400, True)


def test_session_of_ag_ui_is_the_thread(ask: Ask, agent: DemoAgent) -> None:
    ask("ag-ui", "")
    assert agent.requests[-1].body["threadId"] == SESSION


@pytest.mark.parametrize("protocol", [*PROTOCOLS])
def test_protocol_needs_no_other_setting(agent: DemoAgent, protocol: str, tmp_path: Path) -> None:
    """`AGENT_PROTOCOL=ag-ui make run` calls the demo agent, with its own credentials."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AGENT_", "COGNITO_"))},
        "AGENT_PROTOCOL": protocol,
        "DEMO_AGENT_PORT": agent.url.rpartition(":")[2],
        "MOCA_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
    }
    code = (
        "import django; django.setup();"
        "from agents import Invocation, new_session_id;"
        "from executions.agent_client import client_from_settings;"
        "task = Invocation(prompt='Hi.', target_user_id='a', session_id=new_session_id(),"
        " execution_id='e');"
        "reply = client_from_settings().invoke(task, time_limit=20, max_retries=0);"
        "print(reply.output.text[:26])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "Hello! You asked me: Hi.", done.stderr
