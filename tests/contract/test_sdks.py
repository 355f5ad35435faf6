"""What agents answer that are made with the published SDKs, and what is recorded of it."""

import uuid
from collections.abc import Callable

import pytest

from agents import AgentError, Reply
from agents.invocation import Answered

Ask = Callable[..., Reply]
Fail = Callable[..., AgentError]

STREAM, VALUE, NODE = "agentcore_stream.py", "agentcore_value.py", "agentcore.mjs"
STRANDS_UI, PYDANTIC_UI, TASK = "ag_ui_strands_app.py", "ag_ui_pydantic.py", "a2a_task.py"
STREAMING = [
    (STREAM, "agentcore", "all: hello"),
    (STREAM, "agentcore", "events: hello"),
    (STREAM, "agentcore", "data: hello"),
    (STREAM, "agentcore", "message: hello"),
    (STREAM, "invocations", "all: hello"),
    (STREAM, "invocations", "data: hello"),
    (VALUE, "agentcore", "message: hello"),
    (NODE, "agentcore", "all: hello"),
    (NODE, "agentcore", "readme: hello"),
    (NODE, "agentcore", "text: hello"),
    (NODE, "agentcore", "object: hello"),
    (NODE, "agentcore", "value: hello"),
    (STRANDS_UI, "ag-ui", "hello"),
    (PYDANTIC_UI, "ag-ui", "hello"),
    (TASK, "a2a", "hello"),
    (TASK, "a2a", "message"),
]
COUNTING = [
    (STREAM, "agentcore", "all: hello"),
    (STREAM, "agentcore", "events: hello"),
    (STREAM, "agentcore", "message: hello"),
    (VALUE, "agentcore", "message: hello"),
    (NODE, "agentcore", "all: hello"),
    (STRANDS_UI, "ag-ui", "hello"),
]
REASONING = [
    (STREAM, "agentcore", "all: reason"),
    (STREAM, "agentcore", "events: reason"),
    (NODE, "agentcore", "all: reason"),
    (STRANDS_UI, "ag-ui", "reason"),
]
TOOLS = [
    (STREAM, "agentcore", "all: use the tool"),
    (NODE, "agentcore", "all: use the tool"),
    (STRANDS_UI, "ag-ui", "use the tool"),
    (PYDANTIC_UI, "ag-ui", "use the tool"),
]
FAILING = [
    (STREAM, "agentcore", "all: break midway", "TimeoutError"),
    (STREAM, "agentcore", "data: break midway", "TimeoutError"),
    (STREAM, "agentcore", "raise:", "TimeoutError"),
    (NODE, "agentcore", "all: break midway", "the agent failed without saying why"),
    (STRANDS_UI, "ag-ui", "break midway", "The Strands agent stopped unexpectedly."),
    (PYDANTIC_UI, "ag-ui", "break midway", "the agent failed without saying why"),
    (TASK, "a2a", "break midway", "too slow"),
    (TASK, "a2a", "fail", "No money left."),
]
STOPPED = [
    (STREAM, "agentcore", "all: guardrail_intervened", "refused"),
    (STREAM, "agentcore", "events: content_filtered", "refused"),
    (STREAM, "agentcore", "all: max_tokens", "limited"),
    (NODE, "agentcore", "all: guardrailIntervened", "refused"),
    (NODE, "agentcore", "all: maxTokens", "limited"),
    (STRANDS_UI, "ag-ui", "guardrail_intervened", "refused"),
]
ASKING = [
    (STREAM, "agentcore", "all: ask"),
    (STRANDS_UI, "ag-ui", "ask"),
    (TASK, "a2a", "ask"),
]
GOING_ON = [
    ("agentcore_session.py", "agentcore", "Hello world."),
    (STRANDS_UI, "ag-ui", "Hello world."),
    (TASK, "a2a", "You said: Yes, do."),
]
MISMATCHED = [
    (STREAM, "ag-ui", "all: hello"),
    (STRANDS_UI, "agentcore", "hello"),
    (TASK, "agentcore", "hello"),
    (NODE, "openai", "all: hello"),
]


def ids(case: object) -> str:
    return str(case).partition(".")[0].replace(": ", "-").rstrip(":")


@pytest.mark.parametrize(("server", "protocol", "prompt"), STREAMING, ids=ids)
def test_text_is_recorded_as_a_person_reads_it(
    ask: Ask, server: str, protocol: str, prompt: str
) -> None:
    assert ask(server, protocol, prompt).output.text.strip() == "Hello world."


@pytest.mark.parametrize(("server", "protocol", "prompt"), COUNTING, ids=ids)
def test_tokens_are_counted_with_those_of_caches(
    ask: Ask, server: str, protocol: str, prompt: str
) -> None:
    reply = ask(server, protocol, prompt)
    counted = (reply.input_tokens, reply.output_tokens)
    assert (*counted, reply.cache_read_tokens, reply.cache_write_tokens) == (11, 7, 3, 2)


@pytest.mark.parametrize(("server", "protocol", "prompt"), REASONING, ids=ids)
def test_reasoning_is_apart_from_the_answer(
    ask: Ask, server: str, protocol: str, prompt: str
) -> None:
    reply = ask(server, protocol, prompt)
    assert (reply.output.text, reply.reasoning) == ("Hello world.", "I think.")


@pytest.mark.parametrize(("server", "protocol", "prompt"), TOOLS, ids=ids)
def test_tools_are_recorded_with_input_and_result(
    ask: Ask, server: str, protocol: str, prompt: str
) -> None:
    reply = ask(server, protocol, prompt)
    found = [(t.name, t.input.replace(" ", ""), (t.result or "").strip('"')) for t in reply.tools]
    assert (reply.output.text, found) == (
        "Hello world.",
        [("clock", '{"zone":"UTC"}', "noon in UTC")],
    )


@pytest.mark.parametrize(("server", "protocol", "prompt", "reason"), FAILING, ids=ids)
def test_failure_is_a_failure_wherever_it_is_said(
    failure: Fail, server: str, protocol: str, prompt: str, reason: str
) -> None:
    assert failure(server, protocol, prompt).message == reason


@pytest.mark.parametrize(("server", "protocol", "prompt", "outcome"), STOPPED, ids=ids)
def test_model_that_was_stopped_is_told_as_such(
    failure: Fail, server: str, protocol: str, prompt: str, outcome: str
) -> None:
    assert failure(server, protocol, prompt).outcome == outcome


@pytest.mark.parametrize(("server", "protocol", "prompt"), ASKING, ids=ids)
def test_question_to_a_person_interrupts_the_run(
    ask: Ask, server: str, protocol: str, prompt: str
) -> None:
    reply = ask(server, protocol, prompt)
    asked = [question.text for question in reply.questions]
    assert (reply.outcome, asked) == ("interrupted", ["Delete it?"])


@pytest.mark.parametrize(("server", "protocol", "said"), GOING_ON, ids=ids)
def test_agent_goes_on_with_the_answer_of_a_person(
    ask: Ask, server: str, protocol: str, said: str
) -> None:
    session = uuid.uuid4().hex + "x"
    asked = ask(server, protocol, "ask", session_id=session)
    answers = tuple(Answered(question.id, "Yes, do.") for question in asked.questions)
    reply = ask(server, protocol, "", session_id=session, answers=answers, task_id=asked.task_id)
    assert (reply.outcome, said in reply.output.text) == ("success", True)


@pytest.mark.parametrize(("server", "protocol", "prompt"), MISMATCHED, ids=ids)
def test_answer_of_another_protocol_is_never_stored(
    failure: Fail, server: str, protocol: str, prompt: str
) -> None:
    error = failure(server, protocol, prompt)
    assert error.reply is None or error.reply.output.text == ""


def test_python_object_is_quoted_and_not_stored(failure: Fail) -> None:
    message = failure(STREAM, "agentcore", "wrapped:").message
    assert message.startswith("the agent returned an object that cannot be read")


def test_stream_that_hides_its_question_is_no_success(failure: Fail) -> None:
    assert "ended at a call of its tool ask" in failure(STREAM, "agentcore", "events: ask").message


def test_empty_500_before_an_answer_is_sent_once(failure: Fail) -> None:
    error = failure(NODE, "agentcore", "raise:")
    assert (error.status, error.reached, error.transient) == (500, True, False)
