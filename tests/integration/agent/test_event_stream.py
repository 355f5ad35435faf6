"""Event streams, read as the standard says (WHATWG HTML, 9.2.5 and 9.2.6)."""

import json
import tracemalloc
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import AgentError, Reply, framing
from agents.event_stream import CutOffError, EventStream
from agents.protocols import read_answer
from tests.examples import examples

MIB = 1024 * 1024


def events_of(*chunks: bytes) -> list[tuple[str, str]]:
    """Names and data of the events; one that is cut off is dropped."""
    stream = EventStream(longest=MIB)
    found = [(event.name, event.data) for chunk in chunks for event in stream.feed(chunk)]
    with suppress(CutOffError):
        stream.end()
    return found


def model(stream: bytes) -> list[tuple[str, str]]:
    """The rule in its own words."""
    found, event_type, data = [], "", ""
    for line in lines_of(stream.decode("utf-8", "replace").removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data != "":
                found.append((event_type, data.removesuffix("\n")))
            event_type = data = ""
        elif field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
    return found


def lines_of(text: str) -> list[str]:
    """The lines that end, a character at a time."""
    lines, line, position = [], "", 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\r" and text[position : position + 1] == "\n":
            position += 1
        if character in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += character
    return lines


WHOLE = (
    "\ufeff: comment\r\n\r\nevent: greeting\r\nid: 7\rretry: 10\ndata: Grüße\rdata:  世界 🎉\r\n"
    "data\rdata:\n\r\ndata:x:y\r\rdata\n\ndataset: no\nnothing\n\nevent\ndata: a\n\n"
    "event: lost\n\ndata: b\n\ndata: cut off"
).encode()
EXPECTED = [
    ("greeting", "Grüße\n 世界 🎉\n\n"),
    ("", "x:y"),
    ("", ""),
    ("", "a"),
    ("", "b"),
]


def test_whole_rule() -> None:
    assert events_of(WHOLE) == EXPECTED


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_stream_that_is_cut_anywhere(cut: int) -> None:
    assert events_of(WHOLE[:cut], WHOLE[cut:]) == EXPECTED


def test_single_bytes() -> None:
    assert events_of(*(bytes([byte]) for byte in WHOLE)) == EXPECTED


def test_empty_chunk_between_the_two_halves_of_a_line_end() -> None:
    assert events_of(b"data: a\r", b"", b"\ndata: b\r\n\r\n") == [("", "a\nb")]


pieces = st.sampled_from(
    [
        "data",
        "event",
        "id",
        "retry",
        "error",
        ":",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\ufeff",
        "é",
        "\0",
        "x",
    ]
).map(str.encode) | st.binary(max_size=2)


@given(st.lists(pieces, max_size=40).map(b"".join), st.lists(st.integers(0, 80), max_size=5))
@settings(max_examples=examples(200), deadline=None)
def test_reader_agrees_with_the_rule(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert events_of(*(stream[a:b] for a, b in pairwise(edges))) == model(stream)


def test_event_is_told_before_the_second_half_of_its_line_end() -> None:
    events = EventStream(longest=MIB).feed(b"data: a\r\n\r")
    assert [event.data for event in events] == ["a"]


# What an answer is made of it.


def delta(text: str) -> str:
    event = {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": text}}
    return json.dumps(event)


COMPLETION = json.dumps({"type": "serverCompletionEvent", "metadata": {"requestId": "r-1"}})


def read(stream: str) -> Reply:
    return read_answer([stream.encode()], "text/event-stream")


def failure(stream: str) -> AgentError:
    with pytest.raises(AgentError) as caught:
        read(stream)
    return caught.value


def test_data_on_several_lines_is_one_document() -> None:
    stream = 'data: {"output":\rdata: "A"}\r\r'
    assert read(stream).output.text == "A"


@pytest.mark.parametrize("rest", ["", "\n", "\r"])
def test_completion_that_is_cut_off_does_not_count(rest: str) -> None:
    stream = f"data: {delta('A')}\n\ndata: {COMPLETION}{rest}"
    assert failure(stream).message == "the agent's stream ended early"


def test_answer_whose_last_event_is_cut_off_ended_early() -> None:
    error = failure('data: "A"\n\ndata: "B"\n')
    assert error.reply is not None
    assert (error.message, error.reply.output.text) == ("the agent's stream ended early", "A")


@pytest.mark.parametrize("rest", [": ping", "id: 5\n", "event: x\n"])
def test_end_after_what_says_nothing_is_clean(rest: str) -> None:
    assert read(f'data: "A"\n\n{rest}').output.text == "A"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"message": "no model"}', "no model"),
        ('{"error": "no model"}', "no model"),
        ('{"text": "no model"}', "no model"),
        ('{"error": {"message": "no model", "code": 5}}', "no model"),
        ('{"type": "serverErrorEvent", "error": {"message": "no model"}}', "no model"),
        ('{"error": "", "error_type": "TimeoutError"}', "TimeoutError"),
        ('"no model"', "no model"),
        ("no model", "no model"),
        ("no\ndata: model", "no\nmodel"),
        ("", "the agent failed without saying why"),
        ("{}", "the agent failed without saying why"),
        (delta("A"), "the agent failed without saying why"),
    ],
)
def test_event_named_error_is_a_failure(data: str, reason: str) -> None:
    error = failure(f'data: "A"\n\nevent: error\ndata: {data}\n\ndata: {COMPLETION}\n\n')
    assert (error.message, error.kind, error.reached) == (reason, "agent", True)


def test_error_without_a_text_is_a_failure_by_any_name() -> None:
    stream = 'data: "A"\n\ndata: {"error": "", "error_type": "TimeoutError"}\n\n'
    assert failure(stream).message == "TimeoutError"


def test_error_after_the_completion_does_not_count() -> None:
    stream = f"data: {COMPLETION}\n\nevent: error\ndata: late\n\n"
    assert read(stream).request_id == "r-1"


@pytest.mark.parametrize("line", ["data: {}\n", "data: {}", ": {}"])
def test_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(framing, "LONGEST", MIB)
    with pytest.raises(AgentError, match="more than 1 MB"):
        read_answer((line.format("x" * 60_000).encode() for _ in range(100)), "text/event-stream")


def test_memory_is_flat_over_50_megabytes() -> None:
    chunk = f"data: {delta('some words that are said again ' * 20)}\n\n".encode() * 75
    count = 50_000_000 // len(chunk) + 1
    end = f"data: {COMPLETION}\n\n".encode()
    tracemalloc.start()
    try:
        read_answer((chunk if n < count else end for n in range(count + 1)), "text/event-stream")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
