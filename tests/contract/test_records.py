"""What a run's record has after agents made with the published SDKs answered, through the runner.

Each answer that the SDKs are known to give has a row: the text, the tokens, the outcome and the
reason that are on record.
"""

import uuid
from collections.abc import Callable

import pytest

from agents import Reply
from agents.invocation import Answered
from executions.models import TriggerExecution

Record = Callable[..., TriggerExecution]

STREAM, VALUE, NODE = "agentcore_stream.py", "agentcore_value.py", "agentcore.mjs"
AGNO = "agno_stream.py"
STRANDS_UI, PYDANTIC_UI, TASK = "ag_ui_strands_app.py", "ag_ui_pydantic.py", "a2a_task.py"
HELLO, PART = "Hello world.", "Hello"
USED = {"inputTokens": 11, "outputTokens": 7}
CACHED = {**USED, "cacheReadTokens": 3, "cacheWriteTokens": 2}
# A reason that ends in "..." is the beginning of one that quotes the agent.
OBJECT = "the agent returned an object that cannot be read..."
REFUSED = "the answer was stopped by a guardrail or a content filter"
LIMITED = "the agent reached a limit before its answer was complete"
CANCELLED = "the agent says that the run was cancelled"
SILENT = "the agent failed without saying why"

# Server, protocol and prompt; the text, tokens, outcome and reason on record.
Row = tuple[str, str, str, str, dict[str, int] | None, str, str]
AGENTCORE: list[Row] = [
    (STREAM, "agentcore", "data: hello", HELLO, None, "success", ""),
    (STREAM, "agentcore", "all: hello", HELLO, CACHED, "success", ""),
    (STREAM, "agentcore", "all: reason", HELLO, CACHED, "success", ""),
    (STREAM, "agentcore", "events: hello", HELLO, CACHED, "success", ""),
    (STREAM, "agentcore", "events: reason", HELLO, CACHED, "success", ""),
    (STREAM, "agentcore", "message: hello", HELLO, CACHED, "success", ""),
    (STREAM, "agentcore", "result: hello", HELLO, None, "success", ""),
    (STREAM, "agentcore", "wrapped: hello", "", None, "error", OBJECT),
    (STREAM, "agentcore", "all: break midway", PART, None, "error", "TimeoutError"),
    (STREAM, "agentcore", "events: break midway", PART, None, "error", "TimeoutError"),
    (STREAM, "agentcore", "data: break midway", PART, None, "error", "TimeoutError"),
    (STREAM, "agentcore", "raise:", "", None, "error", "TimeoutError"),
    (STREAM, "agentcore", "all: ask", "", CACHED, "interrupted", ""),
    (STREAM, "agentcore", "all: guardrail_intervened", HELLO, CACHED, "refused", REFUSED),
    (STREAM, "agentcore", "all: content_filtered", HELLO, CACHED, "refused", REFUSED),
    (STREAM, "agentcore", "events: content_filtered", HELLO, CACHED, "refused", REFUSED),
    (
        STREAM,
        "agentcore",
        "all: max_tokens",
        HELLO,
        CACHED,
        "limited",
        "Model stopped generating...",
    ),
    (STREAM, "agentcore", "all: use the tool limit_turns", "", CACHED, "limited", LIMITED),
    (STREAM, "agentcore", "all: cancel", PART, None, "cancelled", CANCELLED),
    (STREAM, "invocations", "all: hello", HELLO, CACHED, "success", ""),
    (STREAM, "invocations", "data: hello", HELLO, None, "success", ""),
    (STREAM, "invocations", "all: break midway", PART, None, "error", "TimeoutError"),
    (VALUE, "agentcore", "text: hello", HELLO, None, "success", ""),
    (VALUE, "agentcore", "message: hello", HELLO, CACHED, "success", ""),
    (VALUE, "agentcore", "result: hello", HELLO, None, "success", ""),
    (VALUE, "agentcore", "wrapped: hello", "", None, "error", OBJECT),
    (VALUE, "agentcore", "raise:", "", None, "error", "the agent answered 500..."),
    (NODE, "agentcore", "all: hello", HELLO, CACHED, "success", ""),
    (NODE, "agentcore", "all: reason", HELLO, CACHED, "success", ""),
    (NODE, "agentcore", "readme: hello", HELLO, None, "success", ""),
    (NODE, "agentcore", "text: hello", HELLO, None, "success", ""),
    (NODE, "agentcore", "object: hello", HELLO, None, "success", ""),
    (NODE, "agentcore", "value: hello", HELLO, None, "success", ""),
    (NODE, "agentcore", "all: break midway", PART, None, "error", SILENT),
    (NODE, "agentcore", "text: break midway", PART, None, "error", SILENT),
    (NODE, "agentcore", "raise:", "", None, "error", "the agent answered 500..."),
    (NODE, "agentcore", "all: guardrailIntervened", HELLO, CACHED, "refused", REFUSED),
    (NODE, "agentcore", "all: maxTokens", HELLO, CACHED, "limited", "Model reached maximum..."),
    (NODE, "invocations", "all: hello", "", None, "error", "the agent answered 406..."),
    (AGNO, "agentcore", "hello", HELLO, USED, "success", ""),
    (AGNO, "agentcore", "break midway", PART, None, "error", "too slow"),
    (AGNO, "agentcore", "cancel", PART, None, "cancelled", CANCELLED),
    (AGNO, "agentcore", "ask", "", None, "interrupted", ""),
]
OTHERS: list[Row] = [
    (STRANDS_UI, "ag-ui", "hello", HELLO, CACHED, "success", ""),
    (STRANDS_UI, "ag-ui", "reason", HELLO, CACHED, "success", ""),
    (
        STRANDS_UI,
        "ag-ui",
        "break midway",
        PART,
        None,
        "error",
        "The Strands agent stopped unexpectedly.",
    ),
    (STRANDS_UI, "ag-ui", "ask", "", CACHED, "interrupted", ""),
    (STRANDS_UI, "ag-ui", "guardrail_intervened", HELLO, CACHED, "refused", REFUSED),
    (PYDANTIC_UI, "ag-ui", "hello", HELLO, None, "success", ""),
    (PYDANTIC_UI, "ag-ui", "break midway", PART, None, "error", SILENT),
    (TASK, "a2a", "hello", HELLO, None, "success", ""),
    (TASK, "a2a", "message", HELLO, None, "success", ""),
    (TASK, "a2a", "break midway", "", None, "error", "too slow"),
    (TASK, "a2a", "fail", HELLO, None, "error", "No money left."),
    (TASK, "a2a", "reject", HELLO, None, "error", "Not my job."),
    (TASK, "a2a", "cancel", HELLO, None, "cancelled", CANCELLED),
    (TASK, "a2a", "ask", HELLO, None, "interrupted", ""),
    (TASK, "a2a", "sign in", HELLO, None, "interrupted", ""),
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
GOING_ON = [
    ("agentcore_session.py", "agentcore", HELLO),
    (STRANDS_UI, "ag-ui", HELLO),
    (TASK, "a2a", "You said: Yes, do."),
]
MISMATCHED: list[Row] = [
    (STREAM, "ag-ui", "all: hello", "", None, "error", "..."),
    (STRANDS_UI, "agentcore", "hello", "", None, "error", "..."),
    (TASK, "agentcore", "hello", "", None, "error", "..."),
    (NODE, "openai", "all: hello", "", None, "error", "..."),
]


def name_of(part: object) -> str | None:
    """A short name of a part of a row, for the name of its test."""
    return part.partition(".")[0].replace(": ", "-").strip(":") if isinstance(part, str) else None


def on_record(run: TriggerExecution) -> tuple[str, dict[str, int] | None, str]:
    return run.said.text.strip(), run.usage, run.outcome


@pytest.mark.parametrize(
    ("server", "protocol", "prompt", "text", "usage", "outcome", "reason"),
    [*AGENTCORE, *OTHERS, *MISMATCHED],
    ids=name_of,
)
def test_record(
    record_of: Record,
    server: str,
    protocol: str,
    prompt: str,
    text: str,
    usage: dict[str, int] | None,
    outcome: str,
    reason: str,
) -> None:
    run = record_of(server, protocol, prompt)
    told = run.error
    if reason.endswith("..."):
        told = told[: len(reason) - 3] + "..."
    assert (*on_record(run), told) == (text, usage, outcome, reason)


@pytest.mark.parametrize(
    ("server", "protocol", "asked"),
    [
        (STREAM, "agentcore", "Delete it?"),
        (STRANDS_UI, "ag-ui", "Delete it?"),
        (TASK, "a2a", "Delete it?"),
        (AGNO, "agentcore", 'delete {"path": "/tmp/x"}'),
    ],
)
def test_question_is_on_record(record_of: Record, server: str, protocol: str, asked: str) -> None:
    (question,) = record_of(server, protocol, "all: ask").questions
    assert question["text"] == asked


@pytest.mark.parametrize(("server", "protocol", "prompt"), TOOLS, ids=name_of)
def test_tools_are_recorded_with_input_and_result(
    record_of: Record, server: str, protocol: str, prompt: str
) -> None:
    run = record_of(server, protocol, prompt)
    found = [(t["name"], t["input"].replace(" ", ""), t["result"].strip('"')) for t in run.tools]
    assert (run.said.text, found) == (HELLO, [("clock", '{"zone":"UTC"}', "noon in UTC")])


@pytest.mark.parametrize(("server", "protocol", "prompt"), REASONING, ids=name_of)
def test_reasoning_is_apart_from_the_answer(
    record_of: Record, server: str, protocol: str, prompt: str
) -> None:
    run = record_of(server, protocol, prompt)
    assert (run.said.text, run.reasoning) == (HELLO, "I think.")


def test_stream_that_hides_its_question_is_no_success(record_of: Record) -> None:
    assert "ended at a call of its tool ask" in record_of(STREAM, "agentcore", "events: ask").error


@pytest.mark.parametrize("server", [VALUE, NODE])
def test_500_before_an_answer_may_have_begun(record_of: Record, server: str) -> None:
    run = record_of(server, "agentcore", "raise:")
    assert (run.reached_agent, "tried" in run.error) == (True, False)


def test_agent_that_raises_before_it_answers_is_asked_once(record_of: Record) -> None:
    run = record_of(STREAM, "agentcore", "raise: only once")
    asked = record_of(STREAM, "agentcore", "count: only once").said.text
    assert (run.reached_agent, asked) == (True, "1")


@pytest.mark.parametrize(("server", "protocol", "said"), GOING_ON, ids=name_of)
def test_agent_goes_on_with_the_answer_of_a_person(
    ask: Callable[..., Reply], server: str, protocol: str, said: str
) -> None:
    session = uuid.uuid4().hex + "x"
    asked = ask(server, protocol, "ask", session_id=session)
    answers = tuple(Answered(question.id, "Yes, do.") for question in asked.questions)
    reply = ask(server, protocol, "", session_id=session, answers=answers, task_id=asked.task_id)
    assert (reply.outcome, said in reply.output.text) == ("success", True)
