import json
import logging

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
