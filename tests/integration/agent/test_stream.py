"""From the bytes of an answer to what was said and used, however they are cut."""

import json
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import AgentError, Output, Reply, framing
from agents.output import KEPT_AT_EACH_END
from agents.protocols import read_answer, strands

COMPLETION = {
    "type": "serverCompletionEvent",
    "metadata": {"requestId": "r-1", "sessionId": "s-1", "duration": 1234, "agentMetadata": {}},
}
START = {"type": "modelMessageStartEvent", "role": "assistant"}


def delta(text: str) -> dict[str, Any]:
    return {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": text}}


def block(text: str) -> dict[str, Any]:
    return {"type": "textBlock", "text": text}


def added(role: str, *texts: str) -> dict[str, Any]:
    message = {"role": role, "content": [block(text) for text in texts]}
    return {"type": "messageAddedEvent", "message": message}


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)


def read(body: bytes, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return read_answer([body], content_type)


def said(*events: Any) -> str:
    return read(lines(*events, COMPLETION)).output.text


def facts(reply: Reply) -> tuple[object, ...]:
    return (reply.output.text, reply.input_tokens, reply.request_id, reply.duration_ms)


STREAM = (
    lines(START, delta("Grüße, 世界 "), delta("🎉\u2028 done"))
    + b"\n  \r\n"
    + lines({"type": "newEvent"}, {"type": "modelMetadataEvent", "usage": {"inputTokens": 7}})
    + lines(COMPLETION).rstrip()
)


@given(st.lists(st.integers(0, len(STREAM))))
@settings(max_examples=200, deadline=None)
def test_any_chunking_gives_the_same_reply(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(edges)]
    assert facts(read_answer(chunks, "text/plain")) == facts(read(STREAM))


def test_single_bytes_give_the_same_reply() -> None:
    chunks = [bytes([byte]) for byte in STREAM]
    reply = read_answer(chunks, "application/x-ndjson")
    assert facts(reply) == ("Grüße, 世界 🎉\u2028 done", 7, "r-1", 1234)


def test_text_that_is_repeated_is_not_doubled() -> None:
    assert said(START, delta("A"), delta("B"), block("AB"), added("assistant", "AB")) == "AB"


def test_blocks_count_where_no_deltas_came() -> None:
    assert said(START, block("A"), block("B"), added("assistant", "A", "B")) == "AB"


def test_added_message_counts_where_nothing_else_came() -> None:
    assert said(added("user", "ask"), added("assistant", "A", "B")) == "AB"


def test_each_message_counts_for_itself() -> None:
    first = (START, delta("1"), block("1"), added("assistant", "1"), added("user", "tool"))
    second = (START, added("assistant", "2"))
    third = (START, block("3"), added("assistant", "3"))
    assert said(*first, *second, *third) == "123"


def test_tools_and_reasoning_are_not_the_answer() -> None:
    tool = {"type": "toolUseInputDelta", "input": "{}"}
    thought = {"type": "reasoningContentDelta", "text": "hm"}
    events = [{"type": "modelContentBlockDeltaEvent", "delta": part} for part in (tool, thought)]
    assert said(START, *events, delta("A")) == "A"


def test_usage_is_summed() -> None:
    usage = {"type": "modelMetadataEvent", "usage": {"inputTokens": 5, "outputTokens": 2}}
    reply = read(lines(usage, usage, COMPLETION))
    assert (reply.input_tokens, reply.output_tokens) == (10, 4)


@pytest.mark.parametrize(
    "event",
    [
        5,
        None,
        "text",
        [],
        {},
        {"type": None},
        {"type": []},
        {"type": {}},
        {"type": "modelContentBlockDeltaEvent"},
        {"type": "modelContentBlockDeltaEvent", "delta": 5},
        {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": 5}},
        {"type": "modelMetadataEvent", "usage": []},
        {"type": "modelMetadataEvent", "usage": {"inputTokens": "9", "outputTokens": True}},
        {"type": "modelMetadataEvent", "usage": {"inputTokens": -1, "outputTokens": 1e999}},
        {"type": "messageAddedEvent", "message": "x"},
        {"type": "messageAddedEvent", "message": {"role": "assistant", "content": 5}},
        {"type": "messageAddedEvent", "message": {"role": "assistant", "content": [5, {}]}},
        {"type": "textBlock", "text": {}},
        {"type": "serverCompletionEvents"},
    ],
)
def test_odd_events_are_skipped(event: Any) -> None:
    reply = read(lines(event, delta("A"), COMPLETION))
    assert facts(reply) == ("A", 0, "r-1", 1234)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "delta", "text", "usage", "message", "role", "content", "error"]
            )
            | st.text(max_size=3),
            inner | st.sampled_from([*strands._EVENTS, "modelContentBlockDeltaEvent", "assistant"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.lists(json_values, max_size=4),
    st.sampled_from(["text/plain", "application/json", "text/event-stream"]),
)
@settings(max_examples=300, deadline=None)
def test_no_json_is_too_odd(values: list[Any], content_type: str) -> None:
    bodies = {
        "text/plain": b"".join(json.dumps(value).encode() + b"\n" for value in values),
        "application/json": json.dumps(values).encode(),
        "text/event-stream": b"".join(b"data: %b\n\n" % json.dumps(v).encode() for v in values),
    }
    try:
        assert read(bodies[content_type], content_type).output.total_bytes >= 0
    except AgentError as error:
        assert error.message  # noqa: PT017  (either way is right)


@pytest.mark.parametrize("metadata", [None, [], {"requestId": 5, "duration": "x"}])
def test_completion_without_facts(metadata: Any) -> None:
    reply = read(lines({"type": "serverCompletionEvent", "metadata": metadata}))
    assert (reply.request_id, reply.session_id) == (None, None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "out of disk", "requestId": "r-9"}, "out of disk"),
        ("plain words", "plain words"),
        ({"message": 5}, "the agent failed without saying why"),
        (None, "the agent failed without saying why"),
    ],
)
def test_error_event(error: Any, message: str) -> None:
    with pytest.raises(AgentError) as caught:
        read(lines(delta("A"), {"type": "serverErrorEvent", "error": error}))
    assert (caught.value.message, caught.value.reached) == (message, True)


def test_failed_run_keeps_what_was_said_and_used() -> None:
    usage = {"type": "modelMetadataEvent", "usage": {"inputTokens": 5, "outputTokens": 2}}
    with pytest.raises(AgentError, match="ended early") as caught:
        read(lines(delta("half"), usage))
    assert caught.value.reply is not None
    assert facts(caught.value.reply) == ("half", 5, None, None)


@pytest.mark.parametrize(
    "bad", [b"{", b"1,2", b"{} {}", b'{"a":1}]', b"\xff\xfe", b"[" * 100000, b"plain text"]
)
def test_line_that_is_no_json(bad: bytes) -> None:
    with pytest.raises(AgentError, match=r"no JSON|no UTF-8") as caught:
        read(lines(delta("A")) + bad + b"\n" + lines(COMPLETION))
    assert len(caught.value.message) < 300
    assert caught.value.reply is not None
    assert caught.value.reply.output.text == "A"


@pytest.mark.parametrize("rest", [b"no json\n", b"\xff\n", lines({"type": "serverErrorEvent"})])
def test_nothing_counts_after_completion(rest: bytes) -> None:
    assert read(lines(COMPLETION) + rest).request_id == "r-1"


def test_halves_of_a_character_in_two_deltas_are_joined() -> None:
    halves = json.dumps(delta("🎉")).encode().split(b"\\udf89")
    first = halves[0] + halves[1]
    second = json.dumps(delta("\udf89!")).encode()
    reply = read(first + b"\n" + second + b"\n" + lines(COMPLETION))
    assert (reply.output.text, reply.output.total_bytes) == ("🎉!", 5)


def test_lone_surrogate_is_replaced() -> None:
    body = json.dumps(delta("a\udf89b")).encode() + b"\n" + lines(COMPLETION)
    assert read(body).output.text == "a\ufffdb"


def test_line_of_two_megabytes() -> None:
    chunk = lines(delta("x" * 2_000_000), COMPLETION)
    pieces = [chunk[i : i + 1000] for i in range(0, len(chunk), 1000)]
    assert read_answer(pieces, "text/plain").output.total_bytes == 2_000_000


def test_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LONGEST", 1024 * 1024)
    with pytest.raises(AgentError, match="more than 1 MB"):
        read_answer((b"x" * 65536 for _ in range(1000)), "text/plain")


def test_memory_is_flat_over_100_megabytes() -> None:
    chunk = lines(*[delta("some words that are said again and again " * 20)] * 75)
    count = 100_000_000 // len(chunk) + 1
    tracemalloc.start()
    try:
        reply = read_answer(
            (
                part
                for n in range(count + 1)
                for part in [chunk if n < count else lines(COMPLETION)]
            ),
            "text/plain",
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.output.total_bytes > 80_000_000
    assert peak < 5_000_000


def test_on_output_is_told_of_each_chunk_with_text() -> None:
    seen: list[str] = []
    chunks = [lines(START), lines(delta("A"), delta("B")), lines(delta("C"), COMPLETION)]
    read_answer(chunks, "text/plain", lambda output: seen.append(output.text))
    assert seen == ["AB", "ABC"]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"output": "A"}, "A"),
        ({"message": "A", "status": "ok"}, "A"),
        ({"result": {"role": "assistant", "content": [{"text": "A"}, {"text": "B"}]}}, "AB"),
        ({"response": ["A", "B"]}, "AB"),
        ({"content": [{"type": "tool_use", "text": "no"}, {"type": "text", "text": "A"}]}, "A"),
        ("A", "A"),
        ([delta("A"), block("A"), delta("B"), COMPLETION], "AB"),
        ([delta("A")], "A"),
        (delta("A"), "A"),
        ({"count": 3}, '{"count": 3}'),
        (None, ""),
    ],
)
def test_json_documents(document: Any, text: str) -> None:
    body = json.dumps(document, indent=1).encode()
    assert read(body, "application/json; charset=utf-8").output.text == text


def test_json_document_that_reports_an_error() -> None:
    with pytest.raises(AgentError, match=r"^no model$"):
        read(b'{"error": {"message": "no model"}}', "application/json")


@pytest.mark.parametrize("body", [b"", b"{", b"oops"])
def test_json_document_that_is_none(body: bytes) -> None:
    with pytest.raises(AgentError, match=r"empty|no JSON"):
        read(body, "application/json")


def test_server_sent_events() -> None:
    body = (
        b": keep-alive\r\n\r\nevent: message\r\ndata: "
        + json.dumps(delta("A")).encode()
        + b'\r\n\r\ndata: {"data":\r\ndata: "B"}\r\n\r\ndata: "C"\n\n'
        + b'data: {"type": "progress", "text": 1}\n\ndata: [DONE]\n\n'
    )
    chunks = [bytes([byte]) for byte in body]
    assert read_answer(chunks, "text/event-stream").output.text == "ABC"


def test_server_sent_events_that_say_nothing_ended_early() -> None:
    with pytest.raises(AgentError, match="ended early"):
        read(b": keep-alive\n\n", "text/event-stream")


@given(st.lists(st.text(max_size=9).filter(str.isprintable), max_size=30), st.integers(0, 300))
def test_output_is_what_was_appended(pieces: list[str], offset: int) -> None:
    output = Output()
    for piece in pieces:
        output.append(piece)
    whole = "".join(pieces).encode()
    assert (output.text, output.total_bytes) == (whole.decode(), len(whole))
    rest, end = output.after(offset)
    assert (rest.encode(), end) == (whole[offset:].lstrip(bytes(range(128, 192))), len(whole))


@pytest.mark.parametrize("character", ["x", "é", "世", "🎉"])
def test_long_output_keeps_both_ends(character: str) -> None:
    output = Output()
    for _ in range(100_000):
        output.append(character * 3)
    size = len(character.encode())
    kept = KEPT_AT_EACH_END // size * size
    assert (len(output.head.encode()), len(output.tail.encode())) == (kept, kept)
    left_out = f"\n[... {300_000 * size - 2 * kept} bytes left out ...]\n"
    assert output.text == output.head + left_out + output.tail


def test_output_after_an_offset_in_the_gap() -> None:
    output = Output()
    output.append("x" * 1_000_000)
    text, end = output.after(500_000)
    gap = 1_000_000 - KEPT_AT_EACH_END - 500_000
    assert (text, end) == (f"\n[... {gap} bytes left out ...]\n" + output.tail, 1_000_000)
    assert output.after(2_000_000) == ("", 1_000_000)


def test_stored_output_is_the_same() -> None:
    output = Output()
    output.append("世" * 200_000)
    again = Output.stored(output.head, output.tail, output.total_bytes)
    for offset in (0, 1, 100_000, 599_999, 600_000):
        assert again.after(offset) == output.after(offset)
