"""Log lines: bound ids, and characters that are escaped."""

import json
import logging
import sys

import pytest

from moca.logs import ContextFilter, JsonFormatter, TextFormatter, bind


def record(message: str = "Hello", **extra: str) -> logging.LogRecord:
    made = logging.getLogger("t").makeRecord("t", 20, "f", 1, message, (), None, extra=extra)
    ContextFilter().filter(made)
    return made


def test_bound_ids_are_on_the_line() -> None:
    with bind(requestId="r1"):
        assert json.loads(JsonFormatter().format(record()))["requestId"] == "r1"


def test_bound_ids_end_with_the_block() -> None:
    with bind(requestId="r1"):
        pass
    assert "requestId" not in json.loads(JsonFormatter().format(record()))


def test_ids_of_the_line_come_first() -> None:
    with bind(triggerId="bound"):
        assert json.loads(JsonFormatter().format(record(triggerId="own")))["triggerId"] == "own"


def test_inner_block_keeps_outer_ids() -> None:
    with bind(requestId="r1"), bind(triggerId="t1"):
        line = json.loads(JsonFormatter().format(record()))
    assert (line["requestId"], line["triggerId"]) == ("r1", "t1")


def test_line_break_stays_within_the_json_line() -> None:
    assert "\n" not in JsonFormatter().format(record("a\nb"))


def test_text_line_names_the_ids() -> None:
    assert TextFormatter().format(record(triggerId="t1")).endswith("INFO    Hello  triggerId=t1")


@pytest.mark.parametrize("mark", ["\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e"])
def test_no_text_steers_the_terminal_or_ends_the_line(mark: str) -> None:
    assert mark not in TextFormatter().format(record(f"a{mark}b", triggerId=f"t{mark}1"))


def test_a_traceback_keeps_its_lines_and_nothing_else_that_steers() -> None:
    made = record()
    try:
        raise ValueError("a\x9bb")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = TextFormatter().format(made)
    assert ("\nValueError: a\\x9bb" in line, "\x9b" in line) == (True, False)


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_a_json_line_is_one_line_for_readers_that_know_unicode(mark: str) -> None:
    line = JsonFormatter().format(record(f"a{mark}b"))
    assert (len(line.splitlines()), json.loads(line)["message"]) == (1, f"a{mark}b")
