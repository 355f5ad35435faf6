"""The protocols' answers, as the SDKs sent them: read alike however they come."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents import AgentError, Invocation, Reply
from agents.invocation import Answered
from agents.masking import Mask
from agents.protocols import PROTOCOLS, read_answer
from executions.models import question_map, tool_map

SSE = "text/event-stream; charset=utf-8"
USAGE = {"inputTokens": 11, "outputTokens": 7, "cacheReadInputTokens": 3}


def converse(*events: dict[str, Any]) -> list[Any]:
    return [{"event": event} for event in events]


def text(piece: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": piece}}}


def update(**event: Any) -> dict[str, Any]:
    return {"type": "modelStreamUpdateEvent", "event": event}


def delta(kind: str, **values: Any) -> dict[str, Any]:
    return update(type="modelContentBlockDeltaEvent", delta={"type": kind, **values})


def rpc(**result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def state(name: str, said: str = "") -> dict[str, Any]:
    message = {"message": {"role": "ROLE_AGENT", "parts": [{"text": said}]}} if said else {}
    status = {"state": f"TASK_STATE_{name}", **message}
    return rpc(statusUpdate={"taskId": "t-1", "contextId": "c-1", "status": status})


def artifact(said: str, name: str = "a") -> dict[str, Any]:
    part = {"artifactId": name, "parts": [{"text": said}]}
    return rpc(artifactUpdate={"taskId": "t-1", "artifact": part, "append": True})


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}


OBJECT = "{'data': 'Hello ', 'agent': <strands.agent.agent.Agent object at 0x7f01e80e2ad0>}"
MESSAGE = {"role": "assistant", "content": [{"text": "Hello world."}], "metadata": {"usage": USAGE}}
ANSWERS: dict[str, tuple[str, list[Any]]] = {
    "strands-python": (
        "agentcore",
        [
            {"init_event_loop": True},
            *converse({"messageStart": {"role": "assistant"}}, text("Hello ")),
            OBJECT,
            *converse(text("world."), {"messageStop": {"stopReason": "end_turn"}}),
            *converse({"metadata": {"usage": USAGE}}),
            {"message": MESSAGE},
        ],
    ),
    "strands-typescript": (
        "agentcore",
        [
            {"type": "beforeInvocationEvent"},
            update(type="modelMessageStartEvent", role="assistant"),
            delta("textDelta", text="Hello "),
            delta("textDelta", text="world."),
            {"type": "contentBlockEvent", "contentBlock": {"text": "Hello world."}},
            update(type="modelMessageStopEvent", stopReason="endTurn"),
            update(type="modelMetadataEvent", usage=USAGE),
            {"type": "modelMessageEvent", "message": MESSAGE, "stopReason": "endTurn"},
            {"type": "messageAddedEvent", "message": MESSAGE},
            {"type": "agentResultEvent", "result": {"lastMessage": MESSAGE}},
        ],
    ),
    "ag-ui": (
        "ag-ui",
        [
            {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
            {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Hello "},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "world."},
            {"type": "TEXT_MESSAGE_END", "messageId": "m"},
            {
                "type": "RUN_FINISHED",
                "outcome": {"type": "success"},
                "usage": [{"inputTokens": 11, "outputTokens": 7, "cachedInputTokens": 3}],
            },
        ],
    ),
    "chat-completions": (
        "openai",
        [
            chunk(role="assistant", content=""),
            chunk(content="Hello "),
            chunk(content="world."),
            chunk("stop"),
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 11,
                    "completion_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 3},
                },
            },
            "[DONE]",
        ],
    ),
    "responses": (
        "openai",
        [
            {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
            {"type": "response.output_text.delta", "delta": "Hello "},
            {"type": "response.output_text.delta", "delta": "world."},
            {
                "type": "response.completed",
                "response": {
                    "status": "completed",
                    "usage": {
                        "input_tokens": 11,
                        "output_tokens": 7,
                        "input_tokens_details": {"cached_tokens": 3},
                    },
                },
            },
        ],
    ),
}
WITHOUT_USAGE: dict[str, tuple[str, list[Any]]] = {
    "strings": ("agentcore", ["Hello ", "world."]),
    "data": ("agentcore", [{"data": "Hello "}, {"data": "world."}]),
    "a2a": ("a2a", [state("WORKING"), artifact("Hello "), artifact("world."), state("COMPLETED")]),
    "a2a-message": ("a2a", [rpc(message={"parts": [{"text": "Hello world."}]})]),
    "a2a-status": ("a2a", [state("WORKING", "busy"), state("COMPLETED", "Hello world.")]),
    "ag-ui-snapshot": (
        "ag-ui",
        [
            {
                "type": "MESSAGES_SNAPSHOT",
                "messages": [{"role": "assistant", "content": "Hello world."}],
            },
            {"type": "RUN_FINISHED"},
        ],
    ),
    "adk": (
        "agentcore",
        [
            {"content": {"parts": [{"text": "Hm", "thought": True}]}, "partial": True},
            {"content": {"parts": [{"text": "Hello "}]}, "partial": True},
            {"content": {"parts": [{"text": "world."}]}, "partial": True},
            {"content": {"parts": [{"text": "Hello world."}]}},
        ],
    ),
    "agno": (
        "agentcore",
        [
            {"event": "RunStarted"},
            {"event": "RunContent", "content": "Hello "},
            {"event": "RunContent", "content": "world."},
            {"event": "RunCompleted", "content": "Hello world."},
        ],
    ),
    "langgraph-messages": (
        "agentcore",
        [
            [{"content": "Hello ", "additional_kwargs": {}, "type": "AIMessageChunk"}, {"x": 1}],
            [{"content": "tool", "additional_kwargs": {}, "type": "tool"}, {"x": 1}],
            [{"content": "world.", "additional_kwargs": {}, "type": "AIMessageChunk"}, {"x": 1}],
        ],
    ),
    "langgraph-events": (
        "agentcore",
        [
            {
                "event": "on_chat_model_stream",
                "data": {
                    "chunk": {
                        "content": [{"type": "text", "text": "Hello world."}],
                        "additional_kwargs": {},
                        "type": "AIMessageChunk",
                    }
                },
            },
        ],
    ),
    "vercel": (
        "agentcore",
        [
            {"type": "start"},
            {"type": "text-delta", "id": "0", "delta": "Hello "},
            {"type": "text-delta", "id": "0", "delta": "world."},
            {"type": "finish"},
            "[DONE]",
        ],
    ),
}
ALL = {**ANSWERS, **WITHOUT_USAGE}
# What the AI SDK 6.0.326 streams of a step that calls a tool.
VERCEL_CALL: list[dict[str, Any]] = [
    {"type": "start"},
    {"type": "start-step"},
    {
        "type": "tool-input-available",
        "toolCallId": "c1",
        "toolName": "delete",
        "input": {"path": "/tmp/x"},
    },
]
VERCEL_RESULT = {"type": "tool-output-available", "toolCallId": "c1", "output": "Deleted."}
VERCEL_TOOLS = [{"type": "finish-step"}, {"type": "finish", "finishReason": "tool-calls"}, "[DONE]"]


def frames(values: list[Any]) -> list[str]:
    return ["[DONE]" if v == "[DONE]" else json.dumps(v, ensure_ascii=False) for v in values]


def stream(values: list[Any], end: str = "\n") -> bytes:
    return "".join(f"data: {frame}{end}{end}" for frame in frames(values)).encode()


def read(protocol: str, *chunks: bytes, media_type: str = SSE) -> Reply:
    return read_answer(chunks, media_type, protocol=PROTOCOLS[protocol])


def failure(protocol: str, *values: Any) -> AgentError:
    with pytest.raises(AgentError) as caught:
        read(protocol, stream(list(values)))
    return caught.value


@pytest.mark.parametrize("name", ALL)
def test_answer_is_the_text_alone(name: str) -> None:
    protocol, values = ALL[name]
    assert read(protocol, stream(values)).output.text == "Hello world."


@pytest.mark.parametrize("name", ANSWERS)
def test_tokens_are_counted_once(name: str) -> None:
    protocol, values = ANSWERS[name]
    reply = read(protocol, stream(values))
    assert (reply.input_tokens, reply.output_tokens, reply.cache_read_tokens) == (11, 7, 3)


@pytest.mark.parametrize("name", ALL)
def test_each_cut_gives_the_same(name: str) -> None:
    protocol, values = ALL[name]
    body = stream(values)
    whole = read(protocol, body)
    odd = [
        cut
        for cut in range(1, len(body))
        if facts(read(protocol, body[:cut], body[cut:])) != facts(whole)
    ]
    assert odd == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_marks_and_keep_alives_change_nothing(name: str, end: str) -> None:
    protocol, values = ALL[name]
    body = (
        "\ufeff".encode()
        + f": ping{end}{end}".join(
            f"id: 7{end}data: {frame}{end}{end}" for frame in frames(values)
        ).encode()
    )
    pieces = [bytes([byte]) for byte in body]
    assert facts(read(protocol, *pieces)) == facts(read(protocol, stream(values)))


def facts(reply: Reply) -> tuple[Any, ...]:
    return (reply.output.text, reply.input_tokens, reply.outcome, reply.tools, reply.reasoning)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"a2a-message"}))
def test_stream_that_is_cut_off_is_no_success(name: str) -> None:
    protocol, values = ALL[name]
    with pytest.raises(AgentError):
        read(protocol, stream(values)[:-3])


@pytest.mark.parametrize("protocol", ["ag-ui", "a2a", "openai"])
def test_end_that_never_came_is_a_failure(protocol: str) -> None:
    values = next(values for name, values in ALL.values() if name == protocol)
    assert "ended early" in failure(protocol, *values[:2]).message


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [{"weather": {"sky": "blue"}}, [{"weather": 1}], {"type": "x"}])
def test_unknown_answer_is_quoted_and_never_stored(protocol: str, value: Any) -> None:
    error = failure(protocol, value)
    assert error.reply is not None
    quoted = json.dumps(value, ensure_ascii=False)
    assert (error.reply.output.text, error.message.endswith(quoted)) == ("", True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_quotation_of_an_unknown_answer_is_short(protocol: str) -> None:
    assert len(failure(protocol, {"weather": "x" * 5000}).message) < 320


@pytest.mark.parametrize(
    ("protocol", "values", "reason"),
    [
        ("ag-ui", [{"type": "RUN_ERROR", "message": "no model", "code": "X"}], "no model"),
        ("ag-ui", [{"type": "RUN_ERROR", "message": "", "code": "X"}], "X"),
        ("a2a", [artifact("A"), state("FAILED", "no money")], "no money"),
        ("a2a", [state("REJECTED")], "the agent rejected the task without saying why"),
        ("a2a", [{"error": {"code": -32009, "message": "wrong version"}}], "wrong version"),
        ("openai", [chunk(content="A"), {"error": {"message": "no quota"}}], "no quota"),
        ("openai", [{"type": "error", "message": "no quota"}], "no quota"),
        (
            "openai",
            [
                {
                    "type": "response.failed",
                    "response": {"status": "failed", "error": {"message": "no quota"}},
                }
            ],
            "no quota",
        ),
        ("agentcore", ["A", {"error": "", "error_type": "AssertionError"}], "AssertionError"),
        ("agentcore", [{"event": "RunError", "content": "no key"}], "no key"),
        (
            "agentcore",
            [{"event": "RunError", "content": "too slow", "error_type": "TimeoutError"}],
            "too slow",
        ),
        (
            "agentcore",
            ["{'result': AgentResult(stop_reason='limit_turns', x=1)}"],
            "the agent reached a limit before its answer was complete",
        ),
        (
            "agentcore",
            [{"type": "error", "errorText": "no key"}, {"type": "finish"}, "[DONE]"],
            "no key",
        ),
        ("agentcore", [{"errorCode": "429", "errorMessage": "busy"}, {"error": "busy"}], "busy"),
    ],
)
def test_failure_is_told_with_its_reason(protocol: str, values: list[Any], reason: str) -> None:
    assert failure(protocol, *values).message == reason


@pytest.mark.parametrize(
    ("protocol", "values", "outcome"),
    [
        ("openai", [chunk(content="A"), chunk("length"), "[DONE]"], "limited"),
        ("openai", [chunk(content="A"), chunk("content_filter"), "[DONE]"], "refused"),
        ("openai", [chunk(refusal="I cannot."), chunk("stop"), "[DONE]"], "refused"),
        (
            "openai",
            [
                {
                    "type": "response.incomplete",
                    "response": {
                        "status": "incomplete",
                        "incomplete_details": {"reason": "max_output_tokens"},
                    },
                }
            ],
            "limited",
        ),
        ("a2a", [artifact("A"), state("CANCELED")], "cancelled"),
        ("ag-ui", [{"type": "RUN_FINISHED", "outcome": {"type": "cancelled"}}], "cancelled"),
        (
            "ag-ui",
            [
                {
                    "type": "CUSTOM",
                    "name": "AgentStopped",
                    "value": {"stop_reason": "content_filtered"},
                },
                {"type": "RUN_FINISHED", "outcome": {"type": "success"}},
            ],
            "refused",
        ),
        (
            "agentcore",
            converse(text("A"), {"messageStop": {"stopReason": "limit_turns"}}),
            "limited",
        ),
        (
            "agentcore",
            ["{'result': AgentResult(stop_reason='guardrail_intervened', x=1)}"],
            "refused",
        ),
        (
            "agentcore",
            [{"event": "RunContent", "content": "A"}, {"event": "RunCancelled", "reason": "x"}],
            "cancelled",
        ),
        ("agentcore", [*VERCEL_CALL, VERCEL_RESULT, *VERCEL_TOOLS], "limited"),
        ("agentcore", [*VERCEL_CALL, {"type": "abort", "reason": "x"}, "[DONE]"], "cancelled"),
    ],
)
def test_end_that_is_no_success_is_a_failure_of_its_kind(
    protocol: str, values: list[Any], outcome: str
) -> None:
    assert failure(protocol, *values).outcome == outcome


def test_tool_of_agno_waits_for_a_person() -> None:
    tool = {"tool_call_id": "t1", "tool_name": "delete", "tool_args": {"path": "/tmp/x"}}
    reply = read("agentcore", stream([{"event": "RunPaused", "tools": [tool]}]))
    asked = [(question.id, question.text) for question in reply.questions]
    assert (reply.outcome, asked) == ("interrupted", [("t1", 'delete {"path": "/tmp/x"}')])


def test_tool_of_the_ai_sdk_waits_for_a_person() -> None:
    asked = {"type": "tool-approval-request", "approvalId": "a1", "toolCallId": "c1"}
    reply = read("agentcore", stream([*VERCEL_CALL, asked, *VERCEL_TOOLS]))
    questions = [(question.id, question.text) for question in reply.questions]
    assert (reply.outcome, questions) == ("interrupted", [("a1", 'delete {"path": "/tmp/x"}')])


@pytest.mark.parametrize(
    ("begun", "failed"),
    [
        ("tool-input-available", {"type": "tool-output-error", "errorText": "no such file"}),
        ("tool-input-error", {"type": "tool-output-error", "errorText": "no such tool"}),
    ],
)
def test_failed_tool_of_the_ai_sdk(begun: str, failed: dict[str, Any]) -> None:
    call = {**VERCEL_CALL[-1], "type": begun}
    said = {"type": "text-delta", "id": "0", "delta": "Sorry."}
    end = {"type": "finish", "finishReason": "stop"}
    reply = read("agentcore", stream([call, {**failed, "toolCallId": "c1"}, said, end, "[DONE]"]))
    (tool,) = reply.tools
    assert (tool.name, tool.failed, tool.result) == ("delete", True, failed["errorText"])


CALL = {"index": 0, "id": "c1", "function": {"name": "clock", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("protocol", "values"),
    [
        ("openai", [chunk(tool_calls=[CALL]), chunk("tool_calls"), "[DONE]"]),
        ("agentcore", [*VERCEL_CALL, *VERCEL_TOOLS]),
    ],
)
def test_call_of_a_tool_that_nobody_makes_is_a_failure(protocol: str, values: list[Any]) -> None:
    assert "nobody is there to make it" in failure(protocol, *values).message


def test_question_of_ag_ui_has_its_schema() -> None:
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}}
    asked = {"id": "i-1", "reason": "approval", "message": "Delete?", "responseSchema": schema}
    outcome = {"type": "interrupt", "interrupts": [asked]}
    reply = read("ag-ui", stream([{"type": "RUN_FINISHED", "outcome": outcome}]))
    question = reply.questions[0]
    assert (question.id, question.text, question.schema) == ("i-1", "Delete?", schema)


def test_messages_are_set_apart() -> None:
    first = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": "Let me look."}
    second = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "2", "delta": "It is noon."}
    reply = read("ag-ui", stream([first, second, {"type": "RUN_FINISHED"}]))
    assert reply.output.text == "Let me look.\n\nIt is noon."


def test_text_of_a_subagent_is_not_the_answer() -> None:
    inner = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": "no", "subagentRunId": "s"}
    outer = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "2", "delta": "yes"}
    assert read("ag-ui", stream([inner, outer, {"type": "RUN_FINISHED"}])).output.text == "yes"


@pytest.mark.parametrize("piece", ["Hello", "[1] see below", "{curly}", "a\ndata: b", "true story"])
def test_texts_without_quotes_are_taken_as_they_are(piece: str) -> None:
    body = f"data: {piece}\n\n".encode()
    assert read("agentcore", body).output.text == piece.replace("\ndata: ", "\n")


def test_object_of_json_that_is_broken_is_no_text() -> None:
    with pytest.raises(AgentError, match="no JSON"):
        read("agentcore", b'data: {"data": "Hel\n\n')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"Hello world.", "Hello world."),
        (b'"Hello world."', "Hello world."),
        (
            b'{"result": {"role": "assistant", "content": [{"text": "Hello world."}]}}',
            "Hello world.",
        ),
        (b'{"count": 3}', '{"count": 3}'),
        (b"42", "42"),
    ],
)
def test_documents(body: bytes, said: str) -> None:
    assert read("agentcore", body, media_type="application/json").output.text == said


def test_document_of_chat_completions() -> None:
    message = {"role": "assistant", "content": "Hello world."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 11}}).encode()
    reply = read("openai", body, media_type="application/json")
    assert (reply.output.text, reply.input_tokens) == ("Hello world.", 11)


def test_document_of_a_task() -> None:
    task = {
        "id": "t-1",
        "artifacts": [{"artifactId": "a", "parts": [{"text": "Hello world."}]}],
        "status": {"state": "TASK_STATE_COMPLETED"},
    }
    body = json.dumps(rpc(task=task)).encode()
    reply = read("a2a", body, media_type="application/json")
    assert (reply.output.text, reply.task_id) == ("Hello world.", "t-1")


def test_secrets_are_masked_in_reasoning_tools_and_questions() -> None:
    secret = "s3cret-of-the-request"
    values = [
        *converse({"messageStart": {}}, {"contentBlockStart": {"start": {"toolUse": {
            "toolUseId": "t1", "name": "clock"}}}}),
        *converse({"contentBlockDelta": {"delta": {"toolUse": {"input": secret}}}}),
        *converse({"contentBlockDelta": {"delta": {"reasoningContent": {"text": secret}}}}),
        {"message": {"role": "user", "content": [{"toolResult": {
            "toolUseId": "t1", "content": [{"text": secret}]}}]}},
        {"tool_interrupt_event": {"interrupts": [{"id": "i", "reason": secret}]}},
    ]  # fmt: skip
    reply = read_answer([stream(values)], SSE, mask=Mask([secret]), protocol=PROTOCOLS["agentcore"])
    assert secret not in repr((reply.reasoning, reply.tools, reply.questions))


def test_much_of_everything_is_kept_small() -> None:
    def values() -> Iterator[Any]:
        for number in range(500):
            tool = {"toolUseId": f"t{number}", "name": "clock", "input": {"x": "y" * 9000}}
            yield {"message": {"role": "assistant", "content": [{"toolUse": tool}]}}
        yield from converse(
            {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "z" * 999_999}}}}
        )
        yield "Done."

    reply = read("agentcore", stream(list(values())))
    size = sum(len(tool.input) for tool in reply.tools) + len(reply.reasoning)
    assert size < 80_000


def test_tools_are_kept_in_so_many_bytes() -> None:
    long = "\u7f8a" * 3000
    tools = [
        {"toolUseId": f"{number} {long}", "name": f"{long}", "input": {"x": long}}
        for number in range(200)
    ]
    results = [{"toolUseId": tool["toolUseId"], "content": [{"text": long}]} for tool in tools]
    values = [
        {"message": {"role": "assistant", "content": [{"toolUse": tool} for tool in tools]}},
        {"message": {"role": "user", "content": [{"toolResult": each} for each in results]}},
        "Done.",
    ]
    kept = read("agentcore", stream(values)).tools
    stored = json.dumps([tool_map(tool) for tool in kept], ensure_ascii=False)
    assert (len(kept), len(stored.encode()) <= 32 * 1024) == (100, True)


def test_questions_are_kept_in_so_many_bytes() -> None:
    schema = {"type": "object", "description": "\u7f8a" * 900}
    asked = [
        {"id": f"{number} {'i' * 300}", "message": "\u7f8a" * 3000, "responseSchema": schema}
        for number in range(20)
    ]
    outcome = {"type": "interrupt", "interrupts": asked}
    values = [{"type": "RUN_STARTED"}, {"type": "RUN_FINISHED", "outcome": outcome}]
    kept = read("ag-ui", stream(values)).questions
    stored = json.dumps([question_map(each) for each in kept], ensure_ascii=False)
    assert (len(kept), len(stored.encode()) <= 9 * 1024) == (10, True)


PIECES: dict[str, Any] = {
    "agentcore": converse(text("All work and no play. "))[0],
    "ag-ui": {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "All work and no play. "},
    "a2a": artifact("All work and no play. "),
    "openai": chunk(content="All work and no play. "),
}


@pytest.mark.parametrize("protocol", PIECES)
def test_memory_is_flat_over_30_megabytes(protocol: str) -> None:
    body = stream([PIECES[protocol]]) * 500
    end = stream(next(values for name, values in ALL.values() if name == protocol)[-1:])
    count = 30_000_000 // len(body)
    tracemalloc.start()
    try:
        chunks = (body if number < count else end for number in range(count + 1))
        read_answer(chunks, SSE, protocol=PROTOCOLS[protocol])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000


INVOCATION = Invocation(
    prompt="Report.",
    target_user_id="alice",
    session_id="s" * 33,
    execution_id="e-1",
    options={"modelId": "nova"},
    system_prompt="Be brief.",
)


def body_of(protocol: str, url: str = "", **changes: Any) -> Any:
    request = PROTOCOLS[protocol].request(replace(INVOCATION, **changes), url)
    return json.loads(request.content)


def test_request_of_ag_ui() -> None:
    body = body_of("ag-ui")
    said = [(message["role"], message["content"]) for message in body["messages"]]
    assert (body["threadId"], body["runId"], said) == (
        "s" * 33,
        "e-1",
        [("system", "Be brief."), ("user", "Report.")],
    )


def test_answer_of_a_person_goes_to_ag_ui_as_a_resumption() -> None:
    body = body_of("ag-ui", answers=(Answered("i-1", {"yes": True}),))
    assert body["resume"] == [
        {"interruptId": "i-1", "status": "resolved", "payload": {"yes": True}}
    ]


def test_request_of_a2a_names_its_version() -> None:
    assert PROTOCOLS["a2a"].request(INVOCATION, "").headers == {"A2A-Version": "1.0"}


def test_answer_of_a_person_goes_to_the_same_task() -> None:
    message = body_of("a2a", answers=(Answered("t-1", "yes"),))["params"]["message"]
    assert (message["taskId"], message["parts"]) == ("t-1", [{"text": "yes"}])


def test_request_of_chat_completions_asks_for_usage() -> None:
    body = body_of("openai", "https://a.example/v1/chat/completions")
    assert (body["model"], body["stream_options"]) == ("nova", {"include_usage": True})


def test_request_of_responses_by_its_address() -> None:
    body = body_of("openai", "https://a.example/v1/responses?x=1")
    assert (body["input"], body["instructions"]) == ("Report.", "Be brief.")


def test_task_can_be_cancelled() -> None:
    reply = read("a2a", stream([artifact("A"), state("COMPLETED")]))
    request = PROTOCOLS["a2a"].cancel(reply)
    assert request is not None
    assert json.loads(request.content)["params"] == {"id": "t-1"}


@pytest.mark.parametrize("protocol", ["openai", "invocations", "agentcore", "a2a"])
@pytest.mark.parametrize("media_type", [SSE, "application/x-ndjson"])
@pytest.mark.parametrize("cut", [0, 1])
def test_stream_of_ag_ui_names_the_setting_under_any_other_protocol(
    protocol: str, media_type: str, cut: int
) -> None:
    values = ANSWERS["ag-ui"][1]
    body = stream(values)
    if "ndjson" in media_type:
        if protocol != "invocations":
            pytest.skip("others read a body of another type as one document")
        body = "\n".join(map(json.dumps, values)).encode()
    with pytest.raises(AgentError, match=r"set AGENT_PROTOCOL .*RUN_STARTED"):
        read(protocol, body[: len(body) - cut], media_type=media_type)
